/* A heap with something of everything, in which a test breaks one thing after the other. */
#ifndef HAK_TEST_EVERYTHING_H
#define HAK_TEST_EVERYTHING_H

#include "support.h"

#include "heap/bins.h"
#include "heap/check.h"
#include "heap/holes.h"
#include "pages/superslabs.h"
#include "pages/units.h"

#define SIZE ((size_t)64) /* of its small blocks */
#define UNIT ((size_t)1 << HAK_UNIT_SHIFT)

extern hak_heap *victim;
extern char *span, *small_span, *huge, *medium; /* blocks of it */

int everything_setup(void **state);
int everything_teardown(void **state);

/* ------------------------------------------------------------------ what there is in it */

hak_slab *record_of(const void *block);
hak_superslab *superslab_of(const void *block);
char *start_of(const hak_slab *unit);
uint64_t bit_of(const hak_slab *unit);

/* The first unit in a state, with pages or not. */
hak_slab *unit_that_is(hak_slab_state state, bool touched, bool punched);

hak_slab *full(void);
hak_slab *partial(void);
hak_slab *current(void);

/* A free unit with pages, or one without. */
hak_slab *unused(bool touched);

/* ------------------------------------------------------------------ what is found */

typedef struct breakage {
    void (*breaks)(void);
    const char *name;
} breakage;

#define BREAK(name) \
    {               \
        name, #name \
    }

/* Each of them, in a child of its own, ends it with a line that says so. */
void check_found(const breakage *all, size_t count);

#endif
