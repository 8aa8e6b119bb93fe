/* The door of this room: all that it offers to those above. */
#ifndef HAK_INSIGHT_H
#define HAK_INSIGHT_H

#include "insight/observe.h"
#include "insight/tell.h"

#endif
