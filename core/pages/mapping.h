/* Which superslabs are mapped. One that is free may stay mapped for the next that is taken, without
 * a page: there are few of these, so that the address space that a process takes is what it needs.
 * The region's lock is held. */
#ifndef HAK_MAPPING_H
#define HAK_MAPPING_H

#include "os/os.h"
#include "pages/superslab.h"

/* Takes a free superslab that is mapped and may be cut into units; the region still counts it as
 * free. NULL: there is none. */
hak_superslab *hak__mapping_take(void);

/* Maps the first `units` of a superslab that is not mapped. */
hak_mapped hak__mapping_add(hak_superslab *super, size_t units);

/* Maps more of a short superslab, up to its first `units`. */
hak_mapped hak__mapping_grow(hak_superslab *super, size_t units);

/* Makes a whole superslab short: unmaps all but its first `units`. Nobody uses the others. No
 * change if the OS refuses. */
void hak__mapping_shorten(hak_superslab *super, size_t units);

/* Unmaps a superslab, which is not free yet. False, and no change, when the OS refuses. */
bool hak__mapping_remove(hak_superslab *super);

/* Maps what is not of a huge block's superslabs: of `count` from `from` on, up to address `end`,
 * which lies in the last. On refusal nothing has changed. */
hak_mapped hak__mapping_add_run(hak_superslab *from, size_t count, char *end);

/* Takes the pages of a superslab, which is clean then, and unmaps it unless it may stay; a short
 * one may not. False, and no change, when the OS refuses. It is not free yet. */
bool hak__mapping_drop(hak_superslab *super);

/* Free superslabs that may not stay are unmapped: to be called after they have become free. */
void hak__mapping_trim(void);

/* Unmaps all that are free; whether there were any. */
bool hak__mapping_trim_all(void);

/* A superslab has become free. */
void hak__mapping_note_free(hak_superslab *super);

/* Notes whether a superslab is mapped. */
void hak__mapping_set(hak_superslab *super, bool mapped);

/* Notes up to where a huge block is mapped, in bytes from its start; 0: it is gone. */
void hak__mapping_set_end(hak_superslab *super, size_t end);

/* Ranges inside a huge block that are unmapped: how many, and their bytes. */
typedef struct hak_holes {
    size_t count, bytes;
} hak_holes;

/* Notes that a huge block which had such holes has others now. */
void hak__mapping_set_holes(hak_holes had, hak_holes has);

/* Whether there may be one more hole. Takes no lock. */
bool hak__mapping_may_have_holes(void);

/* Notes whether the pages of a huge block have been moved: its mapping never joins others. */
void hak__mapping_set_moved(hak_superslab *super, bool moved);

/* Whether the regions have so many kernel mappings that there should not be more: their number is
 * limited for a process, and its threads need some too. Takes no lock. */
bool hak__mapping_crowded(void);

/* Whether there may be one more short superslab. Each is a kernel mapping of its own, also after it
 * has grown: its pages keep it from joining its neighbours. */
bool hak__mapping_may_be_short(void);

/* How many superslabs are mapped, and how many bytes of them. */
size_t hak__mapping_count(void);
size_t hak__mapping_bytes(void);

#endif
