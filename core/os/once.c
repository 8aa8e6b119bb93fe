#include "os/once.h"

#include <sched.h>
#include <unistd.h>

void hak__once_do(hak_once *once, void (*run)(void))
{
    int self = (int)getpid();
    int seen = atomic_load_explicit(&once->state, memory_order_acquire);
    while (seen != HAK_ONCE_DONE) {
        if (seen == self) {
            sched_yield(); /* another thread is at it, for some microseconds */
            seen = atomic_load_explicit(&once->state, memory_order_acquire);
        } else if (atomic_compare_exchange_strong(&once->state, &seen, self)) {
            run();
            atomic_store_explicit(&once->state, HAK_ONCE_DONE, memory_order_release);
            return;
        }
    }
}
