"""Inputs become samples; bad input is named, and leaves the estimator as it was."""

import pickle
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skbinnet import BinaryMLPClassifier
from skbinnet._inputs import cast_weights, class_weights, join, scale_weights
from skbinnet._network import as_rows

CLASSES = np.array(["no", "yes"])
Y = np.array(["yes", "no", "yes", "yes"])
BIG_INT = 10**400  # too large for a float
FOUR_FEATURES = "X has 4 features, but BinaryMLPClassifier is expecting 5"


def samples(sample_weight=None, class_weight=(1, 1), dtype=np.float64):
    rows = as_rows(np.zeros((4, 2), dtype=dtype))
    return join(rows, Y, sample_weight, CLASSES, np.array(class_weight))


@contextmanager
def refused(clf, message):
    """A ValueError is raised, and all attributes of clf stay as they were."""
    before = pickle.dumps(vars(clf))
    with pytest.raises(ValueError, match=message):
        yield
    assert pickle.dumps(vars(clf)) == before


# ---- labels and weights


def test_samples_hold_encoded_labels_and_the_product_of_both_weights():
    weight = np.array([1.0, 2, 3, 4])
    weighted = samples(weight, class_weight=(10, 1))
    assert_array_equal(weighted.y, [1, 0, 1, 1])
    assert_array_equal(weighted.sample_weight, [1, 20, 3, 4])
    scale_weights(weighted._replace(training_rows=np.array([0, 1])))
    assert_array_equal(weight, [1, 2, 3, 4])


def test_labels_and_weights_take_the_dtype_of_X():
    for finish in (scale_weights, cast_weights):
        single = finish(samples(dtype=np.float32))
        assert single.y.dtype == single.sample_weight.dtype == np.float32


@pytest.mark.parametrize("scale", [1, 1e-300, 1e300, 4e307])
def test_scaled_weights_have_mean_1_at_every_scale(scale):
    scaled = scale_weights(samples(scale * np.array([1, 2, 3, 4])))
    assert_allclose(scaled.sample_weight, [0.4, 0.8, 1.2, 1.6], rtol=1e-12)


def test_weights_are_scaled_within_the_rows_to_train_on():
    some = samples([1, 2, 3, 4])._replace(training_rows=np.array([1, 3]))
    assert_allclose(scale_weights(some).sample_weight, [0, 2 / 3, 0, 4 / 3])


def test_balanced_gives_both_classes_the_same_total():
    weight = np.array([1.0, 2, 3, 4])
    balanced = class_weights("balanced", CLASSES, Y, weight)
    weighted = samples(weight, balanced).sample_weight
    assert_allclose(weighted[[0, 2, 3]].sum(), weighted[1])
    for equal in (None, np.full(4, 1.7e308)):
        balanced = class_weights("balanced", CLASSES, Y, equal)
        assert_allclose(balanced, [4 / 2, 4 / 6])


def test_class_missing_in_the_dict_weighs_1():
    assert_array_equal(class_weights({"yes": 3}, CLASSES, Y, None), [1, 3])


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "message"),
    [
        ({"maybe": 1}, None, r"class_weight names \['maybe'\]"),
        ({1: "a"}, None, "class_weight must hold numbers"),
        ({0: BIG_INT}, None, "class_weight must hold numbers: int"),
        ({1: -1}, None, "class_weight .* negative"),
        ({1: 0}, [0, 1] * 30, "sample_weight times class_weight .* zero"),
        ({0: 1e308}, [10] * 60, "sample_weight times class_weight must be finite"),
        ("balanced", [0, 1] * 30, "balanced.* weight in both classes"),
    ],
)
def test_bad_class_weight_is_named(Xy, class_weight, sample_weight, message):
    with pytest.raises(ValueError, match=message):
        BinaryMLPClassifier(class_weight=class_weight).fit(*Xy, sample_weight)


def test_balanced_classes_need_all_rows(Xy):
    clf = BinaryMLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match=r"balanced.*needs all rows.*as a dict"):
        clf.partial_fit(*Xy, classes=[0, 1])


@pytest.mark.parametrize(
    ("dtype", "weight", "message"),
    [
        (np.float32, 1e-46, "times class_weight in float32 must not be zero"),
        (np.float32, 1e39, "times class_weight in float32 must be finite"),
        (np.float64, 1e308, "times class_weight must have a finite sum"),
    ],
)
def test_weights_that_only_fit_can_scale_are_refused(Xy, dtype, weight, message):
    X, y, sample_weight = Xy[0].astype(dtype), Xy[1], np.full(60, weight)
    BinaryMLPClassifier().fit(X, y, sample_weight)
    with pytest.raises(ValueError, match=f"sample_weight {message}"):
        BinaryMLPClassifier().partial_fit(X, y, sample_weight, classes=[0, 1])


# ---- data


def put(value):
    """A function that returns a copy of an array with this value in place 3."""
    return lambda a: np.where(np.arange(a.size).reshape(a.shape) == 3, value, a)


BAD_SHAPE = r"sample_weight must have shape \(60,\).*got "
BAD_DATA = [
    ("X", put(np.nan), "Input X contains NaN"),
    ("X", put(np.inf), "Input X contains infinity"),
    ("X", lambda X: np.full((60, 5), BIG_INT), "X.* is too large: int too large"),
    ("X", lambda X: X[:, :0], "0 feature"),
    ("X", lambda X: X[:, 0], "Expected 2D array"),
    ("X, y", lambda rows: rows[:0], "0 sample"),
    ("y", put(np.nan), "y contains NaN"),
    ("y", put(np.inf), "y contains infinity"),
    ("y", lambda y: np.linspace(0, 1, 60), "Unknown label type"),
    ("y", lambda y: y[:-1], "inconsistent numbers of samples"),
    ("sample_weight", put(np.nan), "sample_weight must be finite"),
    ("sample_weight", put(np.inf), "sample_weight must be finite"),
    ("sample_weight", put(-2), "sample_weight must not be negative, got -2.0"),
    ("sample_weight", np.zeros_like, "sample_weight must not be zero for every row"),
    ("sample_weight", lambda w: ["heavy"] * 60, "sample_weight must hold numbers"),
    ("sample_weight", lambda w: [BIG_INT] * 60, "sample_weight must hold numbers: int"),
    ("sample_weight", lambda w: w[:-1], BAD_SHAPE + r"\(59,\)"),
    ("sample_weight", lambda w: w[:, None], BAD_SHAPE + r"\(60, 1\)"),
    ("sample_weight", lambda w: 2.0, BAD_SHAPE + r"\(\)"),
]
BAD_LABELS = r"y_val must hold the classes \[0 1\] only, got "
BAD_IN_FIT = [
    ("y", lambda y: 3 - np.arange(60) % 3, r"Only binary.*got 3: \[1 2 3\]"),
    ("y", lambda y: np.full(60, 3), r"one class only: \[3\]"),
    ("y_val, sample_weight_val", lambda _: None, "y_val is None"),
    ("X_val, sample_weight_val", lambda _: None, "X_val is None"),
    ("X_val, y_val", lambda _: None, "X_val is None"),
    ("X_val", lambda X: X[:, :4], "X_val has 4 features, but X has 5"),
    ("X_val", put(np.nan), "X_val contains NaN"),
    ("X_val", lambda X: np.full((60, 5), BIG_INT), "X_val .*is too large"),
    ("X_val, y_val", lambda rows: rows[:0], "0 sample"),
    ("y_val", lambda y: y[:-1], "inconsistent numbers of samples"),
    ("y_val", lambda y: y + 1, BAD_LABELS + r"\[2\]"),
    ("y_val", lambda y: np.array([0, "a", None] * 20), BAD_LABELS + r"\[None, 'a'\]"),
    ("sample_weight_val", put(-1), "sample_weight_val must not be negative"),
    ("sample_weight_val", np.zeros_like, "sample_weight_val must not be zero"),
]


def spoil_arguments(Xy, names, spoil):
    """Arguments of fit, of which those with these names are spoiled."""
    arguments = {"X": Xy[0], "y": Xy[1], "sample_weight": np.ones(60)}
    if "_val" in names:
        arguments |= {f"{name}_val": value for name, value in arguments.items()}
    return arguments | {name: spoil(arguments[name]) for name in names.split(", ")}


@pytest.mark.parametrize(("names", "spoil", "message"), BAD_DATA + BAD_IN_FIT)
def test_fit_names_bad_data_and_changes_nothing(fitted, Xy, names, spoil, message):
    arguments = spoil_arguments(Xy, names, spoil)
    with refused(fitted, message):
        fitted.fit(**arguments)
    with pytest.raises(ValueError, match=message):
        clone(fitted).fit(**arguments)


@pytest.mark.parametrize(("names", "spoil", "message"), BAD_DATA)
def test_partial_fit_names_bad_data_too(fitted, Xy, names, spoil, message):
    with refused(fitted, message):
        fitted.partial_fit(**spoil_arguments(Xy, names, spoil))


@pytest.mark.parametrize("method", ["fit", "score"])
@pytest.mark.parametrize("value", ["Rome", np.nan])
def test_errors_about_a_raw_table_name_the_estimator_that_takes_it(
    fitted, Xy, method, value
):
    X = Xy[0].astype(object)
    X[3, 1] = value
    with pytest.raises(ValueError, match=r"Rome|NaN") as error:
        getattr(fitted, method)(X, Xy[1])
    note = "TabularMLPClassifier takes texts and missing values."
    assert error.value.__notes__ == [note]


@pytest.mark.parametrize(("name", "value"), [("y", np.nan), ("sample_weight", "a")])
def test_errors_about_y_or_weights_do_not_name_another_estimator(
    fitted, Xy, name, value
):
    arguments = {"X": Xy[0], "y": Xy[1]} | {name: [value] * len(Xy[1])}
    with pytest.raises(ValueError, match=r"contains NaN|must hold numbers") as error:
        fitted.fit(**arguments)
    assert not hasattr(error.value, "__notes__")


def test_other_names_in_X_val_and_other_text_in_y_val_are_named(frame, y):
    y, clf = CLASSES[y], BinaryMLPClassifier()
    with pytest.raises(ValueError, match="X_val: The feature names should match"):
        clf.fit(frame, y, X_val=frame[list("edcba")], y_val=y)
    message = r"y_val must hold .*'no' 'yes'.* only, got \['maybe'\]"
    with pytest.raises(ValueError, match=message):
        clf.fit(frame, y, X_val=frame[:1], y_val=["maybe"])


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:, :4], FOUR_FEATURES),
        (put(np.nan), "Input X contains NaN"),
        (lambda X: np.vstack([X] * 100 + [X + np.inf]), "Input X contains infinity"),
        (lambda rows: rows[:0], "0 sample"),
    ],
)
def test_bad_data_in_predictions_are_named(fitted, X, method, spoil, message):
    with pytest.raises(ValueError, match=message):
        getattr(fitted, method)(spoil(X))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes must be given in the first call"),
        ([0, 1, 2], "Only binary.*got 3"),
        ([1], "one class"),
        ({0, 1}, r"classes must have one dimension, got shape \(\)"),
        ([[0, 1]], r"classes must have one dimension, got shape \(1, 2\)"),
        ([None, 1], "Classes must be of one kind"),
        (np.array([0, 1], object), "classes must be an array of numbers.*int"),
        ([1, 2], r"y must hold the classes \[1 2\] only, got \[0\]"),
    ],
)
def test_bad_classes_in_the_first_partial_fit(Xy, classes, message):
    clf = BinaryMLPClassifier()
    with refused(clf, message):
        clf.partial_fit(*Xy, classes=classes)


def test_later_partial_fit_keeps_features_labels_and_classes(fitted, X, y):
    for arguments, message in (
        ((X[:, :4], y), FOUR_FEATURES),
        ((X, y + 1), r"y must hold the classes \[0 1\] only, got \[2\]"),
        ((X, np.where(y == 1, "a", "b")), r"got \['a', 'b'\]"),
        ((X, y, None, [1, 2]), r"expected \[0 1\], got \[1 2\]"),
    ):
        with refused(fitted, message):
            fitted.partial_fit(*arguments)


def test_warm_start_keeps_features_classes_and_layers(fitted, X, y):
    fitted.set_params(warm_start=True)
    with refused(fitted, FOUR_FEATURES):
        fitted.fit(X[:, :4], y)
    with refused(fitted, r"Previously got \[0 1\], `y` has \[1 2\]"):
        fitted.fit(X, y + 1)
    fitted.set_params(hidden_layer_sizes=(3,))
    with refused(fitted, r"sizes \[5, 64, 1\].* ask for \[5, 3, 1\]"):
        fitted.fit(X, y)


# ---- parameters

BAD_LAYERS = [(0,), (5, -1), (2.5,), ("a",), [[3]], {4}, ((3, 2), 4)]
SWITCHES = ["early_stopping", "nesterovs_momentum", "shuffle", "warm_start"]
BAD_PARAMETERS = {
    "hidden_layer_sizes": [0, -1, 2.5, "a", None, *BAD_LAYERS],
    "activation": ["swish", None, 1],
    "solver": ["newton", None],
    "power_t": [-0.1, np.inf, np.nan, "a", None],
    "tol": [-1e-9, np.inf, np.nan, "a", None],
    "verbose": [-1, "yes", None],
    "validation_fraction": [0, 1, -0.1, np.nan, "a", None],
    "scoring": ["losses", None, 1],
    "beta_1": [-0.1, 1, np.nan, "a", None],
    "beta_2": [-0.1, 1, np.nan, "a", None],
    "epsilon": [0, -1e-8, np.inf, np.nan, "a", None],
    "n_iter_no_change": [0, -1, 2.5, np.nan, "a", None],
    "max_fun": [0, -1, 2.5, np.inf, "a", None],
    "backprop": ["automatic", None],
    "alpha": [-1e-3, np.inf, np.nan, "a", None],
    "batch_size": [0, -1, 2.5, "all", None],
    "learning_rate": ["exponential", None, 0.1],
    "learning_rate_init": [0, -0.1, np.inf, np.nan, "high", None],
    "max_iter": [0, -1, 2.5, "a", None],
    "random_state": [-1, 0.5, "a"],
    "momentum": [-0.1, 1.1, np.nan, "a", None],
    "class_weight": ["even", 2, [1, 2], {5: 1}, {0: -1}, {0: np.nan}, {0: 0, 1: 0}],
    "init": ["xavier", None, 0.1],
    "dropout": [-0.1, 1, np.nan, "a", None],
    "label_smoothing": [-0.1, 1, np.nan, "a", None],
    "max_time": [0, -1, np.inf, np.nan, "a"],
    "n_jobs": [0, 1.5, np.nan, "a"],
    **{name: [2, "yes", None] for name in SWITCHES},
}


def test_every_parameter_has_bad_values_to_be_tested():
    assert set(BAD_PARAMETERS) == set(BinaryMLPClassifier().get_params())


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_PARAMETERS.items() for value in values],
)
def test_bad_parameter_is_named_and_changes_nothing(fitted, Xy, name, value):
    fitted.set_params(**{name: value})
    with refused(fitted, name):
        fitted.fit(*Xy)
    with refused(fitted, name):
        fitted.partial_fit(*Xy)


@pytest.mark.parametrize(
    "name", ["alpha", "learning_rate_init", "max_time", "power_t", "tol"]
)
def test_an_int_too_large_for_a_float_is_named(Xy, name):
    with pytest.raises(ValueError, match=f"{name} is too large"):
        BinaryMLPClassifier(**{name: BIG_INT}).fit(*Xy)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
def test_rows_that_overflow_in_the_dtype_of_the_weights_are_refused(X, y, method):
    clf = BinaryMLPClassifier(warm_start=True, random_state=0)
    clf.fit(X.astype(np.float32), y)
    arguments = (X * 1e300,) if method == "predict" else (X * 1e300, y)
    with pytest.raises(ValueError, match=r"infinity or a value too large .*float32"):
        getattr(clf, method)(*arguments)


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_rows_whose_logit_overflows_are_refused(X, y, activation):
    clf = BinaryMLPClassifier((4,), activation, random_state=0).fit(X, y)
    clf.coefs_[0] *= 10
    assert np.isfinite(clf.predict_proba(X * 1e300)).all()
    predictions = clf.predict, clf.predict_proba, clf.predict_log_proba
    for predict in (*predictions, lambda X: clf.loss_and_gradients(X, y)):
        with pytest.raises(ValueError, match=r"X is too large for .*float64"):
            predict(X / np.abs(X).max() * 1.7e308)


def test_weights_whose_product_overflows_are_refused(Xy):
    clf = BinaryMLPClassifier((4,), "identity", random_state=0).fit(*Xy)
    clf.coefs_ = [np.full_like(W, 1e200) for W in clf.coefs_]
    with pytest.raises(ValueError, match=r"X is too large for .* a result overflows"):
        clf.input_gradients(Xy[0])
