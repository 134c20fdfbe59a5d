"""An error at any line leaves a fitted estimator as it was, or as it should become.

A tracer raises before a line of the package: each line, whenever a run comes by, or
some lines, the first and the last time.
"""

import os
import pickle
import signal
import sys
from linecache import getline
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

import skbinnet
from skbinnet import BinaryMLPClassifier, _solvers

LONG = "SKBINNET_LONG" in os.environ
HOME = str(Path(skbinnet.__file__).parent)
HERE = str(Path(__file__))
STEP = 24  # of so many lines one
MAX_ITER = 3


def auc_or_so(estimator, X, y):
    """A scoring callable, its lines raise too."""
    p = estimator.predict_proba(X)[:, 1]
    return float(p[y == 1].mean() - p[y == 0].mean())


class Listener:
    """A callback whose lines raise too."""

    def setup(self, estimator, context):
        self.heard = 0

    def teardown(self, estimator, context):
        self.heard = 0

    def on_fit_task_begin(self, estimator, context):
        self.heard += 1

    def on_fit_task_end(self, estimator, context, **arguments):
        self.heard += 1


RUNS = {
    f"{method}, {name}": (method, options)
    for name, options in {
        "sgd": {},
        "adaptive": {"learning_rate": "adaptive", "n_iter_no_change": 1},
        "adam": {"solver": "adam"},
        "lbfgs": {"solver": "lbfgs"},
        "early stopping": {"early_stopping": True, "scoring": auc_or_so},
        "callback": {},
    }.items()
    for method in ("fresh fit", "warm fit", "partial_fit")
    if method != "partial_fit" or name in ("sgd", "adam", "early stopping")
}


@pytest.fixture(autouse=True)
def python_handles_interrupts():
    """Even where the tests run in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def state(clf):
    """All attributes but those of scikit-learn's callbacks, as bytes."""
    theirs = "_skl_", "_callback_"  # stay where its clearing up was interrupted
    attributes = vars(clf).items()
    return pickle.dumps({k: v for k, v in attributes if not k.startswith(theirs)})


@pytest.fixture(params=RUNS)
def run(request, Xy):
    """A fitted estimator, pickled, and what is then done with it."""
    method, options = RUNS[request.param]
    clf = BinaryMLPClassifier((3,), max_iter=2, batch_size=30, random_state=0)
    clf.set_params(**({"learning_rate": "constant"} | options)).fit(*Xy)
    clf.set_params(max_iter=MAX_ITER, warm_start=method == "warm fit")
    if request.param.endswith("callback"):
        if not hasattr(clf, "set_callbacks"):
            pytest.skip("scikit-learn before 1.9")
        clf.set_callbacks(Listener())
    before = pickle.dumps(clf)

    def go(clf, **params):
        clf.set_params(**params)
        return clf.partial_fit(*Xy) if method == "partial_fit" else clf.fit(*Xy)

    return before, go


def trace_lines(see, work):
    """Call see(file, line) before each line of this package that work() runs."""

    def trace(frame, event, arg):
        path = frame.f_code.co_filename
        if not path.startswith(HOME) and path != HERE:
            return None
        if event == "line":
            see(path, frame.f_lineno)
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        return work()
    finally:
        sys.settrace(previous)


def lines_of(before, go):
    """(number of the line in the run, the line) to raise at, and the state after it."""
    lines = []
    clf = pickle.loads(before)
    trace_lines(lambda *line: lines.append(line), lambda: go(clf))
    if LONG:
        return list(enumerate(lines)), clf
    ends = {line: i for i, line in enumerate(lines)}  # its last time
    starts = {line: i for i, line in reversed(list(enumerate(lines)))}
    some = sorted({*starts.values(), *ends.values()})[::STEP]
    return [(i, lines[i]) for i in some], clf


def run_until(clf, go, number, error):
    """Raise the error before a line; returns whether it came out."""
    count = -1

    def see(*line):
        nonlocal count
        count += 1
        if count == number:
            raise error

    try:
        trace_lines(see, lambda: go(clf))
    except (type(error), AttributeError):  # available_if makes one of any error
        return True
    return False


@pytest.mark.unconverged
def test_an_error_at_any_line_leaves_what_was_or_what_should_be(run):
    before, go = run
    old = pickle.loads(before)
    lines, new = lines_of(before, go)
    states = state(old), state(new)
    for number, line in lines:
        clf = pickle.loads(before)
        assert run_until(clf, go, number, MemoryError()), line
        assert state(clf) in states, line
        if not getline(*line).startswith("        signal.signal"):
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.unconverged
def test_an_interrupt_at_any_line_leaves_whole_epochs(run):
    before, go = run
    old = pickle.loads(before)
    lines, new = lines_of(before, go)
    runs = [go(pickle.loads(before), max_iter=i + 1) for i in range(MAX_ITER)]
    states = state(old), state(new)
    by_length = {len(a.history_["loss"]): a for a in runs}
    for number, line in lines:
        clf = pickle.loads(before)
        if run_until(clf, go, number, KeyboardInterrupt()):
            assert state(clf) in states, line
            continue
        whole = by_length[len(clf.history_["loss"])]
        assert clf.n_iter_ == whole.n_iter_, line
        assert clf.t_ == whole.t_, line
        for curve in ("loss", "accuracy"):
            assert_array_equal(clf.history_[curve], whole.history_[curve], str(line))
        assert len({len(curve) for curve in clf.history_.values()}) == 1
        if clf.early_stopping:
            continue
        for a, b in zip(clf.coefs_, whole.coefs_, strict=True):
            assert_array_equal(a, b, str(line))
        assert state(clf.set_params(max_iter=9)) == state(whole.set_params(max_iter=9))


@pytest.mark.unconverged
@pytest.mark.parametrize("call", [1, 2, 4])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_an_interrupt_between_steps_and_curves_is_raised(Xy, monkeypatch, solver, call):
    name = "loss_and_gradient" if solver == "lbfgs" else "train_epoch"
    clf = BinaryMLPClassifier(solver=solver, max_iter=4, random_state=0).fit(*Xy)
    before, n_calls, work = state(clf), 0, getattr(_solvers, name)

    def work_then_interrupt(*arguments):
        nonlocal n_calls
        n_calls += 1
        result = work(*arguments)
        if n_calls == call:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(_solvers, name, work_then_interrupt)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*Xy)
    assert state(clf) == before


@pytest.mark.unconverged
@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), SystemExit()])
@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_an_error_in_a_scorer_changes_nothing(Xy, solver, call, error):
    calls = iter(range(100))

    def scoring(estimator, X, y):
        if next(calls) == call - 1:
            raise error
        return 0.5

    clf = BinaryMLPClassifier(solver=solver, max_iter=2, early_stopping=True)
    clf.set_params(scoring="accuracy", warm_start=True, random_state=0).fit(*Xy)
    clf, same = (pickle.loads(pickle.dumps(clf)) for _ in range(2))
    clf.set_params(scoring=scoring, max_iter=5)
    with pytest.raises(type(error)):
        clf.fit(*Xy)
    for one in (clf, same):
        one.set_params(scoring="accuracy", max_iter=2)
    assert state(clf) == state(same)
    assert state(clf.fit(*Xy)) == state(same.fit(*Xy))
