/* hakmem: a memory allocator for scripting VMs.
 *
 * Thread rules. A `hak_heap` belongs to a VM, not to a thread. It has one user at a time, which the
 * host ensures (the owner of a Lua state, the GIL). So the usual path of a call takes no lock, no
 * atomic operation and no thread-local variable. A heap may move between threads if the hand-over
 * synchronizes (a mutex, a queue, a join). Different heaps may be used by different threads at the
 * same time.
 *
 * Unless a function says otherwise: sizes are bytes; NULL with errno = ENOMEM means that memory or
 * the heap's limit is exhausted, and that nothing was changed; the caller owns what is returned. */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAK_VERSION "0.1.0"

/* The number of the shared library, libhakmem.so.0. A program runs with each library that has the
 * number of the header it was compiled with. While the number stays, the structures below keep
 * their sizes and fields, HAK_..._MAX their values, and the functions their parameters. A field
 * added at the end of a structure changes the number; its zero means the former behaviour.
 * Statistics that are new within a number are found through hak_heap_stats_json and its companions,
 * which may gain entries at any time. */
#define HAK_ABI 0

#if defined(__GNUC__)
#define HAK_API __attribute__((visibility("default")))
/* From `malloc` compilers conclude that a new block lies nowhere that was known before. Code that asks
 * where blocks lie defines this without it. */
#ifndef HAK_ALLOC_ATTRIBUTES
#define HAK_ALLOC_ATTRIBUTES(size_arg) \
    __attribute__((visibility("default"), malloc, alloc_size(size_arg), warn_unused_result))
#endif
#else
#define HAK_API
#define HAK_ALLOC_ATTRIBUTES(size_arg)
#endif

typedef struct hak_heap hak_heap;

/* Options of a new heap. Zero in a field means its default; `(hak_heap_options){0}` is a
 * heap for C programs. */
typedef struct hak_heap_options {
    size_t granularity;   /* alignment of every block in bytes, and step of the first eight size
                           * classes (then there are eight to each doubling): 8 (enough for Lua)
                           * or 16 (malloc, CPython). Default 16. */
    size_t limit;         /* limit of the footprint in bytes: hak_heap_set_limit. Default: none. */
    const char *profile;  /* "speed", "balanced" or "lean". Default: the environment's
                           * HAKMEM_PROFILE, else "balanced". */
    const char *settings; /* refines the profile, which is called "custom" then:
                           * hak_heap_configure. Default: none. */
    const char *name;     /* for statistics; the first 31 bytes are copied. Default: "heap". */
    void *memory;         /* the heap lives in these bytes and never asks the OS for more. They
                           * stay the caller's, must outlive the heap and need no alignment. */
    size_t memory_size;   /* bytes at `memory`, at least HAK_MEMORY_MIN. */
} hak_heap_options;

/* Least bytes for a heap on the caller's memory. */
#define HAK_MEMORY_MIN ((size_t)64 * 1024)

/* Makes a heap. `options` may be NULL for the defaults and is not kept. Any thread may call it.
 * NULL with errno
 * - EINVAL: a granularity other than 8 or 16, an unknown profile or setting, memory too small
 * - ENOTSUP: a profile or setting other than the build's fixed one; or kernel pages above 4 KiB,
 *   unless the heap is on the caller's memory
 * - ENOMEM */
HAK_API hak_heap *hak_heap_new(const hak_heap_options *options);

/* Destroys the heap and every block in it. NULL is allowed. Takes time in proportion to its
 * superslabs, not to its blocks. */
HAK_API void hak_heap_destroy(hak_heap *heap);

/* Returns a block of at least `size` bytes, aligned to the heap's granularity. Size 0 gives a
 * distinct block of the smallest class, as malloc may. */
HAK_API HAK_ALLOC_ATTRIBUTES(2) void *hak_heap_alloc(hak_heap *heap, size_t size);

/* As hak_heap_alloc for `count` × `size` bytes, all zero. ENOMEM if the product overflows. Fresh
 * memory of large blocks is known to be zero and is not touched. */
HAK_API void *hak_heap_zalloc(hak_heap *heap, size_t count, size_t size);

/* As hak_heap_alloc, at a multiple of `alignment` bytes: a power of two up to 1 TiB (on the
 * caller's memory: 4 KiB). Else NULL with errno EINVAL. The block is freed and reallocated like any
 * other; reallocating keeps the alignment only if the block stays in place. */
HAK_API void *hak_heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size);

/* Changes the size of `block` to `size` bytes; keeps its contents up to the smaller size. Returns
 * the block, which may have moved. `block` NULL allocates. `size` 0 frees and returns NULL. On
 * failure the block is as it was. Shrinking never fails: if no smaller block can be had, the block
 * stays, aligned as it was. Large blocks grow in place, else by moving their pages, else by
 * copying. */
HAK_API void *hak_heap_realloc(hak_heap *heap, void *block, size_t size);

/* Frees a block of this heap. NULL is allowed.
 *
 * Invalid pointers are reported in one line on stderr, and the process aborts, since going on would
 * corrupt memory:
 * - always: outside the slabs, spans and huge blocks of all heaps; inside a large block; in the
 *   memory that a heap starts with, where no block begins
 * - when the record of the slab is due for a check: in a slab, where no block begins or none was
 *   handed out yet; the usual free of a small block does not check
 * - at once in debug builds (HAK_DEBUG), which also find blocks freed twice and blocks of other
 *   heaps */
HAK_API void hak_heap_free(hak_heap *heap, void *block);

/* Bytes that `block` can hold, at least as many as were requested. 0 for NULL. Invalid pointers are
 * reported as by hak_heap_free. */
HAK_API size_t hak_heap_usable_size(hak_heap *heap, const void *block);

/* Whether `p` points into memory that a heap of this process handed out. Any thread may ask about a
 * block that it keeps alive. Heaps on the caller's memory are not included: hak_heap_owns. */
HAK_API bool hak_owns(const void *p);

/* Whether `p` points into memory of this heap. */
HAK_API bool hak_heap_owns(const hak_heap *heap, const void *p);

/* Returns every page of 4 KiB without a block to the OS: pages of free slabs and spans, pages
 * behind the blocks of those in use, and pages between these blocks. (A full slab with a few holes
 * keeps its pages until more blocks are freed.) Also returns memory that the process keeps for new
 * heaps. Takes time in proportion to the free blocks. Returns the bytes given back. */
HAK_API size_t hak_heap_trim(hak_heap *heap);

/* Touches `bytes` bytes ahead of use, so that the page faults come now: whole pages, as far as the
 * limit and the OS allow. They are kept beside the pages that the profile retains, until a trim or
 * another profile. A refused request leaves them, but a request or a lower limit that needs some of
 * them to stay within the limit takes them. Returns the bytes, among them those that destroyed
 * heaps had left. 0 on the caller's memory. */
HAK_API size_t hak_heap_prewarm(hak_heap *heap, size_t bytes);

/* To be called when the VM has collected its garbage. If the heap retains more than the profile
 * allows, gives that back, including pages between blocks. If hardly anything was allocated since
 * the last call, the program is at rest: then all but a little is given back. Returns the bytes
 * given back. */
HAK_API size_t hak_heap_settle(hak_heap *heap);

/* Sets a limit for the footprint: the bytes of pages that hold blocks, or have held blocks and are
 * retained. 0 lifts the limit.
 *
 * The limit is checked when a heap takes memory, so it is exact to one carving step (a page of 4
 * KiB, or the pages of a larger block). A heap about to pass it first gives back what it retains;
 * if that is not enough, the allocation fails with ENOMEM. Size classes up to 16 KiB that have a
 * page already leave the last 32nd of the limit, at most 64 KiB, to others: so a VM that has run
 * out of one size can still report it.
 *
 * A limit below the footprint gives back as much as it must. False with errno ERANGE if more than
 * `bytes` would be in use even after a trim: then nothing is given back, and the limit stays. */
HAK_API bool hak_heap_set_limit(hak_heap *heap, size_t bytes);

/* The limit in bytes; 0: none. */
HAK_API size_t hak_heap_limit(const hak_heap *heap);

/* Allows `bytes` bytes above the limit until it is called with 0. For host code that calls the VM
 * outside a protected call, where running out of memory would end the process. Resets
 * hak_heap_grace_used. */
HAK_API void hak_heap_grace(hak_heap *heap, size_t bytes);

/* The most bytes above the limit in use since the last hak_heap_grace with bytes > 0. */
HAK_API size_t hak_heap_grace_used(const hak_heap *heap);

/* Switches the profile; the heap's own options are dropped. The environment's variables refine the
 * new profile, as at creation. Before it returns, it gives back what the new profile would not have
 * retained. False with errno as by hak_profile_valid, for a name that hak_profile_names does not
 * list. */
HAK_API bool hak_heap_set_profile(hak_heap *heap, const char *profile);

/* Refines the heap's profile by "name=value name=value …", with names of hak_options. The profile
 * is called "custom" from then on. On failure nothing has changed, and up to `size` bytes of
 * `message` (may be NULL with 0) have the reason. False with errno
 * - EINVAL: a name or value that is not accepted; or `kinds`, which is fixed for a heap's life
 * - ENOTSUP: the build's profile is fixed */
HAK_API bool hak_heap_configure(hak_heap *heap, const char *settings, char *message, size_t size);

/* Whether such settings are accepted. If not, as hak_heap_configure. */
HAK_API bool hak_settings_valid(const char *settings, char *message, size_t size);

/* Whether a heap can have the profile `profile`. If not: false with errno EINVAL for an unknown
 * name or NULL, ENOTSUP for a profile other than the build's fixed one (hak_build); up to `size`
 * bytes of `message` (may be NULL with 0) have the reason. */
HAK_API bool hak_profile_valid(const char *profile, char *message, size_t size);

/* An option. */
typedef struct hak_option {
    const char *name;     /* in settings, Lua and Python */
    const char *variable; /* of the environment; read once, when the first heap is made */
    const char *type;     /* "name", "flag", "number" or "bytes" */
    const char *help;     /* one line */
    const char *origin;   /* of the value: "default", "profile", "environment", "heap" or "build" */
    char range[96];       /* accepted values */
    char value[32];       /* value in effect */
} hak_option;

/* Describes up to `most` options with their values in `heap`, or in a new heap if it is NULL.
 * Returns how many options there are. */
HAK_API size_t hak_options(const hak_heap *heap, hak_option *options, size_t most);

/* The name of the heap's profile. */
HAK_API const char *hak_heap_profile(const hak_heap *heap);

/* The accepted names of profiles, for messages: "speed, balanced, lean, custom", or the name of the
 * build's fixed one. Former names are accepted too: MIXED_TINYV3_C7_SAFE for speed,
 * MIXED_TINYV3_C7_BALANCED for balanced. */
HAK_API const char *hak_profile_names(void);

/* The name given at creation. */
HAK_API const char *hak_heap_name(const hak_heap *heap);

/* Calls to the operating system by all heaps of the process since its start. */
typedef struct hak_os_calls {
    uint64_t mmap;    /* taking address space */
    uint64_t madvise; /* giving pages back, and touching them ahead */
    uint64_t mremap;  /* moving pages of growing blocks */
    uint64_t munmap;  /* giving address space back */
    uint64_t failed; /* of all these, how many the OS refused */
    uint64_t total;
} hak_os_calls;

typedef struct hak_class_stats {
    size_t block_size;    /* bytes */
    size_t live;          /* blocks */
    size_t slabs;         /* 0: all its blocks lie in the heap's nest */
    size_t footprint;     /* bytes of pages in these slabs, and of blocks in the nest */
    double fragmentation; /* part of the footprint that holds no block, 0 to 1 */
} hak_class_stats;

#define HAK_CLASS_STATS_MAX 96

/* Blocks by their kind, in a heap made with the option `kinds`. */
typedef struct hak_kind_stats {
    const char *name; /* "other": unknown */
    size_t live_bytes, live_blocks;
} hak_kind_stats;

#define HAK_KINDS_MAX 8

typedef struct hak_stats {
    size_t live_bytes;     /* bytes of live blocks, at their usable size */
    size_t live_blocks;    /* */
    size_t large_blocks;   /* of these, large blocks: above 16 KiB, or with an alignment
                            * above 4 KiB */
    size_t large_bytes;    /* */
    size_t huge_blocks;    /* of these, blocks with their own address space */
    size_t huge_bytes;     /* */
    size_t footprint;      /* bytes of pages that hold blocks or are retained */
    size_t footprint_peak; /* */
    size_t retained;       /* bytes of the footprint in pages without a block, kept for reuse */
    size_t committed;      /* bytes of address space that can be touched without a call to the OS */
    size_t metadata;       /* bytes of records and of the heap itself, beside the footprint */
    size_t limit;          /* 0: none */
    size_t limit_left;     /* bytes that the footprint may grow by until the limit; 0 without a
                            * limit */
    size_t superslabs;
    size_t refills;       /* times that a bin got another slab or page */
    size_t retires;       /* slabs that became free */
    size_t purges;        /* runs of pages given back */
    size_t refusals;      /* requests refused, for the limit or for lack of memory */
    double fragmentation; /* part of (footprint - retained) that holds no block, 0 to 1 */
    hak_os_calls os;      /* of the process */
    size_t classes;       /* entries in `class_stats`: classes with pages, in order of size */
    hak_class_stats class_stats[HAK_CLASS_STATS_MAX];
    size_t kinds; /* entries in `kind_stats`, whose sums are the live bytes and blocks; 0: kinds
                   * are not kept apart */
    hak_kind_stats kind_stats[HAK_KINDS_MAX];
} hak_stats;

/* Statistics of all heaps of the process, except those on a caller's memory. */
typedef struct hak_process_stats {
    size_t heaps;
    size_t footprint;    /* bytes, of all heaps */
    size_t retained;     /* of these, in pages without a block */
    size_t pooled;       /* bytes beside them: left by destroyed heaps for new ones, or waiting
                          * before they go back to the OS (the option `decay`) */
    size_t committed;    /* bytes of address space mapped for blocks */
    size_t reserved;     /* the same with the records */
    size_t resident;     /* bytes of the whole process, with its other memory */
    size_t page_faults;  /* of the whole process, served without a disk */
    size_t major_faults; /* of the whole process, served from a disk */
    size_t superslabs_taken, superslabs_given; /* by heaps from the process, and back, since the
                                                * start */
    size_t huge_blocks_taken, huge_blocks_refused;
    size_t spill_regions;    /* made when the large region could not grow in place */
    size_t madvise_enomem;   /* calls that the OS refused for lack of memory */
    size_t madvise_other;    /* calls that the OS refused for other reasons */
    size_t madvise_disabled; /* calls not made: they would have reached memory of others */
    hak_os_calls os;
} hak_process_stats;

/* A number of hak_stats, for programs that list them all. */
typedef struct hak_stats_field {
    const char *name; /* as in hak_stats, and as the key in JSON, Lua and Python */
    const char *unit; /* "bytes", "blocks", "superslabs", "heaps", "regions" or "events" */
    const char *help; /* one line */
    size_t offset;    /* of a size_t in hak_stats */
} hak_stats_field;

/* All numbers of hak_stats, in order; `*count` is how many. */
HAK_API const hak_stats_field *hak_stats_fields(size_t *count);

/* The same for hak_process_stats. */
HAK_API const hak_stats_field *hak_process_stats_fields(size_t *count);

/* Reads the statistics of the process. Any thread may call it. Figures of heaps in use by other
 * threads are those of some moment during the call. */
HAK_API void hak_process_stats_read(hak_process_stats *stats);

/* Reads the heap's statistics from the records of its slabs. Takes time in proportion to its slabs.
 * Costs nothing on the allocation path. */
HAK_API void hak_heap_stats(const hak_heap *heap, hak_stats *stats);

/* Writes the statistics as a JSON object into `buffer` of `size` bytes, always terminated. Returns
 * the length of the whole text in bytes, as snprintf does. */
HAK_API size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size);

/* The same for the statistics of the process. Any thread may call it. */
HAK_API size_t hak_process_stats_json(char *buffer, size_t size);

/* Writes a picture of the heap to the file `path`: a self-contained page of HTML. Superslabs and
 * slabs are coloured by the size of their blocks and filled in proportion to their live blocks.
 * False with errno of open and write. */
HAK_API bool hak_heap_map(const hak_heap *heap, const char *path);

/* ------------------------------------------------------------------ malloc
 *
 * malloc and its companions over heaps that hakmem makes itself, one for each thread: any thread
 * may call any function for any block. Blocks are aligned to 16 bytes. What the heap of a VM has
 * handed out is not for these functions, nor what they return for those of a heap.
 *
 * A block that another thread frees goes back to its heap without a lock; the thread of the heap
 * takes such blocks in when it next takes the slow path, and others do it for a thread that is
 * idle, or has ended. A thread that ends leaves its heap to the next one. fork() may be called at
 * any moment. The heaps have the profile of the environment, unless another is set. */

/* As malloc. Size 0 gives a distinct block. NULL with errno ENOMEM. */
HAK_API HAK_ALLOC_ATTRIBUTES(1) void *hak_malloc(size_t size);

/* As calloc. ENOMEM also if the product overflows. */
HAK_API void *hak_calloc(size_t count, size_t size);

/* As realloc: `size` 0 frees and returns NULL; on failure the block is as it was. */
HAK_API void *hak_realloc(void *block, size_t size);

/* A block at a multiple of `alignment`, a power of two up to 1 TiB; `size` need not be a multiple
 * of it. NULL with errno EINVAL or ENOMEM. */
HAK_API void *hak_aligned_alloc(size_t alignment, size_t size);

/* As free. Pointers that are no block of these functions are reported as by hak_heap_free. */
HAK_API void hak_free(void *block);

/* Bytes that a block can hold; 0 for NULL. */
HAK_API size_t hak_usable_size(const void *block);

/* Trims the heaps of all threads: hak_heap_trim. Any thread may call it; it waits for each heap until
 * its thread is in no call. Returns the bytes given back. */
HAK_API size_t hak_threads_trim(void);

/* Switches the heaps of all threads, and those made later, to a profile: hak_heap_set_profile.
 * False: it is unknown, and nothing has changed. Any thread may call it, and what follows. */
HAK_API bool hak_threads_set_profile(const char *name);

/* The name of their profile. */
HAK_API const char *hak_threads_profile(void);

/* Sets options for them, as hak_heap_configure does for a heap. */
HAK_API bool hak_threads_configure(const char *settings, char *message, size_t size);

/* Writes a picture of each of them to the file `path`: hak_heap_map. */
HAK_API bool hak_threads_map(const char *path);

/* Statistics of the heaps of threads. */
typedef struct hak_threads_stats {
    size_t threads;        /* that have a heap */
    size_t heaps;          /* with those that ended threads have left */
    size_t live_bytes;     /* with what other threads have freed and is not taken in yet */
    size_t live_blocks;    /* the same */
    size_t footprint;      /* bytes */
    size_t footprint_peak; /* the sum of each heap's most */
    size_t retained;       /* bytes */
    size_t remote_frees;   /* blocks freed by a thread that did not allocate them, and taken in */
} hak_threads_stats;

/* Reads them. Any thread may call it; it waits for each heap until its thread is in no call. */
HAK_API void hak_threads_stats_read(hak_threads_stats *stats);

/* The same as a JSON object into `buffer`, as hak_heap_stats_json does. */
HAK_API size_t hak_threads_stats_json(char *buffer, size_t size);

/* All numbers of hak_threads_stats, in order; `*count` is how many. */
HAK_API const hak_stats_field *hak_threads_stats_fields(size_t *count);

/* ------------------------------------------------------------------ observing
 *
 * Counts of a heap's operations: docs/observing.md. They cost nothing in a heap that is not
 * observed. The adapters observe at run time, by exchanging their functions (hak_lua_observe,
 * hak_py_observe). The functions above are observed only in a library built with -DHAK_OBSERVE;
 * there every heap is observed from its creation on. Thread rules are as for the other functions
 * of a heap: one user at a time. */

/* Begins to observe, with all counts 0, or ends it. After the end the counts can be read until it
 * begins again. Repeating a call is harmless. `on` needs a library built with -DHAK_OBSERVE; else
 * false with errno ENOTSUP. False with errno ENOMEM if the OS has no memory: the observer's memory
 * is its own, beside the heap and its limit. */
HAK_API bool hak_heap_observe(hak_heap *heap, bool on);

/* Whether the heap is observed now. */
HAK_API bool hak_heap_observing(const hak_heap *heap);

#define HAK_POWERS 65 /* entries for 0, 1, 2 to 3, 4 to 7, …: entry N holds numbers below 2^N */

/* Observations of one size class. */
typedef struct hak_class_observations {
    size_t block_size;       /* bytes; 0: large blocks, above 16 KiB */
    size_t requests;         /* blocks handed out, by allocating or by a resize that moved one */
    size_t hits;             /* of these, blocks that lay ready in the bin */
    size_t misses;           /* of these, blocks from the slow path: a refill, the nest, pages */
    size_t refills;          /* slabs or pages that misses gave the bin */
    size_t refusals;         /* requests of such a size that were refused */
    size_t bytes_requested;  /* bytes requested, of the blocks handed out */
    size_t bytes_given;      /* bytes that these blocks can hold */
    size_t resizes_in_place; /* resizes of blocks that stayed in place */
    size_t frees;            /* blocks freed, or moved from by a resize */
    size_t live;             /* noted blocks that live */
    size_t lifetimes[HAK_POWERS]; /* of freed blocks with a known birth, in operations */
} hak_class_observations;

/* A range of a histogram: how many of its numbers are from `from` to `to`. Empty
 * ranges are left out. */
typedef struct hak_range {
    uint64_t from, to;
    size_t count;
} hak_range;

#define HAK_SIZE_RANGES_MAX 320

typedef struct hak_observations {
    bool observing;
    size_t operations;       /* the sum of the next five */
    size_t allocations;      /* */
    size_t frees;            /* */
    size_t resizes_in_place; /* */
    size_t resizes_moved;    /* */
    size_t refusals;         /* allocations and resizes refused */
    size_t hits, misses, refills, bytes_requested, bytes_given; /* sums over the classes */
    size_t live_blocks;                                         /* noted and not freed */
    size_t born_before;   /* blocks that lived when observing began; their births are unknown */
    size_t unnoted;       /* births not noted, since the OS had no memory for them */
    size_t freed_unknown; /* frees of blocks whose birth is unknown, for either reason */
    size_t freed_unseen;  /* blocks freed by calls that do not observe, noticed when their
                           * addresses were handed out again */
    size_t foreign;       /* calls passed to the previous allocator; not counted as operations */
    size_t traced;        /* events that hak_heap_trace would write */
    size_t memory;        /* bytes of the observer, beside the heap */
    size_t lifetimes[HAK_POWERS];         /* of freed blocks with a known birth, in operations */
    size_t ages[HAK_POWERS];              /* the same for live blocks, at this moment */
    size_t size_ranges;                   /* entries in `sizes` */
    hak_range sizes[HAK_SIZE_RANGES_MAX]; /* of all requests, also refused ones: in steps of 8
                                           * bytes up to 1 KiB, by class up to 16 KiB, then
                                           * doubling */
    size_t classes; /* entries in `class_observations`: classes with any count, in order of size */
    hak_class_observations class_observations[HAK_CLASS_STATS_MAX];
} hak_observations;

/* The numbers of both structures, for programs that list them all; `*count` is how many. */
HAK_API const hak_stats_field *hak_observations_fields(size_t *count);
HAK_API const hak_stats_field *hak_class_observations_fields(size_t *count);

/* A snapshot of the observations, valid until the next call of these functions for the heap. NULL:
 * the heap was never observed. Takes time in proportion to the live blocks. */
HAK_API const hak_observations *hak_heap_observations(hak_heap *heap);

/* Takes a snapshot and writes it as a JSON object into `buffer`, as hak_heap_stats_json does.
 * Returns 0 and writes nothing if the heap was never observed. */
HAK_API size_t hak_heap_observations_json(hak_heap *heap, char *buffer, size_t size);

/* Writes the last events to the file `path`, as CSV: docs/observing.md. False with errno of open
 * and write, or ENODATA if the heap was never observed. */
HAK_API bool hak_heap_trace(const hak_heap *heap, const char *path);

/* "0.1.0": the version of the library in use. HAK_VERSION is that of the header. */
HAK_API const char *hak_version(void);

/* The build of the library: "standard", "fast" (one profile, fixed at compile time), "observe"
 * (counts on every call), "pgo" (standard, guided by a profile of its execution) or "debug"
 * (HAK_DEBUG). */
HAK_API const char *hak_build(void);

#ifdef __cplusplus
}
#endif
#endif
