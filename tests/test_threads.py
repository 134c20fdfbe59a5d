"""Threads, processes and BLAS change no bit of what is trained or predicted."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers import mlp, weights
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skbinnet._network import ACTIVATIONS

pytestmark = pytest.mark.unconverged

N_THREADS = 8
SOLVERS = ["sgd", "adam", "lbfgs"]
FORMS = [np.asarray, csr_matrix]
KINDS = list(product(SOLVERS, ["loop", "matrix"], FORMS))
PREDICTIONS = list(product(ACTIVATIONS, [np.float32, np.float64], FORMS))


def make_data(seed, n_rows=200, n_features=20):
    """Rows, half of their values 0, and labels that depend on them."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_rows, n_features)) * rng.randint(2, size=(n_rows, 1))
    return X, (X[:, 0] + rng.normal(size=n_rows) > 0).astype(int)


def make(solver, backprop="matrix", **params):
    return mlp((12, 5), solver=solver, backprop=backprop, max_iter=5, **params)


def make_predictor(activation, dtype):
    """An estimator with drawn weights, and rows, half of whose values are 0."""
    X, y = make_data(0, n_rows=700, n_features=30)
    clf = make("sgd", activation=activation, learning_rate_init=1e-9)
    return clf.fit(X.astype(dtype), y), X.astype(dtype)


def in_threads(function, parts):
    """The results of a function for each part, from threads that run at once."""
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(function, parts))


def bits():
    """The weights of each kind of fit but lbfgs, which takes them from SciPy's BLAS.

    Then each kind of predictions, from weights that no training has touched.
    """
    X, y = make_data(0)
    for solver, backprop, form in KINDS:
        clf = make(solver, backprop).fit(form(X), y)
        if solver != "lbfgs":
            yield weights(clf).tobytes().hex()
            clf = clf.set_params(dropout=0.3).fit(form(X), y)
            yield weights(clf).tobytes().hex()
    for activation, dtype, form in PREDICTIONS:
        clf, X = make_predictor(activation, dtype)
        yield clf.predict_proba(form(X)).tobytes().hex()


@pytest.mark.parametrize(("activation", "dtype", "form"), PREDICTIONS)
def test_predictions_do_not_depend_on_how_rows_are_split(activation, dtype, form):
    clf, X = make_predictor(activation, dtype)
    whole = clf.decision_function(form(X))
    for n in (1, 2, 5, 13, 64, 100, 511, 600):
        parts = [form(X[i : i + n]) for i in range(0, len(X), n)]
        found = np.concatenate([clf.decision_function(part) for part in parts])
        assert_array_equal(found, whole)
    assert_array_equal(clf.decision_function(form(X[::-1]))[::-1], whole)


@pytest.mark.parametrize(("solver", "backprop", "form"), KINDS)
def test_threads_that_fit_at_once_do_not_disturb_each_other(solver, backprop, form):
    data = [(form(X), y) for X, y in map(make_data, range(N_THREADS))]

    def fit(part):
        return weights(make(solver, backprop, early_stopping=True).fit(*part))

    assert_array_equal(in_threads(fit, data), [fit(part) for part in data])


@pytest.mark.parametrize("form", FORMS)
def test_threads_predict_from_one_estimator(form):
    X, y = make_data(0)
    clf = make("adam").fit(form(X), y)
    parts = [form(X[i::N_THREADS]) for i in range(N_THREADS)]

    def look(part):
        return np.column_stack([clf.predict_proba(part), clf.input_gradients(part)])

    assert_array_equal(in_threads(look, parts * 4), [look(part) for part in parts] * 4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_threads_of_blas_do_not_change_the_weights(solver):
    X, y = make_data(0)
    with threadpool_limits(1):
        one = make(solver).fit(X, y)
    with threadpool_limits(2):
        two = make(solver).fit(X, y)
    assert_array_equal(weights(one), weights(two))


def test_a_search_finds_the_same_in_one_process_and_in_two():
    X, y = make_data(0)
    grid = {"solver": SOLVERS, "alpha": [0, 0.1]}
    one, two = (
        GridSearchCV(make("sgd"), grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2)
    )
    for score in ("mean_test_score", "std_test_score"):
        assert_array_equal(one.cv_results_[score], two.cv_results_[score])
    assert_array_equal(weights(one.best_estimator_), weights(two.best_estimator_))


@pytest.mark.parametrize("kernels", ["Haswell", "Nehalem", "Prescott"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_another_process_with_other_blas_kernels_finds_the_same_bits(
    kernels, n_threads
):
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    env |= {"OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": str(n_threads)}
    code = "import test_threads; print(*test_threads.bits())"
    command, folder = [sys.executable, "-c", code], Path(__file__).parent
    found = subprocess.check_output(command, cwd=folder, env=env, text=True)
    assert found.split() == list(bits())
