"""Fast neural networks for two classes, as a scikit-learn estimator."""

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay
from ._encoding import PiecewiseLinearEncoder

__version__ = "0.1.0"

__all__ = [
    "TRUSTED_TYPES",
    "BinaryMLPClassifier",
    "PiecewiseLinearEncoder",
    "TrainingCurvesDisplay",
]

# The types that skops has to trust to load fitted estimators.
TRUSTED_TYPES = [
    f"{estimator.__module__}.{estimator.__qualname__}"
    for estimator in (BinaryMLPClassifier, PiecewiseLinearEncoder)
]
