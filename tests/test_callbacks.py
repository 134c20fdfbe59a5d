from functools import partial
from itertools import pairwise
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
from helpers import mlp, small
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier
from skbinnet._callbacks import NetworkTasks

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")


class Listener:
    """A callback that notes what it hears, and may stop or raise after some epochs."""

    def __init__(self, stop_after=None, error=None):
        self.stop_after, self.error = stop_after, error
        self.heard, self.fitted = [], []

    def setup(self, estimator, context):
        self.heard.append("setup")

    def teardown(self, estimator, context):
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.heard.append(f"end {context.task_name}")
        self.fitted.append((fitted_estimator, X, y, metadata))
        n_epochs = self.heard.count("end epoch")
        if context.task_name == "epoch" and n_epochs == self.stop_after:
            if self.error is not None:
                raise self.error
            return True


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_callback_hears_of_the_fit_and_of_each_epoch(Xy, solver):
    listener = Listener()
    clf = mlp(solver=solver, max_iter=2)
    assert clf.set_callbacks(listener) is clf
    clf.fit(*Xy)
    epochs = ["begin epoch", "end epoch"] * 2
    assert listener.heard == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert not hasattr(clf, "_callback_fit_ctx")


def test_a_callback_sees_the_estimator_of_each_epoch(Xy):
    X, y = pd.DataFrame(Xy[0], columns=list("abcde")), np.array(["no", "yes"])[Xy[1]]
    weight = np.arange(60) + 1
    listener = Listener()
    clf = mlp(max_iter=5).set_callbacks(listener)
    clf.fit(X, y, weight)
    _, seen_X, seen_y, metadata = listener.fitted[-1]
    assert seen_X is X
    assert seen_y is y
    assert metadata == {"sample_weight": weight}
    logits = [fitted.decision_function(X) for fitted, *_ in listener.fitted]
    assert len(logits) == 6
    assert_array_equal(logits[-1], clf.decision_function(X))
    assert_array_equal(logits[-1], logits[-2])
    for before, after in pairwise(logits[:-1]):
        assert (before != after).all()


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_a_callback_stops_the_run(Xy, solver):
    clf = mlp(solver=solver)
    clf.set_callbacks(Listener(stop_after=3)).fit(*Xy)
    assert clf.n_iter_ == len(clf.loss_curve_) == 3
    assert clf.score(*Xy) > 0.5


def test_a_callback_changes_nothing(fitted, Xy):
    clf = clone(fitted).set_callbacks(Listener()).fit(*Xy)
    assert_array_equal(clf.coefs_[0], fitted.coefs_[0])
    assert clf.history_ == fitted.history_


def test_an_error_of_a_callback_leaves_the_estimator_as_it_was(fitted, Xy):
    listener = Listener(stop_after=2, error=RuntimeError("no"))
    fitted.set_callbacks(listener)
    before = vars(fitted).copy()
    with pytest.raises(RuntimeError, match="no"):
        fitted.fit(*Xy)
    assert vars(fitted) == before
    assert listener.heard[-1] == "teardown"


def test_an_interrupt_from_a_callback_ends_the_run_after_its_epoch(Xy):
    listener = Listener(stop_after=2, error=KeyboardInterrupt())
    clf = mlp().set_callbacks(listener)
    with pytest.warns(UserWarning, match="interrupted in epoch 2 of 30"):
        clf.fit(*Xy)
    assert clf.n_iter_ == 2
    same = mlp().set_callbacks(Listener(stop_after=2))
    assert_array_equal(clf.coefs_[0], same.fit(*Xy).coefs_[0])


def test_the_scoring_monitor_scores_each_epoch(Xy):
    monitor = callback.ScoringMonitor(scoring="roc_auc")
    clf = mlp(max_iter=4).set_callbacks(monitor)
    clf.fit(*Xy)
    scores = [row["roc_auc"] for row in monitor.get_logs().data]
    assert len(scores) == 4 + 1
    assert len(set(scores)) > 1


@pytest.mark.unconverged
def test_the_progress_bar_goes_down_to_the_epochs(Xy, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier(max_iter=3))
    grid = {"binarymlpclassifier__alpha": [0.1, 1]}
    bar = callback.ProgressBar(max_propagation_depth=None)
    GridSearchCV(model, grid, cv=2).set_callbacks(bar).fit(*Xy)
    lines = capsys.readouterr().out.splitlines()
    assert sum("BinaryMLPClassifier - fit" in line for line in lines) == 5


# ---- the networks of a table


four_networks = partial(small, n_estimators=4, max_iter=3)


class NetworkListener(Listener):
    """A Listener that may stop or raise after some networks."""

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        self.heard.append(f"end {context.task_name}")
        self.fitted.append((X, y, metadata))
        if self.heard.count("end network") == self.stop_after:
            if self.error is not None:
                raise self.error
            return True


@pytest.mark.unconverged
def test_a_callback_hears_of_the_fit_of_a_table_and_of_each_network(Xy):
    listener = NetworkListener()
    weight = np.arange(60) + 1
    four_networks().set_callbacks(listener).fit(*Xy, weight)
    networks = ["begin network", "end network"] * 4
    assert listener.heard == ["setup", "begin fit", *networks, "end fit", "teardown"]
    for X, y, metadata in listener.fitted:
        assert X is Xy[0]
        assert y is Xy[1]
        assert metadata == {"sample_weight": weight}


@pytest.mark.unconverged
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_callback_changes_no_network(Xy, n_jobs):
    model = four_networks(n_jobs=n_jobs).set_callbacks(NetworkListener()).fit(*Xy)
    expected = four_networks().fit(*Xy)
    assert_array_equal(model.predict_proba(Xy[0]), expected.predict_proba(Xy[0]))


@pytest.mark.unconverged
def test_a_callback_stops_the_fit_of_a_table_after_a_network(Xy):
    model = four_networks().set_callbacks(NetworkListener(stop_after=2)).fit(*Xy)
    assert [len(networks) for networks in model.estimators_] == [1, 1, 0]
    assert np.isfinite(model.predict_proba(Xy[0])).all()


def test_a_stop_is_kept_while_a_callback_in_another_thread_does_not_ask_for_it(Xy):
    tasks, task = NetworkTasks(four_networks(), *Xy, None), MagicMock()
    tasks.context, tasks.tasks, tasks.arguments = task, [task], {}

    def end():
        tasks.are_stopped = True  # as another thread may do
        return False

    task.call_on_fit_task_end.side_effect = end
    with tasks.around(0, None):
        assert not tasks.are_stopped
    assert tasks.are_stopped


@pytest.mark.unconverged
def test_an_error_of_a_callback_leaves_the_estimator_of_a_table_as_it_was(Xy):
    listener = NetworkListener(stop_after=6, error=RuntimeError("no"))
    model = four_networks().set_callbacks(listener).fit(*Xy)
    before = vars(model).copy()
    with pytest.raises(RuntimeError, match="no"):
        model.fit(*Xy)
    assert vars(model) == before
    assert listener.heard[-1] == "teardown"


@pytest.mark.unconverged
def test_the_scoring_monitor_scores_the_fit_of_a_table(Xy):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = four_networks().set_callbacks(monitor).fit(*Xy)
    (row,) = monitor.get_logs().data
    assert row["accuracy"] == model.score(*Xy)
    GridSearchCV(model, {"alpha": [0.1, 1]}, cv=2).fit(*Xy)
    assert len(monitor.get_logs().data) == 2 * 2 + 1


@pytest.mark.unconverged
def test_the_progress_bar_goes_down_to_the_networks(Xy, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    bar = callback.ProgressBar(max_propagation_depth=None)
    search = GridSearchCV(four_networks(), {"alpha": [0.1, 1]}, cv=2)
    search.set_callbacks(bar).fit(*Xy)
    lines = capsys.readouterr().out.splitlines()
    assert sum("TabularMLPClassifier - network" in line for line in lines) == 5 * 4
