"""What several test files do with an estimator."""

from itertools import count

import numpy as np
import pytest
import reference
from sklearn.exceptions import ConvergenceWarning

from skbinnet import BinaryMLPClassifier, TabularMLPClassifier
from skbinnet._core import shuffle
from skbinnet._network import init_params, unflatten


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


def draws_of(clf, n_rows):
    """The first coefs and intercepts of a fit, and the orders and masks of epochs."""
    random_state = np.random.RandomState(clf.random_state)
    sizes = [part.shape[0] for part in clf.coefs_] + [1]
    params = init_params(sizes, clf.init, random_state, np.float64)
    orders, masks = [np.arange(n_rows) for _ in range(clf.max_iter)], []
    for order in orders:
        if clf.shuffle:
            shuffle(order, random_state.random_sample(n_rows))
        if clf.dropout:
            seed = random_state.randint(2**64, dtype=np.uint64)
            epoch = seed, clf.dropout, n_rows, sizes[1:-1]
            masks.append(reference.draw_masks(*epoch))
    return *unflatten(params, sizes), orders, masks


def count_refused(check, seeds):
    """How many of these seeds the function refuses; an error names its seed."""
    n_refused = 0
    for seed in seeds:
        try:
            n_refused += check(seed)
        except BaseException as error:
            error.add_note(f"The seed was {seed}: {check.__module__}.check({seed}).")
            raise
    return n_refused


def assert_sound(clf, X):
    """All predictions for these rows are finite, and agree."""
    z = clf.decision_function(X)
    p = clf.predict_proba(X)
    log_p = clf.predict_log_proba(X)
    assert all(np.isfinite(values).all() for values in (z, p, log_p))
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.abs(p.sum(axis=1) - 1) <= 4 * np.finfo(p.dtype).eps).all()
    assert (log_p <= 0).all()
    assert (clf.predict(X) == clf.classes_[(z > 0).astype(int)]).all()


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
