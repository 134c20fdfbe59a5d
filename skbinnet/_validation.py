"""Validation data: what is held out, and the score that is watched."""

from math import ceil
from numbers import Real

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split

from ._network import unflatten
from ._samples import Samples, scale_weights
from ._training import Validation


def hold_out(clf, samples, seed):
    """Numbers of the rows to train on, and samples of the others, stratified."""
    n_rows = len(samples.y)
    try:
        rows, others = train_test_split(
            np.arange(n_rows, dtype=np.intp),
            test_size=max(2, ceil(clf.validation_fraction * n_rows)),
            stratify=(samples.y == 1).astype(str),
            random_state=seed,
        )
    except ValueError as error:
        raise ValueError(
            "early_stopping=True cannot hold out validation_fraction="
            f"{clf.validation_fraction} of each class (True is {clf.classes_[1]}): "
            f"{str(error).rstrip('.')}. Give X_val and y_val, or more rows."
        ) from error
    rows.sort()
    others.sort()
    held_out = Samples(*(part[others] for part in samples))
    return rows, scale_weights(held_out, name="sample_weight of the rows held out")


def watch(clf, samples, settings):
    """Validation on these samples, with the scorer that `scoring` asks for."""
    scorer = None
    if clf.scoring not in ("loss", "accuracy"):
        scorer = make_scorer(clf, samples, settings.layer_sizes)
    return Validation(settings, samples, curve_name(clf.scoring), scorer)


def make_scorer(clf, samples, layer_sizes):
    """The score as a function of params.

    A scorer that is known by its name sees the labels 0 and 1, and so knows which is
    positive; a callable sees the classes.
    """
    seen = object.__new__(type(clf))  # a copy, but unlike copy() it checks nothing
    vars(seen).update(vars(clf))
    vars(seen).pop("feature_names_in_", None)  # X has become an array
    scorer = clf.scoring
    if isinstance(scorer, str):
        scorer = get_scorer(scorer)
        seen.classes_ = np.array([0, 1])
    X, y, weight = samples
    labels = seen.classes_[y.astype(np.intp)]
    weights = {"sample_weight": weight} if (weight != weight[0]).any() else {}

    def score(params):
        seen.coefs_, seen.intercepts_ = unflatten(params.copy(), layer_sizes)
        value = scorer(seen, X, labels, **weights)
        if not isinstance(value, Real):
            raise ValueError(f"scoring must return a number, got {value!r}.")
        return value

    return score


def curve_name(scoring):
    """Where history_ keeps what `scoring` asks for."""
    return f"val_{scoring}" if isinstance(scoring, str) else "val_score"
