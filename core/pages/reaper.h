/* The thread that gives back what has waited long enough (waiting.h). There is one for the process,
 * made when something first waits, and gone again some time after nothing does; also while the
 * process forks, so that a child never lacks it, and no fork finds the process with a thread that
 * its program does not know of. Where no thread can be made nothing waits. */
#ifndef HAK_REAPER_H
#define HAK_REAPER_H

#include "pages/region.h"

/* Lets a superslab of free units, or a free huge block, with `bytes` of pages wait for so many
 * milliseconds. False, and nothing has happened, where none is to wait. Takes the region's lock. */
bool hak__reaper_let_wait(hak_superslab *super, size_t bytes, size_t milliseconds);

/* Before `bytes` are taken from the OS: gives as many back of what waits, so that both together
 * never are more than there was. For a superslab of slabs, only where none of those waits: it is
 * taken then. Takes the region's lock. */
void hak__reaper_make_room(size_t bytes, bool for_slabs);

/* Gives back all that waits, now; returns how many bytes. Takes the region's lock. */
size_t hak__reaper_flush(void);

#endif
