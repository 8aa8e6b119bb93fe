/* The door of this room: a heap for each thread, behind hak_malloc and its companions. */
#ifndef HAK_THREADS_H
#define HAK_THREADS_H

#include "threads/all.h"
#include "threads/each.h"
#include "threads/foreign.h"
#include "threads/front.h"

#endif
