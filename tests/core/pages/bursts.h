/* Bursts of blocks in heaps with a decay time, and what waits after them. */
#ifndef HAK_TEST_BURSTS_H
#define HAK_TEST_BURSTS_H

#include "support.h"

#define DECAY_MS   100
#define PATIENCE_S 20 /* for what takes a tenth of a second on an idle machine */
#define NOTHING    "retain_least=0 retain_part=0 retain_busy=0 "
#define SHORT      NOTHING "decay=100"
#define LONG       NOTHING "decay=60000"
#define BURST      (24 * MIB)
#define LITTLE     (2 * MIB)

/* Bytes that wait or are pooled, and calls to the OS, of the process. */
size_t pooled(void);
size_t os_calls(void);

/* Whether there are so many threads beside the program's own. A sanitizer has some too. */
bool threads_are(size_t count);

/* ------------------------------------------------------------------ time */

size_t now_ms(void);
void sleep_ms(long milliseconds);

/* Waits until that is so, or too long. */
#define WITHIN(seconds, holds)                                                        \
    do {                                                                              \
        for (int looks = (seconds)*100; !(holds) && looks > 0; looks--) sleep_ms(10); \
        REQUIRE_THAT(holds, "after %d s; %zu bytes wait", seconds, pooled());         \
    } while (0)
#define UNTIL(holds) WITHIN(PATIENCE_S, holds)

/* ------------------------------------------------------------------ bursts */

hak_heap *heap_with(const char *settings);

typedef struct burst {
    size_t size;
    void *blocks[BURST / 640];
} burst;

/* Blocks of `size` bytes, written to. */
void burst_begin(hak_heap *heap, burst *in, size_t size);
void burst_end(hak_heap *heap, burst *in);

static const size_t sizes[] = {640, 100 * KIB, 12 * MIB};

/* Runs it in a child for each of these sizes, which is its context. */
void burst_in_children(void (*run)(void *context));

#endif
