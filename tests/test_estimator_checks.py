from unittest import SkipTest

import pytest
import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbinnet import BinaryMLPClassifier

# scikit-learn 1.6 makes two classes of three by the first label that it meets, after
# shuffling one of the two data sets that it compares: their labels differ.
BROKEN_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": "fixed in scikit-learn 1.7"
}


@parametrize_with_checks(
    [
        BinaryMLPClassifier(),
        BinaryMLPClassifier(backprop="loop"),
        BinaryMLPClassifier(hidden_layer_sizes=(20, 10)),
        BinaryMLPClassifier(activation="tanh"),
        BinaryMLPClassifier(solver="sgd", momentum=0),
    ],
    expected_failed_checks=lambda estimator: (
        BROKEN_CHECKS if sklearn.__version__.startswith("1.6.") else {}
    ),
)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(f"no check may be skipped: {skipped}")
