"""Fast neural networks for two classes, as a scikit-learn estimator."""

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay

__version__ = "0.1.0"

__all__ = ["BinaryMLPClassifier", "TrainingCurvesDisplay"]
