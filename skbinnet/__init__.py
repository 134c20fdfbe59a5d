"""Fast binary neural networks for scikit-learn."""

from importlib.metadata import version

from ._classifier import BinaryMLPClassifier
from ._display import TrainingCurvesDisplay

__version__ = version("skbinnet")

__all__ = ["BinaryMLPClassifier", "TrainingCurvesDisplay"]
