import pickle
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skbinnet import BinaryMLPClassifier
from skbinnet._messages import diverged
from skbinnet._network import ACTIVATIONS
from skbinnet._solvers import SOLVERS
from skbinnet._training import record

NAN = pytest.approx(np.nan, nan_ok=True)


def weights(clf):
    return np.concatenate([part.ravel() for part in clf.coefs_ + clf.intercepts_])


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (8,), (8, 6), (8, 6, 4)])
def test_loop_and_matrix_end_in_the_same_weights(
    Xy, hidden, activation, weighted, dtype, rtol
):
    X, y = Xy
    sample_weight = np.random.RandomState(1).uniform(0, 3, len(y)) if weighted else None
    loop, matrix = (
        weights(
            BinaryMLPClassifier(
                hidden, activation, backprop=backprop, max_iter=50, random_state=0
            ).fit(X.astype(dtype), y, sample_weight)
        )
        for backprop in ("loop", "matrix")
    )
    assert loop.dtype == dtype
    assert np.abs(loop - matrix).max() < rtol * np.abs(matrix).max()


def test_a_new_curve_has_nan_before_it():
    history = {"loss": [3, 2], "accuracy": [0.5, np.nan]}
    record(history, {"accuracy": 0.6, "val_loss": 2.5})
    assert history == {"loss": [3, 2], "accuracy": [0.5, 0.6], "val_loss": [NAN, 2.5]}


@pytest.mark.parametrize("epoch", [1, 3])
def test_curves_are_complete_where_a_scorer_interrupts(Xy, epoch):
    calls = iter(range(1, 100))

    def scorer(estimator, X, y):
        if next(calls) == epoch:
            raise KeyboardInterrupt
        return 0.5

    clf = BinaryMLPClassifier(scoring=scorer, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"interrupted in epoch {epoch} of"):
        clf.fit(*Xy, X_val=Xy[0], y_val=Xy[1])
    assert clf.n_iter_ == epoch
    assert clf.t_ == epoch * 60
    assert {len(curve) for curve in clf.history_.values()} == {epoch}


@pytest.mark.unconverged
def test_curves_are_weighted_means(Xy):
    X, y = Xy
    sample_weight = np.random.RandomState(1).uniform(0, 3, len(y))
    # One step so small that the weights stay as they are, and so the curves' values.
    clf = BinaryMLPClassifier(
        max_iter=1, batch_size=60, learning_rate="constant", learning_rate_init=1e-12
    ).fit(X, y, sample_weight, X_val=X, y_val=y, sample_weight_val=sample_weight)
    p = clf.predict_proba(X)[:, 1]
    loss = np.average(-np.log(np.where(y == 1, p, 1 - p)), weights=sample_weight)
    accuracy = clf.score(X, y, sample_weight)
    assert clf.history_ == {
        "loss": [pytest.approx(loss)],
        "accuracy": [pytest.approx(accuracy)],
        "val_loss": [pytest.approx(loss)],
        "val_accuracy": [pytest.approx(accuracy)],
    }


@pytest.mark.unconverged
def test_shuffle_changes_the_order_in_every_epoch(Xy, monkeypatch):
    orders = []

    def spy(*args):
        orders.append(args[7].copy())
        return 0.0, 0.0, True

    monkeypatch.setattr("skbinnet._solvers.train_epoch", spy)
    BinaryMLPClassifier(max_iter=2, random_state=0).fit(*Xy)
    BinaryMLPClassifier(max_iter=2, shuffle=False).fit(*Xy)
    in_order = list(range(60))
    first, second, *unshuffled = (order.tolist() for order in orders)
    assert sorted(first) == sorted(second) == in_order
    assert first != second
    assert in_order not in (first, second)
    assert unshuffled == [in_order, in_order]


@pytest.mark.parametrize("backprop", ["loop", "matrix"])
@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_divergence_is_an_error_that_names_the_learning_rate(Xy, activation, backprop):
    X, y = Xy
    clf = BinaryMLPClassifier(
        (4, 4), activation, backprop=backprop, learning_rate_init=1e200, random_state=0
    )
    with pytest.raises(
        ValueError, match=r"diverged in epoch 1.*learning_rate_init.*1e\+200"
    ):
        clf.fit(X, y)
    assert not hasattr(clf, "coefs_")


def test_divergence_of_the_last_step_is_seen(Xy):
    # Its weights are finite, but their products are not; its loss was taken before it.
    clf = BinaryMLPClassifier(max_iter=1, batch_size=60, learning_rate_init=1e300)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(*Xy)


def test_a_row_that_overflows_after_the_last_step_is_seen():
    # The step of the third makes the weight too large for the second.
    X, y = np.array([[0], [1e308], [-100]]), np.ones(3)
    clf = BinaryMLPClassifier((), alpha=0, momentum=0, batch_size=1, shuffle=False)
    clf.coefs_, clf.intercepts_ = [np.ones((1, 1))], [np.full(1, 40.0)]
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X, y, classes=[0, 1])
    clf.partial_fit(X[:2], y[:2], classes=[0, 1]).predict(X)


def test_moments_that_overflow_are_seen(Xy):
    # The square of the gradient is infinite; the step would be 0 for ever.
    clf = BinaryMLPClassifier((), solver="adam", alpha=1e160, max_iter=1)
    with pytest.raises(ValueError, match="a moment is no longer finite"):
        clf.fit(*Xy)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_divergence_names_what_to_lower_and_what_to_scale(solver):
    record = SOLVERS[solver]
    settings = SimpleNamespace(solver=record, learning_rate_init=0.1, alpha=0.5)
    message = diverged(settings, 3, np.array([[0, 100], [0, -100.0]]))
    assert "diverged in epoch 3" in message
    assert "alpha (it is 0.5)" in message
    assert "feature 1 has" in message
    assert "deviation of 100" in message
    assert ("learning_rate_init (it is 0.1)" in message) == (solver == "sgd")


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_divergence_in_a_later_epoch_leaves_the_curves_as_they_were(
    Xy, loss, monkeypatch
):
    clf = BinaryMLPClassifier(max_iter=2, random_state=0, warm_start=True).fit(*Xy)
    before = pickle.dumps(clf)
    sums = iter([(1.0, 1.0, True), (loss, 1.0, True)])
    monkeypatch.setattr("skbinnet._solvers.train_epoch", lambda *args: next(sums))
    with pytest.raises(ValueError, match="diverged in epoch 2"):
        clf.fit(*Xy)
    assert pickle.dumps(clf) == before


def test_interrupted_run_leaves_the_estimator_as_it_was(Xy, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    clf = BinaryMLPClassifier(random_state=0).fit(*Xy)
    before = pickle.dumps(clf)
    monkeypatch.setattr("skbinnet._solvers.train_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(Xy[0][:, :3], Xy[1] + 5)
    assert pickle.dumps(clf) == before


def test_diverged_continuation_keeps_the_fitted_model(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(random_state=0).fit(X, y)
    before = pickle.dumps(clf)
    clf.set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(X, y)
    clf.set_params(learning_rate_init="auto")
    assert pickle.dumps(clf) == before


# ---- endings, and what is said of them


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_a_run_without_horizon_that_ends_at_max_iter_warns(Xy, learning_rate):
    clf = BinaryMLPClassifier(learning_rate=learning_rate, max_iter=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=5, before.*cosine"):
        clf.fit(*Xy)
    assert clf.n_iter_ == 5


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_cosine_lasts_max_iter_in_silence(Xy, solver):
    clf = BinaryMLPClassifier(solver=solver, tol=1e3, n_iter_no_change=1)
    assert clf.fit(*Xy).n_iter_ == 30


def test_training_loss_stops_a_run_as_in_mlp_classifier(breast_cancer):
    # It ends when more than n_iter_no_change epochs in a row stayed above best - tol.
    X, _, y, _ = breast_cancer
    clf = BinaryMLPClassifier(
        learning_rate="constant",
        max_iter=1000,
        tol=1e-3,
        n_iter_no_change=3,
        random_state=0,
    ).fit(X, y)
    best, count = np.inf, 0
    for epoch, loss in enumerate(clf.loss_curve_, 1):
        count = count + 1 if loss > best - 1e-3 else 0
        best = min(best, loss)
        assert (count > 3) == (epoch == clf.n_iter_)
    assert clf.best_loss_ == best


@pytest.mark.unconverged
def test_infinite_patience_lasts_max_iter(Xy):
    clf = BinaryMLPClassifier(learning_rate="constant", tol=1e9, max_iter=50)
    assert clf.set_params(n_iter_no_change=np.inf).fit(*Xy).n_iter_ == 50


def test_adaptive_ends_when_its_rate_is_small(Xy):
    clf = BinaryMLPClassifier(
        learning_rate="adaptive", tol=0.5, max_iter=1000, n_iter_no_change=2
    ).fit(*Xy)
    # 0.03 / 5^7 is the first rate below 1e-6; each but the first takes 3 epochs.
    assert clf._state["n_cuts"] == 7
    assert clf.n_iter_ == 1 + 8 * 3


def test_patience_is_counted_across_warm_starts(breast_cancer):
    X, _, y, _ = breast_cancer
    settings = {"learning_rate": "constant", "tol": 1e-3, "random_state": 0}
    whole = BinaryMLPClassifier(max_iter=1000, **settings).fit(X, y)
    parts = BinaryMLPClassifier(warm_start=True, **settings)
    parts.set_params(max_iter=whole.n_iter_ - 5)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        parts.fit(X, y)
    parts.set_params(max_iter=1000).fit(X, y)
    assert parts.n_iter_ == 5
    assert parts.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_a_run_that_learned_nothing_names_the_widest_feature(Xy, form):
    X, y = Xy[0].copy(), Xy[1]
    X[:, 3] = 1e5 * np.random.RandomState(0).normal(size=60)
    std = X[:, 3].std()
    with pytest.warns(ConvergenceWarning, match="learned nothing") as warned:
        BinaryMLPClassifier(random_state=0).fit(form(X), y)
    (message,) = (str(warning.message) for warning in warned)
    assert "feature 3 has the largest root mean square" in message
    assert f"standard deviation of {std:.3g}" in message
    assert f"{np.log(2):.4g}" in message
    assert "StandardScaler" in message
    assert warned[0].filename == __file__


@pytest.mark.parametrize("scale", [10, 100])
@pytest.mark.parametrize("seed", range(6))
def test_a_network_that_collapsed_warns(seed, scale):
    X, y = load_breast_cancer(return_X_y=True)
    message = "collapsed: .* although the rows differ|learned nothing"
    with pytest.warns(ConvergenceWarning, match=message):
        BinaryMLPClassifier(random_state=seed).fit(scale * X, y)
    clf = BinaryMLPClassifier((31,), "tanh", random_state=seed)
    with pytest.warns(ConvergenceWarning, match=message):
        clf.fit(X, y)


@pytest.mark.parametrize("n_rows", [200, 2000, 20_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_weak_signal_is_no_collapse(seed, n_rows):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_rows, 5))
    y = X[:, 0] * 0.18 + rng.normal(size=n_rows) > 0  # AUC .55
    BinaryMLPClassifier(random_state=seed).fit(X, y)


def test_a_feature_whose_mean_is_far_from_0_is_named(breast_cancer):
    X, _, y, _ = breast_cancer
    X = np.c_[X, 293 + np.random.RandomState(0).uniform(size=len(X))]
    message = r"feature 30 has .* mean of 293, which is far from 0.*StandardScaler"
    with pytest.warns(ConvergenceWarning, match=message):
        BinaryMLPClassifier(random_state=0).fit(X, y)


def test_learned_nothing_compares_with_the_weighted_share_of_the_classes(Xy):
    X, y = np.zeros_like(Xy[0]), Xy[1]  # nothing to learn but the shares
    weight = np.where(y == 1, 9, 1)
    clf = BinaryMLPClassifier(alpha=0, learning_rate="constant", random_state=0)
    clf.set_params(tol=0, max_iter=300)
    with pytest.warns(ConvergenceWarning, match=r"learned nothing.* than 0\.3251"):
        clf.fit(X, y, weight)
    assert_allclose(clf.predict_proba(X[:1]), [[0.1, 0.9]], atol=0.02)


@pytest.mark.parametrize(("n_rows", "warns"), [(19, False), (20, True)])
def test_few_rows_say_little_about_what_was_learned(Xy, n_rows, warns):
    X, y = np.zeros((n_rows, 5)), Xy[1][:n_rows]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        BinaryMLPClassifier(max_iter=1, random_state=0).fit(X, y)
    assert ["learned nothing" in str(each.message) for each in warned] == [True] * warns


def test_what_the_best_epoch_learned_counts(Xy):
    # The last epochs spoil the weights; those of the best come back.
    X, y = Xy
    scores = iter([1.0] + [0.5] * 50)
    clf = BinaryMLPClassifier(
        activation="identity",
        early_stopping=True,
        scoring=lambda estimator, X, y: next(scores),
        learning_rate="constant",
        learning_rate_init=1.2,
        max_iter=100,
        n_iter_no_change=20,
        random_state=3,
    )
    clf.fit(X, y, X_val=X, y_val=y)
    assert clf.loss_curve_[-1] > np.log(2) > clf.loss_and_gradients(X, y)[0]


def test_one_class_with_all_the_weight_is_no_reason_to_warn(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(random_state=0).fit(X, y, y)
    assert clf.predict(X).all()


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_verbose_prints_a_line_per_epoch(Xy, solver, capsys):
    X, y = Xy
    clf = BinaryMLPClassifier(solver=solver, verbose=True, scoring="roc_auc")
    clf.set_params(max_iter=3, max_fun=100, tol=1e-9, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf.fit(X, y, X_val=X, y_val=y)
    if solver == "sgd":
        clf.partial_fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(clf.loss_curve_) == (4 if solver == "sgd" else 3)
    history = clf.history_
    for number, line in enumerate(lines):
        words = [f"Iteration {number + 1}"]
        words += [f"{name} {history[name][number]:.4f}" for name in history]
        assert line.split("  ")[:-1] == words
        assert float(line.split("  ")[-1].removesuffix(" s")) >= 0


def test_nothing_is_printed_unasked(Xy, capsys):
    BinaryMLPClassifier().fit(*Xy)
    assert capsys.readouterr() == ("", "")


# ---- Ctrl-C


class Interrupter:
    """A scorer that sends what Ctrl-C sends."""

    def __init__(self, epoch, times=1):
        self.epoch, self.times, self.calls = epoch, times, 0

    def __call__(self, estimator, X, y):
        self.calls += 1
        if self.calls == self.epoch:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return 0.5


@pytest.fixture
def default_handler():
    """Python's own, also where the tests run in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("default_handler")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_ctrl_c_ends_the_run_after_its_epoch(Xy, solver):
    X, y = Xy
    clf = BinaryMLPClassifier(solver=solver, max_iter=1000, random_state=0)
    clf.set_params(scoring=Interrupter(4))
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 4 of 1000"):
        clf.fit(X, y, X_val=X, y_val=y)
    assert clf.n_iter_ == len(clf.loss_curve_) == 4
    assert clf.predict(X).shape == (60,)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("default_handler")
def test_a_run_that_was_interrupted_goes_on_exactly(Xy):
    X, y = Xy
    settings = {"learning_rate": "constant", "random_state": 0, "warm_start": True}
    whole = BinaryMLPClassifier(max_iter=6, **settings)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        whole.fit(X, y)
    clf = BinaryMLPClassifier(max_iter=6, scoring=Interrupter(4), **settings)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        clf.fit(X, y, X_val=X, y_val=y)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        clf.set_params(max_iter=2).fit(X, y)
    assert (weights(clf) == weights(whole)).all()


@pytest.mark.usefixtures("default_handler")
def test_ctrl_c_restores_the_best_weights_where_a_score_is_watched(Xy):
    X, y = Xy
    seen = []

    def scoring(estimator, X, y):
        seen.append(estimator.coefs_[0].copy())
        if len(seen) == 4:
            signal.raise_signal(signal.SIGINT)
        return -abs(len(seen) - 2)

    clf = BinaryMLPClassifier(scoring=scoring, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 4 .* best"):
        clf.fit(X, y, X_val=X, y_val=y)
    assert (clf.coefs_[0] == seen[1]).all()


@pytest.mark.usefixtures("default_handler")
def test_a_second_ctrl_c_leaves_the_estimator_as_it_was(fitted, Xy):
    X, y = Xy
    fitted.set_params(scoring=Interrupter(2, times=2), early_stopping=True)
    before = vars(fitted).copy()
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X, y)
    assert vars(fitted) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("default_handler")
@pytest.mark.parametrize(("seconds", "n_fits"), [(0, 2), (5, 3)])
def test_a_second_ctrl_c_within_two_seconds_stops_a_search(
    Xy, seconds, n_fits, monkeypatch
):
    began = []

    def scoring(estimator, X, y):
        if not began or began[-1] is not vars(estimator).get("random_state"):
            began.append(estimator.random_state)
        signal.raise_signal(signal.SIGINT)
        return 0.5

    monkeypatch.setattr(
        "skbinnet._training.time",
        SimpleNamespace(
            monotonic=lambda: seconds * len(began), perf_counter=lambda: 0.0
        ),
    )
    clf = BinaryMLPClassifier(scoring=scoring, early_stopping=True)
    states = [np.random.RandomState(i) for i in range(3)]
    search = GridSearchCV(
        clf, {"random_state": states}, cv=[(range(40), range(40, 60))]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if n_fits == 2:
            with pytest.raises(KeyboardInterrupt):
                search.fit(*Xy)
        else:
            search.set_params(refit=False).fit(*Xy)
    assert len(began) == n_fits


@pytest.mark.usefixtures("default_handler")
def test_ctrl_c_in_partial_fit_is_raised_when_the_epoch_is_complete(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(scoring=Interrupter(1), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        clf.partial_fit(X, y, classes=[0, 1], X_val=X, y_val=y)
    same = BinaryMLPClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    assert (weights(clf) == weights(same)).all()
    assert (clf.n_iter_, clf.t_) == (1, 60)


def test_a_handler_of_the_users_own_is_left_alone(Xy, monkeypatch):
    X, y = Xy
    heard = []
    previous = signal.signal(signal.SIGINT, lambda *_: heard.append("own"))
    try:
        clf = BinaryMLPClassifier(max_iter=5, scoring=Interrupter(2))
        clf.fit(X, y, X_val=X, y_val=y)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert heard == ["own"]
    assert clf.n_iter_ == 5


def test_a_fit_in_another_thread_does_without_the_signal(Xy):
    with ThreadPoolExecutor() as pool:
        clf = pool.submit(BinaryMLPClassifier(random_state=0).fit, *Xy).result()
    assert clf.n_iter_ == 30
