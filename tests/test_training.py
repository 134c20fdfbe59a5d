import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skbinnet import BinaryMLPClassifier
from skbinnet._network import ACTIVATIONS
from skbinnet._training import LEARNING_RATES, check_finite, record

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


def test_learning_rates_follow_their_formulas():
    steps = np.arange(4)
    assert_allclose(LEARNING_RATES["constant"](0.1, steps, 4), 0.1)
    half = np.sqrt(0.5)
    assert_allclose(
        LEARNING_RATES["cosine"](0.1, steps, 4),
        [0.1, 0.05 * (1 + half), 0.05, 0.05 * (1 - half)],
    )


def test_cosine_falls_over_all_epochs_step_by_step(Xy, monkeypatch):
    seen = []
    monkeypatch.setitem(
        LEARNING_RATES,
        "cosine",
        lambda rate, steps, n_steps: seen.append((steps, n_steps)) or steps * 0.0,
    )
    BinaryMLPClassifier(max_iter=2, batch_size=25).fit(*Xy)
    assert [steps.tolist() for steps, _ in seen] == [[0, 1, 2], [3, 4, 5]]
    assert [n_steps for _, n_steps in seen] == [6, 6]


def test_curves_have_a_value_per_epoch_and_nan_where_nothing_was_watched():
    history = {"loss": [], "accuracy": []}
    record(history, {"loss": 3, "accuracy": 0.5})
    record(history, {"loss": 2, "accuracy": 0.6, "val_loss": 2.5})
    record(history, {"loss": 1, "accuracy": 0.7})
    assert history == {
        "loss": [3, 2, 1],
        "accuracy": [0.5, 0.6, 0.7],
        "val_loss": [NAN, 2.5, NAN],
    }


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


def test_shuffle_changes_the_order_in_every_epoch(Xy, monkeypatch):
    orders = []

    def spy(*args):
        orders.append(args[8].copy())
        return 0.0, 0.0

    monkeypatch.setattr("skbinnet._training.train_epoch", spy)
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


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_infinite_weights_behind_a_dead_unit_are_seen(bad):
    # The loss is finite where relu maps minus infinity to 0.
    settings = SimpleNamespace(learning_rate_init=0.1, alpha=0.5)
    check_finite(settings, 0, 0.7, np.ones(3))
    with pytest.raises(ValueError, match=r"epoch 3.*is 0\.1.*is 0\.5"):
        check_finite(settings, 2, 0.7, np.array([1, bad, 1]))


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_divergence_in_a_later_epoch_leaves_the_curves_as_they_were(
    Xy, loss, monkeypatch
):
    clf = BinaryMLPClassifier(max_iter=2, random_state=0, warm_start=True).fit(*Xy)
    before = pickle.dumps(clf)
    sums = iter([(1.0, 1.0), (loss, 1.0)])
    monkeypatch.setattr("skbinnet._training.train_epoch", lambda *args: next(sums))
    with pytest.raises(ValueError, match="diverged in epoch 2"):
        clf.fit(*Xy)
    assert pickle.dumps(clf) == before


def test_interrupted_run_leaves_the_estimator_as_it_was(Xy, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    clf = BinaryMLPClassifier(random_state=0).fit(*Xy)
    before = pickle.dumps(clf)
    monkeypatch.setattr("skbinnet._training.train_epoch", interrupt)
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
