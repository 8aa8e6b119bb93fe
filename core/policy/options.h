/* Options: they refine a profile, or hold for the process. One table has all of them with their
 * environment variables, which are read once. */
#ifndef HAK_OPTIONS_H
#define HAK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"
#include "policy/profile.h"

/* The profile `name`, refined by the environment. hak_profile_valid holds for `name`; NULL: the
 * environment's profile, or balanced. Warns once of each variable with our prefix that does not
 * exist, has an invalid value, or has no effect since the build's profile is fixed. */
void hak__options_profile(const char *name, hak_profile *profile);

/* Refines a profile by `settings`, "name=value name=value …", and sets the bits of these options in
 * `given`. If one is refused: false with errno EINVAL or ENOTSUP, a message of up to `size` bytes,
 * and no change. */
bool hak__options_refine(hak_profile *profile, uint32_t *given, const char *settings, char *message,
                         size_t size);

/* The bits of the options that are set when a heap is made and hold as long as it lives. */
uint32_t hak__options_lasting(void);

/* Whether the profile of a living heap may change to `to`; if not, `message` has the reason. */
bool hak__options_may_follow(const hak_profile *from, const hak_profile *to, char *message,
                             size_t size);

/* Whether a line at exit reports the calls to the OS. */
bool hak__options_os_stats(void);

/* Events in the trace of an observed heap. */
size_t hak__options_trace(void);

/* Bytes to touch when a heap is made. */
size_t hak__options_prewarm(void);

/* Describes up to `most` options with the values of a heap that has `profile` and `given`; returns
 * how many options there are. */
size_t hak__options_list(const hak_profile *profile, uint32_t given, hak_option *options,
                         size_t most);

#endif
