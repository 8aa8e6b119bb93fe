/* The place of the shared region: a random base. Superslabs are mapped above it, records below it.
 * Nothing is reserved. Both are mapped in steps as they are needed, each where nothing else is
 * mapped. The kernel places other mappings there last. */
#ifndef HAK_PLAN_H
#define HAK_PLAN_H

#include "os/os.h"
#include "pages/superslab.h"

/* The bytes that the region may grow to if a process may map addresses below
 * `end`, a power of two. */
size_t hak__plan_span(size_t end);

/* The base for a random `number`: a multiple of the superslab's size, such that records and region
 * lie in the second quarter of the address space or slightly beyond. Programs, their heaps,
 * libraries and stacks lie elsewhere, and so do mappings placed by the kernel. `records`: bytes
 * below the base. */
uintptr_t hak__plan_base(size_t end, size_t records, uint64_t number);

/* Chooses a base, maps the first records and fills in the region; no superslab is mapped.
 * HAK_TAKEN: no place was free, the region has no superslab. HAK_REFUSED: there is no address space
 * left. */
hak_mapped hak__plan_open(hak_region *region);

/* Maps the records of superslabs [first, first + count) of the shared region, without those of
 * their units. False when refused. The region's lock is held. */
bool hak__plan_map_supers(hak_region *region, size_t first, size_t count);

/* Maps the unit records of superslabs 0 to `index`. False when refused. The
 * region's lock is held. */
bool hak__plan_map_units(hak_region *region, size_t index);

/* Whether the record of superslab `index` is mapped. Takes no lock. */
bool hak__plan_has_super(const hak_region *region, size_t index);

#endif
