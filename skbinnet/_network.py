"""The network: layer sizes, and params, the flat vector of all its weights and biases.

params holds W (n_in, n_out), row-major, and b (n_out) of the first layer, then of the
second, and so on to the output layer, whose n_out is 1.
"""

from itertools import pairwise

import numpy as np

from ._sgd_fast import Activation, Backprop, Network, forward

ACTIVATIONS = {
    "identity": Activation.IDENTITY,
    "logistic": Activation.LOGISTIC,
    "tanh": Activation.TANH,
    "relu": Activation.RELU,
}
BACKPROPS = {"loop": Backprop.LOOP, "matrix": Backprop.MATRIX}
BLOCK_ROWS = 512  # rows that pass through a network at once where no minibatch says so


def glorot(random_state, n_in, n_out):
    """U(-c, c) with c^2 = 6 / (n_in + n_out), biases too (Glorot and Bengio, 2010)."""
    bound = np.sqrt(6 / (n_in + n_out))
    W = random_state.uniform(-bound, bound, (n_in, n_out))
    return W, random_state.uniform(-bound, bound, n_out)


def he(random_state, n_in, n_out):
    """N(0, 2 / n_in), biases 0 (He et al., 2015)."""
    return random_state.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)


def normal(random_state, n_in, n_out):
    """N(0, 1), biases too."""
    return random_state.normal(size=(n_in, n_out)), random_state.normal(size=n_out)


INITS = {"glorot": glorot, "he": he, "normal": normal}


def init_params(layer_sizes, init, random_state, dtype):
    """Draw the weights, then the biases, of one layer after the other."""
    layers = [INITS[init](random_state, *shape) for shape in pairwise(layer_sizes)]
    return flatten(*zip(*layers, strict=True)).astype(dtype, copy=False)


def flatten(coefs, intercepts):
    """A new params vector with the values of coefs and intercepts."""
    layers = zip(coefs, intercepts, strict=True)
    return np.concatenate([np.ravel(part) for layer in layers for part in layer])


def unflatten(params, layer_sizes):
    """Coefs and intercepts, as lists of views into params."""
    coefs, intercepts, start = [], [], 0
    for n_in, n_out in pairwise(layer_sizes):
        middle, stop = start + n_in * n_out, start + (n_in + 1) * n_out
        coefs.append(params[start:middle].reshape(n_in, n_out))
        intercepts.append(params[middle:stop])
        start = stop
    return coefs, intercepts


def sizes_of(coefs):
    """Layer sizes of a network with these weight matrices."""
    return [W.shape[0] for W in coefs] + [1]


def make_network(layer_sizes, activation, backprop, alpha, max_rows):
    """The compiled network, for blocks of at most max_rows rows."""
    return Network(
        layer_sizes, ACTIVATIONS[activation], BACKPROPS[backprop], alpha, max_rows
    )


def logits(layer_sizes, activation, backprop, params, X):
    """The network's output z for each row of X, before the sigmoid."""
    max_rows = min(BLOCK_ROWS, len(X))
    network = make_network(layer_sizes, activation, backprop, 0, max_rows)
    z = np.empty(X.shape[0], dtype=X.dtype)
    forward(network, params, X, z)
    return z
