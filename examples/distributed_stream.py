"""
Learning from a stream of blocks
================================

Two processes of Dask compute and scale a table, block by block, while the network in
this one learns from the blocks that are ready. The whole table is never in memory.
"""

# %%
# The table: blocks of 2000 rows, drawn with the number of the block as the seed. The
# last column is the label: whether the first two features are on the same side of 5.
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
    """The rows to learn from, their labels, and the process that scaled them."""
    return (block[:, :-1] - mean) / std, block[:, -1], os.getpid()


# %%
# The cluster works on the next blocks, at most `window`, while this one is learned.
def stream(client, table, mean, std, window=4):
    blocks = table.to_delayed().ravel()
    asked = (client.compute(delayed(scale)(b, mean, std)) for b in blocks)
    ahead = deque(islice(asked, window))
    while ahead:
        block = ahead.popleft().result()
        ahead.extend(islice(asked, 1))
        yield block


def learn(blocks, verbose=False):
    """The network, and the processes that its blocks come from."""
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
# From the cluster, and from NumPy alone: the weights are the same.
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--scheduler", help="address of a running Dask scheduler")
    scheduler = parser.parse_args().scheduler
    here = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with Client(scheduler) if scheduler else Client(**here) as client:
        clf, processes, mean, std = learn_from(client)
    print(f"blocks from the processes {sorted(processes)}, learned in {os.getpid()}")
    alone, _ = learn(scale(draw((i, 0)), mean, std) for i in range(N_BLOCKS))
    same = all(map(np.array_equal, clf.coefs_, alone.coefs_))
    print(f"weights as without the cluster, bit for bit: {same}")
