#include "pages/room.h"

#include "os/os.h"

#define WORD HAK_BITS /* places of a word */

/* The free runs of a piece of the row: at its beginning, at its end, the longest one. */
typedef struct runs {
    size_t length, first, last, longest;
} runs;

/* The free runs of two adjacent pieces together. */
static runs join(runs left, runs right)
{
    size_t across = left.last + right.first;
    runs both = {left.length + right.length, left.first, right.last, across};
    if (left.first == left.length) both.first += right.first;
    if (right.last == right.length) both.last += left.last;
    if (left.longest > both.longest) both.longest = left.longest;
    if (right.longest > both.longest) both.longest = right.longest;
    return both;
}

static runs runs_of_word(const hak_room_word *word)
{
    return (runs){WORD, WORD - word->past_first, WORD - word->past_last, WORD - word->past_longest};
}

static runs runs_of_node(const hak_room_node *node, size_t length)
{
    return (runs){length, length - node->past_first, length - node->past_last,
                  length - node->past_longest};
}

static size_t leaf_places(const hak_room *room)
{
    return room->leaf_words * WORD;
}

/* ------------------------------------------------------------------ opening */

static size_t leaves_for(size_t places, size_t leaf_words)
{
    size_t leaves = 1;
    while (leaves * leaf_words * WORD < places) leaves *= 2;
    return leaves;
}

/* Nodes lie before words, so that a row used at its beginning touches few pages. */
static size_t nodes_size(size_t leaves)
{
    return (2 * leaves * sizeof(hak_room_node) + 7) & ~(size_t)7;
}

size_t hak__room_size(size_t places, size_t leaf_words)
{
    size_t leaves = leaves_for(places, leaf_words);
    return nodes_size(leaves) + leaves * leaf_words * sizeof(hak_room_word);
}

void hak__room_open(hak_room *room, size_t places, size_t leaf_words, void *memory)
{
    size_t leaves = leaves_for(places, leaf_words);
    *room = (hak_room){
        .places = places,
        .leaf_words = leaf_words,
        .leaves = leaves,
        .nodes = memory,
        .words = (hak_room_word *)((char *)memory + nodes_size(leaves)),
    };
    size_t all = leaves * leaf_places(room);
    if (places < all) hak__room_mark(room, places, all - places, true);
}

/* ------------------------------------------------------------------ marking */

static unsigned longest_run(uint64_t bits)
{
    unsigned length = 0;
    for (; bits; length++) bits &= bits << 1;
    return length;
}

static void note_word(hak_room_word *word)
{
    uint64_t taken = word->taken;
    unsigned first = taken ? (unsigned)__builtin_ctzll(taken) : WORD;
    unsigned last = taken ? (unsigned)__builtin_clzll(taken) : WORD;
    word->past_first = (uint8_t)(WORD - first);
    word->past_last = (uint8_t)(WORD - last);
    word->past_longest = (uint8_t)(WORD - longest_run(~taken));
}

static void note_node(hak_room *room, size_t node, runs found)
{
    room->nodes[node] = (hak_room_node){
        .past_first = (uint32_t)(found.length - found.first),
        .past_last = (uint32_t)(found.length - found.last),
        .past_longest = (uint32_t)(found.length - found.longest),
    };
}

static void note_leaf(hak_room *room, size_t leaf)
{
    const hak_room_word *words = &room->words[leaf * room->leaf_words];
    runs all = runs_of_word(&words[0]);
    for (size_t i = 1; i < room->leaf_words; i++) all = join(all, runs_of_word(&words[i]));
    note_node(room, room->leaves + leaf, all);
}

/* Updates leaves [first, last] and all nodes above them. */
static void note_leaves(hak_room *room, size_t first, size_t last)
{
    for (size_t leaf = first; leaf <= last; leaf++) note_leaf(room, leaf);
    size_t low = (room->leaves + first) / 2, high = (room->leaves + last) / 2;
    for (size_t length = leaf_places(room); low > 0; low /= 2, high /= 2, length *= 2) {
        for (size_t node = low; node <= high; node++) {
            note_node(room, node,
                      join(runs_of_node(&room->nodes[2 * node], length),
                           runs_of_node(&room->nodes[2 * node + 1], length)));
        }
    }
}

void hak__room_mark(hak_room *room, size_t first, size_t count, bool taken)
{
    size_t end = first + count;
    for (size_t at = first, here; at < end; at += here) {
        hak_room_word *word = &room->words[at / WORD];
        here = WORD - at % WORD < end - at ? WORD - at % WORD : end - at;
        uint64_t bits = hak__bits(at % WORD, here);
        word->taken = taken ? word->taken | bits : word->taken & ~bits;
        note_word(word);
    }
    note_leaves(room, first / leaf_places(room), (end - 1) / leaf_places(room));
}

/* ------------------------------------------------------------------ finding */

bool hak__room_is_free(const hak_room *room, size_t first, size_t count)
{
    size_t end = first + count;
    if (end > room->places) return false;
    for (size_t at = first, here; at < end; at += here) {
        here = WORD - at % WORD < end - at ? WORD - at % WORD : end - at;
        if (room->words[at / WORD].taken & hak__bits(at % WORD, here)) return false;
    }
    return true;
}

/* A search for `count` places: it is at place `at`, and the `run` places before it are free. */
typedef struct search {
    size_t at, run, count;
} search;

/* Passes a piece. False, and no change, if the wanted run ends in it. */
static bool pass(search *s, runs piece)
{
    if (s->run + piece.first >= s->count || piece.longest >= s->count) return false;
    s->run = piece.first == piece.length ? s->run + piece.length : piece.last;
    s->at += piece.length;
    return true;
}

/* Passes the remaining words of a leaf; places before `from` count as taken. Returns the first
 * place of the wanted run if it ends here. */
static size_t find_in_leaf(const hak_room *room, search *s, size_t from)
{
    do {
        hak_room_word word = room->words[s->at / WORD];
        if (s->at < from) {
            word.taken |= hak__bits(0, from - s->at);
            note_word(&word);
        }
        runs piece = runs_of_word(&word);
        if (s->run + piece.first >= s->count) return s->at - s->run;
        if (piece.longest >= s->count)
            return s->at + (size_t)__builtin_ctzll(hak__bits_run_starts(~word.taken, s->count));
        pass(s, piece);
    } while (s->at % leaf_places(room));
    return HAK_ROOM_NOWHERE;
}

/* Passes nodes, each time the largest that begins here, until the leaf in which the wanted run
 * ends. False: the end of the row. */
static bool find_leaf(const hak_room *room, search *s)
{
    size_t node = room->leaves + s->at / leaf_places(room), length = leaf_places(room);
    if (node == 2 * room->leaves) return false;
    while (node % 2 == 0 && node > 1) node /= 2, length *= 2;
    for (;;) {
        if (!pass(s, runs_of_node(&room->nodes[node], length))) {
            if (node >= room->leaves) return true;
            node *= 2, length /= 2;
            continue;
        }
        node++;
        if ((node & (node - 1)) == 0) return false;
        while (node % 2 == 0) node /= 2, length *= 2;
    }
}

size_t hak__room_find(const hak_room *room, size_t from, size_t count)
{
    search s = {from / WORD * WORD, 0, count};
    if (from >= room->places) return HAK_ROOM_NOWHERE;
    size_t found = find_in_leaf(room, &s, from);
    if (found == HAK_ROOM_NOWHERE && find_leaf(room, &s)) found = find_in_leaf(room, &s, from);
    return found;
}
