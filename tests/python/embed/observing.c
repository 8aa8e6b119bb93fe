/* A heap that is observed. */
#include "cases.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/resource.h>

/* Without observing, the functions in the table are those that were there before it. */
void observed(void)
{
    CHECK(hak_py_observe(true) && errno == EINVAL);
    CHECK(!hak_py_observe(false) && !hak_py_observing());
    install(NULL);
    PyMemAllocatorEx plain[2], now;
    for (int d = 0; d < 2; d++) PyMem_GetAllocator(domains[d], &plain[d]);
    for (int i = 0; i < 1000; i++) {
        CHECK(!hak_py_observe(true) && !hak_py_observe(true) && hak_py_observing());
        for (int d = 0; d < 2; d++) {
            PyMem_GetAllocator(domains[d], &now);
            CHECK(now.ctx == plain[d].ctx && now.malloc != plain[d].malloc);
            CHECK(now.calloc != plain[d].calloc && now.realloc != plain[d].realloc);
            CHECK(now.free != plain[d].free);
        }
        CHECK(!hak_py_observe(false) && !hak_py_observe(false) && !hak_py_observing());
        for (int d = 0; d < 2; d++) {
            PyMem_GetAllocator(domains[d], &now);
            CHECK(same(&now, &plain[d]));
        }
    }
    Py_Initialize();
    CHECK(!hak_py_observe(true));
    run(CHURN);
    CHECK(told()->allocations > 5000);
    CHECK(Py_FinalizeEx() == 0);
}

/* What the OS gives no memory for changes nothing. */
void observed_without_memory(void)
{
    install(NULL);
    PyMem_Free(PyMem_Malloc(500));
    PyMemAllocatorEx plain[2], now;
    for (int d = 0; d < 2; d++) PyMem_GetAllocator(domains[d], &plain[d]);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){MIB, limit.rlim_max}) == 0);
    errno = 0;
    const char *failure = hak_py_observe(true);
    CHECK(failure && strstr(failure, "not enough memory") && errno == ENOMEM);
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(!hak_py_observing() && !told());
    for (int d = 0; d < 2; d++) {
        PyMem_GetAllocator(domains[d], &now);
        CHECK(same(&now, &plain[d]));
    }
    CHECK(!hak_py_observe(true));
    PyMem_Free(PyMem_Malloc(500));
    CHECK(hak_py_observing() && told()->allocations == 1);
}

/* A hook of somebody else's around one domain, that passes everything on. */
PyMemAllocatorEx hooked;

static void *hook_malloc(void *unused, size_t size)
{
    (void)unused;
    return hooked.malloc(hooked.ctx, size);
}

static void *hook_calloc(void *unused, size_t count, size_t size)
{
    (void)unused;
    return hooked.calloc(hooked.ctx, count, size);
}

static void *hook_realloc(void *unused, void *block, size_t size)
{
    (void)unused;
    return hooked.realloc(hooked.ctx, block, size);
}

static void hook_free(void *unused, void *block)
{
    (void)unused;
    hooked.free(hooked.ctx, block);
}

bool has_cpython_in_it(void)
{
    Dl_info cpython, here;
    CHECK(dladdr(Py_GetCopyright(), &cpython) && dladdr(&hooked, &here));
    return cpython.dli_fbase == here.dli_fbase;
}

void hook(void)
{
    /* Its context looks like that of tracemalloc, but is not CPython's. Where CPython is linked
     * into the program, it would be taken for that, and would do as well: there it is another one.
     */
    static PyMemAllocatorEx nothing;
    PyMemAllocatorEx ours = {has_cpython_in_it() ? &nothing : &hooked, hook_malloc, hook_calloc,
                             hook_realloc, hook_free};
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &ours);
}

static void check_refused(bool on)
{
    PyMemAllocatorEx before, after;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &before);
    errno = 0;
    const char *failure = hak_py_observe(on);
    CHECK(failure && strstr(failure, "unknown allocator hook") && errno == EBUSY);
    CHECK(hak_py_observing() == !on && hak_heap_observing(hak_py_heap()) == !on);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &after);
    CHECK(same(&before, &after));
}

/* What cannot be exchanged in all domains is exchanged in none. */
void observed_below_a_hook(void)
{
    install(NULL);
    hook();
    CHECK(!hak_py_observe(false)); /* as it is */
    check_refused(true);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    CHECK(!hak_py_observe(true));
    hook();
    CHECK(!hak_py_observe(true));
    check_refused(false);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    CHECK(!hak_py_observe(false));
}

void observed_below_a_tracer(void)
{
    install(NULL);
    Py_Initialize();
    run("import tracemalloc\n"
        "tracemalloc.start()\n");
    CHECK(!hak_py_observe(true));
    run(CHURN);
    size_t seen = told()->allocations;
    CHECK(seen > 5000);
    CHECK(!hak_py_observe(false));
    run("churn(5000)\n");
    CHECK(told()->allocations == seen);
    CHECK(Py_FinalizeEx() == 0);
}

/* Every call is counted once, whichever domain it is of. */
void observed_calls(void)
{
    enum { BLOCKS = 1000 };
    void *blocks[BLOCKS], *earlier[5 * BLOCKS];
    install(NULL);
    void *before = PyMem_Malloc(500);
    /* What lies where a heap begins has no slab, and is no hit. */
    for (int i = 0; i < 5 * BLOCKS; i++) earlier[i] = PyMem_Malloc(40);
    for (int i = 0; i < 5 * BLOCKS; i += 2) PyMem_Free(earlier[i]);
    size_t born_before = stats().live_blocks;
    CHECK(!hak_py_observe(true));
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 2) blocks[i] = i % 4 == 1 ? PyMem_Malloc(40) : PyMem_Calloc(5, 8);
        else blocks[i] = i % 4 == 0 ? PyObject_Malloc(40) : PyObject_Calloc(1, 40);
    }
    const hak_observations *seen = told();
    CHECK(seen->allocations == BLOCKS && seen->live_blocks == BLOCKS);
    CHECK(seen->born_before == born_before && born_before > 2 * BLOCKS);
    CHECK(seen->bytes_requested == 40 * BLOCKS && seen->bytes_given == 48 * BLOCKS);
    CHECK(seen->size_ranges == 1 && seen->sizes[0].from == 33 && seen->sizes[0].to == 40);
    blocks[0] = PyObject_Realloc(blocks[0], 44);     /* in place */
    blocks[0] = PyObject_Realloc(blocks[0], 100000); /* moved */
    blocks[1] = PyMem_Realloc(blocks[1], 60);        /* moved */
    CHECK(!PyMem_Malloc(PY_SSIZE_T_MAX));
    PyMem_Free(NULL);
    before = PyMem_Realloc(before, 5000);
    PyMem_Free(before);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 2) PyMem_Free(blocks[i]);
        else PyObject_Free(blocks[i]);
    }
    seen = told();
    CHECK(seen->resizes_in_place == 1 && seen->resizes_moved == 3 && seen->refusals == 1);
    CHECK(seen->frees == BLOCKS + 1 && seen->freed_unknown == 1 && seen->live_blocks == 0);
    CHECK(seen->operations == 2 * BLOCKS + 6 && seen->foreign == 0 && seen->unnoted == 0);
    /* Those freed last have lived as long as those freed first: 1,006 operations. */
    CHECK(seen->lifetimes[10] == BLOCKS);
    CHECK(seen->hits + seen->misses == seen->allocations + seen->resizes_moved);
    CHECK(seen->hits > BLOCKS / 4);
    size_t hits = seen->hits, misses = seen->misses;
    PyMem_Free(PyMem_Malloc(40));
    PyMem_Free(PyMem_Calloc(5, 8));
    PyObject_Free(PyObject_Malloc(40));
    PyObject_Free(PyObject_Calloc(1, 40));
    PyObject_Free(PyObject_Realloc(PyObject_Malloc(40), 41000)); /* a hit, and a miss */
    seen = told();
    CHECK(seen->hits == hits + 5 && seen->misses == misses + 1);
    /* More bytes than there can be, of which CPython asks for none. */
    PyMemAllocatorEx now;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &now);
    size_t refusals = seen->refusals;
    CHECK(!now.calloc(now.ctx, SIZE_MAX / 2 + 1, 2));
    seen = told();
    CHECK(seen->refusals == refusals + 1);
    CHECK(seen->sizes[seen->size_ranges - 1].from > SIZE_MAX / 2);
}

/* What Python forgets when it is initialized again comes back as it was. */
void observed_again(void)
{
    install(NULL);
    CHECK(!hak_py_observe(true));
    for (int i = 0; i < 3; i++) {
        size_t allocations = told()->allocations;
        Py_Initialize();
        CHECK(serves() && hak_py_observing());
        run(CHURN);
        CHECK(told()->allocations > allocations + 5000);
        CHECK(Py_FinalizeEx() == 0);
    }
    CHECK(told()->unnoted == 0);
}
