"""Bad input is named, and leaves a fitted estimator as it was."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skbinnet import BinaryMLPClassifier


def state(clf):
    """All attributes, as bytes."""
    return pickle.dumps(vars(clf))


def with_value(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


BAD_FIT = {
    "NaN in X": (lambda X, y: {"X": with_value(X, np.nan)}, "Input X contains NaN"),
    "inf in X": (
        lambda X, y: {"X": with_value(X, np.inf)},
        "Input X contains infinity",
    ),
    "NaN in y": (lambda X, y: {"y": with_value(y, np.nan)}, "y contains NaN"),
    "inf in y": (lambda X, y: {"y": with_value(y, np.inf)}, "y contains infinity"),
    "three classes": (lambda X, y: {"y": np.arange(60) % 3}, "Only binary.*got 3"),
    "one class": (lambda X, y: {"y": np.ones(60)}, "one class"),
    "continuous y": (lambda X, y: {"y": X[:, 0]}, "Unknown label type"),
    "y too short": (lambda X, y: {"y": y[:-1]}, "inconsistent numbers of samples"),
    "empty X": (lambda X, y: {"X": X[:0], "y": y[:0]}, "0 sample"),
    "no features": (lambda X, y: {"X": X[:, :0]}, "0 feature"),
    "one-dimensional X": (lambda X, y: {"X": X[:, 0]}, "Expected 2D array"),
    "NaN weight": (
        lambda X, y: {"sample_weight": with_value(np.ones(60), np.nan)},
        "sample_weight must be finite",
    ),
    "inf weight": (
        lambda X, y: {"sample_weight": with_value(np.ones(60), np.inf)},
        "sample_weight must be finite",
    ),
    "text for weights": (
        lambda X, y: {"sample_weight": ["heavy"] * 60},
        "sample_weight must hold numbers",
    ),
    "negative weight": (
        lambda X, y: {"sample_weight": with_value(np.ones(60), -1)},
        "sample_weight must not be negative, got -1",
    ),
    "zero weights": (
        lambda X, y: {"sample_weight": np.zeros(60)},
        "sample_weight must not be zero for every row",
    ),
    "weights too short": (
        lambda X, y: {"sample_weight": np.ones(59)},
        r"sample_weight must have shape \(60,\).*got \(59,\)",
    ),
}
BAD_VALIDATION = {
    "X_val alone": (lambda X, y: {"X_val": X}, "y_val is None"),
    "y_val alone": (lambda X, y: {"y_val": y}, "X_val is None"),
    "weights alone": (lambda X, y: {"sample_weight_val": y}, "X_val is None"),
    "features of X_val": (
        lambda X, y: {"X_val": X[:, :4], "y_val": y},
        "X_val has 4 features, but X has 5",
    ),
    "NaN in X_val": (
        lambda X, y: {"X_val": with_value(X, np.nan), "y_val": y},
        "X_val contains NaN",
    ),
    "empty X_val": (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, "0 sample"),
    "y_val too short": (
        lambda X, y: {"X_val": X, "y_val": y[:-1]},
        "inconsistent numbers of samples",
    ),
    "unknown label in y_val": (
        lambda X, y: {"X_val": X, "y_val": y + 1},
        r"y_val must hold the classes \[0 1\] only, got \[2\]",
    ),
    "mixed labels in y_val": (
        lambda X, y: {"X_val": X, "y_val": np.array([0, "a", None] * 20, dtype=object)},
        r"y_val must hold the classes \[0 1\] only, got \[None, 'a'\]",
    ),
    "negative validation weight": (
        lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": -y},
        "sample_weight_val must not be negative",
    ),
    "zero validation weights": (
        lambda X, y: {"X_val": X, "y_val": y, "sample_weight_val": 0 * y},
        "sample_weight_val must not be zero",
    ),
}


def test_names_of_X_val_are_compared_with_those_of_X(Xy):
    X, y = pd.DataFrame(Xy[0], columns=list("abcde")), Xy[1]
    with pytest.raises(ValueError, match="X_val: The feature names should match"):
        BinaryMLPClassifier().fit(X, y, X_val=X[list("edcba")], y_val=y)


@pytest.mark.parametrize("case", BAD_FIT | BAD_VALIDATION)
def test_bad_data_in_fit_are_named_and_change_nothing(fitted, Xy, case):
    change, message = (BAD_FIT | BAD_VALIDATION)[case]
    arguments = {"X": Xy[0], "y": Xy[1]} | change(*Xy)
    before = state(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(**arguments)
    assert state(fitted) == before
    with pytest.raises(ValueError, match=message):
        clone(fitted).fit(**arguments)


@pytest.mark.parametrize("case", BAD_FIT.keys() - {"three classes", "one class"})
def test_bad_data_in_partial_fit_are_named_and_change_nothing(fitted, Xy, case):
    change, message = BAD_FIT[case]
    arguments = {"X": Xy[0], "y": Xy[1]} | change(*Xy)
    before = state(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.partial_fit(**arguments)
    assert state(fitted) == before


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X: X[:, :4],
            "X has 4 features, but BinaryMLPClassifier is expecting 5",
        ),
        (lambda X: with_value(X, np.nan), "Input X contains NaN"),
        (
            lambda X: np.vstack([X] * 100 + [X * 0 + np.inf]),
            "Input X contains infinity",
        ),
        (lambda X: X[:0], "0 sample"),
    ],
)
def test_bad_data_in_predictions_are_named(fitted, Xy, method, change, message):
    with pytest.raises(ValueError, match=message):
        getattr(fitted, method)(change(Xy[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "classes must be given in the first call"),
        ({"classes": [0, 1, 2]}, "Only binary.*got 3"),
        ({"classes": [1]}, "one class"),
        ({"classes": {0, 1}}, r"classes must have one dimension, got shape \(\)"),
        ({"classes": [[0, 1]]}, r"classes must have one dimension, got shape \(1, 2\)"),
        ({"classes": [None, 1]}, "Classes must be of one kind"),
        (
            {"classes": np.array([0, 1], object)},
            "classes must be an array of numbers.*int",
        ),
        ({"classes": [1, 2]}, r"y must hold the classes \[1 2\] only, got \[0\]"),
    ],
)
def test_bad_classes_in_the_first_partial_fit(Xy, arguments, message):
    clf = BinaryMLPClassifier()
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(*Xy, **arguments)
    assert vars(clf) == vars(BinaryMLPClassifier())


def test_later_partial_fit_keeps_features_labels_and_classes(fitted, Xy):
    X, y = Xy
    before = state(fitted)
    for arguments, message in (
        ((X[:, :4], y), "X has 4 features"),
        ((X, y + 1), r"y must hold the classes \[0 1\] only, got \[2\]"),
        ((X, np.where(y == 1, "a", "b")), r"got \['a', 'b'\]"),
        ((X, y, None, [1, 2]), r"expected \[0 1\], got \[1 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.partial_fit(*arguments)
    assert state(fitted) == before


def test_warm_start_keeps_features_classes_and_layers(fitted, Xy):
    X, y = Xy
    fitted.set_params(warm_start=True)
    before = state(fitted)
    for arguments, message in (
        ((X[:, :4], y), "X has 4 features"),
        ((X, y + 1), r"Previously got \[0 1\], `y` has \[1 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.fit(*arguments)
    assert state(fitted) == before
    fitted.set_params(hidden_layer_sizes=(3,))
    with pytest.raises(ValueError, match=r"sizes \[5, 64, 1\].* ask for \[5, 3, 1\]"):
        fitted.fit(X, y)


def test_balanced_classes_need_all_rows(Xy):
    clf = BinaryMLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match=r"balanced.*needs all rows.*as a dict"):
        clf.partial_fit(*Xy, classes=[0, 1])


BAD_PARAMETERS = {
    "hidden_layer_sizes": [
        0,
        -1,
        2.5,
        (0,),
        (5, -1),
        (2.5,),
        ("a",),
        [[3]],
        "a",
        None,
        {4},
        ((3, 2), 4),
    ],
    "activation": ["swish", None, 1],
    "solver": ["newton", None],
    "power_t": [-0.1, np.inf, np.nan, "a", None],
    "tol": [-1e-9, np.inf, np.nan, "a", None],
    "verbose": [-1, "yes", None],
    "early_stopping": [2, "yes", None],
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
    "shuffle": [2, "yes", None],
    "random_state": [-1, 0.5, "a"],
    "warm_start": [2, "yes", None],
    "momentum": [-0.1, 1.1, np.nan, "a", None],
    "nesterovs_momentum": [2, "yes", None],
    "class_weight": ["even", 2, [1, 2], {5: 1}, {0: -1}, {0: np.nan}, {0: 0, 1: 0}],
    "init": ["xavier", None, 0.1],
}


def test_every_parameter_has_bad_values_to_be_tested():
    assert set(BAD_PARAMETERS) == set(BinaryMLPClassifier().get_params())


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_PARAMETERS.items() for value in values],
)
def test_bad_parameter_is_named_and_changes_nothing(fitted, Xy, name, value):
    fitted.set_params(**{name: value})
    before = state(fitted)
    with pytest.raises(ValueError, match=name):
        fitted.fit(*Xy)
    with pytest.raises(ValueError, match=name):
        fitted.partial_fit(*Xy)
    assert state(fitted) == before


# ---- at the limits of numbers


@pytest.mark.parametrize("name", ["alpha", "learning_rate_init", "power_t", "tol"])
def test_an_int_that_is_no_float_is_named(Xy, name):
    with pytest.raises(ValueError, match=f"{name} is too large"):
        BinaryMLPClassifier(**{name: 10**400}).fit(*Xy)


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({}, {"X": [[0], [10**400]]}, "X.* is too large: int too large"),
        ({}, {"X_val": [[10**400]], "y_val": [0]}, "X_val .*is too large"),
        ({}, {"sample_weight": [1, 10**400]}, "sample_weight must hold numbers: int"),
        ({"class_weight": {0: 10**400}}, {}, "class_weight must hold numbers: int"),
    ],
)
def test_data_with_an_int_that_is_no_float_are_named(params, arguments, message):
    arguments = {"X": [[0], [1]], "y": [0, 1]} | arguments
    with pytest.raises(ValueError, match=message):
        BinaryMLPClassifier(**params).fit(**arguments)


def test_a_product_of_weights_that_overflows_is_named(Xy):
    clf = BinaryMLPClassifier(class_weight={0: 1e308})
    with pytest.raises(
        ValueError, match="sample_weight times class_weight must be fin"
    ):
        clf.fit(*Xy, np.full(60, 10))


def test_weights_of_partial_fit_have_a_finite_sum(Xy):
    weight = np.full(60, 1e308)
    BinaryMLPClassifier().fit(*Xy, weight)  # which scales them
    with pytest.raises(ValueError, match=r"sample_weight.* must have a finite sum"):
        BinaryMLPClassifier().partial_fit(*Xy, weight, classes=[0, 1])


@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
def test_rows_that_overflow_in_the_dtype_of_the_weights_are_refused(Xy, method):
    X, y = Xy
    clf = BinaryMLPClassifier(warm_start=True, random_state=0)
    clf.fit(X.astype(np.float32), y)
    arguments = (X * 1e300,) if method == "predict" else (X * 1e300, y)
    with pytest.raises(ValueError, match=r"infinity or a value too large .*float32"):
        getattr(clf, method)(*arguments)


@pytest.mark.parametrize("activation", ["identity", "relu"])
def test_rows_whose_logit_overflows_are_refused(Xy, activation):
    X, y = Xy
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
