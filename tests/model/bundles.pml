/* Blocks that other threads have freed: a model of core/threads/remote.h for Spin. Two threads send
 * bundles, which they use again when the owner has taken them in; the owner takes the list. No
 * block is lost, none is freed twice, and the list never has a circle.
 *
 * With -DNO_FLAG a sender does not look whether its bundle is on the way: then Spin must find the
 * error. */

#define SENDERS 2
#define OWN     2 /* bundles of each */
#define ROUNDS  3 /* bundles that each sends */
#define ALL     (SENDERS * OWN)
#define NOTHING ALL

byte head = NOTHING;   /* hak_thread_heap.remote */
byte next[ALL];        /* hak_bundle.next */
bit is_sent[ALL];      /* hak_bundle.is_sent */
bit is_full[ALL];      /* it has blocks that nobody has freed yet */
byte sent, taken;      /* bundles, in all */
byte ended;            /* senders */

proctype sender(byte first)
{
    byte rounds, mine, seen;
    do
    :: rounds < ROUNDS ->
        mine = first + rounds % OWN;
#ifndef NO_FLAG
        !is_sent[mine]; /* otherwise the block is pushed singly */
#endif
        assert(!is_full[mine]);
        is_full[mine] = 1;
        is_sent[mine] = 1;
        seen = head;
        do
        :: next[mine] = seen;
            if
            :: atomic { head == seen -> head = mine; sent++ } break
            :: atomic { head != seen -> seen = head } /* compare-and-exchange fails, and tells */
            fi
        od;
        rounds++
    :: else -> break
    od;
    ended++
}

active proctype owner()
{
    byte at, after, length;
    do
    :: head != NOTHING ->
        atomic { at = head; head = NOTHING }
        length = 0;
        do
        :: at != NOTHING ->
            length++;
            assert(length <= ALL);
            after = next[at];
            assert(is_full[at]);
            is_full[at] = 0;
            taken++;
            is_sent[at] = 0;
            at = after
        :: else -> break
        od
    :: ended == SENDERS && head == NOTHING -> break
    od;
    assert(taken == sent && sent == SENDERS * ROUNDS)
}

init
{
    run sender(0);
    run sender(OWN)
}
