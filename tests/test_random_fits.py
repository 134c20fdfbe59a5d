"""Fits with random options: each has the same bits again, and agrees with NumPy."""

import os
import pickle
import re
from itertools import chain

import numpy as np
import pytest
import reference
from every_kind import wide_csr
from helpers import assert_sound, count_refused, draws_of, weights
from scipy.sparse import csr_matrix
from sklearn.base import clone

from skbinnet import BinaryMLPClassifier
from skbinnet._solvers import SCHEDULES

pytestmark = [
    pytest.mark.unconverged,
    # scikit-learn says where a metric is undefined, for want of a class.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
    pytest.mark.filterwarnings("ignore:::sklearn.metrics"),
]
N_FITS = 100_000 if "SKBINNET_LONG" in os.environ else 500
FIRST = int(os.environ.get("SKBINNET_SEED", "0"))
N_TOGETHER = 500  # fits of a test

REFUSALS = re.compile(
    "diverged|overflows|validation_fraction|balanced|weight in both|be zero"
)
FORMS = [np.asarray, np.asfortranarray, csr_matrix, wide_csr]
OPTIONS = {
    "hidden_layer_sizes": [(), (1,), (7,), (20,), (5, 3), (8, 8), (4, 3, 2)],
    "activation": list(reference.ACTIVATIONS),
    "solver": ["sgd", "sgd", "adam", "adam", "lbfgs"],
    "backprop": ["loop", "matrix"],
    "alpha": [0, 1e-3, 0.1],
    "batch_size": ["auto", 1, 3, 8, 64],
    "learning_rate": list(SCHEDULES),
    "learning_rate_init": ["auto", 1e-3, 0.01, 0.1],
    "power_t": [0.5, 0.1],
    "max_iter": [1, 2, 3, 5],
    "shuffle": [True, True, False],
    "tol": [1e-4, 0, 0.1],
    "momentum": [0, 0.5, 0.9],
    "nesterovs_momentum": [False, True],
    "early_stopping": [False, False, False, True],
    "validation_fraction": [0.1, 0.3],
    "scoring": ["loss"] * 6 + ["accuracy", "accuracy", "roc_auc", "neg_brier_score"],
    "beta_1": [0.9, 0, 0.5],
    "beta_2": [0.999, 0.9],
    "epsilon": [1e-8, 1e-3],
    "n_iter_no_change": [10, 1, 2, np.inf],
    "init": ["glorot", "he", "normal"],
    "class_weight": [None, None, "balanced", {0: 2}, {0: 0.1, 1: 3}],
    "label_smoothing": [0, 0, 0.2],
    "dropout": [0, 0, 0.3],
    "n_jobs": [None, 2],
}


def draw(rng):
    """An estimator, rows, labels and the weights of a fit."""
    params = {name: some[rng.randint(len(some))] for name, some in OPTIONS.items()}
    params["dropout"] *= params["solver"] != "lbfgs"
    n_rows, n_features = rng.randint(2, 60), rng.randint(1, 9)
    if rng.rand() < 0.01:  # so much work that two threads share it
        params |= {"hidden_layer_sizes": (150, 140), "batch_size": "auto"}
        n_rows = 300
    clf = BinaryMLPClassifier(random_state=int(rng.randint(2**31)), **params)
    X = rng.normal(size=(n_rows, n_features)) * rng.choice([0.1, 1, 3])
    X *= rng.rand(*X.shape) < rng.choice([0.1, 0.5, 1])
    y = rng.permutation(np.arange(n_rows) % 2)
    sample_weight = [
        None,
        None,
        rng.uniform(0.1, 3, n_rows),
        rng.randint(3, size=n_rows),
    ]
    return clf, X, y, sample_weight[rng.randint(4)]


def check(seed):
    """Check the fit that this seed draws; returns whether it was refused by name."""
    rng = np.random.RandomState(seed)
    clf, X, y, sample_weight = draw(rng)
    dtype, form = rng.choice(["f4", "f8"]), FORMS[rng.randint(4)]
    rows = form(X.astype(dtype))
    watched = {}
    if rng.rand() < 0.2:
        watched = {"X_val": rows[::2], "y_val": y[::2]}
    try:
        clf.fit(rows, y, sample_weight, **watched)
    except ValueError as error:
        if not REFUSALS.search(str(error)):
            raise
        return True
    assert_sound(clf, rows)
    assert_same_bits_again(clf, rows, y, sample_weight, watched)
    assert_rows_are_independent(clf, rows, rng)
    assert_gradients_equal_numpy(clf, X.astype(dtype), y, sample_weight)
    # A row of zeros may lie at the kink of relu, where rounding decides on the slope.
    is_smooth = clf.activation != "relu" or X.any(axis=1).all()
    is_exact = dtype == "f8" and is_smooth
    if is_exact and may_be_replayed(clf, watched):
        assert_fit_equals_numpy(clf, X, y, sample_weight)
    if rng.rand() < 0.5:  # to do both would take too long
        if is_exact and clf.solver != "lbfgs" and not can_stop(clf):
            assert_other_kinds_agree(clf, form, X, y, sample_weight, watched)
    elif may_be_continued(clf, watched):
        assert_parts_equal_the_whole(clf, rows, y, sample_weight)
    return False


def assert_same_bits_again(clf, rows, y, sample_weight, watched):
    """A fit with another number of threads, and a RandomState instead of its seed."""
    again = clone(clf).set_params(n_jobs=1 if clf.n_jobs == 2 else 2)
    again.random_state = np.random.RandomState(clf.random_state)
    again.fit(rows, y, sample_weight, **watched)
    assert weights(again).tobytes() == weights(clf).tobytes()
    assert again.history_.keys() == clf.history_.keys()
    for name, curve in clf.history_.items():
        np.testing.assert_array_equal(again.history_[name], curve)


def assert_rows_are_independent(clf, rows, rng):
    z, first = clf.decision_function(rows), rng.randint(rows.shape[0])
    for some in (slice(first, first + 1), slice(first), slice(first, None)):
        if rows[some].shape[0]:
            np.testing.assert_array_equal(clf.decision_function(rows[some]), z[some])


def assert_near(found, expected, rtol, atol=1e-30):
    """Within rtol of the largest magnitude, and atol."""
    largest = max(np.abs(part).max() for part in expected)
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= rtol * largest + atol


def row_weights(clf, y, sample_weight):
    """The weights of the rows, scaled to a mean of 1."""
    weight = np.ones(len(y)) if sample_weight is None else sample_weight.astype(float)
    of_classes = clf.class_weight or {}
    if of_classes == "balanced":
        of_classes = {label: 1 / weight[y == label].sum() for label in (0, 1)}
    weight = weight * np.array([of_classes.get(label, 1) for label in (0, 1)])[y]
    return weight / weight.mean()


@np.errstate(over="ignore")  # in the exponential of large logits
def assert_gradients_equal_numpy(clf, X, y, sample_weight):
    """The gradients at the weights that the fit has found, and the probabilities."""
    layers = [[part.astype(float) for part in parts] for parts in parts_of(clf)]
    network, X = reference.Network(*layers, clf.activation, clf.alpha), X.astype(float)
    weight = row_weights(clf, y, sample_weight)
    expected = network.gradients(X, y, weight)
    _, *found = clf.loss_and_gradients(X, y, sample_weight)
    is_double = clf.coefs_[0].dtype == np.float64
    z = network.forward(X)[0]
    # Where a relu is at its kink, rounding decides on its slope.
    kinks = [np.abs(part).min() < 1e-4 * np.abs(part).max() for part in z[:-1]]
    if is_double or clf.activation != "relu" or not any(kinks):
        tolerances = (1e-9, 1e-12) if is_double else (1e-3, 1e-5)
        assert_near(list(chain(*found)), list(chain(*expected)), *tolerances)
    p = reference.sigmoid(z[-1][:, 0])
    np.testing.assert_allclose(
        clf.predict_proba(X)[:, 1], p, rtol=0, atol=1e-10 if is_double else 1e-3
    )


def parts_of(clf):
    return clf.coefs_, clf.intercepts_


def smooth(clf, y):
    return clf.label_smoothing / 2 + (1 - clf.label_smoothing) * y


def can_stop(clf):
    """Whether a tie, which rounding decides, could end the fit."""
    return clf.early_stopping or clf.n_iter_ < clf.max_iter


def rounding(clf):
    """How much rounding may change a weight: adam enlarges tiny gradients."""
    return 1e-5 if clf.solver == "adam" else 1e-30


def assert_other_kinds_agree(clf, form, X, y, sample_weight, watched):
    """The other backward pass, with rows of the other form, ends nearly the same."""
    other = {"loop": "matrix", "matrix": "loop"}[clf.backprop]
    form = csr_matrix if form in FORMS[:2] else np.asarray
    again = clone(clf).set_params(backprop=other)
    if watched:
        watched = watched | {"X_val": form(X)[::2]}
    again.fit(form(X), y, sample_weight, **watched)
    assert_weights_near(clf, weights(again), X, y, sample_weight)


def assert_weights_near(clf, found, X, y, sample_weight):
    """Weights are those of clf, up to rounding; returns whether this stays small.

    Steps that are too large for the loss to fall enlarge any difference, and adam does
    for tiny gradients. Then the weights may differ as those do for rows and labels that
    differ in the twelfth digit.
    """
    expected = weights(clf)
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    if difference <= 1e-7 * largest + rounding(clf):
        return True
    other = clone(clf).set_params(label_smoothing=abs(clf.label_smoothing - 1e-12))
    other.fit(X * (1 + 1e-12), y, sample_weight)
    assert difference <= 10 * np.abs(weights(other) - expected).max()
    return False


def may_be_replayed(clf, watched):
    is_steady = clf.learning_rate != "adaptive" and not can_stop(clf)
    return clf.solver != "lbfgs" and is_steady and not watched


def assert_fit_equals_numpy(clf, X, y, sample_weight):
    """Every step of the training, in NumPy, ends in the same weights."""
    replayed, loss = replay(clf, X, y, sample_weight)
    if assert_weights_near(clf, replayed, X, y, sample_weight):
        # Rounding decides on the accuracy where a logit is 0, as without any unit.
        assert len(y) * sum(clf.history_["loss"]) == pytest.approx(loss, rel=1e-6)


@np.errstate(over="ignore")
def replay(clf, X, y, sample_weight):
    """The weights after a fit in NumPy, and the sum of its losses."""
    n_rows = len(y)
    batch_size = min(n_rows, 200 if clf.batch_size == "auto" else clf.batch_size)
    *layers, orders, masks = draws_of(clf, n_rows)
    batches = [
        o[i : i + batch_size] for o in orders for i in range(0, n_rows, batch_size)
    ]
    masks = [np.concatenate(of_layer) for of_layer in zip(*masks, strict=True)]
    step, constants = rule(clf)
    network = reference.Network(*layers, clf.activation, clf.alpha)
    sums = network.epoch(
        (reference.STEPS[step], *constants), X, smooth(clf, y),
        row_weights(clf, y, sample_weight), batches, rates(clf, len(batches)), masks,
    )  # fmt: skip
    return np.concatenate([part.ravel() for part in chain(*layers)]), sums[0]


def rule(clf):
    """The name of the step in the reference, and its constants."""
    if clf.solver == "adam":
        return "ADAM", [0, clf.beta_1, clf.beta_2, clf.epsilon]
    if clf.momentum == 0:
        return "SGD", [0]
    return "NESTEROV" if clf.nesterovs_momentum else "MOMENTUM", [clf.momentum]


def rates(clf, n_steps):
    """The learning rate of each step of a fit."""
    usual = {"sgd": 0.03, "adam": 0.003}[clf.solver]
    rate = usual if clf.learning_rate_init == "auto" else clf.learning_rate_init
    steps = np.arange(n_steps)
    rates = np.full(n_steps, float(rate))
    if clf.learning_rate == "cosine":
        rates *= (1 + np.cos(np.pi * steps / n_steps)) / 2
    if clf.solver == "adam":
        n = steps + 1
        return rates * np.sqrt(1 - clf.beta_2**n) / (1 - clf.beta_1**n)
    if clf.learning_rate == "invscaling":
        n_epochs = clf.max_iter
        seen = clf.t_ / n_epochs * np.repeat(np.arange(n_epochs), n_steps // n_epochs)
        rates /= (seen + 1) ** clf.power_t
    return rates


def may_be_continued(clf, watched):
    is_steady = clf.learning_rate in ("constant", "invscaling", "adaptive")
    return clf.solver != "lbfgs" and is_steady and not can_stop(clf) and not watched


def assert_parts_equal_the_whole(clf, rows, y, sample_weight):
    """Warm starts, pickled in between, and partial_fit end in the same bits."""
    part = clone(clf).set_params(max_iter=1, warm_start=True)
    for _ in range(clf.max_iter):
        part = pickle.loads(pickle.dumps(part.fit(rows, y, sample_weight)))
    assert weights(part).tobytes() == weights(clf).tobytes()
    if sample_weight is None and clf.class_weight is None:
        part = clone(clf)
        for _ in range(clf.max_iter):
            part.partial_fit(rows, y, classes=[0, 1])
        assert weights(part).tobytes() == weights(clf).tobytes()


@pytest.mark.parametrize("first", range(FIRST, FIRST + N_FITS, N_TOGETHER))
def test_random_fits_are_reproduced_and_equal_the_reference(first):
    assert count_refused(check, range(first, first + N_TOGETHER)) < 0.1 * N_TOGETHER
