from unittest import SkipTest

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbinnet import BinaryMLPClassifier


@parametrize_with_checks(
    [
        BinaryMLPClassifier(),
        BinaryMLPClassifier(backprop="loop"),
        BinaryMLPClassifier(hidden_layer_sizes=(20, 10)),
        BinaryMLPClassifier(activation="tanh"),
        BinaryMLPClassifier(solver="sgd", momentum=0),
    ]
)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"no check may be skipped: {skipped}")
