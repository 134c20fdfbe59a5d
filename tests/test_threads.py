"""Threads, processes and BLAS change no bit of what is trained or predicted."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from helpers import mlp, small, weights
from joblib import Parallel, cpu_count, delayed, parallel_config
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skbinnet import _tabular, _threads
from skbinnet._network import ACTIVATIONS
from skbinnet._threads import count_threads

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


# ---- the threads of one fit


def wide_data(dtype=np.float64, form=np.asarray, n_rows=300):
    """Rows for which a network of two layers of 150 units shares out its passes."""
    X, y = make_data(0, n_rows, n_features=140)
    return form(X.astype(dtype)), y


def make_wide(n_jobs, solver="sgd", backprop="matrix", **params):
    options = {"solver": solver, "backprop": backprop, "max_iter": 2, "batch_size": 130}
    options |= {"learning_rate_init": 0.01, "n_jobs": n_jobs, "dropout": 0.1}
    options["dropout"] *= solver != "lbfgs"
    return mlp((150, 140), **options | params)


@pytest.fixture
def shares(monkeypatch):
    """The numbers of threads of the fits and predictions that begin helpers."""
    numbers = []

    class Helper(threading.Thread):
        def start(self):
            numbers.append(self.name)
            super().start()

    monkeypatch.setattr(_threads, "Thread", Helper)
    return numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("solver", "backprop", "form"), KINDS)
def test_n_jobs_changes_no_bit(solver, backprop, form, dtype, shares):
    X, y = wide_data(dtype, form)
    options = {"early_stopping": True, "validation_fraction": 0.3}
    found = []
    for n_jobs in (1, 2, 4):
        clf = make_wide(n_jobs, solver, backprop, **options).fit(X, y)
        found.append(np.concatenate([weights(clf), clf.history_["val_loss"]]))
        assert len(shares) == n_jobs - 1
        shares.clear()
    assert_array_equal(found[1], found[0])
    assert_array_equal(found[2], found[0])


@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("nesterovs_momentum", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 300])
def test_n_jobs_changes_no_bit_of_any_step(momentum, nesterovs_momentum, batch_size):
    X, y = wide_data()
    options = {"momentum": momentum, "nesterovs_momentum": nesterovs_momentum}
    options |= {"batch_size": batch_size, "alpha": 0 if momentum else 0.1}
    one, three = (weights(make_wide(n, **options).fit(X, y)) for n in (1, 3))
    assert_array_equal(one, three)


@pytest.mark.parametrize("form", FORMS)
def test_n_jobs_changes_no_bit_of_a_prediction(form, shares):
    X, y = wide_data(form=form, n_rows=3000)
    clf = make_wide(1, max_iter=1).fit(X, y)

    def look():
        p, slopes = clf.predict_proba(X), clf.input_gradients(X)
        loss, coef_gradients, _ = clf.loss_and_gradients(X, y)
        return np.concatenate([[loss], p.ravel(), slopes.ravel(), *coef_gradients[1]])

    one = look()
    assert not shares
    clf.n_jobs = 3
    assert_array_equal(look(), one)
    assert len(shares) == (6 if form is np.asarray else 2)


def test_small_work_begins_no_threads(shares):
    X, y = make_data(0)
    make("sgd", n_jobs=4).fit(X, y).predict(X)
    assert not shares


def test_no_helper_outlives_an_error_or_an_interrupt(shares):
    X, y = wide_data()
    before = threading.active_count()
    for error in (RuntimeError, SystemExit):

        def scoring(clf, X, y, error=error):
            assert threading.active_count() == before + 1
            raise error

        with pytest.raises(error):
            make_wide(2, early_stopping=True, scoring=scoring).fit(X, y)
        assert threading.active_count() == before
    assert len(shares) == 2


def test_if_no_more_threads_can_be_started_fewer_help(monkeypatch):
    class Helper(threading.Thread):
        def start(self):
            if self.name.endswith("3"):
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(_threads, "Thread", Helper)
    before = threading.active_count()
    found = weights(make_wide(4).fit(*wide_data()))
    assert threading.active_count() == before
    assert_array_equal(found, weights(make_wide(1).fit(*wide_data())))


def test_ctrl_c_while_helpers_start_ends_a_fit_after_its_epoch(monkeypatch):
    class Helper(threading.Thread):
        def start(self):
            signal.raise_signal(signal.SIGINT)
            super().start()

    monkeypatch.setattr(_threads, "Thread", Helper)
    before = threading.active_count()
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 1 of 2"):
        make_wide(2).fit(*wide_data())
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_fit_goes_on_alone():
    X, y = wide_data()
    expected = weights(make_wide(2, scoring="roc_auc").fit(X, y, X_val=X, y_val=y))
    children = []

    def scoring(clf, X, y):
        if not children:
            children.append(os.fork())
        return 1

    clf = make_wide(2, scoring=scoring)
    try:
        clf.fit(X, y, X_val=X, y_val=y)
        is_equal = np.array_equal(weights(clf), expected)
    finally:
        if children == [0]:
            os._exit(0 if is_equal else 1)
    assert is_equal
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


def test_fits_with_threads_may_run_in_threads():
    X, y = wide_data()
    expected = weights(make_wide(1).fit(X, y))
    fits = in_threads(
        lambda n_jobs: weights(make_wide(n_jobs).fit(X, y)), [1, 2, 3] * 3
    )
    assert all(np.array_equal(found, expected) for found in fits)


def test_processes_of_joblib_may_fit_with_threads():
    X, y = wide_data()
    expected = weights(make_wide(1).fit(X, y))
    fits = Parallel(2)(delayed(make_wide(n_jobs).fit)(X, y) for n_jobs in (2, -1))
    assert all(np.array_equal(weights(clf), expected) for clf in fits)


def test_n_jobs_counts_as_joblib_does(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [count_threads(n) for n in (None, 1, 2, 7)] == [1, 1, 2, 7]
    assert count_threads(-1) == cpu_count()
    assert count_threads(-1000) == 1
    with parallel_config(backend="threading", n_jobs=3):
        assert count_threads(None) == min(3, cpu_count())
        assert count_threads(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert [count_threads(n) for n in (None, -1, 2)] == [1, 1, 2]


def test_workers_of_multiprocessing_may_fit_with_threads():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(count_threads, [2, 1, None]) == [2, 1, 1]


def test_workers_of_joblib_do_not_take_more_threads_than_there_are_cores():
    counts = Parallel(cpu_count())(delayed(count_threads)(-1) for _ in range(4))
    assert counts == [1] * 4


# ---- tables


@pytest.fixture
def table():
    """300 rows of numbers, codes and missing values, and labels that depend on them."""
    X, y = make_data(0, n_rows=300, n_features=6)
    X[::7, 1] = np.nan
    X[:, 2] = np.arange(300) % 50
    return X, y


@pytest.mark.parametrize("n_jobs", [2, 5, 8])
def test_threads_fit_the_networks_of_a_table(table, n_jobs):
    options = {"hidden_layer_sizes": (150, 140), "categorical_features": [2]}
    one, several = (small(n_jobs=n, **options).fit(*table) for n in (1, n_jobs))
    for nets in zip(one.estimators_, several.estimators_, strict=True):
        found, expected = (
            np.concatenate(list(map(weights, of_one))) for of_one in nets
        )
        assert_array_equal(found, expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tables_are_fitted_by_threads_at_once(table, n_jobs):
    X, y = table
    parts = [slice(i, i + 100) for i in range(0, 200, 50)] * 2

    def fit(rows):
        return small(n_jobs=n_jobs).fit(X[rows], y[rows]).predict_proba(X)

    expected = [fit(rows) for rows in parts]
    assert_array_equal(in_threads(fit, parts), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads_predict_from_one_estimator_of_tables(table, n_jobs, monkeypatch):
    monkeypatch.setattr(_tabular, "BLOCK_ROWS", 64)
    X, y = table
    model = small(n_jobs=n_jobs, hidden_layer_sizes=(150, 140)).fit(X, y)
    whole = model.predict_proba(X)
    found = in_threads(lambda first: model.predict_proba(X[first:]), range(0, 300, 10))
    for first, p in zip(range(0, 300, 10), found, strict=True):
        assert_array_equal(p, whole[first:])
