"""A fitted estimator from a bad file says what is wrong with it, or works."""

import os
import pickle
import re
import warnings
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn.base import clone

from skbinnet import TRUSTED_TYPES, BinaryMLPClassifier

LONG = "SKBINNET_LONG" in os.environ
N_CASES = 2000 if LONG else 100
KINDS = {
    "momentum": {},
    "plain": {"momentum": 0, "hidden_layer_sizes": ()},
    "adam": {"solver": "adam", "hidden_layer_sizes": (4, 3)},
    "lbfgs": {"solver": "lbfgs", "tol": 0.01},
    "adaptive": {"learning_rate": "adaptive", "n_iter_no_change": 1},
    "early stopping": {"early_stopping": True, "scoring": "roc_auc"},
    "sparse": {},
    "float32": {"backprop": "loop"},
    "partial_fit": {},
    "words": {},
}
# What a user can act on: the name of an attribute or parameter, or a known message.
PARAMS = BinaryMLPClassifier().get_params()
NAMED = re.compile(
    r"\w_\b|_state|X has 5 features|not fitted yet|classes|label type|layers"
)


def data(kind):
    rng = np.random.RandomState(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 5)) + 0.7 * y[:, None]
    X = X.astype(np.float32) if kind == "float32" else X
    X = csr_matrix(X * (X > 0)) if kind == "sparse" else X
    return X, np.array(["ham", "spam"])[y] if kind == "words" else y


@cache
def saved(kind):
    """The pickled attributes of a fitted estimator."""
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "learning_rate": "constant"}
    clf = BinaryMLPClassifier(random_state=0, batch_size=20)
    clf.set_params(**(options | KINDS[kind]))
    X, y = data(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "partial_fit":
            clf.partial_fit(X, y, classes=np.unique(y)).partial_fit(X, y)
        else:
            clf.fit(X, y)
    return pickle.dumps(vars(clf))


# ---- by hand


def no_loss(state):
    del state["history_"]["loss"]


def no_steps(state):
    del state["_state"]["n_steps"]


def no_weights(state):
    del state["coefs_"], state["intercepts_"]


def no_state(state):
    del state["_state"]


def no_classes(state):
    del state["classes_"]


def lost_moments(state):
    state["_state"]["moments"][0, -1] = np.nan


DAMAGE = {
    "classes_ must be .* sorted": lambda state: state.update(classes_=np.array([1, 0])),
    "classes_ must be .* two": lambda state: state.update(classes_=np.arange(3)),
    "classes_ must be an ndarray": lambda state: state.update(classes_=["a", "b"]),
    "'t_' parameter of Bin": lambda state: state.update(t_=-1),
    "'n_features_in_' parameter": lambda state: state.update(n_features_in_="5"),
    "history_ must be a dict": lambda state: state.update(history_=[1, 2]),
    "history_ .* numbers": lambda state: state["history_"]["loss"].append("a"),
    "history_ .* all as long": lambda state: state["history_"]["loss"].append(1),
    "history_ .* with .loss": no_loss,
    "history_ .* .accuracy": lambda state: state["history_"].pop("accuracy"),
    "history_ .* long": lambda state: state.update(
        history_={"loss": [], "accuracy": []}
    ),
    "'n_iter_' parameter": lambda state: state.update(n_iter_=10**30),
    "classes_ must be .* labels": lambda state: state.update(
        classes_=np.array([b"a", b"b"])
    ),
    "'hold_out_seed' param": lambda state: state["_state"].update(hold_out_seed=2**32),
    "_state must be a .* of": lambda state: state["_state"].update(more=1),
    "moments .* must be finite floats": lambda state: state["_state"].update(
        moments=np.zeros((1, 2), int)
    ),
    "moments .* in C order": lambda state: state["_state"].update(
        moments=np.zeros((2, 9)).T
    ),
    r"\['coefs_', 'intercepts_'\] are missing": no_weights,
    r"\['_state'\] are missing": no_state,
    r"\['classes_'\] are missing": no_classes,
    "_state must be a dict": lambda state: state.update(_state=None),
    "_state must be a dict of": no_steps,
    "'n_cuts' parameter of _state": lambda state: state["_state"].update(n_cuts=0.5),
    "moments in _state must be finite": lost_moments,
}


def by_skops(clf):
    sio = pytest.importorskip("skops.io")
    return sio.loads(sio.dumps(clf), trusted=TRUSTED_TYPES)


@pytest.mark.parametrize(
    "copy", [by_skops, lambda clf: pickle.loads(pickle.dumps(clf))]
)
@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_named_when_a_file_is_loaded(message, copy, Xy):
    clf = BinaryMLPClassifier(random_state=0).fit(*Xy)
    copy(clf)
    DAMAGE[message](vars(clf))
    with pytest.raises(ValueError, match=f"damaged, or saved by another.*{message}"):
        copy(clf)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coefs_", [np.ones((5, 1), complex)], "coefs_ must hold real .*complex128"),
        ("coefs_", [["a"]], "coefs_ must hold real numbers"),
        ("coefs_", 3, "coefs_ must be a list of arrays"),
        ("coefs_", [np.full((5, 1), np.nan)], "must be finite"),
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
    clf = pickle.loads(pickle.dumps(clf))
    for use in (clf.predict, clf.input_gradients):
        with pytest.raises(ValueError, match=message):
            use(X)


def test_what_was_never_fitted_is_loaded(Xy):
    X, y = Xy
    mlp = BinaryMLPClassifier(random_state=0).fit(X, y).to_sklearn()
    own = BinaryMLPClassifier(())
    own.coefs_, own.intercepts_ = [np.ones((5, 1))], [np.zeros(1)]
    for clf in (BinaryMLPClassifier(), own, BinaryMLPClassifier.from_sklearn(mlp)):
        loaded = pickle.loads(pickle.dumps(clf))
        loaded.partial_fit(X, y, classes=[0, 1]).predict(X)


def test_a_curve_of_ones_own_is_kept(Xy):
    clf = BinaryMLPClassifier(random_state=0).fit(*Xy)
    clf.history_["test"] = [0.9]
    assert pickle.loads(pickle.dumps(clf)).history_["test"] == [0.9]


# ---- by chance: what can be wrong


JUNK = [
    None, -1, 0, 3, 10**30, 2.5, np.nan, np.inf, 1j, True, "a", b"a", [], (), {}, set(),
    [None], ["a"], [[1.0], [1.0, 2.0]], {"a": 1}, object(), np.array(1.0), np.empty(0),
    np.array(["a"]), np.array([None]), np.array([1j]), np.zeros((5, 4)), np.zeros(4),
    np.zeros((1, 29)), np.random.RandomState(1), csr_matrix(np.ones((5, 4))),
    np.array("2026-01-01", dtype="M8[D]"), np.datetime64("2026"), np.float64(3), len,
]  # fmt: skip
KINDS_OF_NUMBERS = [
    "f2", "f4", ">f8", "g", "c16", "O", "U8", "S8", "?", "i8", "u1", "m8[s]",
]  # fmt: skip


def with_value(array, value):
    array = np.array(array, dtype=np.result_type(array, np.float32))
    if array.size:
        array.flat[-1] = value
    return array


ARRAY_CHANGES = [
    np.ravel, np.transpose, np.atleast_2d, np.atleast_3d, np.ndarray.tolist,
    np.asfortranarray, np.ma.masked_array, csr_matrix,
    lambda a: a[..., None], lambda a: a[None], lambda a: a[:-1], lambda a: a[..., :-1],
    lambda a: a[:0], lambda a: a[..., :0], lambda a: a[::-1], lambda a: a[::2],
    lambda a: np.concatenate([a, a]), lambda a: np.concatenate([a, a], axis=-1),
    lambda a: np.broadcast_to(a, (2, *a.shape)),
    lambda a: np.lib.stride_tricks.as_strided(a, strides=[0] * a.ndim),
    lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a * 0, lambda a: -a,
    lambda a: with_value(a, np.nan), lambda a: with_value(a, -np.inf),
    *(lambda a, kind=kind: a.astype(kind) for kind in KINDS_OF_NUMBERS),
]  # fmt: skip
LIST_CHANGES = [
    tuple, dict.fromkeys, lambda a: a[::-1], lambda a: a[:-1], lambda a: a[:0],
    lambda a: [*a, a[-1]], lambda a: [a], lambda a: a * 2, lambda a: [*a, None],
    lambda a: [*a[:-1], "a"], lambda a: [*a[:-1], np.nan],
    lambda a: np.asarray(a, dtype=object),
]  # fmt: skip
DICT_CHANGES = [
    list, lambda a: {}, lambda a: a | {"a": [1.0]}, lambda a: a | {1: 2},
    lambda a: {str(i): a[name] for i, name in enumerate(a)},
]  # fmt: skip
NUMBER_CHANGES = [
    float, str, np.float64, np.array, lambda a: -a, lambda a: a + 1, lambda a: [a],
    lambda a: a + 0.5, lambda a: a * 10**20,
]  # fmt: skip


def changes_of(value):
    """What can be done to a value, junk in its place apart."""
    if isinstance(value, np.ndarray):
        return ARRAY_CHANGES
    if isinstance(value, list) and value:
        return LIST_CHANGES
    if isinstance(value, dict):
        return DICT_CHANGES
    return NUMBER_CHANGES if isinstance(value, int | float) else []


def paths(state):
    """(container, key) of each fitted attribute, and of what is in it."""
    for name, value in state.items():
        if name in PARAMS or name.startswith("_sklearn"):
            continue
        yield state, name
        if isinstance(value, dict):
            yield from ((value, key) for key in value)
        elif isinstance(value, list):
            yield from ((value, i) for i in range(len(value)))


def damage_param(state, rng):
    """Put junk in place of a parameter, or delete it; returns what was done."""
    name = list(PARAMS)[rng.randint(len(PARAMS))]
    if rng.randint(10) == 0:
        del state[name]
    else:
        junk = JUNK[rng.randint(len(JUNK))]
        state[name] = None if issparse(junk) else junk  # repr compares parameters
    return f"{name} = {state.get(name)!r}"


def damage(state, rng):
    """Change one thing; returns what was done, in words."""
    if rng.randint(5) == 0:
        return damage_param(state, rng)
    places = list(paths(state))
    container, key = places[rng.randint(len(places))]
    value = container[key]
    changes = changes_of(value)
    what = rng.randint(10)
    if what == 0:
        del container[key]
        return f"{key} deleted"
    if what < 5 and changes:
        i = rng.randint(len(changes))
        try:
            container[key] = changes[i](value)
        except (TypeError, ValueError):
            return damage(state, rng)
        return f"{key}: {changes[i]} -> {str(container[key])[:60]!r}"
    if what == 5 and isinstance(value, np.ndarray):
        container[key] = np.resize(value, rng.randint(0, 7, rng.randint(3)))
        return f"{key} of shape {container[key].shape}"
    container[key] = JUNK[rng.randint(len(JUNK))]
    return f"{key} = {container[key]!r}"


# ---- what is done with it


def check_numbers(*arrays):
    for array in arrays:
        assert array.dtype.kind == "f"
        assert np.isfinite(array).all(), "NaN in a result"


def differentiate(clf, X, y):
    loss, W, b = clf.loss_and_gradients(X, y)
    check_numbers(np.float64(loss), *W, *b)


def go_on(clf, X, y):
    if hasattr(clf, "partial_fit"):
        clf.partial_fit(X, y)
        check_numbers(*clf.coefs_, *clf.intercepts_, clf.predict_proba(X))


def fit_on(clf, X, y):
    clf.set_params(warm_start=True).fit(X, y)
    check_numbers(*clf.coefs_, *clf.intercepts_, clf.predict_proba(X))


def convert(clf, X, y):
    mlp = clf.to_sklearn()
    check_numbers(mlp.predict_proba(X))


USES = [
    lambda clf, X, y: clf.predict(X),
    lambda clf, X, y: check_numbers(clf.predict_proba(X)),
    lambda clf, X, y: (clf.predict(X) == y).mean(),
    differentiate,
    lambda clf, X, y: check_numbers(clf.input_gradients(X)),
    go_on,
    fit_on,
    convert,
    lambda clf, X, y: clone(clf).fit(X, y),
    lambda clf, X, y: clf.set_params(warm_start=False).fit(X, y),
    lambda clf, X, y: (repr(clf), clf._repr_html_()),
]
HARMLESS = USES[-3:]


def refusal(action):
    """The message of the error that the action raises, "" if none."""
    try:
        action()
    except (ValueError, TypeError, AttributeError) as error:
        return str(error) or type(error).__name__
    return ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(N_CASES))
def test_a_bad_state_is_named(seed):
    rng = np.random.RandomState(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    state = pickle.loads(saved(kind))
    what = damage(state, rng)
    name = what.split(" ")[0]
    X, y = data(kind)

    def load():
        clf = BinaryMLPClassifier()
        clf.__setstate__(deepcopy(state))
        return clf

    if message := refusal(load):
        assert NAMED.search(message), what
        return
    for use in USES:
        if message := refusal(lambda: use(load(), X, y)):  # noqa: B023
            assert name in PARAMS or use not in HARMLESS, what
            is_named = NAMED.search(message) or (name in PARAMS and name in message)
            assert is_named, (what, message)
