"""Fast neural networks for two classes, as a scikit-learn estimator."""

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay
from ._encoding import PiecewiseLinearEncoder
from ._tabular import TabularMLPClassifier

__version__ = "0.1.0"

__all__ = [
    "TRUSTED_TYPES",
    "BinaryMLPClassifier",
    "PiecewiseLinearEncoder",
    "TabularMLPClassifier",
    "TrainingCurvesDisplay",
]

# The types that skops has to trust to load fitted estimators.
TRUSTED_TYPES = [
    "skbinnet._classifier.BinaryMLPClassifier",
    "skbinnet._encoding.PiecewiseLinearEncoder",
    "skbinnet._table.TableReader",
    "skbinnet._tabular.TabularMLPClassifier",
    "skbinnet._tabular.clip_to_3",
    "skbinnet._tabular.log_odds",
    "skbinnet._tabular.squash",
    "numpy.dtype",
    "sklearn.model_selection._split.StratifiedKFold",
]
