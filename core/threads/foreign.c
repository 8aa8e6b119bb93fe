#include "threads/foreign.h"

/* In a file of its own: where it is defined, a compiler would take NULL for its value. */
__attribute__((weak)) const hak_foreign *const hak__foreign = NULL;
