#include "threads/all.h"

#include <errno.h>

#include "os/os.h"

#define RECORDS ((size_t)256 * 1024) /* bytes mapped for records at a time */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hak_thread_heap *all, *idle; /* the one that became idle last comes first */
static hak_thread_heap spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ------------------------------------------------------------------ making */

/* By them a heap is known as a thread heap. Scans are paid for as in CPython's: docs/design.md,
 * "Threads". */
static const hak_hints hints = {.clock_most = 16, .busy = 1000};

hak_thread_heap *hak__thread_heap_of(const hak_heap *heap)
{
    return heap->hints == &hints ? heap->adapter : NULL;
}

/* What was set for all of them at run time. Written with both locks. */
static hak_profile policy;
static uint32_t overrides;
static bool is_set;

static void set(const hak_profile *other, uint32_t given)
{
    pthread_mutex_lock(&spare.lock);
    policy = *other;
    overrides = given;
    is_set = true;
    pthread_mutex_unlock(&spare.lock);
}

static void take_environments(void)
{
    hak_profile environments;
    if (is_set) return;
    hak__options_profile(NULL, &environments);
    set(&environments, 0);
}

bool hak__threads_set_profile(const char *name)
{
    if (!hak_profile_valid(name, NULL, 0)) return false;
    take_environments();
    hak_profile other = policy;
    uint32_t given = overrides;
    hak__heap_switch(&other, &given, name);
    set(&other, given);
    return true;
}

bool hak__threads_refine(const char *settings, char *message, size_t size)
{
    take_environments();
    hak_profile refined = policy;
    uint32_t given = overrides;
    if (!hak__heap_refine(&refined, &given, settings, message, size)) return false;
    if (!hak__options_may_follow(&policy, &refined, message, size)) return false;
    set(&refined, given);
    return true;
}

const char *hak__threads_profile(void)
{
    take_environments();
    return hak__profile_fixed() ? hak__profile_fixed()->name : policy.name;
}

/* The spare heap has no thread that gives memory back later: to make one, libc calls malloc. */
static hak_profile policy_of(const hak_thread_heap *of)
{
    hak_profile own = policy;
    if (of == &spare) own.decay = 0;
    return own;
}

void hak__threads_follow(hak_thread_heap *of)
{
    hak_profile own = policy_of(of);
    hak__heap_follow(of->heap, &own, overrides);
}

static bool open_heap(hak_thread_heap *record)
{
    const char *settings = record == &spare ? "decay=0" : NULL;
    hak_heap *heap = hak__heap_new(&(hak_heap_options){.name = "thread", .settings = settings});
    if (!heap) return false;
    hak_profile own = policy_of(record);
    if (is_set) hak__heap_adopt(heap, &own, overrides);
    heap->adapter = record;
    hak__heap_suit(heap, &hints);
    record->heap = heap;
    return true;
}

/* A record of zeros. The lock is held. */
static hak_thread_heap *new_record(void)
{
    static hak_thread_heap *unused, *end;
    if (unused == end) {
        unused = hak__os_map(RECORDS);
        end = unused ? unused + RECORDS / sizeof *unused : NULL;
    }
    return unused ? unused++ : NULL;
}

/* The lock is held: making a heap takes only the region's. */
static hak_thread_heap *make(void)
{
    static hak_thread_heap *left; /* by a heap that could not be made */
    hak_thread_heap *record = left ? left : new_record();
    left = NULL;
    if (!record) return NULL;
    if (!open_heap(record)) {
        left = record;
        return NULL;
    }
    pthread_mutex_init(&record->lock, NULL);
    record->next = all;
    all = record;
    return record;
}

/* ------------------------------------------------------------------ lists */

void hak__threads_lock(void)
{
    pthread_mutex_lock(&lock);
}

void hak__threads_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

hak_thread_heap *hak__threads_first(void)
{
    return all;
}

hak_thread_heap *hak__threads_take_idle(void)
{
    pthread_mutex_lock(&lock);
    hak_thread_heap *heap = idle;
    if (heap) idle = heap->next_idle;
    else heap = make();
    pthread_mutex_unlock(&lock);
    return heap;
}

static void add_idle(hak_thread_heap *heap)
{
    heap->next_idle = idle;
    idle = heap;
}

void hak__threads_add_idle(hak_thread_heap *heap)
{
    pthread_mutex_lock(&lock);
    add_idle(heap);
    pthread_mutex_unlock(&lock);
}

void hak__threads_end_others(const hak_thread *me)
{
    idle = NULL;
    for (hak_thread_heap *heap = all; heap; heap = heap->next) {
        if (heap->owner == me) continue;
        heap->owner = NULL;
        add_idle(heap);
    }
}

/* ------------------------------------------------------------------ the spare heap */

hak_thread_heap *hak__threads_lock_spare(void)
{
    pthread_mutex_lock(&spare.lock);
    if (spare.heap || open_heap(&spare)) return &spare;
    pthread_mutex_unlock(&spare.lock);
    errno = ENOMEM;
    return NULL;
}

hak_thread_heap *hak__threads_spare(void)
{
    return &spare;
}
