"""Sizes beyond 32 and 64 bits, without the memory that they stand for."""

import sys

import numpy as np
import pytest
from every_kind import wide_csr
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

from skbinnet import BinaryMLPClassifier
from skbinnet._core import Method, Optimizer, evaluate, train_epoch
from skbinnet._network import as_rows, flatten, make_network

pytestmark = pytest.mark.unconverged

CASES = {"solver": ["sgd", "adam", "lbfgs"], "backprop": ["loop", "matrix"]}
CASES |= {"size": [2**31, sys.maxsize, 10**400]}
untouched_memory_is_free = pytest.mark.skipif(
    sys.platform == "win32" or sys.maxsize < 2**32,
    reason="np.zeros of 8 GB should take no memory until it is written to",
)


def fitted_weights(Xy, **params):
    clf = BinaryMLPClassifier((3,), random_state=0, alpha=1, **params).fit(*Xy)
    return flatten(clf.coefs_, clf.intercepts_)


def test_a_batch_size_beyond_the_rows_takes_all_rows(size, solver, Xy):
    params = {"solver": solver, "max_iter": 100, "learning_rate": "constant", "tol": 1}
    found = fitted_weights(Xy, batch_size=size, **params)
    assert_array_equal(found, fitted_weights(Xy, batch_size=60, **params))


@pytest.mark.parametrize("learning_rate", ["constant", "cosine", "invscaling"])
def test_max_iter_may_be_any_int(size, solver, learning_rate, Xy):
    # The rule of early_stopping ends these runs after a few epochs.
    params = {"solver": solver, "learning_rate": learning_rate, "tol": 1}
    params |= {"early_stopping": True, "n_iter_no_change": 1, "max_fun": size}
    found = fitted_weights(Xy, max_iter=size, **params)
    assert_array_equal(found, fitted_weights(Xy, max_iter=10**15, **params))


@pytest.mark.parametrize("init", ["glorot", "he", "normal"])
@pytest.mark.parametrize("sizes", [(2**60, 2), 10**400, 2**62, (1, 2**50, 2**50)])
def test_layers_that_no_memory_can_hold_are_named(sizes, init, Xy):
    with pytest.raises(ValueError, match="hidden_layer_sizes ask for more weights"):
        BinaryMLPClassifier(sizes, init=init).fit(*Xy)


def test_layers_that_this_memory_cannot_hold_change_nothing(Xy):
    clf = BinaryMLPClassifier(2**50)
    with pytest.raises(MemoryError, match="allocate"):
        clf.fit(*Xy)
    assert vars(clf) == vars(BinaryMLPClassifier(2**50))


def test_features_that_no_memory_can_hold_are_named():
    X = csr_matrix((2, 2**62))
    with pytest.raises(ValueError, match=r"features of X .* ask for more"):
        BinaryMLPClassifier().fit(X, [0, 1])


@untouched_memory_is_free
def test_dense_rows_may_hold_more_than_2_to_the_31_numbers(backprop):
    n_rows, n_features = 2**15 + 3, 2**16
    X = np.zeros((n_rows, n_features), np.float32)
    X[-1, -1] = 2
    ones, params = np.ones(n_rows, np.float32), np.zeros(n_features + 1, np.float32)
    network = make_network([n_features, 1], "relu", backprop, max_rows=1)
    no_moments, last, rate = params[None][:0], np.array([n_rows - 1]), np.ones(1)
    optimizer, samples = Optimizer(Method.SGD), (as_rows(X), ones, ones)
    train_epoch(network, optimizer, params, no_moments, *samples, last, 1, rate, 0)
    assert params.nonzero()[0].tolist() == [n_features - 1, n_features]
    assert params[-2:].tolist() == [1, 0.5]  # (p - y) x and p - y, with p = 1/2


@untouched_memory_is_free
@pytest.mark.parametrize(
    ("n_features", "n_out", "index"),
    [(2**31 + 5, 1, np.int64), (2**29 + 5, 5, np.int32), (2**29 + 5, 5, np.int64)],
)
def test_weights_of_csr_rows_may_be_more_than_2_to_the_31(n_features, n_out, index):
    X = csr_matrix((1, n_features), dtype=np.float32)
    X.data, X.indices = np.array([2], np.float32), np.array([n_features - 1], index)
    X.indptr = np.array([0, 1], index)
    layer_sizes = [n_features, 1] if n_out == 1 else [n_features, n_out, 1]
    try:
        network = make_network(layer_sizes, "relu", "matrix", 0, 1, sparse=True)
        params = np.zeros(network.n_params, np.float32)
    except MemoryError:
        pytest.skip("the system promises no memory that it does not have")
    params[(n_features - 1) * n_out :] = 1
    one = np.ones(1, np.float32)
    loss, correct = evaluate(network, params, as_rows(X), one, one)
    z = 3 if n_out == 1 else 3 * n_out + 1
    assert (loss, correct) == (pytest.approx(np.log1p(np.exp(-z)), rel=1e-6), 1)


def test_columns_of_64_bits_give_the_same_weights(solver, Xy):
    (X, y), params = Xy, {"solver": solver, "max_iter": 3}
    found = fitted_weights((wide_csr(X), y), **params)
    assert_array_equal(found, fitted_weights((csr_matrix(X), y), **params))
