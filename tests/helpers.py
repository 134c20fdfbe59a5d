"""What several test files do with an estimator."""

from itertools import count

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skbinnet import BinaryMLPClassifier, TabularMLPClassifier


def small(**params):
    """A TabularMLPClassifier of three small networks, with seed 0."""
    return TabularMLPClassifier(
        **{"n_estimators": 3, "max_iter": 12, "random_state": 0} | params
    )


def mlp(*args, **params):
    """A classifier with seed 0."""
    return BinaryMLPClassifier(*args, **{"random_state": 0} | params)


def weights(clf):
    """All weights and biases, in one vector."""
    return np.concatenate([part.ravel() for part in clf.coefs_ + clf.intercepts_])


def fit_warns(message, clf, *args, **kwargs):
    """Fit the classifier, which should warn with this message."""
    with pytest.warns(ConvergenceWarning, match=message):
        return clf.fit(*args, **kwargs)


def scorer_from(values):
    """A scorer that returns one value after the other."""
    values = iter(values)
    return lambda estimator, X, y: next(values)


def half(estimator, X, y):
    """A scorer that returns 0.5."""
    return 0.5


def acts_in_call(number, act, function=half):
    """The function, which calls act() at the end of its call with this number."""
    numbers = count(1)

    def call(*arguments):
        result = function(*arguments)
        if next(numbers) == number:
            act()
        return result

    return call
