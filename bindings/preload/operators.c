/* The operators new and delete of C++ in libhakmem-preload.so, so that they need not go through the
 * C++ library to malloc. They have their names in the ABI ("Itanium C++ ABI", 5.1.5: Zn and Zd are
 * the operators, w and l single objects, a arrays, m a size).
 *
 * A program may replace some of them, and the others are then to call those. So if any basic one is
 * not from here, all calls go on to the next library, as do those that find no memory: it calls the
 * new-handler and throws. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "os/os.h"
#include "threads/threads.h"

#define OPERATOR __attribute__((visibility("default")))

typedef const struct nothrow *nothrow; /* std::nothrow_t const & */
typedef size_t alignment;              /* std::align_val_t */

OPERATOR void *_Znwm(size_t size);
OPERATOR void *_Znam(size_t size);
OPERATOR void *_ZnwmRKSt9nothrow_t(size_t size, nothrow tag);
OPERATOR void *_ZnamRKSt9nothrow_t(size_t size, nothrow tag);
OPERATOR void *_ZnwmSt11align_val_t(size_t size, alignment align);
OPERATOR void *_ZnamSt11align_val_t(size_t size, alignment align);
OPERATOR void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, alignment align, nothrow tag);
OPERATOR void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, alignment align, nothrow tag);
OPERATOR void _ZdlPv(void *block);
OPERATOR void _ZdaPv(void *block);
OPERATOR void _ZdlPvm(void *block, size_t size);
OPERATOR void _ZdaPvm(void *block, size_t size);
OPERATOR void _ZdlPvRKSt9nothrow_t(void *block, nothrow tag);
OPERATOR void _ZdaPvRKSt9nothrow_t(void *block, nothrow tag);
OPERATOR void _ZdlPvSt11align_val_t(void *block, alignment align);
OPERATOR void _ZdaPvSt11align_val_t(void *block, alignment align);
OPERATOR void _ZdlPvmSt11align_val_t(void *block, size_t size, alignment align);
OPERATOR void _ZdaPvmSt11align_val_t(void *block, size_t size, alignment align);
OPERATOR void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, alignment align, nothrow tag);
OPERATOR void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, alignment align, nothrow tag);

/* ------------------------------------------------------------------ whose they are */

/* The basic ones, which others call, as they are here, whoever replaces them. */
#define HERE(name, function) \
    extern __typeof__(function) name __attribute__((alias(#function), visibility("hidden")))
HERE(new_here, _Znwm);
HERE(new_array_here, _Znam);
HERE(new_aligned_here, _ZnwmSt11align_val_t);
HERE(new_aligned_array_here, _ZnamSt11align_val_t);
HERE(delete_here, _ZdlPv);
HERE(delete_array_here, _ZdaPv);
HERE(delete_aligned_here, _ZdlPvSt11align_val_t);
HERE(delete_aligned_array_here, _ZdaPvSt11align_val_t);

static bool are_all_here(void)
{
    bool news = _Znwm == new_here && _Znam == new_array_here,
         aligned_news = _ZnwmSt11align_val_t == new_aligned_here &&
                        _ZnamSt11align_val_t == new_aligned_array_here,
         deletes = _ZdlPv == delete_here && _ZdaPv == delete_array_here,
         aligned_deletes = _ZdlPvSt11align_val_t == delete_aligned_here &&
                           _ZdaPvSt11align_val_t == delete_aligned_array_here;
    return news && aligned_news && deletes && aligned_deletes;
}

/* What the names mean does not change once the program runs. */
static bool known_here;

static bool are_here(void)
{
    bool all = are_all_here();
    if (all) __atomic_store_n(&known_here, true, __ATOMIC_RELAXED);
    return all;
}

/* The next library's function of this name; NULL: none. A program in C may have loaded a library in
 * C++ for itself alone. */
static void *next_of(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++.so.1"};
    void *next = dlsym(RTLD_NEXT, name);
    for (size_t i = 0; !next && i < sizeof libraries / sizeof *libraries; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library) next = dlsym(library, name);
    }
    return next;
}

/* Looked up once: where a program replaces basic ones, each call of the others comes here. */
#define GO_ON(name, ...)                                                              \
    do {                                                                              \
        static void *found;                                                           \
        void *next = __atomic_load_n(&found, __ATOMIC_RELAXED);                       \
        if (!next) __atomic_store_n(&found, next = next_of(#name), __ATOMIC_RELAXED); \
        if (next) return ((__typeof__(&(name)))next)(__VA_ARGS__);                    \
    } while (0)

#define RARE static __attribute__((noinline, cold))

/* ------------------------------------------------------------------ new */

static void *refuse(void)
{
    hak__fatal("operator new", NULL, "no memory, and no C++ library that would throw");
}

#define NEW(name, parameters, allocate, otherwise, ...)                                     \
    RARE void *name##_rarely parameters                                                     \
    {                                                                                       \
        void *block = are_here() ? (allocate) : NULL;                                       \
        if (block) return block;                                                            \
        GO_ON(name, __VA_ARGS__);                                                           \
        return otherwise;                                                                   \
    }                                                                                       \
    void *name parameters                                                                   \
    {                                                                                       \
        void *block =                                                                       \
            HAK_LIKELY(__atomic_load_n(&known_here, __ATOMIC_RELAXED)) ? (allocate) : NULL; \
        return HAK_LIKELY(block != NULL) ? block : name##_rarely(__VA_ARGS__);              \
    }

#define ANY     hak__thread_alloc(size)
#define ALIGNED hak_aligned_alloc(align, size)

NEW(_Znwm, (size_t size), ANY, refuse(), size)
NEW(_Znam, (size_t size), ANY, refuse(), size)
NEW(_ZnwmRKSt9nothrow_t, (size_t size, nothrow tag), ANY, NULL, size, tag)
NEW(_ZnamRKSt9nothrow_t, (size_t size, nothrow tag), ANY, NULL, size, tag)
NEW(_ZnwmSt11align_val_t, (size_t size, alignment align), ALIGNED, refuse(), size, align)
NEW(_ZnamSt11align_val_t, (size_t size, alignment align), ALIGNED, refuse(), size, align)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, alignment align, nothrow tag), ALIGNED, NULL,
    size, align, tag)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, alignment align, nothrow tag), ALIGNED, NULL,
    size, align, tag)

/* ------------------------------------------------------------------ delete */

/* The size and the alignment are what the program has asked for. */
#define DELETE(name, parameters, ...)                                                            \
    RARE void name##_rarely parameters                                                           \
    {                                                                                            \
        if (!are_here()) GO_ON(name, __VA_ARGS__);                                               \
        hak__thread_free(block);                                                                 \
    }                                                                                            \
    void name parameters                                                                         \
    {                                                                                            \
        if (HAK_LIKELY(__atomic_load_n(&known_here, __ATOMIC_RELAXED))) hak__thread_free(block); \
        else name##_rarely(__VA_ARGS__);                                                         \
    }

DELETE(_ZdlPv, (void *block), block)
DELETE(_ZdaPv, (void *block), block)
DELETE(_ZdlPvm, (void *block, size_t size), block, size)
DELETE(_ZdaPvm, (void *block, size_t size), block, size)
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, nothrow tag), block, tag)
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, nothrow tag), block, tag)
DELETE(_ZdlPvSt11align_val_t, (void *block, alignment align), block, align)
DELETE(_ZdaPvSt11align_val_t, (void *block, alignment align), block, align)
DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, alignment align), block, size, align)
DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, alignment align), block, size, align)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, alignment align, nothrow tag), block,
       align, tag)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, alignment align, nothrow tag), block,
       align, tag)
