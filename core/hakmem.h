/* hakmem: a memory allocator for scripting VMs.
 *
 * A `hak_heap` belongs to a VM, not to a thread: it has one user at a time, and the host sees to
 * that (the owner of a Lua state, the GIL). In return no call here takes a lock, an atomic or a
 * thread-local on its usual path. A heap may move from thread to thread as long as the hand-over
 * synchronizes (a mutex, a queue, a join). Different heaps may be used by different threads at the
 * same time without any precaution.
 *
 * Unless a function says otherwise: sizes are bytes; NULL with errno = ENOMEM means that memory or
 * the heap's limit is exhausted and that nothing was changed; the caller owns what is returned.
 */
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
 * number of the header it was compiled with. So the structures below keep their sizes, their fields
 * and HAK_..._MAX, and the functions their parameters, as long as the number stays. A field that is
 * added, at the end of its structure, is a new number; its zero means what was before. Statistics
 * that are new within a number are found through hak_heap_stats_json and its companions, which may
 * gain entries at any time. */
#define HAK_ABI 0

#if defined(__GNUC__)
#define HAK_API __attribute__((visibility("default")))
#define HAK_ALLOC_ATTRIBUTES(size_arg) \
    __attribute__((visibility("default"), malloc, alloc_size(size_arg), warn_unused_result))
#else
#define HAK_API
#define HAK_ALLOC_ATTRIBUTES(size_arg)
#endif

typedef struct hak_heap hak_heap;

/* How a new heap is to be. Zero in any field means its default; `(hak_heap_options){0}` is a heap
 * for C programs. */
typedef struct hak_heap_options {
    size_t granularity;   /* step of the first eight size classes (from there on there are eight to
                           * each doubling), and the alignment of every block: 8 (enough for Lua)
                           * or 16 (malloc, CPython). Default 16. */
    size_t limit;         /* footprint limit in bytes, see hak_heap_set_limit. Default: none. */
    const char *profile;  /* "speed", "balanced" or "lean". Default: the environment's
                           * HAKMEM_PROFILE, else "balanced". */
    const char *settings; /* refines the profile, which is then called "custom": see
                           * hak_heap_configure. Default: none. */
    const char *name;     /* for statistics; the first 31 bytes are copied. Default: "heap". */
    void *memory;         /* live inside these bytes and never ask the OS for more; they stay the
                           * caller's, must outlive the heap and need no alignment. */
    size_t memory_size;   /* bytes at `memory`, at least HAK_MEMORY_MIN. */
} hak_heap_options;

/* The least a heap on the caller's memory can be made of, in bytes. */
#define HAK_MEMORY_MIN ((size_t)64 * 1024)

/* Makes a heap. `options` may be NULL for the defaults and is not kept. Returns NULL with errno
 * EINVAL (a granularity other than 8 or 16, an unknown profile or setting, memory too small),
 * ENOTSUP (a profile or setting other than the one that the build is fixed to; or the kernel's
 * pages are larger than 4 KiB, which heaps on the caller's memory do not mind) or ENOMEM. Any
 * thread may call it. */
HAK_API hak_heap *hak_heap_new(const hak_heap_options *options);

/* Discards the heap and every block in it, in time proportional to its superslabs rather than to
 * its blocks. NULL is allowed. */
HAK_API void hak_heap_destroy(hak_heap *heap);

/* Returns `size` bytes aligned to the heap's granularity. Size 0 gives a distinct block of the
 * smallest class, as malloc may. */
HAK_API HAK_ALLOC_ATTRIBUTES(2) void *hak_heap_alloc(hak_heap *heap, size_t size);

/* As hak_heap_alloc for `count` × `size` bytes, all zero. A product that overflows is ENOMEM. Fresh
 * memory of large blocks is known to be zero and is not touched. */
HAK_API void *hak_heap_zalloc(hak_heap *heap, size_t count, size_t size);

/* As hak_heap_alloc, at a multiple of `alignment` bytes: a power of two up to 4 MiB (on the
 * caller's memory: up to 4 KiB), else NULL with errno EINVAL. The block is freed and reallocated
 * like any other; reallocating keeps its alignment only where it stays in place. */
HAK_API void *hak_heap_aligned_alloc(hak_heap *heap, size_t alignment, size_t size);

/* Changes the size of `block` to `size` bytes, keeping its contents up to the smaller size. Large
 * blocks grow in place, then by moving their pages, and are copied only as the last resort. NULL as
 * `block` allocates; size 0 frees and returns NULL. On failure the block is as it was. Making a
 * block smaller never fails: where no smaller one is to be had it stays, aligned as it was. */
HAK_API void *hak_heap_realloc(hak_heap *heap, void *block, size_t size);

/* Frees a block of this heap; NULL is allowed. A pointer to where no slab, span or huge block of
 * any heap is, into a large block, or to where none begins in the memory that a heap starts with,
 * is reported in one line on stderr, and the process aborts, since going on would corrupt memory.
 * The usual free of a small block only looks at its slab's record when that is due: a pointer into
 * such a slab where no block begins, or none was handed out yet, is reported then. Debug builds
 * (HAK_DEBUG) report it at once, and find blocks freed twice and blocks of another heap. */
HAK_API void hak_heap_free(hak_heap *heap, void *block);

/* How many bytes `block` can hold: at least what was asked for. 0 for NULL. Pointers to where no
 * block was handed out are reported as by hak_heap_free. */
HAK_API size_t hak_heap_usable_size(hak_heap *heap, const void *block);

/* Whether `p` points into memory that some heap of this process handed out. Any thread may ask
 * about a block it keeps alive. A heap on the caller's memory answers only through its heap:
 * hak_heap_owns. */
HAK_API bool hak_owns(const void *p);

/* Whether `p` points into memory of this heap. */
HAK_API bool hak_heap_owns(const hak_heap *heap, const void *p);

/* Gives every page of 4 KiB without a block back to the OS: of free slabs and spans, behind the
 * blocks of those in use, and between them. (A full slab with a few holes keeps its pages until
 * more is freed.) Takes time proportional to the free blocks. Returns how many bytes were given
 * back. */
HAK_API size_t hak_heap_trim(hak_heap *heap);

/* Touches `bytes` of memory ahead of use, so that the page faults come now: whole pages, as far as
 * the limit and the OS allow. They are kept, beside what the profile retains, until a trim or
 * another profile. A request that is refused leaves them; one that has to have some of them to stay
 * within the limit takes as many as it needs, and so does a lower limit. Returns how many bytes,
 * among them what destroyed heaps had left. 0 on the caller's memory. */
HAK_API size_t hak_heap_prewarm(hak_heap *heap, size_t bytes);

/* To be called when the VM has collected its garbage: gives back what the profile would not retain,
 * if there is more than that, including pages between blocks. When hardly anything has been
 * allocated since the last call, the program is at rest: then all goes but a little. Returns how
 * many bytes. */
HAK_API size_t hak_heap_settle(hak_heap *heap);

/* The limit is a bound on the footprint: the bytes of pages that hold, or have held and still
 * retain, blocks. It is checked where a heap takes memory, so it is exact to one carving step (a
 * page of 4 KiB, or the block's own pages when it is larger). A heap about to pass it first gives
 * back what it retains; then the allocation fails with ENOMEM. Sizes up to 16
 * KiB of which the heap has a page already leave the last 32nd of the limit, 64 KiB at most, to
 * others: so a VM that has run out of one size can still say so.
 *
 * `bytes` 0 lifts the limit. A limit below the footprint gives back as much as it must. Returns
 * false with errno ERANGE when more than `bytes` would be in use even after a trim: then nothing is
 * given back, and the limit stays. */
HAK_API bool hak_heap_set_limit(hak_heap *heap, size_t bytes);

/* The limit in bytes, 0 for none. */
HAK_API size_t hak_heap_limit(const hak_heap *heap);

/* Allows `bytes` above the limit until it is called again with 0: for host code that calls the VM
 * outside a protected call, where running out of memory would end the process. Starts a new
 * reckoning for hak_heap_grace_used. */
HAK_API void hak_heap_grace(hak_heap *heap, size_t bytes);

/* The most bytes above the limit that were in use since the last hak_heap_grace with bytes > 0. */
HAK_API size_t hak_heap_grace_used(const hak_heap *heap);

/* Switches the profile, and with it the heap's own options; false with errno as hak_profile_valid
 * sets it for a name that hak_profile_names does not list. What the new profile would not have
 * retained is given back before the call returns. The environment's variables refine it as they do
 * at creation. */
HAK_API bool hak_heap_set_profile(hak_heap *heap, const char *profile);

/* Refines the heap's profile by options of its own, "name=value name=value …", with the names that
 * hak_options gives; the profile is called "custom" from then on. False with errno EINVAL, and no
 * change, for a name or value that is not accepted, or `kinds`, which holds as long as a heap
 * lives, and ENOTSUP for one that would change a profile that the build fixes; then up to `size`
 * bytes of `message` (may be NULL with 0) say which are, or why. */
HAK_API bool hak_heap_configure(hak_heap *heap, const char *settings, char *message, size_t size);

/* Whether such settings are accepted; if not, `message` says as above. */
HAK_API bool hak_settings_valid(const char *settings, char *message, size_t size);

/* Whether a heap can have the profile `profile`. If not: false with errno EINVAL for a name that
 * there is not, or NULL, and ENOTSUP for one that the build does not have, since its profile is
 * fixed (hak_build); then up to `size` bytes of `message` (may be NULL with 0) say why. */
HAK_API bool hak_profile_valid(const char *profile, char *message, size_t size);

/* One of the things that can be set. */
typedef struct hak_option {
    const char *name;     /* in settings, Lua and Python */
    const char *variable; /* of the environment; read once, when the first heap is made */
    const char *type;     /* "name", "flag", "number" or "bytes" */
    const char *help;     /* one line */
    const char *origin;   /* of the value: "default", "profile", "environment", "heap" or "build" */
    char range[96];       /* what is accepted */
    char value[32];       /* in effect */
} hak_option;

/* Describes up to `most` options with their values in `heap`, or, with NULL, in a new one. Returns
 * how many there are. */
HAK_API size_t hak_options(const hak_heap *heap, hak_option *options, size_t most);

/* The name of the heap's profile. */
HAK_API const char *hak_heap_profile(const hak_heap *heap);

/* The accepted profile names, for messages: "speed, balanced, lean, custom", or the one that the
 * build is fixed to. Accepted too are the names that were before: MIXED_TINYV3_C7_SAFE for speed,
 * MIXED_TINYV3_C7_BALANCED for balanced. */
HAK_API const char *hak_profile_names(void);

/* The name given at creation. */
HAK_API const char *hak_heap_name(const hak_heap *heap);

/* Calls to the operating system made by all heaps of the process since it started. */
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
    double fragmentation; /* the part of the footprint that holds no block, 0 to 1 */
} hak_class_stats;

#define HAK_CLASS_STATS_MAX 96

/* Blocks by what the VM wants them for, in a heap that is made with the option `kinds`. */
typedef struct hak_kind_stats {
    const char *name; /* "other": nothing is known */
    size_t live_bytes, live_blocks;
} hak_kind_stats;

#define HAK_KINDS_MAX 8

typedef struct hak_stats {
    size_t live_bytes;     /* of blocks handed out, counted at their usable size */
    size_t live_blocks;    /* */
    size_t large_blocks;   /* of these, blocks of whole pages: above 16 KiB, or aligned above 4 */
    size_t large_bytes;    /* */
    size_t huge_blocks;    /* of these, blocks with address space of their own */
    size_t huge_bytes;     /* */
    size_t footprint;      /* bytes of pages that hold or retain blocks */
    size_t footprint_peak; /* */
    size_t retained;       /* bytes of the footprint in pages without a block, kept for reuse */
    size_t committed;      /* bytes of address space that can be touched without an OS call */
    size_t metadata;       /* bytes of records and of the heap itself, beside the footprint */
    size_t limit;          /* 0: none */
    size_t limit_left;     /* bytes the footprint may grow by until then; 0 without a limit */
    size_t superslabs;
    size_t refills;       /* times a bin got another slab or page */
    size_t retires;       /* slabs that became free */
    size_t purges;        /* runs of pages given back */
    size_t refusals;      /* requests refused, for the limit or for want of memory */
    double fragmentation; /* the part of footprint less retained that holds no block, 0 to 1 */
    hak_os_calls os;      /* of the process */
    size_t classes;       /* entries in `class_stats`, those with pages, in order of size */
    hak_class_stats class_stats[HAK_CLASS_STATS_MAX];
    size_t kinds; /* entries in `kind_stats`, whose sums are the live bytes and blocks; 0: they are
                   * not kept apart */
    hak_kind_stats kind_stats[HAK_KINDS_MAX];
} hak_stats;

/* What all heaps of the process have, but those on a caller's memory. */
typedef struct hak_process_stats {
    size_t heaps;
    size_t footprint;    /* bytes, of all heaps */
    size_t retained;     /* of these, in pages without a block */
    size_t pooled;       /* bytes beside them, left by destroyed heaps for new ones, or that wait
                          * before they go back to the OS (the option `decay`) */
    size_t committed;    /* bytes of address space that are mapped for blocks */
    size_t reserved;     /* the same with the records */
    size_t resident;     /* bytes of the whole process, its other memory too */
    size_t page_faults;  /* of the whole process, served without a disk … */
    size_t major_faults; /* … and with one */
    size_t superslabs_taken, superslabs_given; /* by heaps since the start, and back */
    size_t huge_blocks_taken, huge_blocks_refused;
    size_t spill_regions;    /* made when the large one could not grow where it is */
    size_t madvise_enomem;   /* calls that the OS refused for want of memory … */
    size_t madvise_other;    /* … and for other reasons */
    size_t madvise_disabled; /* calls that would have been outside of our memory: none was made */
    hak_os_calls os;
} hak_process_stats;

/* One number of hak_stats, for programs that list them all. */
typedef struct hak_stats_field {
    const char *name; /* as in hak_stats, and as the key in JSON, Lua and Python */
    const char *unit; /* "bytes", "blocks", "superslabs", "heaps", "regions" or "events" */
    const char *help; /* one line */
    size_t offset;    /* of a size_t in hak_stats */
} hak_stats_field;

/* All of them, in order; `*count` is how many. */
HAK_API const hak_stats_field *hak_stats_fields(size_t *count);

/* The same for hak_process_stats. */
HAK_API const hak_stats_field *hak_process_stats_fields(size_t *count);

/* Reads the statistics of the process. Any thread may call it; the figures of heaps that other
 * threads use are of some moment while it runs. */
HAK_API void hak_process_stats_read(hak_process_stats *stats);

/* Reads the heap's statistics off its slabs. Costs time proportional to its slabs, and nothing on
 * the allocation path. */
HAK_API void hak_heap_stats(const hak_heap *heap, hak_stats *stats);

/* Writes the statistics as one JSON object into `buffer` (`size` bytes, always terminated) and
 * returns the length of the whole text, as snprintf does. */
HAK_API size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size);

/* The same for the statistics of the process. */
HAK_API size_t hak_process_stats_json(char *buffer, size_t size);

/* Writes a picture of the heap to the file `path`: a page of HTML that stands alone, with its
 * superslabs and slabs coloured by the size of their blocks and filled as far as those are in use.
 * False with errno as open and write set it. */
HAK_API bool hak_heap_map(const hak_heap *heap, const char *path);

/* ------------------------------------------------------------------ observing
 *
 * What a heap is asked for, counted operation by operation: docs/observing.md. A heap that is not
 * observed has no part in it. The adapters observe at run time, by other functions in place of
 * theirs (hak_lua_observe, hak_py_observe); the functions above note what they do only in a library
 * built with -DHAK_OBSERVE, where every heap is observed from its creation on. The rules of the
 * heap's other functions hold for these: one user at a time. */

/* Begins to observe, with nothing counted yet, or ends it; what was counted can be read until it
 * begins again. Once more is harmless. Only in a library built with -DHAK_OBSERVE; else false with
 * errno ENOTSUP for `on`. False with errno ENOMEM when the OS has no memory for it: the observer's
 * memory is its own, beside the heap and its limit. */
HAK_API bool hak_heap_observe(hak_heap *heap, bool on);

/* Whether it is observed now. */
HAK_API bool hak_heap_observing(const hak_heap *heap);

#define HAK_POWERS 65 /* 0, 1, 2 to 3, 4 to 7, …: entry N holds numbers below 2^N */

/* Of the blocks of one size class. */
typedef struct hak_class_observations {
    size_t block_size;       /* bytes; 0: blocks of whole pages, above 16 KiB */
    size_t requests;         /* blocks handed out, by allocating or by a resize that moved one */
    size_t hits;             /* of these, blocks that lay ready in the bin … */
    size_t misses;           /* … and those that took the slow way: a refill, the nest, pages */
    size_t refills;          /* slabs or pages that misses gave the bin */
    size_t refusals;         /* requests of such a size that were refused */
    size_t bytes_requested;  /* bytes asked for, of the blocks handed out … */
    size_t bytes_given;      /* … and what these can hold */
    size_t resizes_in_place; /* blocks that stayed where they were */
    size_t frees;            /* blocks freed, or moved from by a resize */
    size_t live;             /* noted blocks that live */
    size_t lifetimes[HAK_POWERS]; /* of freed blocks with a known birth, in operations */
} hak_class_observations;

/* How many of the numbers counted are from … to …; none is no entry. */
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
    size_t freed_unseen;  /* blocks freed by calls that do not observe: seen as their addresses
                           * were handed out again */
    size_t foreign;       /* calls passed to the allocator from before; no operations */
    size_t traced;        /* events that hak_heap_trace would write */
    size_t memory;        /* bytes that the observer takes, beside the heap */
    size_t lifetimes[HAK_POWERS];         /* of freed blocks with a known birth, in operations */
    size_t ages[HAK_POWERS];              /* of live ones, likewise, at this moment */
    size_t size_ranges;                   /* entries in `sizes` */
    hak_range sizes[HAK_SIZE_RANGES_MAX]; /* of all requests, refused ones too: in steps of 8 bytes
                                           * up to 1 KiB, by class up to 16 KiB, and doubling */
    size_t classes; /* entries in `class_observations`: those with any, in order of size */
    hak_class_observations class_observations[HAK_CLASS_STATS_MAX];
} hak_observations;

/* The numbers of both structures, for programs that list them all. */
HAK_API const hak_stats_field *hak_observations_fields(size_t *count);
HAK_API const hak_stats_field *hak_class_observations_fields(size_t *count);

/* A snapshot, valid until the next call of these functions for the heap. NULL when the heap was
 * never observed. Takes time in proportion to the live blocks. */
HAK_API const hak_observations *hak_heap_observations(hak_heap *heap);

/* Takes a snapshot and writes it as one JSON object into `buffer`, as hak_heap_stats_json does. 0,
 * and nothing written, when the heap was never observed. */
HAK_API size_t hak_heap_observations_json(hak_heap *heap, char *buffer, size_t size);

/* Writes the last events to the file `path`, as CSV: docs/observing.md. False with errno as open
 * and write set it, or ENODATA when the heap was never observed. */
HAK_API bool hak_heap_trace(const hak_heap *heap, const char *path);

/* "0.1.0": the version of the library in use; HAK_VERSION is that of the header. */
HAK_API const char *hak_version(void);

/* Which build of the library it is: "standard", "fast" (one profile, fixed at compile time),
 * "observe" (counts on every call), "pgo" (standard, guided by a profile of its execution) or
 * "debug" (HAK_DEBUG). */
HAK_API const char *hak_build(void);

#ifdef __cplusplus
}
#endif
#endif
