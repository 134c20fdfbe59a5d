"""Fast neural networks for two classes, as a scikit-learn estimator."""

from importlib.metadata import version

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay

__version__ = version("skbinnet")

__all__ = ["BinaryMLPClassifier", "TrainingCurvesDisplay"]
