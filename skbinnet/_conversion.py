"""Conversion to and from scikit-learn's MLPClassifier."""

import math
from copy import deepcopy

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from ._solvers import SCHEDULES, SOLVERS

FITTED = [  # attributes of both estimators, except the weights
    "classes_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "t_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_features_in_",
    "feature_names_in_",
]


def to_mlp(clf, layers):
    """An MLPClassifier that predicts as clf does."""
    mlp = MLPClassifier()
    set_shared_params(clf, mlp)
    copy_fitted(clf, mlp, layers)
    mlp.n_layers_, mlp.n_outputs_ = len(mlp.coefs_) + 1, 1
    mlp.out_activation_ = "logistic"
    mlp.set_params(alpha=clf.alpha * rows_per_step(clf))
    if isinstance(clf.learning_rate_init, str):  # "auto"
        mlp.set_params(learning_rate_init=SOLVERS[clf.solver].learning_rate_init)
    if not SCHEDULES[clf.learning_rate].is_in_mlp:
        mlp.set_params(learning_rate="constant")
    mlp._validate_params()  # it may not know an activation
    has_scores = getattr(mlp, "validation_scores_", None) is not None
    if has_scores and "val_accuracy" in clf.history_:
        mlp.validation_scores_ = clf.history_["val_accuracy"].copy()
        mlp.best_validation_score_ = float(np.fmax.reduce(mlp.validation_scores_))
    mlp._label_binarizer = LabelBinarizer().fit(clf.classes_)
    mlp._no_improvement_count = 0  # partial_fit needs it
    return mlp


def from_mlp(mlp, clf):
    """Make clf predict as mlp does, a fitted MLPClassifier for two classes."""
    if not isinstance(mlp, MLPClassifier):
        raise TypeError(f"Expected an MLPClassifier, got {type(mlp).__name__}.")
    check_is_fitted(mlp)
    if mlp.n_outputs_ != 1 or len(mlp.classes_) != 2:
        raise ValueError(
            "Only binary classification is supported. Expected an MLPClassifier for "
            f"two classes, got one with {mlp.n_outputs_} outputs for {mlp.classes_}."
        )
    set_shared_params(mlp, clf)
    clf.best_loss_, clf.loss_curve_ = mlp.loss_, [mlp.loss_]  # of lbfgs
    clf.validation_scores_ = clf.best_validation_score_ = None
    copy_fitted(mlp, clf, (mlp.coefs_, mlp.intercepts_))
    unknown = [math.nan] * len(clf.loss_curve_)
    clf.history_ = {"loss": clf.loss_curve_, "accuracy": unknown}
    clf._state = {}
    clf.set_params(scoring="accuracy", alpha=mlp.alpha / rows_per_step(clf))
    if clf.validation_scores_ is not None:
        clf.history_["val_accuracy"] = clf.validation_scores_
    return clf


def rows_per_step(clf):
    """The number that MLPClassifier divides alpha by, or 1 if it is not known."""
    n_epochs = len(getattr(clf, "history_", {}).get("loss", []))
    n_rows = getattr(clf, "t_", 0) / n_epochs if n_epochs else 0
    if not SOLVERS[clf.solver].is_stochastic:
        return n_rows or 1
    batch_size = 200 if isinstance(clf.batch_size, str) else clf.batch_size  # "auto"
    return min(batch_size, n_rows or batch_size)


def set_shared_params(source, target):
    """Copy the parameters that both estimators have."""
    params, shared = deepcopy(source.get_params()), target.get_params()
    target.set_params(**{name: params[name] for name in params if name in shared})


def copy_fitted(source, target, layers):
    """Copy the weights and the other fitted attributes."""
    coefs, intercepts = layers
    target.coefs_ = [W.copy() for W in coefs]
    target.intercepts_ = [b.copy() for b in intercepts]
    for name in FITTED:
        if hasattr(source, name):
            value = getattr(source, name)
            setattr(target, name, value.copy() if hasattr(value, "copy") else value)
