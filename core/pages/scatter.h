/* Where a heap for LuaJIT takes the units of its slabs. LuaJIT's hash of an address uses its low
 * bits, as many as the table has, and takes the address in pieces of 512 KiB from them: so blocks
 * with equal low bits meet only if they lie in the same piece, or in one that is a multiple of 16
 * pieces away (lj_tab.h of LuaJIT 2.1, hashgcref). Slabs that follow each other in a class lie in
 * pieces that do, over two superslabs; other slabs beside them in each piece. */
#ifndef HAK_SCATTER_H
#define HAK_SCATTER_H

#include "pages/superslabs.h"

/* A free unit for a slab of the class whose current slab is `last`: in the piece behind it. Nowhere
 * if there is none. */
hak_place hak__scatter(const hak_unit *last);

/* Whether that piece is in a second superslab, and the heap has only one. */
bool hak__scatter_needs_another(const hak_pages *pages, const hak_unit *last);

#endif
