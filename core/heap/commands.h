/* What is asked of a heap as a whole, while it lives: to keep to a limit, to follow another
 * profile, to give memory back or have some ready. */
#ifndef HAK_COMMANDS_H
#define HAK_COMMANDS_H

#include "heap/blocks.h"

/* Sets the limit; 0: none. */
void hak__heap_keep_to(hak_heap *heap, size_t bytes);

/* Refines a profile by a heap's own options, of which `given` has a bit for each. False with errno
 * and a message as hak_heap_configure, and no change. */
bool hak__heap_refine(hak_profile *policy, uint32_t *given, const char *settings, char *message,
                      size_t size);

/* Makes `policy`, of which `given` has a bit for each option set, that of the profile `name`. */
void hak__heap_switch(hak_profile *policy, uint32_t *given, const char *name);

/* Gives a heap a profile, with a bit in `given` for each option set: one that has done nothing yet;
 * and one that lives, which gives back what it would not have retained. */
void hak__heap_adopt(hak_heap *heap, const hak_profile *policy, uint32_t given);
void hak__heap_follow(hak_heap *heap, const hak_profile *policy, uint32_t given);

#endif
