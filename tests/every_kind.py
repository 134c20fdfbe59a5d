"""Fits of every kind, and the memory that they leave.

python tests/every_kind.py          # each kind, for a checker of memory to watch
python tests/every_kind.py 10000    # so many; fails if memory grows after 1,000
"""

import gc
import sys
import warnings
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from skbinnet import BinaryMLPClassifier


def wide_csr(X):
    """CSR with 64-bit columns."""
    X = csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


FORMS = {"dense": np.asarray, "narrow CSR": csr_matrix, "wide CSR": wide_csr}
DTYPES, BACKPROPS, LAYERS = ["f4", "f8"], ["loop", "matrix"], [(), (7, 3)]
SOLVERS = [("sgd", 0.9), ("sgd", 0), ("adam", 0.9), ("lbfgs", 0.9)]  # and momentum
OTHERS, DROPOUT = ["identity", "logistic", "tanh"], [0.5]
KINDS = [
    *product(DTYPES, FORMS, SOLVERS, BACKPROPS, LAYERS, ["relu"]),
    *product(DTYPES, ["dense"], SOLVERS[:1], BACKPROPS, LAYERS[1:], OTHERS),
    *product(DTYPES, FORMS, SOLVERS[1:2], BACKPROPS, LAYERS[1:], ["relu"], DROPOUT),
]
MOST_KIB = 512  # of growth; an array that each fit leaves would be 1,000


def use(
    dtype, form, solver_and_momentum, backprop, layers, activation, dropout=0.0
):  # fmt: skip
    """Fit with and without early stopping, predict, look inside, go on, fail."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(53, 13)) * rng.randint(2, size=(53, 13))
    X, y = FORMS[form](X.astype(dtype)), rng.randint(2, size=53)
    solver, momentum = solver_and_momentum
    params = {"backprop": backprop, "batch_size": 10, "max_iter": 2, "random_state": 0}
    params |= {"solver": solver, "momentum": momentum, "dropout": dropout}
    clf = BinaryMLPClassifier(layers, activation, **params).fit(X, y)
    clf.set_params(early_stopping=True).fit(X, y)
    clf.predict_proba(X)
    clf.input_gradients(X)
    clf.loss_and_gradients(X, y)
    if solver != "lbfgs":
        clf.partial_fit(X, y)
        try:
            clf.set_params(learning_rate_init=1e300).fit(X, y)
        except ValueError:
            return
        raise AssertionError("it should have diverged")


def resident():
    """KiB of memory."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main(n_fits=0):
    """Returns what went wrong, if anything."""
    n_fits = n_fits or 2 * len(KINDS)
    warnings.simplefilter("ignore")
    kinds = islice(cycle(KINDS), n_fits // 2)
    for kind in islice(kinds, 500):
        use(*kind)
    before = resident()
    for kind in kinds:
        use(*kind)
    growth = resident() - before
    print(f"{n_fits:,} fits, of {len(KINDS)} kinds")
    print(f"memory grew by {growth} KiB after the first 1,000")
    return "which is too much" if growth > MOST_KIB else None


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
