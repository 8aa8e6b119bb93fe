#include "py_wrappers.h"

#include <dlfcn.h>
#include <string.h>

/* What the debug hooks' context points to (Objects/obmalloc.c since 3.3; in the runtime's state
 * since 3.12). tracemalloc's context points to a PyMemAllocatorEx. */
typedef struct debug_context {
    char api_id;
    PyMemAllocatorEx below;
} debug_context;

static const char *object_around(const void *address)
{
    Dl_info info;
    return address && dladdr(address, &info) ? info.dli_fbase : NULL;
}

/* Whether `p` points into the executable or library that contains CPython. (The address of one of
 * its functions may be that of a stub in another object.) */
static bool is_cpythons(const void *p)
{
    const char *object = object_around(p);
    return object && object == object_around(Py_GetCopyright());
}

static bool is_allocator(const PyMemAllocatorEx *candidate)
{
    return object_around((const void *)(uintptr_t)candidate->malloc) &&
           object_around((const void *)(uintptr_t)candidate->calloc) &&
           object_around((const void *)(uintptr_t)candidate->realloc) &&
           object_around((const void *)(uintptr_t)candidate->free);
}

bool hak__py_is_cpythons_own(const PyMemAllocatorEx *innermost)
{
    return !innermost->ctx && is_cpythons((const void *)(uintptr_t)innermost->malloc);
}

/* The allocator below `allocator` if that is one of CPython's wrappers; else NULL. CPython's own
 * allocators have no context. */
static PyMemAllocatorEx *below(const PyMemAllocatorEx *allocator, PyMemAllocatorDomain domain)
{
    if (!is_cpythons(allocator->ctx)) return NULL;
    debug_context *hooks = allocator->ctx;
    int id = domain == PYMEM_DOMAIN_RAW ? 'r' : domain == PYMEM_DOMAIN_MEM ? 'm' : 'o';
    if (hooks->api_id == id && is_allocator(&hooks->below)) return &hooks->below;
    PyMemAllocatorEx *traced = allocator->ctx;
    return is_allocator(traced) ? traced : NULL;
}

/* The place of the innermost allocator; NULL if that is the table itself. `*top` is
 * the table's entry. */
static PyMemAllocatorEx *innermost_slot(PyMemAllocatorDomain domain, PyMemAllocatorEx *top)
{
    PyMem_GetAllocator(domain, top);
    PyMemAllocatorEx *slot = NULL;
    for (PyMemAllocatorEx *next = below(top, domain); next; next = below(slot, domain)) slot = next;
    return slot;
}

void hak__py_innermost(PyMemAllocatorDomain domain, PyMemAllocatorEx *innermost)
{
    const PyMemAllocatorEx *slot = innermost_slot(domain, innermost);
    if (slot) *innermost = *slot;
}

void hak__py_replace_innermost(PyMemAllocatorDomain domain, const PyMemAllocatorEx *ours,
                               PyMemAllocatorEx *previous)
{
    PyMemAllocatorEx *slot = innermost_slot(domain, previous);
    if (slot) {
        *previous = *slot;
        *slot = *ours;
    } else {
        PyMem_SetAllocator(domain, (PyMemAllocatorEx *)ours);
    }
}

bool hak__py_exchange(PyMemAllocatorDomain domain, const PyMemAllocatorEx *from,
                      const PyMemAllocatorEx *to)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator(domain, &top);
    if (top.malloc == from->malloc) {
        PyMem_SetAllocator(domain, (PyMemAllocatorEx *)to);
        return true;
    }
    for (PyMemAllocatorEx *slot = below(&top, domain); slot; slot = below(slot, domain)) {
        if (slot->malloc != from->malloc) continue;
        *slot = *to;
        return true;
    }
    return false;
}
