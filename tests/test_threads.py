"""Threads, processes and BLAS change no bit of what is trained or predicted."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skbinnet import BinaryMLPClassifier
from skbinnet._network import ACTIVATIONS

pytestmark = pytest.mark.unconverged

N_THREADS = 8
SOLVERS = ["sgd", "adam", "lbfgs"]
KINDS = list(product(SOLVERS, ["loop", "matrix"], [np.asarray, csr_matrix]))
kinds = pytest.mark.parametrize(("solver", "backprop", "form"), KINDS)


def make_data(seed, n_rows=200, n_features=20):
    """Rows, half of their values 0, and labels that depend on them."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_rows, n_features)) * rng.randint(2, size=(n_rows, 1))
    return X, (X[:, 0] + rng.normal(size=n_rows) > 0).astype(int)


def make(solver, backprop="matrix", **params):
    return BinaryMLPClassifier(
        (12, 5), solver=solver, backprop=backprop, max_iter=5, random_state=0, **params
    )


def weights(clf):
    return np.concatenate([part.ravel() for part in clf.coefs_ + clf.intercepts_])


def bits():
    """A line for each of KINDS: the weights, which lbfgs takes from SciPy's BLAS.

    Then a line for each kind of predictions, from weights that no training has touched.
    """
    X, y = make_data(0)
    for solver, backprop, form in KINDS:
        clf = make(solver, backprop).fit(form(X), y)
        yield "" if solver == "lbfgs" else weights(clf).tobytes().hex()
    for activation, dtype, form in PREDICTIONS:
        clf, X = make_predictor(activation, dtype)
        yield clf.predict_proba(form(X)).tobytes().hex()


PREDICTIONS = list(
    product(ACTIVATIONS, [np.float32, np.float64], [np.asarray, csr_matrix])
)


def make_predictor(activation, dtype):
    """An estimator with drawn weights, and rows, half of whose values are 0."""
    X, y = make_data(0, n_rows=700, n_features=30)
    clf = make("sgd", activation=activation, learning_rate_init=1e-9)
    return clf.fit(X.astype(dtype), y), X.astype(dtype)


@pytest.mark.parametrize(("activation", "dtype", "form"), PREDICTIONS)
def test_predictions_do_not_depend_on_how_rows_are_split(activation, dtype, form):
    clf, X = make_predictor(activation, dtype)
    whole = clf.decision_function(form(X))
    for n in (1, 2, 5, 13, 64, 100, 511, 600):
        parts = [form(X[i : i + n]) for i in range(0, len(X), n)]
        assert_array_equal(
            np.concatenate(list(map(clf.decision_function, parts))), whole
        )
    assert_array_equal(clf.decision_function(form(X[::-1]))[::-1], whole)


@kinds
def test_threads_that_fit_at_once_do_not_disturb_each_other(solver, backprop, form):
    data = [(form(X), y) for X, y in map(make_data, range(N_THREADS))]

    def fit(part):
        return weights(make(solver, backprop, early_stopping=True).fit(*part))

    expected = [fit(part) for part in data]
    with ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(fit, data))
    assert_array_equal(found, expected)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_threads_predict_from_one_estimator(form):
    X, y = make_data(0)
    clf = make("adam").fit(form(X), y)
    parts = [form(X[i::N_THREADS]) for i in range(N_THREADS)]

    def look(part):
        return np.column_stack([clf.predict_proba(part), clf.input_gradients(part)])

    expected = [look(part) for part in parts]
    with ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(look, parts * 4))
    assert_array_equal(found, expected * 4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_threads_of_blas_do_not_change_the_weights(solver):
    X, y = make_data(0)
    found = []
    for limit in (1, 2):
        with threadpool_limits(limit):
            found.append(weights(make(solver).fit(X, y)))
    assert_array_equal(found[0], found[1])


def test_a_search_finds_the_same_in_one_process_and_in_two():
    X, y = make_data(0)
    grid = {"solver": SOLVERS, "alpha": [0, 0.1]}
    one, two = (
        GridSearchCV(make("sgd"), grid, cv=2, n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    for score in ("mean_test_score", "std_test_score"):
        assert_array_equal(one.cv_results_[score], two.cv_results_[score])
    assert_array_equal(weights(one.best_estimator_), weights(two.best_estimator_))


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_training_goes_on_from_a_pickle_with_the_same_bits(solver):
    X, y = make_data(0)
    clf = make(solver, warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(clf))
    assert_array_equal(weights(again.fit(X, y)), weights(clf.fit(X, y)))


@pytest.mark.parametrize("kernels", ["Haswell", "Nehalem", "Prescott"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_another_process_with_other_blas_kernels_finds_the_same_bits(
    kernels, n_threads
):
    found = subprocess.run(
        [sys.executable, "-c", "import test_threads; print(*test_threads.bits())"],
        cwd=Path(__file__).parent,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OPENBLAS_CORETYPE": kernels,
            "OPENBLAS_NUM_THREADS": str(n_threads),
        },
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert found == [line for line in bits() if line]
