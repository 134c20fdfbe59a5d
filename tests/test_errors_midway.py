"""An error at any line leaves a fitted estimator as it was, or as it should become.

A tracer raises before a line of the package: each line, whenever a run comes by, or
some lines, the first and the last time.
"""

import os
import pickle
import signal
import sys
from itertools import count
from linecache import getline
from pathlib import Path
from unittest.mock import Mock

import joblib
import numpy as np
import pytest
from helpers import acts_in_call, mlp, small
from numpy.testing import assert_array_equal

import skbinnet
from skbinnet import _solvers

pytestmark = [pytest.mark.unconverged, pytest.mark.usefixtures("default_handler")]

LONG = "SKBINNET_LONG" in os.environ
TRACED = str(Path(skbinnet.__file__).parent), str(Path(__file__))
STEP = 24  # of so many lines one
MAX_ITER = 3


def difference_of_means(estimator, X, y):
    """A scorer, whose lines raise too."""
    p = estimator.predict_proba(X)[:, 1]
    return float(p[y == 1].mean() - p[y == 0].mean())


class Listener:
    """A callback whose lines raise too."""

    def setup(self, estimator, context):
        self.heard = 0

    teardown = setup

    def on_fit_task_begin(self, estimator, context):
        self.heard += 1

    def on_fit_task_end(self, estimator, context, **arguments):
        self.heard += 1


OPTIONS = {
    "sgd": {},
    "adaptive": {"learning_rate": "adaptive", "n_iter_no_change": 1},
    "adam": {"solver": "adam"},
    "dropout": {"dropout": 0.1},
    "time": {"max_time": 1e-9},
    "lbfgs": {"solver": "lbfgs"},
    "early stopping": {"early_stopping": True, "scoring": difference_of_means},
    "callback": {},
}
RUNS = [(method, name) for name in OPTIONS for method in ("fresh fit", "warm fit")]
RUNS += [("partial_fit", name) for name in ("sgd", "adam", "early stopping")]


def state(clf):
    """All attributes but those of scikit-learn's callbacks, as bytes or their hash."""
    theirs = "_skl_", "_callback_"  # stay where its clearing up was interrupted
    attributes = {k: v for k, v in vars(clf).items() if not k.startswith(theirs)}
    # Equal networks of a table may have unequal pickles.
    of_state = joblib.hash if hasattr(clf, "estimators_") else pickle.dumps
    return of_state(attributes)


@pytest.fixture(params=RUNS, ids=", ".join)
def run(request, Xy):
    """A fitted estimator, pickled, and what is then done with it."""
    method, name = request.param
    clf = mlp((3,), max_iter=2, batch_size=30)
    clf.set_params(**({"learning_rate": "constant"} | OPTIONS[name])).fit(*Xy)
    clf.set_params(max_iter=MAX_ITER, warm_start=method == "warm fit")
    if name == "callback":
        if not hasattr(clf, "set_callbacks"):
            pytest.skip("scikit-learn before 1.9")
        clf.set_callbacks(Listener())

    def go(clf, **params):
        clf.set_params(**params)
        return clf.partial_fit(*Xy) if method == "partial_fit" else clf.fit(*Xy)

    return pickle.dumps(clf), go


def trace_lines(see, work):
    """Call see(file, line) before each line of TRACED that work() runs."""

    def trace(frame, event, arg):
        path = frame.f_code.co_filename
        if not path.startswith(TRACED):
            return None
        if event == "line":
            see(path, frame.f_lineno)
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(previous)


def lines_and_states(before, go):
    """(number in the run, line) to raise at; the states before and after the run."""
    old, new, lines = pickle.loads(before), pickle.loads(before), []
    trace_lines(lambda *line: lines.append(line), lambda: go(new))
    numbers = range(len(lines))
    if not LONG:
        last = {lines[i]: i for i in numbers}
        first = {lines[i]: i for i in reversed(numbers)}
        numbers = sorted({*first.values(), *last.values()})[::STEP]
    return [(i, lines[i]) for i in numbers], (state(old), state(new))


def raises_midway(clf, go, number, error):
    """Raise the error before the line with this number; returns whether it came out."""
    numbers = count()

    def see(*line):
        if next(numbers) == number:
            raise error

    try:
        trace_lines(see, lambda: go(clf))
    except (type(error), AttributeError):  # available_if makes one of any error
        return True
    return False


def test_an_error_at_any_line_leaves_the_old_state_or_the_new(run):
    before, go = run
    lines, states = lines_and_states(before, go)
    for number, line in lines:
        clf = pickle.loads(before)
        assert raises_midway(clf, go, number, MemoryError()), line
        assert state(clf) in states, line
        if not getline(*line).startswith("        signal.signal"):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_interrupt_at_any_line_leaves_whole_epochs(run):
    before, go = run
    lines, states = lines_and_states(before, go)
    runs = [go(pickle.loads(before), max_iter=i + 1) for i in range(MAX_ITER)]
    by_length = {len(clf.history_["loss"]): clf for clf in runs}
    for number, line in lines:
        clf = pickle.loads(before)
        if raises_midway(clf, go, number, KeyboardInterrupt()):
            assert state(clf) in states, line
            continue
        whole = by_length[len(clf.history_["loss"])]
        assert (clf.n_iter_, clf.t_) == (whole.n_iter_, whole.t_), line
        for curve in ("loss", "accuracy"):
            assert_array_equal(clf.history_[curve], whole.history_[curve], str(line))
        assert len({len(curve) for curve in clf.history_.values()}) == 1
        if not clf.early_stopping:
            for W, expected in zip(clf.coefs_, whole.coefs_, strict=True):
                assert_array_equal(W, expected, str(line))
            clf.set_params(max_iter=9)
            assert state(clf) == state(whole.set_params(max_iter=9))


def assert_begins_of(views, whole, line):
    """Check that an interrupt has left the first networks, with their first epochs."""
    for networks, others in zip(views, whole, strict=True):
        for network, other in zip(networks, others, strict=False):
            n_epochs = len(network.history_["loss"])
            assert network.history_["loss"] == other.history_["loss"][:n_epochs], line


@pytest.mark.filterwarnings("ignore:Training was interrupted")
@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt()])
@pytest.mark.parametrize("warm_start", [False, True])
def test_an_error_at_any_line_of_a_table_leaves_the_old_networks_or_new(
    warm_start, error
):
    rng = np.random.RandomState(0)
    X = [["ab"[i % 2], i % 40 and z] for i, z in enumerate(rng.normal(size=60))]
    X, y = [[*row, f"user{i % 35}"] for i, row in enumerate(X)], [0, 1] * 30
    model = small(n_estimators=2, max_iter=2, hidden_layer_sizes=(2,), n_knots=3)
    model.fit(X, y).set_params(n_estimators=3, warm_start=warm_start)
    before = pickle.dumps(model)

    def go(model):
        return model.fit(X, y)

    lines, states = lines_and_states(before, go)
    whole = go(pickle.loads(before))
    step = 4 if LONG else 1  # most lines are run anew for each value of the table
    for number, line in lines[::step]:
        model = pickle.loads(before)
        if raises_midway(model, go, number, error) or isinstance(error, MemoryError):
            assert state(model) in states, line
        else:
            assert_begins_of(model.estimators_, whole.estimators_, line)
        assert np.isfinite(model.predict_proba(X)).all(), line
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("call", [1, 2, 4])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_an_interrupt_between_steps_and_curves_is_raised(Xy, monkeypatch, solver, call):
    name = "loss_and_gradient" if solver == "lbfgs" else "train_epoch"
    clf = mlp(solver=solver, max_iter=4).fit(*Xy)
    before = state(clf)
    interrupt, work = Mock(side_effect=KeyboardInterrupt), getattr(_solvers, name)
    monkeypatch.setattr(_solvers, name, acts_in_call(call, interrupt, work))
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*Xy)
    assert state(clf) == before


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), SystemExit()])
@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_an_error_in_a_scorer_changes_nothing(Xy, solver, call, error):
    usual = {"scoring": "accuracy", "max_iter": 2}
    clf = mlp(solver=solver, early_stopping=True, warm_start=True, **usual).fit(*Xy)
    clf, same = (pickle.loads(pickle.dumps(clf)) for _ in range(2))
    scoring = acts_in_call(call, Mock(side_effect=error))
    clf.set_params(scoring=scoring, max_iter=5)
    with pytest.raises(type(error)):
        clf.fit(*Xy)
    assert state(clf.set_params(**usual)) == state(same.set_params(**usual))
    assert state(clf.fit(*Xy)) == state(same.fit(*Xy))
