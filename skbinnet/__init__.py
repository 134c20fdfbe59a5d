"""Fast neural networks for two classes, as a scikit-learn estimator."""

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay

__version__ = "0.1.0"

__all__ = ["TRUSTED_TYPES", "BinaryMLPClassifier", "TrainingCurvesDisplay"]

# What skops has to trust to load a fitted classifier.
TRUSTED_TYPES = [f"{BinaryMLPClassifier.__module__}.{BinaryMLPClassifier.__qualname__}"]
