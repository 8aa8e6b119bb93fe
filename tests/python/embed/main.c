/* A program that embeds Python, for test_embedding.py: its argument names what it does. */
#include "cases.h"

#include <errno.h>
#include <sys/resource.h>

#include "py_control.h"

/* ------------------------------------------------------------------ when it is installed */

static void before_initialize(void)
{
    CHECK(hak_py_installed() == 0 && !hak_py_heap());
    install(NULL);
    CHECK(serves());
    Py_Initialize();
    CHECK(serves());
    run(CHURN);
    CHECK(stats().live_blocks > 5000);
    CHECK(Py_FinalizeEx() == 0);
}

/* This order is right whatever PYTHONMALLOC says. */
static void after_preinitialize(void)
{
    preinitialize();
    install(&(hak_py_options){.profile = "lean", .limit = 512 * MIB});
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    CHECK(!PyStatus_Exception(Py_InitializeFromConfig(&config)));
    PyConfig_Clear(&config);
    CHECK(serves());
    run(CHURN
        "import tracemalloc\ntracemalloc.start()\nchurn(10)\ntracemalloc.stop()\nchurn(10)\n");
    CHECK(serves());
    CHECK(stats().live_blocks > 5000 && stats().limit == 512 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "lean") == 0);
    CHECK(Py_FinalizeEx() == 0);
}

static void after_initialize(void)
{
    Py_Initialize();
    run(CHURN "old = [[i] for i in range(1000)]\n");
    install(NULL);
    CHECK(serves());
    run("for entry in old: entry.extend(range(100))\nchurn(2000)\ndel old\n");
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ again and again */

static void cycle(void)
{
    Py_Initialize();
    CHECK(serves());
    run(CHURN "import json, re\nkept = [[i] for i in range(50000)]\n");
    size_t used = stats().live_bytes;
    CHECK(used > 5 * MIB);
    CHECK(Py_FinalizeEx() == 0);
    hak_heap_trim(hak_py_heap());
    CHECK(stats().footprint < used / 2);
    CHECK(stats().limit == 100 * MIB);
}

static void initialized_again(void)
{
    for (int i = 0; i < 5; i++) {
        if (i == 0) install(&(hak_py_options){.limit = 100 * MIB});
        cycle();
    }
}

static void installed_again(void)
{
    for (int i = 0; i < 5; i++) {
        preinitialize();
        install(&(hak_py_options){.limit = 100 * MIB});
        CHECK(!hak_py_register());
        cycle();
    }
}

/* ------------------------------------------------------------------ the module */

static void builtin_module(void)
{
    install(NULL);
    CHECK(!hak_py_register());
    CHECK(!hak_py_register());
    Py_Initialize();
    errno = 0;
    CHECK(hak_py_register() && errno == EBUSY);
    run("import hakmem, sys, _hakmem\n"
        "assert hakmem._hakmem is _hakmem and 'hakmem._hakmem' not in sys.modules\n"
        "assert sys.builtin_module_names.count('_hakmem') == 1\n"
        "assert set(hakmem.installed()) == {'mem', 'obj'}\n"
        "assert hakmem.install(limit=77 << 20) is False\n"
        "hakmem.profile('balanced')\n");
    CHECK(stats().limit == 77 * MIB);
    CHECK(strcmp(hak_heap_profile(hak_py_heap()), "balanced") == 0);
    run("import hakmem\n"
        "before = hakmem.stats()['live_blocks']\n"
        "kept = [[i] for i in range(10000)]\n"
        "assert hakmem.stats()['live_blocks'] > before + 10000\n"
        "hakmem.uninstall()\n");
    CHECK(hak_py_installed() == 0);
    CHECK(Py_FinalizeEx() == 0);
}

/* There is no memory for a copy of the table of built-in modules, made as large as 16 MiB. */
static void no_memory_for_the_module(void)
{
    enum { MODULES = 1 << 20 };
    struct _inittab *before = PyImport_Inittab, *many = calloc(MODULES + 1, sizeof *many);
    CHECK(many);
    for (int i = 0; i < MODULES; i++) many[i] = (struct _inittab){"a_module", PyInit__hakmem};
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){16 * MIB, limit.rlim_max}) == 0);
    PyImport_Inittab = many;
    errno = 0;
    const char *failure = hak_py_register();
    CHECK(failure && strstr(failure, "not enough memory") && errno == ENOMEM);
    PyImport_Inittab = before;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    free(many);
    CHECK(!hak_py_register());
    Py_Initialize();
    run("import sys\nassert '_hakmem' in sys.builtin_module_names\n");
    CHECK(Py_FinalizeEx() == 0);
}

/* The package brings another copy of hakmem where the module is not registered. */
static void other_copy(void)
{
    install(NULL);
    Py_Initialize();
    run("import hakmem\n"
        "assert hakmem.installed() == ()\n"
        "try: hakmem.install()\n"
        "except RuntimeError as error: assert 'another copy' in str(error), error\n"
        "else: raise SystemExit('no error')\n"
        "assert hakmem.installed() == ()\n"
        "assert hakmem.trim() == 0 and hakmem.stats()['live_blocks'] == 0\n"
        "try: hakmem.limit(1 << 30)\n"
        "except RuntimeError: pass\n"
        "else: raise SystemExit('the heap of the other copy')\n" CHURN);
    CHECK(serves());
    CHECK(Py_FinalizeEx() == 0);
}

static void other_copy_first(void)
{
    Py_Initialize();
    run("import hakmem\nhakmem.install()\n" CHURN);
    refuse(NULL, EBUSY, "another copy");
    CHECK(hak_py_installed() == 0 && !hak_py_heap());
    run("churn(2000)\n");
    CHECK(Py_FinalizeEx() == 0);
}

/* A hook of somebody else's is recognized even without a context, which CPython's own allocators
 * have not, if it does not lie in one object with them. */
static void below_a_hook(void)
{
    Py_Initialize();
    hook();
    PyMemAllocatorEx theirs;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &theirs);
    for (int i = 0; i < (has_cpython_in_it() ? 1 : 2); i++) {
        refuse(NULL, EBUSY, "hook of somebody else");
        CHECK(hak_py_installed() == 0 && !hak_py_heap());
        theirs.ctx = NULL;
        PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &theirs);
    }
    install(&(hak_py_options){.domains = HAK_PY_MEM});
    CHECK(hak_py_installed() == HAK_PY_MEM);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &hooked);
    install(NULL);
    CHECK(serves());
    run(CHURN);
    CHECK(Py_FinalizeEx() == 0);
}

/* ------------------------------------------------------------------ which */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"before_initialize", before_initialize},
    {"after_preinitialize", after_preinitialize},
    {"after_initialize", after_initialize},
    {"initialized_again", initialized_again},
    {"installed_again", installed_again},
    {"observed", observed},
    {"observed_calls", observed_calls},
    {"observed_below_a_hook", observed_below_a_hook},
    {"observed_again", observed_again},
    {"observed_without_memory", observed_without_memory},
    {"observed_below_a_tracer", observed_below_a_tracer},
    {"memory_errors", memory_errors},
    {"limit", limit},
    {"smaller_at_the_limit", smaller_at_the_limit},
    {"wrong_options", wrong_options},
    {"builtin_module", builtin_module},
    {"other_copy", other_copy},
    {"other_copy_first", other_copy_first},
    {"below_a_hook", below_a_hook},
    {"no_memory_for_the_module", no_memory_for_the_module},
    {"sub_interpreter", sub_interpreter},
    {"locked", locked},
    {"locked_while_observed", locked_while_observed},
#if PY_VERSION_HEX >= 0x030c0000
    {"own_gils", own_gils},
    {"installed_beside_own_gils", installed_beside_own_gils},
    {"observed_beside_own_gils", observed_beside_own_gils},
    {"fork_beside_own_gils", fork_beside_own_gils},
#endif
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], cases[i].name) != 0) continue;
        cases[i].run();
        return 0;
    }
    fprintf(stderr, "usage: %s case\n", argv[0]);
    return 2;
}
