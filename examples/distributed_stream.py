"""
Learning from a stream of blocks
================================

Two Dask processes compute and scale a table block by block, while the network in this
process learns from the blocks that are ready. The whole table is never in memory.
"""

# %%
# The table has blocks of 2000 rows; the seed of a block is its number. The last column
# is the label. It is 1 if the first two features are on the same side of 5.
import argparse
import os
from collections import deque
from itertools import islice

import numpy as np
from dask import array, compute, delayed
from distributed import Client

from skbinnet import BinaryMLPClassifier

N_BLOCKS, N_ROWS, N_FEATURES = 50, 2000, 20


def draw(block_id):
    rng = np.random.default_rng(block_id)
    X = rng.normal(loc=5, scale=3, size=(N_ROWS, N_FEATURES))
    return np.column_stack([X, (X[:, 0] > 5) == (X[:, 1] > 5)])


def scale(block, mean, std):
    """Return the scaled features, the labels and the id of this process."""
    return (block[:, :-1] - mean) / std, block[:, -1], os.getpid()


# %%
# While the network learns from a block, the cluster computes up to `window` more.
def stream(client, table, mean, std, window=4):
    blocks = table.to_delayed().ravel()
    futures = (client.compute(delayed(scale)(b, mean, std)) for b in blocks)
    pending = deque(islice(futures, window))
    while pending:
        block = pending.popleft().result()
        pending.extend(islice(futures, 1))
        yield block


def learn(blocks, verbose=False):
    """Return the trained network and the ids of the processes that sent blocks."""
    clf, processes = BinaryMLPClassifier(random_state=0), set()
    for i, (X, y, process) in enumerate(blocks, start=1):
        clf.partial_fit(X, y, classes=[0, 1])
        processes.add(process)
        if verbose and i % 5 == 0:
            print(f"block {i} of {N_BLOCKS}: loss {clf.loss_:.3f}")
    return clf, processes


def learn_from(client):
    chunks = ((N_ROWS,) * N_BLOCKS, N_FEATURES + 1)
    table = array.map_blocks(draw, chunks=chunks, meta=np.empty((0, 0)))
    X = table[:, :-1]
    mean, std = compute(X.mean(axis=0), X.std(axis=0))
    return *learn(stream(client, table, mean, std), verbose=True), mean, std


# %%
# Learn from the cluster, then from NumPy alone. The weights are the same.
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--scheduler", help="address of a running Dask scheduler")
    scheduler = parser.parse_args().scheduler
    opts = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with Client(scheduler) if scheduler else Client(**opts) as client:
        clf, processes, mean, std = learn_from(client)
    print(f"process {os.getpid()} learned the blocks of processes {sorted(processes)}")
    alone, _ = learn(scale(draw((i, 0)), mean, std) for i in range(N_BLOCKS))
    same = all(map(np.array_equal, clf.coefs_, alone.coefs_))
    print(f"same weights without the cluster, bit for bit: {same}")
