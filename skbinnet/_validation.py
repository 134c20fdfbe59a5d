"""Validation: which rows are held out, which score is watched, and what is better."""

from dataclasses import dataclass
from math import ceil, isnan
from numbers import Real

import numpy as np
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import StratifiedShuffleSplit

from . import _messages
from ._core import evaluate
from ._network import block_rows, unflatten

# ---- the rows that are held out


def draw_hold_outs(positive, sample_weight, validation_fraction, n_draws, seed):
    """Draw, several times, the numbers of the rows to hold out, stratified by class.

    Rows without weight do not count in a score, and are not held out.
    """
    (candidates,) = np.nonzero(sample_weight)
    n_rows = max(2, ceil(validation_fraction * len(candidates)))
    splitter = StratifiedShuffleSplit(n_draws, test_size=n_rows, random_state=seed)
    splits = splitter.split(candidates, positive[candidates].astype(str))
    return [np.sort(candidates[held_out]) for _, held_out in splits]


def hold_out(samples, validation_fraction, classes, seed):
    """Split into samples that are held out, and the others."""
    drawn_from = samples.y == 1, samples.sample_weight
    try:
        (held_out,) = draw_hold_outs(*drawn_from, validation_fraction, 1, seed)
    except ValueError as error:
        raise ValueError(
            "early_stopping=True cannot hold out validation_fraction="
            f"{validation_fraction} of each class (True is {classes[1]}): "
            f"{str(error).rstrip('.')}. Give X_val and y_val, or more rows with a "
            "weight that is not zero."
        ) from error
    rest = np.setdiff1d(samples.training_rows, held_out, assume_unique=True)
    return samples.take(held_out), samples._replace(training_rows=rest)


def may_be_encoded(classes):
    """Whether an ensemble may have encoded the user's labels as 0 and 1."""
    return classes.dtype.kind in "iu" and classes.tolist() == [0, 1]


# ---- the score that is watched


@dataclass(frozen=True)
class Scoring:
    """A score, and the curve of history_ that records it."""

    curve: str
    sign: int = 1  # -1 if a smaller value is better
    scorer: object = None  # a callable; None if each epoch computes the value anyway


SCORINGS = {
    "loss": Scoring("val_loss", sign=-1),
    "accuracy": Scoring("val_accuracy"),
}


def find_scoring(scoring):
    """The Scoring for a key of SCORINGS, the name of a scorer, or a callable."""
    if not isinstance(scoring, str):
        return Scoring("val_score", scorer=scoring)
    if scoring in SCORINGS:
        return SCORINGS[scoring]
    return Scoring(f"val_{scoring}", scorer=get_scorer(scoring))


def check_scoring_param(clf):
    """Raise scikit-learn's error for an unknown name, or a metric function."""
    if find_scoring(clf.scoring).scorer is not None:
        check_scoring(clf, clf.scoring)


class Validation:
    """Validation samples, and the score that is watched on them."""

    def __init__(self, clf, samples, settings):
        self.settings = settings
        self.scoring = find_scoring(clf.scoring)
        self.samples = samples
        max_rows = block_rows(len(samples.y), settings.threads)
        self.network = settings.network(max_rows, samples.rows.sparse)
        self.total_weight = samples.sample_weight.sum(dtype=np.float64)
        has_one_class = np.ptp(samples.y) == 0
        self.may_be_swapped = has_one_class and may_be_encoded(clf.classes_)
        self.score_params = None  # params -> the scorer's value
        if self.scoring.scorer is not None:
            self.score_params = bind_scorer(
                clf, self.scoring.scorer, samples, settings.layer_sizes
            )

    def figures(self, params):
        """The values of an epoch, by the names of their curves."""
        loss, correct = evaluate(self.network, params, *self.samples.arrays)
        figures = {
            "val_loss": loss / self.total_weight,
            "val_accuracy": correct / self.total_weight,
        }
        if self.score_params is not None:
            figures[self.scoring.curve] = self.score_params(params)
        return figures

    def score(self, figures):
        """The watched value, with a sign such that it should grow."""
        return self.scoring.sign * figures[self.scoring.curve]

    def messages(self, history, n_epochs):
        """Yield warnings about a run of n_epochs that has ended."""
        curve = self.scoring.curve
        accuracy, val_accuracy = history["accuracy"][-1], history["val_accuracy"][-1]
        if self.settings.early_stopping and all(map(isnan, history[curve][-n_epochs:])):
            yield _messages.undefined_score(curve)
        if self.may_be_swapped and val_accuracy < 0.5 < accuracy:
            yield _messages.labels_may_be_swapped(val_accuracy)


def bind_scorer(clf, scorer, samples, layer_sizes):
    """The score as a function of params.

    A named scorer gets the labels 0 and 1, so that 1 is positive; a callable gets the
    user's labels.
    """
    seen = object.__new__(type(clf))  # copy() would clear the callbacks
    vars(seen).update(vars(clf))
    vars(seen).pop("feature_names_in_", None)  # X is an array now
    if isinstance(clf.scoring, str):
        seen.classes_ = np.array([0, 1])
    X, y, weight = samples.rows.X, samples.y, samples.sample_weight
    labels = seen.classes_[y.astype(np.intp)]
    weights = {"sample_weight": weight} if (weight != weight[0]).any() else {}

    def score(params):
        seen.coefs_, seen.intercepts_ = unflatten(params.copy(), layer_sizes)
        try:
            value = scorer(seen, X, labels, **weights)
        except TypeError as error:
            if not weights or "sample_weight" not in str(error):
                raise
            raise TypeError(
                "scoring is called with sample_weight, because the weights of the "
                "validation rows differ, by sample_weight or class_weight: let "
                "the function take sample_weight=None as its fourth argument, or give "
                f"another scoring than {clf.scoring!r}."
            ) from error
        if not isinstance(value, Real):
            raise ValueError(f"scoring must return a number, got {value!r}.")
        return value

    return score
