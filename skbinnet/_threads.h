/* A team of threads that share out the parts of a task: one that calls, and helpers.

   Each takes one part after the other until none is left. Then the calling thread waits
   for the parts that helpers have begun, but never for a helper that has begun none: its
   core may be busy, or it may be gone. Whoever waits for long goes to sleep, so that
   others can use the core. After a fork there are no helpers in the child, and the
   calling thread does all.

   Which thread computes a part must not matter to the result. */

#include <Python.h>
#include <stddef.h>
#include <stdlib.h>

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
#include <windows.h>
#define YIELD() SwitchToThread()
#else
#include <sched.h>
#define YIELD() sched_yield()
#endif

/* A thread looks so often whether its wait is over before it goes to sleep, for up to a
   millisecond: to wake it takes longer than most passes between two products. Between
   the looks it lets others have the core, among them the thread that it waits for. (It
   does not tell the processor that it waits, as loops like this mostly do: a virtual
   machine then takes the core away from it, and fits took 1.4 of the time.) */
#define LOOKS 1500
#define LOOKS_AT_ONCE 64

typedef struct {
    PyThread_type_lock lock; /* taken; whoever releases it wakes the thread */
    Counter is_asleep;
} Sleeper;

/* What many threads look at again and again shares no line of the cache with what one of
   them changes for other reasons: some fits took 1.7 of the time. */
#define PADDING(number) char padding_##number[128]

typedef struct {
    PADDING(1);
    Counter n_left;    /* parts that nobody has begun; it may fall below 0 */
    Counter is_closed; /* the helpers should return */
    PADDING(2);
    Counter n_unfinished; /* parts that are not done */
    PADDING(3);
    void (*run)(void *task, ptrdiff_t part, ptrdiff_t thread);
    void *task;
    ptrdiff_t n_parts, n_threads;
    Sleeper sleepers[]; /* one for each thread; the first is the calling one */
} Team;

static int has_news(Team *team) /* for a helper */
{
    return LOAD(&team->n_left) > 0 || LOAD(&team->is_closed);
}

static int is_finished(Team *team)
{
    return LOAD(&team->n_unfinished) == 0;
}

/* Whoever ends another thread's wait calls this afterwards. */
static void wake(Sleeper *sleeper)
{
    if (LOAD(&sleeper->is_asleep) && SWAP(&sleeper->is_asleep, 0))
        PyThread_release_lock(sleeper->lock);
}

static void wait_until(int (*is_over)(Team *), Team *team, ptrdiff_t thread)
{
    Sleeper *sleeper = &team->sleepers[thread];
    for (int i = 0; i < LOOKS; i++) {
        for (int j = 0; j < LOOKS_AT_ONCE; j++)
            if (is_over(team))
                return;
        YIELD();
    }
    while (!is_over(team)) {
        SWAP(&sleeper->is_asleep, 1);
        if (is_over(team) && SWAP(&sleeper->is_asleep, 0))
            return; /* otherwise somebody is about to release the lock */
        PyThread_acquire_lock(sleeper->lock, WAIT_LOCK);
    }
}

/* Computes a part that nobody has begun, if there is one. */
static int take_part(Team *team, ptrdiff_t thread)
{
    ptrdiff_t n_left;
    if (LOAD(&team->n_left) <= 0)
        return 0;
    n_left = (ptrdiff_t)ADD(&team->n_left, -1);
    if (n_left <= 0)
        return 0;
    team->run(team->task, team->n_parts - n_left, thread);
    if (ADD(&team->n_unfinished, -1) == 1 && thread > 0)
        wake(&team->sleepers[0]);
    return 1;
}

static void team_run(Team *team, void (*run)(void *, ptrdiff_t, ptrdiff_t), void *task,
    ptrdiff_t n_parts)
{
    team->run = run;
    team->task = task;
    team->n_parts = n_parts;
    SWAP(&team->n_unfinished, n_parts);
    SWAP(&team->n_left, n_parts); /* from now on a helper may take one */
    for (ptrdiff_t i = 1; i < team->n_threads && i < n_parts; i++)
        wake(&team->sleepers[i]);
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

static void team_open(Team *team)
{
    SWAP(&team->is_closed, 0);
}

static void team_close(Team *team)
{
    SWAP(&team->is_closed, 1);
    for (ptrdiff_t i = 1; i < team->n_threads; i++)
        wake(&team->sleepers[i]);
}

static void team_free(Team *team)
{
    for (ptrdiff_t i = 0; team && i < team->n_threads; i++)
        if (team->sleepers[i].lock)
            PyThread_free_lock(team->sleepers[i].lock);
    free(team);
}

/* Returns NULL if there is no memory. */
static Team *team_new(ptrdiff_t n_threads)
{
    Team *team = calloc(1, sizeof(Team) + n_threads * sizeof(Sleeper));
    if (team == NULL)
        return NULL;
    team->n_threads = n_threads;
    for (ptrdiff_t i = 0; i < n_threads; i++) {
        team->sleepers[i].lock = PyThread_allocate_lock();
        if (team->sleepers[i].lock == NULL) {
            team_free(team);
            return NULL;
        }
        PyThread_acquire_lock(team->sleepers[i].lock, NOWAIT_LOCK);
    }
    return team;
}
