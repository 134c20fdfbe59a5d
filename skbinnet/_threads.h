/* A team of threads that share out the parts of a task: one that calls, and helpers.

   Each thread computes one part after the other, first those set aside for it, until
   none is left. Then the calling thread waits for the parts that helpers have begun, but
   never for a helper that has begun none: its core may be busy, or it may be gone.
   Whoever waits for long goes to sleep, so that others can use the core. After a fork
   there are no helpers in the child, and the calling thread does all.

   Which thread computes a part must not matter to the result. */

#include <Python.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#ifdef _MSC_VER /* which needs an option for the atomics of C11 */
#include <intrin.h>
typedef volatile __int64 Counter;
#define LOAD(counter) _InterlockedExchangeAdd64(counter, 0)
#define ADD(counter, n) _InterlockedExchangeAdd64(counter, n)
#define SWAP(counter, n) _InterlockedExchange64(counter, n)
#else
#include <stdatomic.h>
typedef atomic_llong Counter;
#define LOAD(counter) atomic_load(counter)
#define ADD(counter, n) atomic_fetch_add(counter, n)
#define SWAP(counter, n) atomic_exchange(counter, n)
#endif

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#define YIELD() SwitchToThread()
#else
#include <sched.h>
#define YIELD() sched_yield()
#endif

/* Who waits looks for up to so many seconds whether the wait is over, and then sleeps: to
   be woken takes longer than most work between two tasks. Between the looks it lets
   others have the core: while another process held one of two cores, fits with two
   threads took 1.1 of the time of one, and 1.7 without that. A thread that sleeps may
   be woken on another core, where nothing else runs. */
#define PATIENCE 3e-4
#define LOOKS_AT_ONCE 64

/* What threads look at again and again shares no line of the cache with what one of them
   writes for other reasons. Without this padding some fits took 1.7 times as long. */
#define PADDING(number) char padding_##number[128]

typedef struct {
    Counter n_left; /* its parts that nobody has begun; it may fall below 0 */
    ptrdiff_t end;  /* number of the part after its last */
    PADDING(1);
    PyThread_type_lock lock; /* taken; whoever releases it wakes the thread */
    Counter is_asleep;
    PADDING(2);
} Member;

typedef struct {
    PADDING(1);
    Counter n_unfinished; /* parts that are not done */
    Counter is_closed;    /* the helpers should return */
    PADDING(2);
    void (*run)(void *task, ptrdiff_t part, ptrdiff_t thread);
    void *task;
    ptrdiff_t n_threads;
    PADDING(3);
    Member members[]; /* one for each thread; the first is the calling one */
} Team;

static int has_news(Team *team) /* for a helper */
{
    for (ptrdiff_t i = 0; i < team->n_threads; i++)
        if (LOAD(&team->members[i].n_left) > 0)
            return 1;
    return LOAD(&team->is_closed);
}

static int is_finished(Team *team)
{
    return LOAD(&team->n_unfinished) == 0;
}

static double now(void) /* in seconds */
{
#ifdef _WIN32
    return 1e-3 * GetTickCount64();
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
#endif
}

/* Whoever ends another thread's wait calls this afterwards. */
static void wake(Member *member)
{
    if (LOAD(&member->is_asleep) && SWAP(&member->is_asleep, 0))
        PyThread_release_lock(member->lock);
}

static void wait_until(int (*is_over)(Team *), Team *team, ptrdiff_t thread)
{
    Member *member = &team->members[thread];
    double start = 0, waited = 0;
    while (waited < PATIENCE) {
        for (int i = 0; i < LOOKS_AT_ONCE; i++)
            if (is_over(team))
                return;
        start = start ? start : now();
        YIELD();
        waited = now() - start;
    }
    while (!is_over(team)) {
        SWAP(&member->is_asleep, 1);
        if (is_over(team) && SWAP(&member->is_asleep, 0))
            return; /* otherwise somebody is about to release the lock */
        PyThread_acquire_lock(member->lock, WAIT_LOCK);
    }
}

/* Computes a part that nobody has begun, if there is one: first the thread's own, which
   are mostly those of the last time, so that what they need is in its cache. */
static int take_part(Team *team, ptrdiff_t thread)
{
    for (ptrdiff_t i = 0; i < team->n_threads; i++) {
        Member *member = &team->members[(thread + i) % team->n_threads];
        ptrdiff_t n_left;
        if (LOAD(&member->n_left) <= 0)
            continue;
        n_left = (ptrdiff_t)ADD(&member->n_left, -1);
        if (n_left <= 0)
            continue;
        team->run(team->task, member->end - n_left, thread);
        if (ADD(&team->n_unfinished, -1) == 1 && thread > 0)
            wake(&team->members[0]);
        return 1;
    }
    return 0;
}

static void team_run(Team *team, void (*run)(void *, ptrdiff_t, ptrdiff_t), void *task,
    ptrdiff_t n_parts)
{
    ptrdiff_t end = 0, begin;
    team->run = run;
    team->task = task;
    SWAP(&team->n_unfinished, n_parts);
    for (ptrdiff_t i = 0; i < team->n_threads; i++) {
        begin = end;
        end = n_parts * (i + 1) / team->n_threads;
        team->members[i].end = end;
        SWAP(&team->members[i].n_left, end - begin); /* from now on all may take them */
    }
    for (ptrdiff_t i = 1; i < team->n_threads && i < n_parts; i++)
        wake(&team->members[i]);
    while (take_part(team, 0))
        ;
    wait_until(is_finished, team, 0);
}

/* What a helper does, until team_close(). */
static void team_help(Team *team, ptrdiff_t thread)
{
    while (!LOAD(&team->is_closed))
        if (!take_part(team, thread))
            wait_until(has_news, team, thread);
}

static void team_close(Team *team)
{
    SWAP(&team->is_closed, 1);
    for (ptrdiff_t i = 1; i < team->n_threads; i++)
        wake(&team->members[i]);
}

static void team_free(Team *team)
{
    for (ptrdiff_t i = 0; team && i < team->n_threads; i++)
        if (team->members[i].lock)
            PyThread_free_lock(team->members[i].lock);
    free(team);
}

/* Returns NULL if there is no memory. */
static Team *team_new(ptrdiff_t n_threads)
{
    Team *team = calloc(1, sizeof(Team) + n_threads * sizeof(Member));
    if (team == NULL)
        return NULL;
    team->n_threads = n_threads;
    for (ptrdiff_t i = 0; i < n_threads; i++) {
        team->members[i].lock = PyThread_allocate_lock();
        if (team->members[i].lock == NULL) {
            team_free(team);
            return NULL;
        }
        PyThread_acquire_lock(team->members[i].lock, NOWAIT_LOCK);
    }
    return team;
}
