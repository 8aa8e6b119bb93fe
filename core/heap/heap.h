/* The door of this room: all that it offers to those above, the adapters among them. */
#ifndef HAK_HEAP_H
#define HAK_HEAP_H

#include "heap/adapter.h"
#include "heap/blocks.h"
#include "heap/check.h"
#include "heap/commands.h"
#include "heap/each.h"
#include "heap/guard.h"
#include "heap/heaps.h"
#include "heap/kinds.h"
#include "heap/nest.h"
#include "heap/sizeclass.h"
#include "heap/slab.h"

#endif
