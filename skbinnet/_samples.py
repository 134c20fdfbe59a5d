"""Samples: rows, labels as 0 and 1, and weights, in the form that training takes."""

from typing import NamedTuple

import numpy as np


class Samples(NamedTuple):
    """X is C-contiguous, y holds 0 and 1, and all three are of one dtype."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray


def two_classes(labels):
    """The two labels, sorted."""
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"classes must have one dimension, got shape {labels.shape}.")
    try:
        classes = np.unique(labels)
    except TypeError as error:
        raise ValueError(f"Classes must be of one kind: {error}.") from error
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. "
            f"Expected two classes, got {len(classes)}: {classes}."
        )
    if len(classes) < 2:
        raise ValueError(f"Expected two classes, got one class only: {classes}.")
    return classes


def check_weight(weight, n_samples, name):
    """Weights as float64, 1 each where none are given."""
    if weight is None:
        return np.ones(n_samples)
    try:
        weight = np.asarray(weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}.") from error
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), a weight per row, "
            f"got {weight.shape}."
        )
    if not np.isfinite(weight).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity.")
    if weight.min() < 0:
        raise ValueError(f"{name} must not be negative, got {weight.min()}.")
    if not weight.any():
        raise ValueError(f"{name} must not be zero for every row.")
    return weight


def class_weights(class_weight, classes, y, sample_weight):
    """Weight of each of the two classes; "balanced" makes their totals equal."""
    if class_weight is None:
        return np.ones(2)
    if class_weight == "balanced":
        weight = check_weight(sample_weight, len(y), "sample_weight")
        weight = weight / weight.max()  # so that no sum overflows
        totals = np.array([weight[y == label].sum() for label in classes])
        if not totals.all():
            raise ValueError(
                'class_weight="balanced" needs weight in both classes, '
                f"got total weights {totals} for the classes {classes}."
            )
        return totals.sum() / (2 * totals)
    unknown = set(class_weight) - set(classes.tolist())
    if unknown:
        raise ValueError(
            f"class_weight names {list(unknown)}, but the classes are {classes}."
        )
    weights = [class_weight.get(label, 1) for label in classes.tolist()]
    return check_weight(weights, 2, "class_weight")


def encode_labels(y, classes, name):
    """1 for the second class, 0 for the first, as bool."""
    unknown = set(y.tolist()) - set(classes.tolist())
    if unknown:
        some = sorted(unknown, key=str)[:5]
        raise ValueError(
            f"{name} must hold the classes {classes} only, got {some} too."
        )
    return y == classes[1]


def make_samples(
    X, y, sample_weight, classes, class_weight, suffix="", normalise=False
):
    """Samples with sample weights times class weights, scaled to mean 1 if asked to."""
    positive = encode_labels(y, classes, f"y{suffix}")
    name = f"sample_weight{suffix}"
    weight = check_weight(sample_weight, len(y), name)
    name = f"{name} times class_weight"
    weight = check_weight(weight * class_weight[positive.astype(int)], len(y), name)
    if normalise:
        weight = weight / weight.max()
        weight /= weight.mean()
    with np.errstate(over="ignore"):
        weight = weight.astype(X.dtype)
    check_weight(weight, len(y), f"{name} in {X.dtype}")
    return Samples(X, positive.astype(X.dtype), weight)
