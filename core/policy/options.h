/* Options: what refines a profile, and what holds for the process. One table names them all, with
 * the environment's variables, which are read once. */
#ifndef HAK_OPTIONS_H
#define HAK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hakmem.h"
#include "policy/profile.h"

/* The profile `name`, for which hak_profile_valid holds (NULL: the environment's, or balanced), as
 * the environment refines it. Warns once of each variable that begins as ours do and is none, that
 * has a value that is none, or that is of no use since the build's profile is fixed. */
void hak__options_profile(const char *name, hak_profile *profile);

/* Refines a profile by `settings`, "name=value name=value …"; bits of the options that are set join
 * `given`. False with errno EINVAL or ENOTSUP, a message and no change, when one is refused. */
bool hak__options_refine(hak_profile *profile, uint32_t *given, const char *settings, char *message,
                         size_t size);

/* The bits of the options that are set when a heap is made, and hold as long as it lives. */
uint32_t hak__options_lasting(void);

/* Whether a living heap's profile may become `to`; if not, `message` says why. */
bool hak__options_may_follow(const hak_profile *from, const hak_profile *to, char *message,
                             size_t size);

/* Whether the calls to the OS are to be told at exit. */
bool hak__options_os_stats(void);

/* How many events the trace of an observed heap holds. */
size_t hak__options_trace(void);

/* Bytes to touch when a heap is made. */
size_t hak__options_prewarm(void);

/* Describes all options, with the values of a heap that has `profile` and `given`. */
size_t hak__options_list(const hak_profile *profile, uint32_t given, hak_option *options,
                         size_t most);

#endif
