"""What a file may bring: the attributes of a fitted estimator, checked as they come.

The weights are not among them: every use checks those, since users may set them.
"""

from itertools import chain
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

COUNT = Interval(Integral, 0, 2**53, closed="both")  # a float counts as far
COUNTS = {"n_features_in_": [COUNT], "t_": [COUNT], "n_iter_": [COUNT]}
RUN = {"history_", "t_", "n_iter_", "_state"}  # are not there before the first run
LEFT = RUN | {"coefs_", "intercepts_", "classes_", "n_features_in_"}
STATE = {  # what a later run goes on from, beside weights and curves
    "moments": [np.ndarray],
    "random_state": [np.random.RandomState],
    "n_steps": [COUNT],
    "n_no_change": [COUNT],
    "n_cuts": [COUNT],
    "hold_out_seed": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
    "checksum": [COUNT],
}


def check_loaded(attributes, name):
    """Raise ValueError where an attribute is not as fit or partial_fit leaves it."""
    try:
        check_presence(attributes)
        counts = {key: attributes[key] for key in COUNTS if key in attributes}
        validate_parameter_constraints(COUNTS, counts, name)
        for key, check in CHECKS.items():
            if key in attributes:
                check(attributes[key])
    except ValueError as error:
        raise ValueError(
            f"This {name} was damaged, or saved by another version: {error}"
        ) from error


def check_presence(attributes):
    """What a run leaves is there as a whole, or not at all."""
    missing = LEFT - attributes.keys()
    if missing and not RUN.isdisjoint(attributes):
        raise ValueError(f"{sorted(missing)} are missing.")


def check_classes(classes):
    """An array of two labels, sorted."""
    try:
        is_sorted = bool(classes[0] < classes[1])
    except (TypeError, ValueError, IndexError, KeyError):
        is_sorted = False
    is_array = isinstance(classes, np.ndarray) and classes.dtype.kind not in "cSV"
    if is_array and classes.dtype == object:
        is_array = all(isinstance(label, str) for label in classes.ravel())
    if not (is_array and classes.shape == (2,) and is_sorted):
        raise ValueError(
            f"classes_ must be an ndarray of two labels, sorted, got {classes!r}."
        )


def check_history(history):
    """Lists, those of ours of numbers and all as long; the others are their owner's."""
    curves = history if isinstance(history, dict) else {}
    ours = [
        curve
        for name, curve in curves.items()
        if name in ("loss", "accuracy") or str(name).startswith("val_")
    ]
    is_sound = {"loss", "accuracy"} <= curves.keys()
    is_sound = is_sound and all(isinstance(curve, list) for curve in curves.values())
    is_sound = is_sound and len(set(map(len, ours))) == 1 and bool(ours[0])
    kinds = set(map(type, chain(*ours))) if is_sound else ()
    if not (is_sound and all(issubclass(kind, Real) for kind in kinds)):
        raise ValueError(
            'history_ must be a dict of lists of numbers, all as long, with "loss" and '
            '"accuracy" among them.'
        )


def check_state(state):
    """What a later run goes on from; empty after from_sklearn."""
    is_dict = isinstance(state, dict)
    if is_dict and not state:
        return
    if not (is_dict and state.keys() == STATE.keys()):
        raise ValueError(f"_state must be a dict of {list(STATE)}, got {state!r}.")
    validate_parameter_constraints(STATE, state, "_state")
    moments = state["moments"]
    is_sound = moments.dtype.kind == "f" and moments.flags.c_contiguous
    if not (is_sound and np.isfinite(moments).all()):
        raise ValueError("The moments in _state must be finite floats in C order.")


CHECKS = {
    "classes_": check_classes,
    "history_": check_history,
    "_state": check_state,
}
