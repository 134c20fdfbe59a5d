"""Threads: how many n_jobs stands for, and the helpers of a run while it lasts."""

import os
from contextlib import contextmanager, suppress
from threading import Thread

from joblib import cpu_count
from joblib.parallel import get_active_backend

MOST_THREADS = 1024


def count_threads(n_jobs):
    """The number of threads that n_jobs stands for.

    joblib counts them, by its context and its nesting. Unless n_jobs is a number, there
    are no more than OMP_NUM_THREADS, by which joblib and Dask tell each worker process
    its share of the cores.
    """
    if n_jobs == 1:
        return 1
    backend, default = get_active_backend(require="sharedmem")
    n_threads = backend.effective_n_jobs(default if n_jobs is None else n_jobs)
    if n_threads == 1:
        return 1
    if n_jobs is not None and n_jobs > 0:
        return min(n_threads, n_jobs, MOST_THREADS)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    most = int(limit) if limit.isdecimal() else n_threads
    return max(1, min(n_threads, most, cpu_count(), MOST_THREADS))


@contextmanager
def helpers(threads):
    """Let helpers, if any are wanted, compute a part of what is computed meanwhile.

    If no more threads can be started, there are fewer helpers, or none.
    """
    if not threads.are_wanted:
        yield
        return
    started = []
    try:
        with suppress(RuntimeError):
            for i in range(1, threads.n_threads):
                thread = Thread(target=threads.help, args=(i,), name=f"skbinnet-{i}")
                thread.start()
                started.append(thread)
        yield
    finally:
        threads.close()
        for thread in started:
            thread.join()
