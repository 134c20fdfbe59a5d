"""Fits of every kind, and the memory that they leave.

python tests/every_kind.py          # each kind, for a checker of memory to watch
python tests/every_kind.py 10000    # so many; fails if memory grows after 1,000
"""

import gc
import sys
import warnings
from itertools import chain, cycle, islice, product
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from skbinnet import BinaryMLPClassifier

FORMS = ["dense", "csr", "csr of 64 bits"]
SOLVERS = [
    {"solver": "sgd"},
    {"solver": "sgd", "momentum": 0},
    {"solver": "adam"},
    {"solver": "lbfgs"},
]
BACKPROPS, LAYERS = ["loop", "matrix"], [(), (7, 3)]
KINDS = list(
    chain(
        product(["f4", "f8"], FORMS, SOLVERS, BACKPROPS, LAYERS, ["relu"]),
        product(
            *(["f4", "f8"], ["dense"], SOLVERS[:1], BACKPROPS, LAYERS[1:]),
            ["identity", "logistic", "tanh"],
        ),
    )
)
MOST_KIB = 512  # of growth; an array that each fit leaves would be 1,000


def make_rows(dtype, form):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(53, 13)) * rng.randint(2, size=(53, 13))
    X, y = X.astype(dtype), rng.randint(2, size=53)
    if form == "dense":
        return X, y
    X = csr_matrix(X)
    if form == "csr of 64 bits":
        X.indices, X.indptr = X.indices.astype("i8"), X.indptr.astype("i8")
    return X, y


def use(dtype, form, options, backprop, layers, activation):
    """Fit with and without early stopping, predict, look inside, go on, fail."""
    X, y = make_rows(dtype, form)
    params = {"backprop": backprop, "batch_size": 10, "max_iter": 2, "random_state": 0}
    clf = BinaryMLPClassifier(layers, activation, **options, **params)
    clf.fit(X, y)
    clf.set_params(early_stopping=True).fit(X, y)
    clf.predict_proba(X)
    clf.input_gradients(X)
    clf.loss_and_gradients(X, y)
    if clf.solver != "lbfgs":
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
    before = None
    for number, kind in enumerate(islice(cycle(KINDS), n_fits // 2)):
        if number == 500:
            before = resident()
        use(*kind)
    print(f"{n_fits:,} fits, of {len(KINDS)} kinds")
    if before is None:
        return None
    growth = resident() - before
    print(f"memory grew by {growth} KiB after the first 1,000")
    return "which is too much" if growth > MOST_KIB else None


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
