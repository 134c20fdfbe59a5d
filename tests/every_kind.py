"""Fits of every kind, and the memory that they leave.

python tests/every_kind.py          # each kind, for a checker of memory to watch
python tests/every_kind.py 10000    # so many of each estimator; fails if memory grows

Memory is compared after the first 1,000 fits, which fill what Python and the libraries
keep for later: parsed formats, types that were seen, free lists, arenas of malloc.
"""

import gc
import sys
import warnings
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from skbinnet import BinaryMLPClassifier, TabularMLPClassifier


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
TABLES = ["pandas", "rows", "lists", "CSR"]
TABLE_KINDS = list(product(TABLES, [None, 2], [False, True], ["loss", "roc_auc"]))
# Of growth: what malloc keeps varies by some hundred KiB from run to run; an array that
# each fit leaves would be 1,000.
MOST_KIB = 512


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


def make_table(form, n_rows=60):
    """Numbers, texts, categories, dates and missing values, in a form."""
    rng = np.random.RandomState(0)
    if form == "CSR":
        return csr_matrix(rng.randint(2, size=(n_rows, 9)) * 1.0)
    X = pd.DataFrame(
        {
            "number": np.where(rng.rand(n_rows) < 0.1, np.nan, rng.normal(size=n_rows)),
            "text": rng.choice(["a", "b", None], n_rows),
            "user": [f"u{i}" for i in rng.randint(50, size=n_rows)],
            "shop": [f"s{i}" for i in rng.randint(50, size=n_rows)],
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.rand(n_rows), "D"),
        }
    )
    if form == "pandas":
        return X.astype({"text": "category"})
    rows = X.to_numpy(dtype=object)
    return rows.tolist() if form == "lists" else rows


def use_table(form, n_jobs, is_weighted, scoring):
    """Fit, predict all rows and one, add a network, fail in fit and in prediction."""
    X, y = make_table(form), np.arange(60) % 2
    weight = y + 1.0 if is_weighted else None
    params = {"n_estimators": 3, "max_iter": 2, "hidden_layer_sizes": (7, 3)}
    params |= {"n_jobs": n_jobs, "scoring": scoring, "random_state": 0}
    model = TabularMLPClassifier(**params).fit(X, y, weight)
    model.predict_proba(X)
    model.predict(X[:1])
    model.set_params(n_estimators=4, warm_start=True).fit(X, y, weight)
    for fails in (lambda: model.fit(X, y * 0), lambda: model.predict([["x"]])):
        try:
            fails()
        except ValueError:
            continue
        raise AssertionError("it should have been refused")


def resident():
    """KiB of memory."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def growth_of(use, all_kinds, n_fits):
    """KiB by which memory grew after the first 1,000 fits; each use makes two."""
    n_fits = n_fits or 2 * len(all_kinds)
    kinds = islice(cycle(all_kinds), n_fits // 2)
    for kind in islice(kinds, 500):
        use(*kind)
    before = resident()
    for kind in kinds:
        use(*kind)
    growth = resident() - before
    print(f"{n_fits:,} fits, of {len(all_kinds)} kinds, by {use.__name__}")
    print(f"memory grew by {growth} KiB after the first 1,000", flush=True)
    return growth


def main(n_fits=0):
    """Returns what went wrong, if anything."""
    warnings.simplefilter("ignore")
    growths = [
        growth_of(*which, n_fits) for which in ((use, KINDS), (use_table, TABLE_KINDS))
    ]
    return "which is too much" if max(growths) > MOST_KIB else None


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
