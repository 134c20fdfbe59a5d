"""Whatever arrays a file holds, the core stays within them; wrong shapes are named."""

import os
import pickle
from contextlib import suppress

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from skbinnet import TRUSTED_TYPES, BinaryMLPClassifier

N_CASES = 2000 if "SKBINNET_LONG" in os.environ else 100


def by_pickle(clf):
    return pickle.loads(pickle.dumps(clf))


def by_skops(clf):
    sio = pytest.importorskip("skops.io")
    return sio.loads(sio.dumps(clf), trusted=TRUSTED_TYPES)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coefs_", [np.ones((5, 1), complex)], "coefs_ must hold real .*complex128"),
        ("coefs_", [["a"]], "coefs_ must hold real numbers"),
        ("coefs_", 3, "coefs_ must be a list of arrays"),
        ("coefs_", [np.full((5, 1), np.nan)], "must be finite"),
        ("coefs_", [np.ones((1, 5))], r"have the shapes \[\(1, 5\)\] and \[\(1,\)\]"),
        ("intercepts_", [np.zeros(2)], r"have the shapes \[\(5, 1\)\] and \[\(2,\)\]"),
        ("intercepts_", [None], "intercepts_ must hold real numbers"),
        ("activation", "gelu", "'activation' parameter"),
        ("activation", None, "'activation' parameter"),
        ("activation", ["relu"], "'activation' parameter"),
    ],
)
def test_damage_is_named_at_the_first_use(name, value, message, Xy):
    X, y = Xy
    clf = BinaryMLPClassifier((), random_state=0).fit(X, y)
    setattr(clf, name, value)
    clf = by_pickle(clf)
    for use in (clf.predict, clf.input_gradients):
        with pytest.raises(ValueError, match=message):
            use(X)


@pytest.mark.parametrize("copy", [by_pickle, by_skops])
def test_what_was_never_fitted_is_loaded(copy, Xy):
    X, y = Xy
    mlp = BinaryMLPClassifier(random_state=0).fit(X, y).to_sklearn()
    own = BinaryMLPClassifier(())
    own.coefs_, own.intercepts_ = [np.ones((5, 1))], [np.zeros(1)]
    for clf in (BinaryMLPClassifier(), own, BinaryMLPClassifier.from_sklearn(mlp)):
        copy(clf).partial_fit(X, y, classes=[0, 1]).predict(X)


# ---- arrays of any kind, in place of any that a fit leaves


def any_array(array, rng):
    """An array of another shape, type, layout or kind, or with other values."""
    changes = [
        lambda: np.resize(array, rng.randint(0, 9, rng.randint(4))),
        lambda: array.astype(rng.choice(["f2", "f4", ">f8", "g", "c16", "O", "i8"])),
        lambda: np.broadcast_to(array, (2, *array.shape)),
        lambda: np.lib.stride_tricks.as_strided(array, strides=[0] * array.ndim),
        lambda: np.repeat(array, 2, axis=0)[::2],
        lambda: array[rng.randint(2) :: rng.choice([-1, 1, 2])],
        lambda: np.asfortranarray(array.T),
        lambda: np.full_like(array, rng.choice([np.nan, np.inf, 1e308, -1e308, 0])),
        lambda: csr_matrix(np.atleast_2d(array)),
        lambda: np.ma.masked_array(array),
    ]
    return changes[rng.randint(len(changes))]()


def damage(clf, rng):
    """Change one or two arrays, and perhaps the number of features."""
    parts = clf.coefs_, clf.intercepts_
    places = [(clf._state, "moments"), *((part, i) for part in parts for i in (0, 1))]
    for i in rng.permutation(len(places))[: rng.randint(1, 3)]:
        container, key = places[i]
        container[key] = any_array(container[key], rng)
    if rng.randint(4) == 0:
        clf.n_features_in_ = rng.randint(9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(N_CASES))
def test_damaged_arrays_are_refused_or_used(seed):
    # What matters is that the process survives, under a sanitizer too.
    rng = np.random.RandomState(seed)
    X, y = rng.normal(size=(30, 5)), np.arange(30) % 2
    X = X.astype(rng.choice(["f4", "f8"]))
    X = csr_matrix(X * (X > 0)) if seed % 3 == 0 else X
    options = [{}, {"momentum": 0}, {"solver": "adam"}, {"backprop": "loop"}][seed % 4]
    clf = BinaryMLPClassifier((4,), max_iter=2, random_state=0, **options).fit(X, y)
    damage(clf, rng)
    saved = pickle.dumps(clf)
    for use in (
        lambda clf: clf.predict_proba(X),
        lambda clf: clf.input_gradients(X),
        lambda clf: clf.loss_and_gradients(X, y),
        lambda clf: clf.partial_fit(X, y),
        lambda clf: clf.set_params(warm_start=True).fit(X, y),
        lambda clf: clf.to_sklearn(),
    ):
        with suppress(ValueError, TypeError, AttributeError):
            use(pickle.loads(saved))
