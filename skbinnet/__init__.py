"""Neural networks for two classes, as scikit-learn estimators."""

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay
from ._encoding import PiecewiseLinearEncoder
from ._tabular import TabularMLPClassifier

__version__ = "0.2.0"

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
    "skbinnet._encoding.Numbers",
    "skbinnet._encoding.PiecewiseLinearEncoder",
    "skbinnet._encoding.Ramps",
    "skbinnet._encoding.SparseEncoder",
    "skbinnet._encoding.Statistics",
    "skbinnet._encoding.TableEncoder",
    "skbinnet._table.Categories",
    "skbinnet._table.SparseReader",
    "skbinnet._table.TableReader",
    "skbinnet._tabular.TabularMLPClassifier",
    "numpy.dtype",
]
