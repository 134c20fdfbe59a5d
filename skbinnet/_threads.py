"""Threads: how many n_jobs stands for, and the helpers of a run while it lasts."""

import os
from contextlib import contextmanager
from threading import Thread

from joblib import cpu_count, effective_n_jobs

MOST_THREADS = 1024


def count_threads(n_jobs):
    """The number of threads that n_jobs stands for.

    joblib counts them, by its context and its nesting. Unless n_jobs is a number, there
    are no more than OMP_NUM_THREADS, by which joblib and Dask tell each worker process
    its share of the cores.
    """
    n_threads = min(effective_n_jobs(n_jobs), MOST_THREADS)
    if n_threads == 1:
        return 1
    if n_jobs is not None and n_jobs > 0:
        return min(n_threads, n_jobs)  # Dask counts all threads of a cluster
    limit = os.environ.get("OMP_NUM_THREADS", "")
    most = int(limit) if limit.isdecimal() else n_threads
    return max(1, min(n_threads, most, cpu_count()))


@contextmanager
def helpers(threads):
    """Let helpers, if any are wanted, compute a part of what the block computes."""
    if not threads.are_wanted:
        yield
        return
    team = [
        Thread(target=threads.help, args=(i,), name=f"skbinnet-{i}")
        for i in range(1, threads.n_threads)
    ]
    threads.open()
    try:
        for thread in team:
            thread.start()
        yield
    finally:
        threads.close()
        for thread in team:
            if thread.ident is not None:  # it has been started
                thread.join()
