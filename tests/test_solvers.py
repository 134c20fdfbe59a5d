import pickle
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from helpers import mlp, weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

from skbinnet import _solvers
from skbinnet._solvers import SCHEDULES, Schedule, bias_correction

FORMS = {"dense": np.asarray, "CSR": csr_matrix}
DESCENTS = {"plain": {"momentum": 0}, "momentum": {"nesterovs_momentum": False}}
DESCENTS |= {"Nesterov": {}, "adam": {"solver": "adam"}}
DESCENTS |= {"dropout": {"dropout": 0.2}}
CASES = {"form": FORMS, "backprop": ["loop", "matrix"], "pickled": [False, True]}


def test_learning_rates_follow_their_formulas():
    settings = SimpleNamespace(learning_rate_init=0.1, power_t=0.25)
    state, half = SimpleNamespace(t=15, n_cuts=2), np.sqrt(0.5)
    rates = {"constant": [0.1] * 4, "invscaling": [0.05] * 4, "adaptive": [0.004] * 4}
    rates["cosine"] = [0.1, 0.05 * (1 + half), 0.05, 0.05 * (1 - half)]
    for name, expected in rates.items():
        found = SCHEDULES[name].rates(settings, state, np.arange(4), 4)
        assert_allclose(found, expected)


@pytest.mark.unconverged
def test_a_rate_that_underflows_is_0_and_one_that_overflows_diverges(Xy):
    clf = mlp(learning_rate="invscaling", power_t=1e4, momentum=0, max_iter=1)
    first = clf.fit(*Xy).coefs_[0]
    assert_array_equal(clf.set_params(max_iter=2).fit(*Xy).coefs_[0], first)
    clf.set_params(solver="adam", beta_1=0.999, beta_2=0, learning_rate_init=1e307)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(*Xy)


@pytest.mark.unconverged
def test_tiny_epsilon_does_not_become_0_in_float32(Xy):
    X, y = np.zeros((60, 5), np.float32), Xy[1]  # no gradient for the weights
    clf = mlp((), solver="adam", alpha=0, epsilon=1e-300)
    assert np.isfinite(clf.fit(X, y).predict_proba(X)).all()


def test_cosine_counts_steps_over_all_epochs(Xy, monkeypatch):
    seen = []

    def rates(settings, state, steps, n_steps):
        seen.append((steps.tolist(), n_steps))
        return 0.1 / (1 + steps)

    monkeypatch.setitem(SCHEDULES, "cosine", Schedule(rates, has_horizon=True))
    mlp(max_iter=2, batch_size=25).fit(*Xy)
    assert seen == [([0, 1, 2], 6), ([3, 4, 5], 6)]


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate", ["invscaling", "adaptive"])
def test_adam_keeps_its_rate_under_the_schedules_of_sgd(Xy, learning_rate):
    clf, same = (
        mlp(solver="adam", learning_rate=name, max_iter=5, tol=1).fit(*Xy)
        for name in (learning_rate, "constant")
    )
    assert_array_equal(weights(clf), weights(same))


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_lbfgs_does_not_count_epochs_without_improvement(Xy, learning_rate):
    clf = mlp(solver="lbfgs", learning_rate=learning_rate, max_iter=20, alpha=1e-2)
    assert clf.set_params(n_iter_no_change=1, tol=5e-3).fit(*Xy).n_iter_ == 20
    # ... nor does it cut a learning rate that it does not have.
    clf.set_params(early_stopping=True, scoring=lambda estimator, X, y: 0.5, tol=1.0)
    assert clf.fit(*Xy).n_iter_ <= 3


def test_adams_bias_is_corrected():
    settings = SimpleNamespace(beta_1=0.5, beta_2=0.75)
    expected = [0.5 / 0.5, np.sqrt(7 / 16) / 0.75]
    assert_allclose(bias_correction(settings, np.array([1, 2])), expected)


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("descent", DESCENTS)
def test_fit_warm_start_and_partial_fit_continue_exactly(
    Xy, descent, backprop, form, learning_rate, pickled
):
    X, y = FORMS[form](np.maximum(Xy[0], 0)), Xy[1]
    # The tolerance makes "adaptive" cut its rate after epochs 4, 6, ...
    cuts = learning_rate == "adaptive" and descent != "adam"
    settings = DESCENTS[descent] | {"backprop": backprop, "alpha": 0.01, "tol": 0.05}
    settings |= {"learning_rate": learning_rate, "n_iter_no_change": 1 if cuts else 100}

    def copy(clf):
        return pickle.loads(pickle.dumps(clf)) if pickled else clf

    whole = mlp(max_iter=8, **settings).fit(X, y)
    halves = mlp(max_iter=4, warm_start=True, **settings).fit(X, y)
    halves = copy(halves).fit(X, y)
    steps = mlp(**settings)
    for _ in range(8):
        steps = copy(steps).partial_fit(X, y, classes=[0, 1])
    for clf in (halves, steps):
        assert_array_equal(weights(clf), weights(whole))
        assert clf.t_ == whole.t_ == 8 * 60
        assert clf.history_ == whole.history_
        assert clf.best_loss_ == whole.best_loss_
    assert (whole.n_iter_, halves.n_iter_, steps.n_iter_) == (8, 4, 8)
    if cuts:
        assert whole._state["n_cuts"] == halves._state["n_cuts"] > 1


@pytest.mark.unconverged
@pytest.mark.parametrize("descent", [*DESCENTS, "lbfgs"])
def test_sparse_equals_dense(Xy, descent, backprop, form):
    X, y = np.maximum(Xy[0], 0), Xy[1]
    settings = {"backprop": backprop, "hidden_layer_sizes": (8, 4), "max_iter": 20}
    settings |= DESCENTS.get(descent, {"solver": "lbfgs"})
    dense = mlp(alpha=0.1, **settings).fit(X, y)
    sparse = mlp(alpha=0.1, **settings).fit(csr_matrix(X), y)
    difference = np.abs(weights(sparse) - weights(dense)).max()
    assert difference < 1e-9 * np.abs(weights(dense)).max()
    p = dense.predict_proba(X)
    assert_allclose(sparse.predict_proba(FORMS[form](X)), p, rtol=1e-9)


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_float32_is_kept_by_every_solver(Xy, solver, form):
    X, y = FORMS[form](Xy[0].astype(np.float32)), Xy[1]
    clf = mlp(solver=solver, max_iter=5).fit(X, y)
    double = mlp(solver=solver, max_iter=5).fit(X.astype(np.float64), y)
    assert {part.dtype.name for part in clf.coefs_ + clf.intercepts_} == {"float32"}
    assert clf._state["moments"].dtype == np.float32
    assert clf.predict_proba(X).dtype == np.float32
    assert_allclose(weights(clf), weights(double), atol=1e-3)


def test_lbfgs_ends_at_a_minimum(Xy):
    clf = mlp((3,), "tanh", solver="lbfgs", max_iter=500, alpha=0.01).fit(*Xy)
    J, coef_gradients, intercept_gradients = clf.loss_and_gradients(*Xy)
    steepest = max(np.abs(g).max() for g in coef_gradients + intercept_gradients)
    assert steepest < clf.tol
    assert len(clf.loss_curve_) == clf.n_iter_ < 500
    penalty = 0.005 * sum(np.sum(W**2) for W in clf.coefs_)
    assert clf.loss_curve_[-1] == pytest.approx(J - penalty, rel=1e-9)
    assert clf.history_["accuracy"][-1] == clf.score(*Xy)


@pytest.mark.parametrize("limit", [{"max_iter": 3}, {"max_fun": 4}])
def test_lbfgs_warns_where_it_ends_before_it_converged(Xy, limit):
    clf = mlp(solver="lbfgs", **limit)
    with pytest.warns(ConvergenceWarning, match=r"before it converged.*max_fun"):
        clf.fit(*Xy)
    assert 1 <= clf.n_iter_ <= 4


def test_steps_of_lbfgs_that_overflow_in_float32_diverge_without_a_warning(
    Xy, monkeypatch
):
    def minimize(fun, x, callback, **options):
        fun(np.full_like(x, 1e39))
        callback(np.full_like(x, 1e39))

    monkeypatch.setattr(_solvers, "minimize", minimize)
    with pytest.raises(ValueError, match="diverged"):
        mlp(solver="lbfgs").fit(Xy[0].astype(np.float32), Xy[1])


def test_lbfgs_stays_at_a_minimum(Xy):
    clf = mlp((), solver="lbfgs", warm_start=True).fit(*Xy)
    before = weights(clf)
    clf.set_params(tol=0.1).fit(*Xy)
    assert_array_equal(weights(clf), before)
    assert clf.n_iter_ == 1
    assert clf.loss_curve_[-1] == pytest.approx(clf.loss_curve_[-2], rel=1e-9)


def test_lbfgs_goes_on_from_its_weights(Xy):
    clf = mlp(solver="lbfgs", max_iter=5, warm_start=True)
    losses = []
    for _ in range(2):
        with pytest.warns(ConvergenceWarning, match="before it converged"):
            losses.append(clf.fit(*Xy).loss_)
    assert losses[1] < losses[0]
    assert len(clf.loss_curve_) == 10


def test_partial_fit_is_hidden_for_lbfgs():
    assert hasattr(mlp(), "partial_fit")
    with pytest.raises(AttributeError) as error:
        mlp(solver="lbfgs").partial_fit  # noqa: B018
    assert 'needs solver="sgd" or "adam"' in str(error.value.__cause__)


def test_dropout_is_refused_for_lbfgs(fitted, Xy):
    clf = fitted.set_params(solver="lbfgs", dropout=0.1)
    before = vars(clf).copy()
    message = 'dropout > 0 needs solver="sgd" or "adam", got "lbfgs"'
    for method in (clf.fit, clf.loss_and_gradients):
        with pytest.raises(ValueError, match=message):
            method(*Xy)
    assert vars(clf) == before


@pytest.mark.unconverged
def test_each_epoch_draws_a_seed_of_masks_only_with_dropout(Xy, monkeypatch):
    train_epoch = Mock(return_value=(0.0, 0.0, True))
    monkeypatch.setattr("skbinnet._solvers.train_epoch", train_epoch)
    streams = [np.random.RandomState(0) for _ in range(3)]
    params = {"max_iter": 4, "shuffle": False}
    for stream, dropout in zip(streams, [0, 0.1, 0.1], strict=True):
        mlp(dropout=dropout, random_state=stream, **params).fit(*Xy)
    none, first, second = np.array(
        [int(call.args[-1]) for call in train_epoch.call_args_list], object
    ).reshape(3, 4)
    assert none.tolist() == [0] * 4
    assert first.tolist() == second.tolist()
    assert len(set(first)) == 4
    assert max(first) > 2**62
    n_params = 5 * 64 + 64 + 64 + 1
    next_draw = np.random.RandomState(0).random_sample(n_params + 1)[-1]
    assert streams[0].random_sample() == next_draw


@pytest.mark.unconverged
@pytest.mark.parametrize("seed", [0, 1])
def test_masks_depend_on_the_seed(Xy, seed, monkeypatch):
    params = np.random.RandomState(0).normal(size=5 * 64 + 64 + 64 + 1)
    monkeypatch.setattr("skbinnet._classifier.init_params", lambda *_: params.copy())
    first, second = (
        weights(mlp(dropout=0.5, shuffle=False, random_state=random_state).fit(*Xy))
        for random_state in (0, seed)
    )
    assert (first == second).all() == (seed == 0)


@pytest.mark.unconverged
def test_another_solver_begins_with_no_moments(Xy):
    clf, fresh = (mlp(max_iter=2, warm_start=True).fit(*Xy) for _ in range(2))
    fresh._state["moments"] = np.zeros((2, fresh._state["moments"].shape[1]))
    fresh._state["n_steps"] = 0
    for each in (clf, fresh):
        each.set_params(solver="adam").fit(*Xy)
    assert_array_equal(weights(clf), weights(fresh))


@pytest.mark.parametrize(("solver", "rate"), [("sgd", 0.03), ("adam", 0.003)])
def test_auto_learning_rate_depends_on_the_solver(Xy, solver, rate):
    auto, same = (
        mlp(solver=solver, learning_rate_init=init).fit(*Xy) for init in ("auto", rate)
    )
    assert_array_equal(weights(auto), weights(same))
