/* The name of the build, from its flags: see hak_build. Builds that count or check on every call
 * come first, since their times do not represent hakmem's speed. */
#ifndef HAK_BUILD_H
#define HAK_BUILD_H

#if defined(HAK_OBSERVE)
#define HAK_BUILD "observe"
#elif defined(HAK_DEBUG)
#define HAK_BUILD "debug"
#elif defined(HAK_FAST)
#define HAK_BUILD "fast"
#elif defined(HAK_PGO)
#define HAK_BUILD "pgo"
#else
#define HAK_BUILD "standard"
#endif

#endif
