import pickle
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from helpers import acts_in_call, fit_warns, mlp, scorer_from, weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skbinnet import BinaryMLPClassifier
from skbinnet._messages import diverged
from skbinnet._network import ACTIVATIONS
from skbinnet._solvers import SOLVERS
from skbinnet._training import record, spread

NAN = pytest.approx(np.nan, nan_ok=True)
TRAIN_EPOCH = "skbinnet._solvers.train_epoch"


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (8,), (8, 6), (8, 6, 4)])
@pytest.mark.parametrize("dropout", [0, 0.2])
def test_loop_and_matrix_end_in_the_same_weights(
    X, y, dropout, hidden, activation, weighted, dtype, rtol
):
    sample_weight = np.random.RandomState(1).uniform(0, 3, len(y)) if weighted else None
    X, clf = X.astype(dtype), mlp(hidden, activation=activation, max_iter=50)
    clf.set_params(dropout=dropout)
    loop, matrix = (
        weights(clf.set_params(backprop=backprop).fit(X, y, sample_weight))
        for backprop in ("loop", "matrix")
    )
    assert loop.dtype == dtype
    assert np.abs(loop - matrix).max() < rtol * np.abs(matrix).max()


def test_a_new_curve_has_nan_before_it():
    history = {"loss": [3, 2], "accuracy": [0.5, np.nan]}
    record(history, {"accuracy": 0.6, "val_loss": 2.5})
    assert history == {"loss": [3, 2], "accuracy": [0.5, 0.6], "val_loss": [NAN, 2.5]}


@pytest.mark.unconverged
def test_curves_are_weighted_means(X, y):
    sample_weight = np.random.RandomState(1).uniform(0, 3, len(y))
    # The step is so small that the weights stay as they are, and so do the curves.
    clf = mlp(max_iter=1, batch_size=60, learning_rate_init=1e-12)
    clf.set_params(learning_rate="constant")
    clf.fit(X, y, sample_weight, X_val=X, y_val=y, sample_weight_val=sample_weight)
    p = clf.predict_proba(X)[:, 1]
    loss = np.average(-np.log(np.where(y == 1, p, 1 - p)), weights=sample_weight)
    figures = {"loss": loss, "accuracy": clf.score(X, y, sample_weight)}
    figures |= {f"val_{name}": value for name, value in figures.items()}
    assert clf.history_ == {name: [pytest.approx(figures[name])] for name in figures}


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_smooth_labels_draw_probabilities_from_0_and_1(y, solver):
    X, s = np.float64(y)[:, None], 0.4
    clf = mlp((), solver=solver, alpha=0, max_iter=300, learning_rate_init=0.3)
    clf.set_params(label_smoothing=s).fit(X, y, X_val=X, y_val=y)
    p = clf.predict_proba([[0], [1]])[:, 1]
    assert_allclose(p, [s / 2, 1 - s / 2], atol=0.01)
    log_p = np.log(p[1])
    assert clf.history_["val_loss"][-1] == pytest.approx(-log_p, abs=0.01)
    assert clf.loss_and_gradients(X, y)[0] == pytest.approx(-log_p, abs=0.01)
    smooth_loss = -(1 - s / 2) * log_p - s / 2 * np.log(p[0])
    assert clf.loss_ == pytest.approx(smooth_loss, abs=0.01)
    assert clf.history_["accuracy"][-1] == 1


@pytest.mark.unconverged
def test_shuffle_changes_the_order_in_every_epoch(Xy, monkeypatch):
    train_epoch = Mock(return_value=(0.0, 0.0, True))
    monkeypatch.setattr(TRAIN_EPOCH, train_epoch)
    mlp(max_iter=2).fit(*Xy)
    mlp(max_iter=2, shuffle=False).fit(*Xy)
    orders = [call.args[7].tolist() for call in train_epoch.call_args_list]
    in_order = list(range(60))
    first, second, *unshuffled = orders
    assert sorted(first) == sorted(second) == in_order
    assert first != second
    assert in_order not in (first, second)
    assert unshuffled == [in_order, in_order]


@pytest.mark.parametrize("backprop", ["loop", "matrix"])
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_divergence_is_an_error_that_names_the_learning_rate(Xy, activation, backprop):
    clf = mlp((4, 4), activation=activation, backprop=backprop)
    clf.set_params(learning_rate_init=1e200)
    message = r"diverged in epoch 1.*learning_rate_init.*1e\+200"
    with pytest.raises(ValueError, match=message):
        clf.fit(*Xy)
    assert not hasattr(clf, "coefs_")


def test_divergence_of_the_last_step_is_seen(Xy):
    # The weights after it are finite, but not their products; the loss is from before.
    with pytest.raises(ValueError, match="diverged"):
        mlp(max_iter=1, batch_size=60, learning_rate_init=1e300).fit(*Xy)


def test_a_row_that_overflows_after_the_last_step_is_seen():
    # The step of the third row makes the weight too large for the second.
    X, y = np.array([[0], [1e308], [-100]]), np.ones(3)
    clf = mlp((), alpha=0, momentum=0, batch_size=1, shuffle=False)
    clf.coefs_, clf.intercepts_ = [np.ones((1, 1))], [np.full(1, 40.0)]
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X, y, classes=[0, 1])
    clf.partial_fit(X[:2], y[:2], classes=[0, 1]).predict(X)


def test_moments_that_overflow_are_seen(Xy):
    # The square of the gradient is infinite; the step would be 0 for ever.
    with pytest.raises(ValueError, match="a moment is no longer finite"):
        mlp((), solver="adam", alpha=1e160, max_iter=1).fit(*Xy)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_divergence_names_what_to_lower_and_what_to_scale(solver):
    record = SOLVERS[solver]
    settings = SimpleNamespace(solver=record, learning_rate_init=0.1, alpha=0.5)
    message = diverged(settings, 3, np.array([[0, 100], [0, -100.0]]))
    for part in ("diverged in epoch 3", "alpha (it is 0.5)", "feature 1 has"):
        assert part in message
    assert "deviation of 100" in message
    assert ("learning_rate_init (it is 0.1)" in message) == (solver == "sgd")


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_divergence_in_a_later_epoch_changes_nothing(Xy, loss, monkeypatch):
    clf = mlp(max_iter=2, warm_start=True).fit(*Xy)
    before = pickle.dumps(clf)
    results = [(1.0, 1.0, True), (loss, 1.0, True)]
    monkeypatch.setattr(TRAIN_EPOCH, Mock(side_effect=results))
    with pytest.raises(ValueError, match="diverged in epoch 2"):
        clf.fit(*Xy)
    assert pickle.dumps(clf) == before


def test_an_interrupt_within_an_epoch_changes_nothing(X, y, monkeypatch):
    clf = mlp().fit(X, y)
    before = pickle.dumps(clf)
    monkeypatch.setattr(TRAIN_EPOCH, Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X[:, :3], y + 5)
    assert pickle.dumps(clf) == before


def test_divergence_in_partial_fit_keeps_the_fitted_model(Xy):
    clf = mlp().fit(*Xy).set_params(learning_rate_init=1e200)
    before = pickle.dumps(clf)
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(*Xy)
    assert pickle.dumps(clf) == before


# ---- endings, and their warnings


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_a_run_without_horizon_that_ends_at_max_iter_warns(Xy, learning_rate):
    clf = mlp(learning_rate=learning_rate, max_iter=5)
    assert fit_warns(r"max_iter=5, before.*cosine", clf, *Xy).n_iter_ == 5


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_cosine_lasts_max_iter_in_silence(Xy, solver):
    clf = mlp(solver=solver, tol=1e3, n_iter_no_change=1)
    assert clf.fit(*Xy).n_iter_ == 30


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves on by a second when it is read, once in each epoch."""
    seconds = count()
    clock = SimpleNamespace(perf_counter=lambda: next(seconds))
    monkeypatch.setattr("skbinnet._training.time", clock)


@pytest.mark.parametrize("learning_rate", ["constant", "cosine"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize(("max_time", "n_epochs"), [(0.5, 1), (1, 2), (4.9, 5)])
def test_time_ends_a_run_after_the_epoch_in_silence(
    Xy, solver, learning_rate, max_time, n_epochs, clock
):
    clf = mlp(solver=solver, learning_rate=learning_rate, max_time=max_time)
    assert clf.fit(*Xy).n_iter_ == n_epochs
    clf.set_params(warm_start=True).fit(*Xy)
    assert len(clf.loss_curve_) == clf.t_ / 60 == 2 * n_epochs


def test_time_keeps_the_best_weights(train, breast_cancer, clock):
    _, X_val, _, y_val = breast_cancer
    clf = mlp(early_stopping=True, scoring=scorer_from([0.5, 1, *[0.2] * 8]))
    clf.set_params(max_time=9).fit(*train, X_val=X_val, y_val=y_val)
    second_epoch = mlp(max_time=1).fit(*train)
    assert (weights(clf) == weights(second_epoch)).all()


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_time_that_does_not_pass_changes_no_bit(Xy, solver):
    clf, same = (mlp(solver=solver, max_time=t).fit(*Xy) for t in (None, 1e9))
    assert (weights(clf) == weights(same)).all()


def test_time_does_not_matter_to_partial_fit(Xy):
    clf, same = (mlp(max_time=t) for t in (None, 1e-9))
    for each in (clf, same):
        each.partial_fit(*Xy, classes=[0, 1]).partial_fit(*Xy)
    assert (weights(clf) == weights(same)).all()
    assert same.n_iter_ == 2


def test_training_loss_stops_a_run_as_in_mlp_classifier(train):
    # It ends when more than n_iter_no_change epochs in a row stayed above best - tol.
    clf = mlp(learning_rate="constant", max_iter=1000, tol=1e-3, n_iter_no_change=3)
    best, n_no_change = np.inf, 0
    for epoch, loss in enumerate(clf.fit(*train).loss_curve_, 1):
        n_no_change = n_no_change + 1 if loss > best - 1e-3 else 0
        best = min(best, loss)
        assert (n_no_change > 3) == (epoch == clf.n_iter_)
    assert clf.best_loss_ == best


@pytest.mark.unconverged
def test_infinite_patience_lasts_max_iter(Xy):
    clf = mlp(learning_rate="constant", tol=1e9, max_iter=50, n_iter_no_change=np.inf)
    assert clf.fit(*Xy).n_iter_ == 50


def test_adaptive_ends_when_its_rate_is_small(Xy):
    clf = mlp(learning_rate="adaptive", tol=0.5, max_iter=1000, n_iter_no_change=2)
    clf.fit(*Xy)
    # 0.03 / 5^7 is the first rate below 1e-6; each but the first takes 3 epochs.
    assert clf._state["n_cuts"] == 7
    assert clf.n_iter_ == 1 + 8 * 3


def test_patience_is_counted_across_warm_starts(train):
    params = {"learning_rate": "constant", "tol": 1e-3}
    whole = mlp(max_iter=1000, **params).fit(*train)
    parts = mlp(max_iter=whole.n_iter_ - 5, warm_start=True, **params)
    fit_warns("max_iter", parts, *train).set_params(max_iter=1000).fit(*train)
    assert parts.n_iter_ == 5
    assert parts.loss_curve_ == whole.loss_curve_


def test_weights_that_a_user_sets_need_not_beat_the_losses_of_the_old_ones(train):
    params = {"learning_rate": "constant", "n_iter_no_change": 5, "max_iter": 300}
    clf = mlp((4,), **params, tol=1e-3, warm_start=True).fit(*train)
    rng = np.random.RandomState(0)
    clf.coefs_ = [rng.normal(size=W.shape) for W in clf.coefs_]
    n_old = len(clf.loss_curve_)
    clf.fit(*train)
    new = clf.loss_curve_[n_old:]
    assert new[5] > min(clf.loss_curve_[:n_old])  # the sixth epoch would be the last
    assert len(new) > 30
    assert min(new) < 0.6 * new[5]


def test_epochs_without_improvement_count_for_one_score_only(train, breast_cancer):
    _, X_val, _, y_val = breast_cancer
    clf = mlp(learning_rate="constant", learning_rate_init=1e-9, warm_start=True)
    for _ in range(11):
        clf.partial_fit(*train, classes=[0, 1])
    assert clf._state["n_no_change"] == 10
    clf.set_params(early_stopping=True, learning_rate_init=0.01, max_iter=5, tol=0)
    fit_warns("max_iter", clf, *train, X_val=X_val, y_val=y_val)
    assert clf.n_iter_ == 5


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_a_run_that_learned_nothing_names_the_widest_feature(X, y, form):
    X[:, 3] = 1e5 * np.random.RandomState(0).normal(size=60)
    feature = "feature 3 has the largest root mean square"
    std = re.escape(f"standard deviation of {X[:, 3].std():.3g}")
    ways_out = "StandardScaler, or use TabularMLPClassifier"
    message = f"learned nothing.*{np.log(2):.4g}.*{feature}.*{std}.*{ways_out}"
    with pytest.warns(ConvergenceWarning, match=message) as warned:
        mlp().fit(form(X), y)
    assert [warning.filename for warning in warned] == [__file__]


@pytest.mark.parametrize("scale", [10, 100])
@pytest.mark.parametrize("seed", range(6))
def test_a_network_that_collapsed_warns(seed, scale):
    X, y = load_breast_cancer(return_X_y=True)
    message = "collapsed: .* although the rows differ|learned nothing"
    fit_warns(message, mlp(random_state=seed), scale * X, y)
    fit_warns(message, mlp((31,), activation="tanh", random_state=seed), X, y)


@pytest.mark.parametrize("n_rows", [200, 2000, 20_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_weak_signal_is_no_collapse(seed, n_rows):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_rows, 5))
    y = X[:, 0] * 0.18 + rng.normal(size=n_rows) > 0  # AUC .55
    mlp(random_state=seed).fit(X, y)


def test_a_feature_whose_mean_is_far_from_0_is_named(train):
    X, y = train
    X = np.c_[X, 293 + np.random.RandomState(0).uniform(size=len(X))]
    message = r"feature 30 has .* mean of 293, which is far from 0.*StandardScaler"
    fit_warns(message, mlp(), X, y)


def test_learned_nothing_compares_with_the_weighted_share_of_the_classes(y):
    X = np.zeros((60, 5))  # nothing to learn but the shares
    clf = mlp(alpha=0, learning_rate="constant", tol=0, max_iter=300)
    fit_warns(r"learned nothing.* than 0\.3251", clf, X, y, np.where(y == 1, 9, 1))
    assert_allclose(clf.predict_proba(X[:1]), [[0.1, 0.9]], atol=0.02)


@pytest.mark.parametrize(("n_rows", "warns"), [(19, False), (20, True)])
def test_few_rows_do_not_warn_that_nothing_was_learned(y, n_rows, warns, recwarn):
    mlp(max_iter=1).fit(np.zeros((n_rows, 5)), y[:n_rows])
    assert ["learned nothing" in str(each.message) for each in recwarn] == [
        True
    ] * warns


def test_a_run_has_learned_what_its_best_epoch_learned(X, y):
    # The last epochs spoil the weights; those of the best come back.
    clf = mlp(activation="identity", learning_rate="constant", learning_rate_init=1.2)
    clf.set_params(early_stopping=True, scoring=scorer_from([1.0] + [0.5] * 50))
    clf.set_params(max_iter=100, n_iter_no_change=20, random_state=3)
    clf.fit(X, y, X_val=X, y_val=y)
    assert clf.loss_curve_[-1] > np.log(2) > clf.loss_and_gradients(X, y)[0]


def test_a_run_with_dropout_has_learned_what_it_predicts(Xy):
    clf = mlp((4,), dropout=0.8).fit(*Xy)  # without a warning
    assert clf.loss_ > np.log(2) > 0.6 > clf.loss_and_gradients(*Xy)[0]


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("weighted", [False, True])
def test_some_of_many_rows_show_what_an_epoch_has_learned(form, weighted, monkeypatch):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(8000, 5))
    X = X[X[:, 0].argsort()]  # so that y is sorted too
    y, weight = X[:, 0] > 0, None
    if weighted:
        weight = rng.choice([0.0, 1.0, 5.0], 8000)
        y = np.where(weight == 0, ~y, y)
    clf = mlp(init="normal", max_iter=1, batch_size=400, label_smoothing=0.01)
    monkeypatch.setattr("skbinnet._training.Run.evaluate", None)  # is not called
    clf.fit(form(X), y, weight)  # without a warning
    assert clf.loss_ > np.log(2) > 0.6 > clf.loss_and_gradients(X, y, weight)[0]


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate_init", [0.03, 10])
def test_a_loss_that_few_rows_spoil_is_seen_however_rare_they_are(learning_rate_init):
    X, y = np.ones((20_000, 1)), np.arange(20_000) < 4
    clf = mlp((), alpha=0, learning_rate_init=learning_rate_init, max_iter=1)
    fit_warns("learned nothing", clf, X, y)
    X[:4, 0] = 1e40 * np.arange(
        4
    )  # nor may a loss whose square overflows end in another warning
    clf.set_params(warm_start=True, learning_rate_init=1e-300, learning_rate="constant")
    clf.coefs_[0][:] = -1e120
    fit_warns("learned nothing", clf, X, y)


def test_a_network_that_collapsed_on_many_rows_warns():
    X, y = load_breast_cancer(return_X_y=True)
    X, y = np.tile(X, (20, 1)), np.tile(y, 20)
    fit_warns("collapsed: .* although the rows differ", mlp(max_iter=3), 100 * X, y)


def test_rows_are_spread_over_equal_parts_of_the_weight():
    assert_array_equal(spread(np.ones(50), 50), np.arange(50))
    assert_array_equal(np.diff(spread(np.ones(5000), 50)) // 100 <= 1, True)
    weight = np.tile([0.0, 1.0, 0.0, 3.0], 100)
    counts = np.bincount(spread(weight, 4000), minlength=400)
    assert_allclose(counts, 10 * weight, atol=2)
    assert_array_equal(counts[weight == 0], 0)


@pytest.mark.parametrize("label_smoothing", [0, 0.1])
def test_one_class_with_all_the_weight_is_no_reason_to_warn(X, y, label_smoothing):
    clf = mlp(label_smoothing=label_smoothing)
    assert clf.fit(X, y, y).predict(X).all()


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_verbose_prints_a_line_per_epoch(X, y, solver, capsys):
    clf = mlp(solver=solver, verbose=True, scoring="roc_auc", max_iter=3, tol=1e-9)
    clf.set_params(max_fun=100).fit(X, y, X_val=X, y_val=y)
    if solver == "sgd":
        clf.partial_fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(clf.loss_curve_) == (4 if solver == "sgd" else 3)
    for number, line in enumerate(lines):
        curves = clf.history_.items()
        words = [f"{name} {curve[number]:.4f}" for name, curve in curves]
        assert line.split("  ")[:-1] == [f"Iteration {number + 1}", *words]
        assert float(line.split("  ")[-1].removesuffix(" s")) >= 0


def test_nothing_is_printed_by_default(Xy, capsys):
    BinaryMLPClassifier().fit(*Xy)
    assert capsys.readouterr() == ("", "")


# ---- Ctrl-C


@pytest.fixture
def ctrl_c(default_handler):
    """A function that does what Ctrl-C does."""
    return lambda: signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("epoch", [1, 3, 4])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("raised", [False, True])
def test_an_interrupt_ends_the_run_after_its_epoch(X, y, raised, solver, epoch, ctrl_c):
    interrupt = Mock(side_effect=KeyboardInterrupt) if raised else ctrl_c
    clf = mlp(solver=solver, max_iter=1000, scoring=acts_in_call(epoch, interrupt))
    fit_warns(f"interrupted in epoch {epoch} of 1000", clf, X, y, X_val=X, y_val=y)
    assert (clf.n_iter_, clf.t_) == (epoch, epoch * 60)
    assert {len(curve) for curve in clf.history_.values()} == {epoch}
    assert clf.predict(X).shape == (60,)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_that_was_interrupted_goes_on_exactly(X, y, ctrl_c):
    params = {"learning_rate": "constant", "max_iter": 6, "warm_start": True}
    whole = fit_warns("max_iter", mlp(**params), X, y)
    clf = mlp(scoring=acts_in_call(4, ctrl_c), **params)
    fit_warns("interrupted", clf, X, y, X_val=X, y_val=y)
    fit_warns("max_iter", clf.set_params(max_iter=2), X, y)
    assert (weights(clf) == weights(whole)).all()


def test_ctrl_c_restores_the_best_weights_where_a_score_is_watched(X, y, ctrl_c):
    seen = []

    def scoring(estimator, X, y):
        seen.append(estimator.coefs_[0].copy())
        if len(seen) == 4:
            ctrl_c()
        return -abs(len(seen) - 2)

    clf = mlp(scoring=scoring, early_stopping=True)
    fit_warns("interrupted in epoch 4 .* best", clf, X, y, X_val=X, y_val=y)
    assert (clf.coefs_[0] == seen[1]).all()


def test_a_second_ctrl_c_in_a_run_changes_nothing(fitted, Xy, ctrl_c, monkeypatch):
    monkeypatch.setattr("skbinnet._training.SECONDS", 0)  # however late it comes
    twice = acts_in_call(2, lambda: (ctrl_c(), ctrl_c()))
    fitted.set_params(scoring=twice, early_stopping=True)
    before = vars(fitted).copy()
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(*Xy)
    assert vars(fitted) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.unconverged
@pytest.mark.parametrize(("seconds", "n_fits"), [(0, 2), (5, 3)])
def test_a_second_ctrl_c_within_two_seconds_stops_a_search(
    Xy, seconds, n_fits, monkeypatch, ctrl_c
):
    began = []  # the alpha of each fit that has come to a score

    def scoring(estimator, X, y):
        if estimator.alpha not in began:
            began.append(estimator.alpha)
        ctrl_c()
        return 0.5

    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    clock.monotonic = lambda: seconds * len(began)
    monkeypatch.setattr("skbinnet._training.time", clock)
    clf, cv = mlp(scoring=scoring, early_stopping=True), [(range(40), range(40, 60))]
    search = GridSearchCV(clf, {"alpha": [0, 0.1, 0.2]}, cv=cv, refit=False)
    with pytest.raises(KeyboardInterrupt) if n_fits == 2 else nullcontext():
        search.fit(*Xy)
    assert len(began) == n_fits


def test_ctrl_c_in_partial_fit_is_raised_when_the_epoch_is_complete(X, y, ctrl_c):
    clf = mlp(scoring=acts_in_call(1, ctrl_c))
    with pytest.raises(KeyboardInterrupt):
        clf.partial_fit(X, y, classes=[0, 1], X_val=X, y_val=y)
    same = mlp().partial_fit(X, y, classes=[0, 1])
    assert (weights(clf) == weights(same)).all()
    assert (clf.n_iter_, clf.t_) == (1, 60)


def test_a_handler_that_the_user_set_stays_in_charge(X, y, ctrl_c):
    handler = Mock()
    signal.signal(signal.SIGINT, handler)
    clf = mlp(max_iter=5, scoring=acts_in_call(2, ctrl_c))
    assert clf.fit(X, y, X_val=X, y_val=y).n_iter_ == 5
    handler.assert_called_once()


def test_a_fit_in_another_thread_does_without_the_signal(Xy, default_handler):
    with ThreadPoolExecutor() as pool:
        assert pool.submit(mlp().fit, *Xy).result().n_iter_ == 30
