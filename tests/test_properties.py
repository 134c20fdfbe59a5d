"""Any documented input is fitted to a sound model, or refused by name."""

import os
import re
from inspect import signature

import numpy as np
import pytest
from helpers import assert_sound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from skbinnet import BinaryMLPClassifier

pytestmark = [
    pytest.mark.unconverged,
    # scikit-learn says where a metric is undefined, for want of a class.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
    pytest.mark.filterwarnings("ignore:::sklearn.metrics"),
]
LONG = "SKBINNET_LONG" in os.environ
bounded_or_long = settings(
    max_examples=20_000 if LONG else 60,
    derandomize=not LONG,  # the same cases in every run
    database=None, deadline=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip
MAX = float(np.finfo(float).max)
TINY = float(np.finfo(float).smallest_subnormal)
BIG_INT = 10**400

CULPRITS = {*BinaryMLPClassifier().get_params(), "features", "class"}
CULPRITS.add("y_true")  # y_val, in the errors of scikit-learn's metrics
CULPRITS |= signature(BinaryMLPClassifier.partial_fit).parameters.keys() - {"self"}
CULPRIT = re.compile(rf"\b({'|'.join(CULPRITS)})\b")


# ---- parameters


def numbers(*usual, least=0.0, most=MAX, **excluded):
    """Usual values, also of float32, and any float of an interval."""
    usual = st.sampled_from(usual)
    return usual | usual.map(np.float32) | st.floats(least, most, **excluded)


sizes = st.lists(st.integers(1, 9), max_size=3)
size_arrays = hnp.arrays(np.int32, st.integers(1, 2), elements=st.integers(1, 9))
layer_sizes = st.integers(1, 20) | sizes | sizes.map(tuple) | size_arrays
SCORERS = [
    "loss", "accuracy", "balanced_accuracy", "roc_auc", "average_precision",
    "neg_log_loss", "neg_brier_score", "f1", "matthews_corrcoef", "d2_log_loss_score",
    lambda clf, X, y, sample_weight=None: clf.score(X, y, sample_weight),
    lambda clf, X, y, sample_weight=None: np.nan,
]  # fmt: skip
counts = st.integers(1, 50) | st.just(BIG_INT)
seeds = st.integers(0, 2**32 - 1)
SWITCHES = ["shuffle", "warm_start", "nesterovs_momentum", "early_stopping"]
PARAMETERS = {
    **dict.fromkeys(SWITCHES, st.booleans()),
    "activation": st.sampled_from(["identity", "logistic", "tanh", "relu"]),
    "backprop": st.sampled_from(["matrix", "loop"]),
    "alpha": numbers(0, 1e-3, 1),
    "batch_size": counts | st.just("auto"),
    "learning_rate": st.sampled_from(["constant", "cosine", "invscaling", "adaptive"]),
    "learning_rate_init": st.just("auto") | numbers(0.1, 1, 1e-6, exclude_min=True),
    "power_t": numbers(0.5, 1, 300),
    "max_iter": st.integers(1, 5),
    "random_state": seeds | st.none() | st.builds(np.random.RandomState, seeds),
    "tol": numbers(0, 1e-4),
    "verbose": st.booleans() | st.integers(0, 3),
    "momentum": numbers(0, 0.9, 1, most=1),
    "validation_fraction": numbers(
        0.1, 0.5, most=1, exclude_min=True, exclude_max=True
    ),
    "scoring": st.sampled_from(SCORERS),
    "beta_1": numbers(0, 0.9, most=1, exclude_max=True),
    "beta_2": numbers(0, 0.999, most=1, exclude_max=True),
    "epsilon": numbers(1e-8, 1e-30, exclude_min=True),
    "n_iter_no_change": counts | st.just(np.inf),
    "max_fun": counts,
    "init": st.sampled_from(["glorot", "he", "normal"]),
    "max_time": st.none() | numbers(1e-3, 1, exclude_min=True),
    "label_smoothing": numbers(0, 0.1, most=1, exclude_max=True),
    "dropout": numbers(0, 0.2, most=1, exclude_max=True),
    "n_jobs": st.none() | st.integers(-3, 4).filter(bool),
}


def test_every_parameter_is_drawn():
    drawn = PARAMETERS.keys() | {"hidden_layer_sizes", "solver", "class_weight"}
    assert drawn == BinaryMLPClassifier().get_params().keys()


# ---- data

DTYPES = ["f8", "f4", "f2", "g", "i1", "i8", "u1", "u8", "?"]


@st.composite
def arrays(draw, n_features):
    """Rows of any dtype: ordinary, huge, tiny, constant or repeated."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.integers(1, 9)), n_features
    rng = np.random.RandomState(draw(seeds))
    edges = edges_of(dtype)
    edges = edges[: draw(st.integers(1, len(edges)))]
    share = draw(st.sampled_from([0, 0, 0.05, 0.2, 1]))
    X = rng.normal(size=shape).astype(dtype)
    X = np.where(rng.random_sample(shape) < share, rng.choice(edges, shape), X)
    if draw(st.booleans()):
        X[:, draw(st.integers(0, n_features - 1))] = X[0, 0]
    return np.tile(X, (draw(st.sampled_from([1, 1, 1, 5, 70])), 1))


def edges_of(dtype):
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.array([0, 1, limits.min, limits.max], dtype)
    limits = np.finfo(dtype)
    root, fourth = limits.max**0.5, limits.max**0.25
    edges = [0, 1, limits.tiny, limits.smallest_subnormal, fourth, root, limits.max]
    return np.array([sign * edge for edge in edges for sign in (1, -1)], dtype)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def disordered(X):
    """CSR with two entries per value, columns backwards and 64-bit indices."""
    n_rows, n_features = X.shape
    columns = np.tile(np.repeat(np.arange(n_features)[::-1], 2), n_rows)
    values = np.repeat(X[:, ::-1].ravel(), 2)
    values[::2] = 0
    bounds = np.arange(n_rows + 1) * 2 * n_features
    rows = sparse.csr_array((values, columns, bounds), shape=X.shape)
    rows.indices, rows.indptr = rows.indices.astype("i8"), rows.indptr.astype("i8")
    return rows


def with_explicit_zeros(X):
    row_numbers, columns = np.indices(X.shape).reshape(2, -1)
    return sparse.csr_matrix((X.ravel(), (row_numbers, columns)), shape=X.shape)


FORMS = [
    np.asarray, np.ndarray.tolist, np.asfortranarray, read_only, strided,
    lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    lambda X: X.astype(X.dtype.newbyteorder(">")),
    lambda X: X.astype(object),
]  # fmt: skip
SPARSE_FORMS = [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array]
SPARSE_FORMS += [disordered, with_explicit_zeros]
LABELS = [np.array(labels) for labels in ([0, 1], [-1, 1], [False, True], [0.0, 2.0])]
LABELS += [np.array(["ham", "spam"]), np.array([-(2**63), 2**63 - 1])]
LABELS += [np.array(["no", "yes"], object), np.array([3, 7], object)]
LABELS += [np.array([-300, 300], ">i4"), np.array([2**64 - 2, 2**64 - 1], np.uint64)]
weights = st.sampled_from([0.0, 1.0, TINY, MAX]) | st.floats(0, MAX)


@st.composite
def datasets(draw, n_features, classes):
    """X, y and weights, of both classes where there are two rows."""
    X = draw(arrays(n_features))
    rng = np.random.RandomState(draw(seeds))
    positive = rng.random_sample(len(X)) < draw(st.sampled_from([0, 0.5, 1]))
    positive[0], positive[-1] = False, True
    y_form = draw(st.sampled_from([np.asarray, np.ndarray.tolist]))
    y = y_form(classes[positive.astype(int)])
    some = draw(st.none() | st.lists(weights, min_size=1, max_size=4))
    sample_weight = None if some is None else rng.choice(some, len(X))
    forms = FORMS + (SPARSE_FORMS if X.dtype.char in "fdlL?" else [])
    return draw(st.sampled_from(forms))(X), y, sample_weight


@st.composite
def calls(draw, n_features, classes):
    """Parameters to set, the name of a method, and its arguments."""
    params = draw(st.fixed_dictionaries({}, optional=PARAMETERS))
    dicts = st.dictionaries(st.sampled_from(classes.tolist()), weights)
    params["solver"] = draw(st.sampled_from(["sgd", "adam", "lbfgs"]))
    params["class_weight"] = draw(st.sampled_from([None, "balanced"]) | dicts)
    if params["solver"] == "lbfgs":
        params["dropout"] = 0.0
    X, y, sample_weight = draw(datasets(n_features, classes))
    arguments = {"X": X, "y": y, "sample_weight": sample_weight}
    if draw(st.booleans()):
        watched = draw(datasets(n_features, classes))
        names = "X_val", "y_val", "sample_weight_val"
        arguments |= dict(zip(names, watched, strict=True))
    method = "fit"
    if params["solver"] != "lbfgs" and draw(st.booleans()):
        method = "partial_fit"
        arguments["classes"] = classes
    return params, method, arguments


@st.composite
def histories(draw):
    """Layer sizes, and calls on one estimator."""
    n_features = draw(st.integers(1, 4))
    classes = draw(st.sampled_from(LABELS))
    some = draw(st.lists(calls(n_features, classes), min_size=1, max_size=3))
    return draw(layer_sizes), some


# ---- the property


def is_refused(call):
    """Whether the call raised ValueError or TypeError, with the culprit's name."""
    try:
        call()
    except (ValueError, TypeError) as error:
        if CULPRIT.search(str(error)):
            return True
        raise
    return False


@bounded_or_long
@given(histories())
def test_fits_are_sound_or_refused_by_name(history):
    sizes, some = history
    clf = BinaryMLPClassifier(sizes)
    for params, method, arguments in some:
        clf.set_params(**params)
        if not is_refused(lambda: getattr(clf, method)(**arguments)):  # noqa: B023
            assert_sound(clf, arguments["X"])
