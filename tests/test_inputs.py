import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skbinnet._inputs import (
    cast_weights,
    check_weight,
    class_weights,
    join,
    scale_weights,
    two_classes,
)
from skbinnet._network import as_rows

CLASSES = np.array(["no", "yes"])
Y = np.array(["yes", "no", "yes", "yes"])


def samples(sample_weight=None, class_weight=(1, 1), dtype=np.float64):
    rows = as_rows(np.zeros((4, 2), dtype=dtype))
    return join(rows, Y, sample_weight, CLASSES, np.array(class_weight))


def unknown_label():
    join(
        as_rows(np.ones((1, 1))), np.array(["maybe"]), None, CLASSES, np.ones(2), "_val"
    )


def test_second_class_becomes_1():
    assert_array_equal(samples().y, [1, 0, 1, 1])


def test_labels_and_weights_take_the_dtype_of_X():
    for finish in (scale_weights, cast_weights):
        single = finish(samples(dtype=np.float32))
        assert single.y.dtype == single.sample_weight.dtype == np.float32


def test_sample_weight_times_class_weight():
    weighted = samples([1, 2, 3, 4], class_weight=(10, 1))
    assert_array_equal(weighted.sample_weight, [1, 20, 3, 4])


@pytest.mark.parametrize("scale", [1, 1e-300, 1e300, 4e307])
def test_normalised_weights_have_mean_1_at_every_scale(scale):
    scaled = scale_weights(samples(scale * np.array([1, 2, 3, 4])))
    assert_allclose(scaled.sample_weight, [0.4, 0.8, 1.2, 1.6], rtol=1e-12)


def test_weights_of_the_caller_are_not_changed():
    weight = np.array([1.0, 2, 3, 4])
    some = samples(weight, class_weight=(10, 1))
    scale_weights(some._replace(order=np.array([0, 1])))
    assert_array_equal(weight, [1, 2, 3, 4])


def test_weights_are_scaled_within_the_rows_to_train_on():
    some = samples([1, 2, 3, 4])._replace(order=np.array([1, 3]))
    assert_allclose(scale_weights(some).sample_weight, [0, 2 / 3, 0, 4 / 3])


def test_balanced_gives_both_classes_the_same_total():
    weight = np.array([1.0, 2, 3, 4])
    balanced = class_weights("balanced", CLASSES, Y, weight)
    weighted = samples(weight, balanced).sample_weight
    assert_allclose(weighted[[0, 2, 3]].sum(), weighted[1])
    assert_allclose(class_weights("balanced", CLASSES, Y, None), [4 / 2, 4 / 6])
    huge = class_weights("balanced", CLASSES, Y, np.full(4, 1.7e308))
    assert_allclose(huge, [4 / 2, 4 / 6])


def test_class_missing_in_the_dict_weighs_1():
    assert_array_equal(class_weights({"yes": 3}, CLASSES, Y, None), [1, 3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_classes([3, 3]), r"one class only: \[3\]"),
        (lambda: two_classes([3, 1, 2]), r"Only binary.*got 3: \[1 2 3\]"),
        (unknown_label, r"y_val must hold .*'no' 'yes'.* only, got \['maybe'\]"),
        (lambda: check_weight([1, 2], 3, "w"), r"w must have shape \(3,\).*got \(2,\)"),
        (lambda: check_weight([[1], [2]], 2, "w"), r"got \(2, 1\)"),
        (lambda: check_weight(2.0, 2, "w"), r"got \(\)"),
        (lambda: check_weight([1, np.nan], 2, "w"), "w must be finite"),
        (lambda: check_weight([1, np.inf], 2, "w"), "w must be finite"),
        (lambda: check_weight([1, -2], 2, "w"), "w must not be negative, got -2.0"),
        (lambda: check_weight([0, 0], 2, "w"), "w must not be zero for every row"),
        (
            lambda: samples(class_weight=(0, 0)),
            "sample_weight times class_weight .* zero",
        ),
        (lambda: class_weights({"maybe": 1}, CLASSES, Y, None), r"names \['maybe'\]"),
        (
            lambda: class_weights({"yes": "a"}, CLASSES, Y, None),
            "class_weight must hold numbers",
        ),
        (
            lambda: cast_weights(samples([1e-46] * 4, dtype=np.float32)),
            "sample_weight times class_weight in float32 must not be zero",
        ),
        (
            lambda: cast_weights(samples([1e39] * 4, dtype=np.float32)),
            "sample_weight times class_weight in float32 must be finite",
        ),
        (
            lambda: class_weights({"yes": -1}, CLASSES, Y, None),
            "class_weight .* negative",
        ),
        (
            lambda: class_weights("balanced", CLASSES, Y, [1, 0, 1, 1]),
            "balanced.* weight in both classes",
        ),
    ],
)
def test_error_says_what_was_expected_and_got(call, message):
    with pytest.raises(ValueError, match=message):
        call()
