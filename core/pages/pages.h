/* The door of this room: all that it offers to those above. */
#ifndef HAK_PAGES_H
#define HAK_PAGES_H

#include "pages/accounts.h"
#include "pages/counts.h"
#include "pages/held.h"
#include "pages/hugespace.h"
#include "pages/kept.h"
#include "pages/mapping.h"
#include "pages/pack_holes.h"
#include "pages/pack_lists.h"
#include "pages/pack_purge.h"
#include "pages/packs.h"
#include "pages/prewarm.h"
#include "pages/purge.h"
#include "pages/reaper.h"
#include "pages/region.h"
#include "pages/superslabs.h"
#include "pages/supply.h"
#include "pages/unit.h"
#include "pages/unit_purge.h"
#include "pages/units.h"
#include "pages/waiting.h"

#endif
