/* Who may use a thread heap: a model of core/threads/thread.h for Spin. One thread allocates and frees
 * for ever, on its hot path and its slow path, and may end; two others hold its heap now and then.
 * Whatever they do in whichever order, no two of them use the heap at the same time, and none waits
 * for ever.
 *
 * The owner's store to `busy` lies in its store buffer until the processor, or a barrier, lets others
 * see it. With -DNO_BARRIER the holder has none executed: then Spin must find the error. */

#define NO_HEAP 0
#define HEAP    1

byte token = HEAP; /* hak_thread.heap */
bit busy;          /* hak_thread.busy, as others see it */
bit stored;        /* what the owner has stored last */
bit buffered;      /* that is still in its store buffer */
bit locked;        /* hak_thread_heap.lock */
bit has_owner = 1; /* hak_thread_heap.owner */
byte users;        /* at this moment */

inline use()
{
    users++;
    assert(users == 1);
    users--;
}

inline lock()
{
    atomic { !locked -> locked = 1 }
}

inline unlock()
{
    locked = 0;
}

/* ------------------------------------------------------------------ the owner */

/* A plain store. One that is still in the buffer is seen first, or never. */
inline store_busy(value)
{
    d_step { stored = value; buffered = 1 }
}

/* An atomic operation of the owner empties its buffer. */
inline take_token(got)
{
    d_step {
        busy = stored;
        buffered = 0;
        got = token;
        token = NO_HEAP
    }
}

inline put_token()
{
    d_step {
        busy = stored;
        buffered = 0;
        token = HEAP
    }
}

/* hak__thread_begin, hak__thread_end */
inline slow_path(got)
{
    store_busy(0);
    take_token(got);
    do
    :: got == HEAP -> break
    :: else ->
        lock();
        unlock();
        take_token(got)
    od;
    use();
    put_token()
}

active proctype owner()
{
    byte got;
    do
    :: store_busy(1);
        got = token;
        if
        :: got == HEAP ->
            if
            :: use() /* and that was all */
            :: use(); /* hak__thread_free_event */
                take_token(got);
                use();
                if
                :: got == HEAP -> put_token()
                :: else -> skip /* the holder puts it back */
                fi
            fi;
            store_busy(0)
        :: else -> slow_path(got)
        fi
    :: slow_path(got)
    :: break /* the thread ends */
    od;
    lock();
    d_step {
        busy = stored;
        buffered = 0;
        token = NO_HEAP;
        has_owner = 0
    }
    unlock()
}

/* The processor of the owner empties its store buffer when it likes. */
active proctype processor()
{
end:
    do
    :: d_step { buffered -> busy = stored; buffered = 0 }
    od
}

/* ------------------------------------------------------------------ who holds */

inline barrier()
{
#ifndef NO_BARRIER
    d_step { busy = stored; buffered = 0 }
#endif
    skip
}

active [2] proctype holder()
{
    byte got;
    do
    :: lock();
        if
        :: !has_owner -> use()
        :: else ->
            d_step { got = token; token = NO_HEAP }
            if
            :: got == HEAP ->
                barrier();
                !busy; /* waits */
                use();
                token = HEAP
            :: else -> skip /* hak__hold_try: the owner is in a slow path */
            fi
        fi;
        unlock()
    :: break
    od
}
