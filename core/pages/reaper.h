/* The thread that purges what has waited long enough (waiting.h). One per process: made when
 * something first waits, ended when nothing has waited for two seconds. Before a fork all that
 * waits is purged and the thread ends: a child never lacks it, and a fork never meets a thread
 * unknown to the program. If no thread can be made, nothing waits. Any thread may call these
 * functions. */
#ifndef HAK_REAPER_H
#define HAK_REAPER_H

#include "pages/region.h"

/* Lets a superslab of free units, or a free huge block, with `bytes` of pages wait for
 * `milliseconds`. False, and no change, if that is 0 or no thread can be made. Takes the region's
 * lock. */
bool hak__reaper_let_wait(hak_superslab *super, size_t bytes, size_t milliseconds);

/* To be called before `bytes` are taken from the OS. Purges at least as much of what waits, or all,
 * so that the process does not grow by both. `for_slabs`: does nothing if a superslab of slabs
 * waits, since the caller takes that one. Takes the region's lock. */
void hak__reaper_make_room(size_t bytes, bool for_slabs);

/* Purges all that waits; returns the bytes. Takes the region's lock. */
size_t hak__reaper_flush(void);

/* Registers the fork handlers of this file, and those of the region's lock before them, once. To be
 * called before handlers are registered for a lock that is held while a heap is used: who holds it
 * may wait here for the thread to begin. */
void hak__reaper_respect_fork(void);

#endif
