/* Where the shared region lies: at a base drawn by lot, with address space above it that the kernel
 * gives to nobody unless asked for, and its records below. Nothing is reserved there. Records and
 * data are mapped in steps, as they are needed, each where nothing else is mapped. */
#ifndef HAK_PLAN_H
#define HAK_PLAN_H

#include "os/os.h"
#include "pages/superslab.h"

/* The bytes that a region may come to have where a process may map addresses below `end`, a power
 * of two. */
size_t hak__plan_span(size_t end);

/* The base that such a number draws: a multiple of the superslab, such that records and region lie
 * in the second quarter of the address space, or a little beyond. Programs, their heap, libraries
 * and stacks lie elsewhere, and so does what the kernel finds a place for. */
uintptr_t hak__plan_base(size_t end, size_t records, uint64_t number);

/* Chooses a base, maps what a region needs first of its records, and lays the region out, without a
 * superslab mapped. HAK_TAKEN: no place was free, and the region has no superslab. HAK_REFUSED: no
 * address space is left. */
hak_mapped hak__plan_open(hak_region *region);

/* Maps the records of superslabs [first, first + count) of the shared region, and of no units.
 * False when that is refused. */
bool hak__plan_map_supers(hak_region *region, size_t first, size_t count);

/* Maps the records of all units up to superslab `index`, likewise. */
bool hak__plan_map_units(hak_region *region, size_t index);

/* Whether the record of a superslab of any region can be read. Takes no lock. */
bool hak__plan_has_super(const hak_region *region, size_t index);

#endif
