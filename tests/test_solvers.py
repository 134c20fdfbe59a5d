import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning

from skbinnet import BinaryMLPClassifier
from skbinnet._solvers import SCHEDULES, Schedule, bias_correction

FORMS = {"dense": np.asarray, "CSR": csr_matrix}
DESCENTS = {
    "plain": {"momentum": 0},
    "momentum": {"nesterovs_momentum": False},
    "Nesterov": {},
    "adam": {"solver": "adam"},
}


def weights(clf):
    return np.concatenate([part.ravel() for part in clf.coefs_ + clf.intercepts_])


def test_learning_rates_follow_their_formulas():
    settings = SimpleNamespace(learning_rate_init=0.1, power_t=0.25)
    state = SimpleNamespace(t=15, n_cuts=2)
    half = np.sqrt(0.5)
    for name, expected in {
        "constant": [0.1] * 4,
        "cosine": [0.1, 0.05 * (1 + half), 0.05, 0.05 * (1 - half)],
        "invscaling": [0.05] * 4,
        "adaptive": [0.004] * 4,
    }.items():
        rates = SCHEDULES[name].rates(settings, state, np.arange(4), 4)
        assert_allclose(rates, expected)


@pytest.mark.unconverged
def test_rates_that_overflow_are_0_or_diverge(Xy):
    clf = BinaryMLPClassifier(learning_rate="invscaling", power_t=1e4, momentum=0)
    weights = clf.set_params(max_iter=1, random_state=0).fit(*Xy).coefs_[0]
    assert_array_equal(clf.set_params(max_iter=2).fit(*Xy).coefs_[0], weights)
    clf.set_params(solver="adam", beta_1=0.999, beta_2=0, learning_rate_init=1e307)
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(*Xy)


@pytest.mark.unconverged
def test_epsilon_is_not_0_in_float32(Xy):
    X, y = np.zeros((60, 5), np.float32), Xy[1]  # no gradient for the weights
    clf = BinaryMLPClassifier((), solver="adam", alpha=0, epsilon=1e-300)
    assert np.isfinite(clf.fit(X, y).predict_proba(X)).all()


def test_cosine_falls_over_all_epochs_step_by_step(Xy, monkeypatch):
    seen = []

    def rates(settings, state, *steps):
        seen.append(steps)
        return 0.1 / (1 + steps[0])

    monkeypatch.setitem(SCHEDULES, "cosine", Schedule(rates, has_horizon=True))
    BinaryMLPClassifier(max_iter=2, batch_size=25, random_state=0).fit(*Xy)
    assert [steps.tolist() for steps, _ in seen] == [[0, 1, 2], [3, 4, 5]]
    assert [n_steps for _, n_steps in seen] == [6, 6]


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate", ["invscaling", "adaptive"])
def test_adam_holds_its_rate_under_the_schedules_of_sgd(Xy, learning_rate):
    settings = {"solver": "adam", "max_iter": 5, "tol": 1, "random_state": 0}
    clf = BinaryMLPClassifier(learning_rate=learning_rate, **settings).fit(*Xy)
    same = BinaryMLPClassifier(learning_rate="constant", **settings).fit(*Xy)
    assert_array_equal(weights(clf), weights(same))


@pytest.mark.unconverged
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_lbfgs_does_not_count_epochs_without_improvement(Xy, learning_rate):
    clf = BinaryMLPClassifier(solver="lbfgs", learning_rate=learning_rate, max_iter=20)
    clf.set_params(n_iter_no_change=1, tol=1e-3, alpha=1e-2, random_state=0).fit(*Xy)
    assert clf.n_iter_ == 20
    # ... nor does it cut a learning rate that it does not have.
    clf.set_params(early_stopping=True, tol=1.0, n_iter_no_change=1)
    clf.set_params(scoring=lambda estimator, X, y: 0.5)
    assert clf.fit(*Xy).n_iter_ <= 3


def test_correction_of_adams_bias():
    settings = SimpleNamespace(beta_1=0.5, beta_2=0.75)
    expected = [0.5 / 0.5, np.sqrt(7 / 16) / 0.75]
    assert_allclose(bias_correction(settings, np.array([1, 2])), expected)


@pytest.mark.unconverged
@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", ["loop", "matrix"])
@pytest.mark.parametrize("descent", DESCENTS)
def test_fit_warm_start_and_partial_fit_continue_exactly(
    Xy, descent, backprop, form, learning_rate, pickled
):
    X, y = Xy
    X = FORMS[form](np.where(X > 0, X, 0))
    settings = DESCENTS[descent] | {
        "backprop": backprop,
        "learning_rate": learning_rate,
        "alpha": 0.01,
        "tol": 0.05,  # "adaptive" cuts its rate after epochs 4, 6, ...
        "n_iter_no_change": 100,
        "random_state": 0,
    }
    cuts = learning_rate == "adaptive" and descent != "adam"
    if cuts:
        settings["n_iter_no_change"] = 1

    def between(clf):
        return pickle.loads(pickle.dumps(clf)) if pickled else clf

    whole = BinaryMLPClassifier(max_iter=8, **settings).fit(X, y)
    halves = BinaryMLPClassifier(max_iter=4, warm_start=True, **settings).fit(X, y)
    halves = between(halves).fit(X, y)
    steps = BinaryMLPClassifier(**settings)
    for _ in range(8):
        steps = between(steps).partial_fit(X, y, classes=[0, 1])
    for clf in (halves, steps):
        assert_array_equal(weights(clf), weights(whole))
        assert clf.t_ == whole.t_ == 8 * 60
        assert clf.history_ == whole.history_
        assert clf.best_loss_ == whole.best_loss_
    assert (whole.n_iter_, halves.n_iter_, steps.n_iter_) == (8, 4, 8)
    if cuts:
        assert whole._state["n_cuts"] == halves._state["n_cuts"] > 1


@pytest.mark.unconverged
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", ["loop", "matrix"])
@pytest.mark.parametrize("descent", [*DESCENTS, "lbfgs"])
def test_sparse_equals_dense(Xy, descent, backprop, form):
    X, y = Xy
    X = np.where(X > 0, X, 0)
    settings = DESCENTS.get(descent, {"solver": "lbfgs"}) | {
        "backprop": backprop,
        "max_iter": 20,
        "alpha": 0.1,
        "random_state": 0,
        "hidden_layer_sizes": (8, 4),
    }
    dense = BinaryMLPClassifier(**settings).fit(X, y)
    sparse = BinaryMLPClassifier(**settings).fit(csr_matrix(X), y)
    difference = np.abs(weights(sparse) - weights(dense)).max()
    assert difference < 1e-9 * np.abs(weights(dense)).max()
    p = dense.predict_proba(X)
    assert_allclose(sparse.predict_proba(FORMS[form](X)), p, rtol=1e-9)


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("form", FORMS)
def test_float32_is_kept_by_every_solver(Xy, solver, form):
    X, y = FORMS[form](Xy[0].astype(np.float32)), Xy[1]
    clf = BinaryMLPClassifier(solver=solver, max_iter=5, random_state=0).fit(X, y)
    double = BinaryMLPClassifier(solver=solver, max_iter=5, random_state=0)
    double.fit(X.astype(np.float64), y)
    assert {part.dtype.name for part in clf.coefs_ + clf.intercepts_} == {"float32"}
    assert clf._state["moments"].dtype == np.float32
    assert clf.predict_proba(X).dtype == np.float32
    assert_allclose(weights(clf), weights(double), atol=1e-3)


def test_lbfgs_is_a_minimum(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier((3,), "tanh", solver="lbfgs", max_iter=500)
    clf.set_params(random_state=0, alpha=0.01).fit(X, y)
    _, coef_gradients, intercept_gradients = clf.loss_and_gradients(X, y)
    steepest = max(np.abs(g).max() for g in coef_gradients + intercept_gradients)
    assert steepest < clf.tol
    assert len(clf.loss_curve_) == clf.n_iter_ < 500
    assert clf.loss_curve_[-1] == pytest.approx(
        clf.loss_and_gradients(X, y)[0] - 0.005 * sum(np.sum(W**2) for W in clf.coefs_),
        rel=1e-9,
    )
    assert clf.history_["accuracy"][-1] == clf.score(X, y)


@pytest.mark.parametrize("limit", [{"max_iter": 3}, {"max_fun": 4}])
def test_lbfgs_says_when_it_ends_before_it_converged(Xy, limit):
    clf = BinaryMLPClassifier(solver="lbfgs", random_state=0, **limit)
    with pytest.warns(ConvergenceWarning, match=r"before it converged.*max_fun"):
        clf.fit(*Xy)
    assert 1 <= clf.n_iter_ <= 4


def test_lbfgs_that_begins_at_a_minimum(Xy):
    clf = BinaryMLPClassifier((), solver="lbfgs", warm_start=True).fit(*Xy)
    before = weights(clf)
    clf.set_params(tol=0.1).fit(*Xy)
    assert_array_equal(weights(clf), before)
    assert clf.n_iter_ == 1
    assert clf.loss_curve_[-1] == pytest.approx(clf.loss_curve_[-2], rel=1e-9)


def test_lbfgs_goes_on_from_its_weights(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(solver="lbfgs", max_iter=5, warm_start=True)
    clf.set_params(random_state=0)
    with pytest.warns(ConvergenceWarning, match="before it converged"):
        clf.fit(X, y)
    first = clf.loss_
    with pytest.warns(ConvergenceWarning, match="before it converged"):
        clf.fit(X, y)
    assert clf.loss_ < first
    assert len(clf.loss_curve_) == 10


def test_partial_fit_is_hidden_for_lbfgs():
    assert hasattr(BinaryMLPClassifier(), "partial_fit")
    clf = BinaryMLPClassifier(solver="lbfgs")
    assert not hasattr(clf, "partial_fit")
    with pytest.raises(AttributeError) as error:
        clf.partial_fit  # noqa: B018
    assert 'needs solver="sgd" or "adam"' in str(error.value.__cause__)


@pytest.mark.unconverged
def test_another_solver_begins_with_no_moments(Xy):
    clf = BinaryMLPClassifier(max_iter=2, warm_start=True, random_state=0).fit(*Xy)
    clf.set_params(solver="adam").fit(*Xy)
    fresh = BinaryMLPClassifier(max_iter=2, warm_start=True, random_state=0).fit(*Xy)
    fresh._state["moments"] = np.zeros((2, fresh._state["moments"].shape[1]))
    fresh._state["n_steps"] = 0
    fresh.set_params(solver="adam").fit(*Xy)
    assert_array_equal(weights(clf), weights(fresh))


def test_auto_learning_rate_depends_on_the_solver(Xy):
    for solver, rate in (("sgd", 0.03), ("adam", 0.003)):
        auto, same = (
            BinaryMLPClassifier(solver=solver, learning_rate_init=init, random_state=0)
            for init in ("auto", rate)
        )
        assert_array_equal(weights(auto.fit(*Xy)), weights(same.fit(*Xy)))
