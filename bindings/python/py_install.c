/* Puts our functions into CPython's table of allocators, below its wrappers. */
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>

#include "hakmem_python.h"
#include "heap/heap.h"
#include "insight/insight.h"
#include "py_alloc.h"
#include "py_install.h"
#include "py_raw.h"
#include "py_watch.h"
#include "py_wrappers.h"

static hak_py_adapter adapter;

static const PyMemAllocatorDomain domain_of[HAK_PY_DOMAINS] = {
    [HAK_PY_DOMAIN_MEM] = PYMEM_DOMAIN_MEM,
    [HAK_PY_DOMAIN_OBJ] = PYMEM_DOMAIN_OBJ,
    [HAK_PY_DOMAIN_RAW] = PYMEM_DOMAIN_RAW,
};

static const unsigned bit_of[HAK_PY_DOMAINS] = {
    [HAK_PY_DOMAIN_MEM] = HAK_PY_MEM,
    [HAK_PY_DOMAIN_OBJ] = HAK_PY_OBJ,
    [HAK_PY_DOMAIN_RAW] = HAK_PY_RAW,
};

/* ------------------------------------------------------------------ several interpreters */

bool hak_py_enter(void)
{
    bool locked = adapter.locked;
    if (locked) hak__py_lock();
    return locked;
}

void hak_py_leave(bool entered)
{
    if (entered) hak__py_unlock();
}

static hak_py_mode mode(void)
{
    if (adapter.observed) return HAK_PY_OBSERVED;
    if (adapter.locked) return HAK_PY_LOCKED;
    return adapter.shared ? HAK_PY_SHARED : HAK_PY_PLAIN;
}

/* Those that any thread may call are the same in all modes. */
static PyMemAllocatorEx functions(int domain, hak_py_mode in)
{
    return hak__py_is_by_thread(domain) ? hak__py_raw_functions(&adapter, domain)
                                        : hak__py_functions(adapter.heap, domain, in);
}

/* Exchanges our functions in those of `domains` that are taken over; returns the domains in
 * which they were found. */
static unsigned exchange(unsigned domains, hak_py_mode old, hak_py_mode new)
{
    unsigned done = 0;
    for (int d = 0; d < HAK_PY_DOMAINS; d++) {
        if (!(adapter.domains & domains & bit_of[d])) continue;
        if (hak__py_is_by_thread(d)) {
            done |= bit_of[d];
            continue;
        }
        PyMemAllocatorEx from = functions(d, old), to = functions(d, new);
        if (hak__py_exchange(domain_of[d], &from, &to)) done |= bit_of[d];
    }
    return done;
}

/* Exchanges our functions in all domains. False, and no change, if an unknown hook
 * lies around ours. */
static bool exchange_all(hak_py_mode old, hak_py_mode new)
{
    unsigned done = exchange(adapter.domains, old, new);
    if (done == adapter.domains) return true;
    exchange(done, new, old);
    return false;
}

/* The observing functions lock by themselves if adapter.locked. */
bool hak__py_lock_from_now_on(void)
{
    if (adapter.locked || !adapter.heap) return true;
    if (!adapter.observed && !exchange_all(mode(), HAK_PY_LOCKED)) return false;
    hak__py_lock_respects_fork();
    adapter.locked = true;
    return true;
}

/* The raw domain is about to be taken over. False: the functions of the others were not found below
 * unknown hooks. */
static bool share_from_now_on(void)
{
    hak_py_mode old = mode();
    if (adapter.shared) return true;
    adapter.shared = true;
    if (mode() == old || exchange_all(old, mode())) return true;
    adapter.shared = false;
    return false;
}

/* Whether other interpreters exist, which may run without the main one's GIL. */
static bool has_others(void)
{
    if (PY_VERSION_HEX < 0x030c0000 || !Py_IsInitialized()) return false;
    PyInterpreterState *first = PyInterpreterState_Head();
    return first && PyInterpreterState_Next(first);
}

/* ------------------------------------------------------------------ installing */

/* The raw domain reads it without the GIL. */
static void set_passing(bool passing)
{
    __atomic_store_n(&adapter.passing, passing, __ATOMIC_RELAXED);
}

/* The domains that are taken over unless others are asked for, and those that can be. A
 * free-threaded CPython keeps objects in an allocator of its own, whose heaps its collector walks.
 */
enum {
    USUAL = HAK_PY_MEM | (HAK_PY_FREE_THREADED ? HAK_PY_RAW : HAK_PY_OBJ),
    POSSIBLE = HAK_PY_MEM | HAK_PY_RAW | (HAK_PY_FREE_THREADED ? 0 : HAK_PY_OBJ),
};

/* Least bytes with which a running interpreter can go on and report that it is out of memory. */
#define LIMIT_LEAST ((size_t)64 * 1024)

static const char *fail(int error, const char *message)
{
    errno = error;
    return message;
}

/* The message is of the process, not of the thread: where memory is short, a thread that reads its
 * first variable in a library loaded late is ended by glibc. One install runs at a time, and the
 * last byte is never written. */
__attribute__((format(printf, 2, 3))) static const char *fail_saying(int error, const char *format,
                                                                     ...)
{
    static char message[160];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message - 1, format, args);
    va_end(args);
    return fail(error, message);
}

/* The domains in `domains` whose innermost allocator is CPython's own. */
static unsigned cpythons_own(unsigned domains)
{
    for (int d = 0; d < HAK_PY_DOMAINS; d++) {
        PyMemAllocatorEx innermost;
        hak__py_innermost(domain_of[d], &innermost);
        if (!hak__py_is_cpythons_own(&innermost)) domains &= ~bit_of[d];
    }
    return domains;
}

static void take_over(unsigned domains)
{
    for (int d = 0; d < HAK_PY_DOMAINS; d++) {
        if (!(domains & bit_of[d])) continue;
        PyMemAllocatorEx ours = functions(d, mode());
        hak__py_replace_innermost(domain_of[d], &ours, &adapter.previous[d]);
        adapter.domains |= bit_of[d];
    }
}

static void take_over_again(void)
{
    take_over(cpythons_own(adapter.domains));
}

static const hak_py_handlers handlers = {.another_interpreter = hak__py_lock_from_now_on,
                                         .initialized_again = take_over_again};

static const char *check(const hak_py_options *options)
{
    if (options->domains & ~(HAK_PY_MEM | HAK_PY_OBJ | HAK_PY_RAW))
        return fail(EINVAL, "unknown domain, accepted are HAK_PY_MEM, HAK_PY_OBJ and HAK_PY_RAW");
    if (options->domains & ~POSSIBLE)
        return fail(ENOTSUP, "this is a free-threaded CPython, whose collector needs its own "
                             "allocator for objects: only \"raw\" and \"mem\" can be taken");
    if (options->limit && HAK_PY_FREE_THREADED)
        return fail(ENOTSUP, "this is a free-threaded CPython, whose objects stay outside of "
                             "hakmem: there is no limit");
    char why[128];
    if (options->profile && !hak_profile_valid(options->profile, why, sizeof why))
        return fail_saying(errno, "%s", why);
    if (options->limit && options->limit < LIMIT_LEAST)
        return fail_saying(ERANGE,
                           "a limit of %zu bytes is below the least that Python can work with, %zu",
                           options->limit, LIMIT_LEAST);
    return NULL;
}

/* Measured: docs/design.md, "CPython". */
#define CLOCK_MOST 16  /* bytes */
#define DECAY      250 /* milliseconds */
static const hak_hints hints = {
    .in_order = true, .clock_most = CLOCK_MOST, .decay = DECAY, .coloured = true};

/* Makes the heap with these options, or applies them to it. */
static const char *prepare_heap(const hak_py_options *options)
{
    if (!adapter.heap) {
        adapter.heap = hak_heap_new(&(hak_heap_options){
            .profile = options->profile, .limit = options->limit, .name = HAK_PY_HEAP_NAME});
        if (!adapter.heap) return fail(errno, hak__heap_new_failure(errno));
        adapter.heap->adapter = &adapter;
        hak__heap_suit(adapter.heap, &hints);
        adapter.observed = hak__observing(adapter.heap);
        if (HAK_PY_FREE_THREADED && !hak__py_lock_from_now_on()) return fail(EBUSY, "no lock");
        return NULL;
    }
    if (options->limit && !hak_heap_set_limit(adapter.heap, options->limit))
        return fail_saying(ERANGE, "a limit of %zu bytes is below the %zu in use", options->limit,
                           hak__heap_in_use(adapter.heap));
    if (options->profile) hak_heap_set_profile(adapter.heap, options->profile);
    return NULL;
}

/* Returns the C library's free memory to the OS: little of it will be asked for again. */
static void give_back_others(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static const char *install(const hak_py_options *options)
{
    if (Py_IsInitialized() && PyInterpreterState_Get() != PyInterpreterState_Main())
        return fail(EPERM, "hakmem is installed from the main interpreter only");
    const char *failure = check(options);
    if (failure) return failure;

    unsigned domains = options->domains ? options->domains : USUAL;
    unsigned untaken = cpythons_own(domains);
    if (domains & ~adapter.domains & ~untaken)
        return fail(EBUSY, "an allocator hook of somebody else is in place, maybe another copy of "
                           "hakmem, whose program can give scripts the module by hak_py_register");
    if (untaken && !HAK_PY_FREE_THREADED && has_others())
        return fail(EBUSY, "other interpreters exist; install hakmem before they are created");
    if (!hak__py_watch(&handlers))
        return fail(ENOMEM, "not enough memory to watch for other interpreters");
    untaken &= ~hak_py_installed(); /* an audit hook may have installed hakmem meanwhile */

    bool entered = hak_py_enter();
    failure = prepare_heap(options);
    if (!failure) set_passing(false);
    hak_py_leave(entered);
    if (failure) return failure;
    if (untaken & HAK_PY_RAW && !share_from_now_on())
        return fail(EBUSY, "an unknown allocator hook lies around hakmem");
    take_over(untaken);
    if (HAK_PY_FREE_THREADED && options->profile) hak_threads_set_profile(options->profile);
    if (untaken) give_back_others();
    return NULL;
}

/* Without the GIL two threads may come at once. CPython's own mutex, since who waits for it does
 * not hold up a collection. With the GIL there is none: an audit hook, which is called meanwhile,
 * may release the GIL, or call us. */
#ifdef Py_GIL_DISABLED
static PyMutex mutex;
#define ONE_AT_A_TIME(call)     \
    do {                        \
        PyMutex_Lock(&mutex);   \
        call;                   \
        PyMutex_Unlock(&mutex); \
    } while (0)
#else
#define ONE_AT_A_TIME(call) call
#endif

const char *hak_py_install(const hak_py_options *options)
{
    static const hak_py_options defaults;
    const char *failure;
    ONE_AT_A_TIME(failure = install(options ? options : &defaults));
    return failure;
}

static void uninstall(void)
{
    if (!adapter.heap || adapter.passing) return;
    bool entered = hak_py_enter();
    set_passing(true);
    hak__heap_detach(adapter.heap);
    hak_py_leave(entered);
}

void hak_py_uninstall(void)
{
    ONE_AT_A_TIME(uninstall());
}

unsigned hak_py_installed(void)
{
    return adapter.passing ? 0 : adapter.domains & ~cpythons_own(adapter.domains);
}

/* ------------------------------------------------------------------ observing */

static bool set_observed(bool on)
{
    hak_py_mode old = mode();
    adapter.observed = on;
    if (exchange_all(old, mode())) return true;
    adapter.observed = !on;
    return false;
}

const char *hak_py_observe(bool on)
{
    if (!adapter.heap) {
        return on ? fail(EINVAL, "hakmem is not installed, call hakmem.install() first") : NULL;
    }
    if (adapter.observed == on && hak__observing(adapter.heap) == on) return NULL;
    bool entered = hak_py_enter();
    bool done = set_observed(on);
    bool begun = done && on && hak__observe_begin(adapter.heap);
    if (done && !begun) hak__observe_end(adapter.heap);
    if (done && on && !begun) set_observed(false);
    hak_py_leave(entered);
    if (!done) return fail(EBUSY, "an unknown allocator hook lies around hakmem");
    if (on && !begun) return fail(ENOMEM, "not enough memory to observe");
    return NULL;
}

bool hak_py_observing(void)
{
    return adapter.observed && hak__observing(adapter.heap);
}

hak_heap *hak_py_heap(void)
{
    return adapter.heap;
}
