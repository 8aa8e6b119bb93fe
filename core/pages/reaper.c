#include "pages/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "pages/hugespace.h"
#include "pages/region.h"
#include "pages/supply.h"
#include "pages/waiting.h"

#define TICK_MS    50 /* from one scan to the next */
#define IDLE_TICKS 40 /* without anything waiting, before the thread ends */
#define STACK_SIZE ((size_t)64 * 1024)

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER; /* held to make or stop the thread */
static pthread_t thread;
static bool made;    /* the thread must be joined, even if it has ended; under `starting` */
static bool running; /* the thread will scan again; under the region's lock */

static pthread_mutex_t sleeping = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static bool stop; /* under `sleeping` */

/* ------------------------------------------------------------------ giving back */

/* Purges the oldest one; returns its bytes. The region's lock is held. */
static size_t give_first(bool only_over)
{
    hak_superslab *super = hak__waiting_take_first(only_over);
    if (!super) return 0;
    size_t bytes = super->pooled;
    if (super->type == HAK_SUPERSLAB_HUGE) hak__hugespace_drop(super);
    else hak__supply_drop(super, bytes);
    return bytes;
}

/* Purges all that waits, or all that is due. Releases the lock after each,
 * since each takes long. */
static size_t give(bool only_over)
{
    size_t given = 0, bytes;
    do {
        hak__region_lock();
        bytes = give_first(only_over);
        hak__region_unlock();
        given += bytes;
    } while (bytes > 0);
    return given;
}

void hak__reaper_make_room(size_t bytes, bool for_slabs)
{
    size_t given = 0, more = 1;
    hak__region_lock();
    if (for_slabs && hak__waiting_has_slabs()) more = 0;
    while (given < bytes && more > 0) given += more = give_first(false);
    hak__region_unlock();
}

size_t hak__reaper_flush(void)
{
    return give(false);
}

/* ------------------------------------------------------------------ the thread */

/* Sleeps for a tick. False: the thread is to stop. */
static bool sleep_a_tick(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&sleeping);
    while (!stop && pthread_cond_timedwait(&wake, &sleeping, &until) != ETIMEDOUT) continue;
    bool goes_on = !stop;
    pthread_mutex_unlock(&sleeping);
    return goes_on;
}

/* Counts a tick. False: nothing has waited for IDLE_TICKS, the thread ends. */
static bool tick(unsigned *idle)
{
    hak__region_lock();
    hak__waiting_tick();
    *idle = hak__waiting_bytes() ? 0 : *idle + 1;
    if (*idle > IDLE_TICKS) running = false;
    bool goes_on = running;
    hak__region_unlock();
    return goes_on;
}

static void *reap(void *nothing)
{
    unsigned idle = 0;
    while (sleep_a_tick() && tick(&idle)) give(true);
    return nothing;
}

static bool make_thread(void)
{
    pthread_attr_t attributes;
    pthread_condattr_t clock;
    sigset_t all, before;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&wake, &clock);
    pthread_condattr_destroy(&clock);
    stop = false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all); /* signals go to the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_made = pthread_create(&thread, &attributes, reap, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return is_made;
}

static void set_running(bool now)
{
    hak__region_lock();
    running = now;
    hak__region_unlock();
}

/* Stops and joins the thread, if there is one; `starting` is held. */
static void end_thread(void)
{
    if (!made) return;
    pthread_mutex_lock(&sleeping);
    stop = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&sleeping);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&wake);
    made = false;
    set_running(false);
}

/* ------------------------------------------------------------------ forks */

static hak_forking forking;

static void before_fork(void)
{
    if (hak__forking_here(&forking)) return;
    pthread_mutex_lock(&starting);
    forking = pthread_self();
    end_thread();
    hak__reaper_flush();
}

static void after_fork(void)
{
    if (!hak__forking_here(&forking)) return;
    forking = (pthread_t)0;
    pthread_mutex_unlock(&starting);
}

static void register_handlers(void)
{
    hak__region_respect_fork();
    pthread_atfork(before_fork, after_fork, after_fork);
}

void hak__reaper_respect_fork(void)
{
    static hak_once once;
    hak__once(&once, register_handlers);
}

/* ------------------------------------------------------------------ making it */

static bool is_running(void)
{
    hak__region_lock();
    bool now = running;
    hak__region_unlock();
    return now;
}

/* Starts the thread unless it runs. */
static void ensure_thread(void)
{
    if (is_running()) return;
    int saved = errno;
    hak__reaper_respect_fork();
    pthread_mutex_lock(&starting);
    if (!is_running()) {
        end_thread();
        set_running(true);
        made = make_thread();
        if (!made) set_running(false);
    }
    bool now = made;
    pthread_mutex_unlock(&starting);
    if (!now) hak__reaper_flush(); /* others may have relied on it meanwhile */
    errno = saved;
}

bool hak__reaper_let_wait(hak_superslab *super, size_t bytes, size_t milliseconds)
{
    if (milliseconds == 0) return false;
    ensure_thread();
    hak__region_lock();
    bool waits = running;
    if (waits) {
        if (super->type == HAK_SUPERSLAB_HUGE) hak__hugespace_orphan(super);
        else hak__supply_orphan(super);
        hak__waiting_put(super, bytes, (unsigned)(milliseconds / TICK_MS) + 1);
    }
    hak__region_unlock();
    return waits;
}
