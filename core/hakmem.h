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
    size_t granularity;  /* step of the first eight size classes (from there on there are eight to
                          * each doubling), and the alignment of every block: 8 (enough for Lua)
                          * or 16 (malloc, CPython). Default 16. */
    size_t limit;        /* footprint limit in bytes, see hak_heap_set_limit. Default: none. */
    const char *profile; /* "speed", "balanced" or "lean". Default: the environment's
                          * HAKMEM_PROFILE, else "speed". */
    const char *name;    /* for statistics; the first 31 bytes are copied. Default: "heap". */
    void *memory;        /* live inside these bytes and never ask the OS for more; they stay the
                          * caller's, must outlive the heap and need no alignment. */
    size_t memory_size;  /* bytes at `memory`, at least HAK_MEMORY_MIN. */
} hak_heap_options;

/* The least a heap on the caller's memory can be made of, in bytes. */
#define HAK_MEMORY_MIN ((size_t)64 * 1024)

/* Makes a heap. `options` may be NULL for the defaults and is not kept. Returns NULL with errno
 * EINVAL (a granularity other than 8 or 16, an unknown profile, memory too small) or ENOMEM. Any
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
 * `block` allocates; size 0 frees and returns NULL. On failure the block is as it was. */
HAK_API void *hak_heap_realloc(hak_heap *heap, void *block, size_t size);

/* Frees a block of this heap; NULL is allowed. A pointer that no heap handed out is reported in one
 * line on stderr, and the process aborts, since going on would corrupt memory. Debug builds
 * (HAK_DEBUG) also find blocks freed twice, interior pointers and blocks of another heap. */
HAK_API void hak_heap_free(hak_heap *heap, void *block);

/* How many bytes `block` can hold: at least what was asked for. 0 for NULL. */
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

/* To be called when the VM has collected its garbage: gives back what the profile would not retain,
 * if there is more than that, including pages between blocks. Returns how many bytes. */
HAK_API size_t hak_heap_settle(hak_heap *heap);

/* The limit is a bound on the footprint: the bytes of pages that hold, or have held and still
 * retain, blocks. It is checked where a heap takes memory, so it is exact to one carving step (a
 * page of 4 KiB, or the block's own pages when it is larger). A heap about to pass it first gives
 * back what it retains; then the allocation fails with ENOMEM. Sizes up to 16
 * KiB of which the heap has a page already leave the last 32nd of the limit, 64 KiB at most, to
 * others: so a VM that has run out of one size can still say so.
 *
 * `bytes` 0 lifts the limit. Returns false with errno ERANGE, and changes nothing, when more than
 * `bytes` are in use even after a trim. */
HAK_API bool hak_heap_set_limit(hak_heap *heap, size_t bytes);

/* The limit in bytes, 0 for none. */
HAK_API size_t hak_heap_limit(const hak_heap *heap);

/* Allows `bytes` above the limit until it is called again with 0: for host code that calls the VM
 * outside a protected call, where running out of memory would end the process. Starts a new
 * reckoning for hak_heap_grace_used. */
HAK_API void hak_heap_grace(hak_heap *heap, size_t bytes);

/* The most bytes above the limit that were in use since the last hak_heap_grace with bytes > 0. */
HAK_API size_t hak_heap_grace_used(const hak_heap *heap);

/* Switches the profile; false with errno EINVAL for a name that hak_profile_names does not list.
 * What the new profile would not have retained is given back before the call returns. */
HAK_API bool hak_heap_set_profile(hak_heap *heap, const char *profile);

/* The name of the heap's profile. */
HAK_API const char *hak_heap_profile(const hak_heap *heap);

/* The accepted profile names, for messages: "speed, balanced, lean". */
HAK_API const char *hak_profile_names(void);

/* The name given at creation. */
HAK_API const char *hak_heap_name(const hak_heap *heap);

/* Calls to the operating system made by all heaps of the process since it started. */
typedef struct hak_os_calls {
    uint64_t mmap;     /* reserving address space, and resetting parts of it */
    uint64_t mprotect; /* committing */
    uint64_t madvise;  /* giving pages back */
    uint64_t mremap;   /* moving pages of growing blocks */
    uint64_t munmap;
    uint64_t failed; /* of all these, how many the OS refused */
    uint64_t total;
} hak_os_calls;

typedef struct hak_class_stats {
    size_t block_size; /* bytes */
    size_t live;       /* blocks */
    size_t slabs;
    size_t footprint; /* bytes of pages in these slabs */
} hak_class_stats;

#define HAK_CLASS_STATS_MAX 96

typedef struct hak_stats {
    size_t live_bytes;     /* of blocks handed out, counted at their usable size */
    size_t live_blocks;    /* */
    size_t large_blocks;   /* of these, blocks of whole pages: above 16 KiB, or aligned above 4 */
    size_t large_bytes;    /* */
    size_t footprint;      /* bytes of pages that hold or retain blocks */
    size_t footprint_peak; /* */
    size_t retained;       /* bytes of the footprint in pages without a block, kept for reuse */
    size_t metadata;       /* bytes of records and of the heap itself, beside the footprint */
    size_t limit;          /* 0: none */
    size_t superslabs;
    size_t refills;  /* times a bin got another slab or page */
    size_t retires;  /* slabs that became free */
    size_t purges;   /* runs of pages given back */
    hak_os_calls os; /* of the process */
    size_t classes;  /* entries in `class_stats`, those with slabs, in order of size */
    hak_class_stats class_stats[HAK_CLASS_STATS_MAX];
} hak_stats;

/* One number of hak_stats, for programs that list them all. */
typedef struct hak_stats_field {
    const char *name; /* as in hak_stats, and as the key in JSON, Lua and Python */
    const char *unit; /* "bytes", "blocks", "superslabs" or "events" */
    const char *help; /* one line */
    size_t offset;    /* of a size_t in hak_stats */
} hak_stats_field;

/* All of them, in order; `*count` is how many. */
HAK_API const hak_stats_field *hak_stats_fields(size_t *count);

/* Reads the heap's statistics off its slabs. Costs time proportional to its slabs, and nothing on
 * the allocation path. */
HAK_API void hak_heap_stats(const hak_heap *heap, hak_stats *stats);

/* Writes the statistics as one JSON object into `buffer` (`size` bytes, always terminated) and
 * returns the length of the whole text, as snprintf does. */
HAK_API size_t hak_heap_stats_json(const hak_heap *heap, char *buffer, size_t size);

/* "0.1.0": the version of the library in use; HAK_VERSION is that of the header. */
HAK_API const char *hak_version(void);

#ifdef __cplusplus
}
#endif
#endif
