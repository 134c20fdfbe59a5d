"""The network: layer sizes, and params, the flat vector of all its weights and biases.

params holds W (n_in, n_out), row-major, and b (n_out) of the first layer, then of the
second, and so on to the output layer, whose n_out is 1.
"""

import sys
from itertools import pairwise

import numpy as np
from scipy.special import expit

from ._samples import as_rows, is_finite
from ._sgd_fast import (
    Activation,
    Backprop,
    Network,
    add_bias_rectify,
    input_gradient,
)

# For the compiled core, and for predictions: f(z + b), in place.
ACTIVATIONS = {
    "identity": (Activation.IDENTITY, lambda z, b: np.add(z, b, out=z)),
    "logistic": (Activation.LOGISTIC, lambda z, b: expit(np.add(z, b, out=z), out=z)),
    "tanh": (Activation.TANH, lambda z, b: np.tanh(np.add(z, b, out=z), out=z)),
    "relu": (Activation.RELU, add_bias_rectify),  # in one pass, with the same bits
}
BACKPROPS = {"loop": Backprop.LOOP, "matrix": Backprop.MATRIX}
BLOCK_ROWS = 512  # rows that pass through a network at once where no minibatch says so
MAX_PARAMS = sys.maxsize // 64  # their bytes are then counted by any integer
BLOCK_SIZE = 1 << 18  # numbers that a layer gives for a block of rows to predict


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
    n_params = sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_sizes))
    if n_params > MAX_PARAMS:
        raise ValueError(
            "The features of X and hidden_layer_sizes ask for more weights than any "
            "memory can hold."
        )
    layers = [INITS[init](random_state, *shape) for shape in pairwise(layer_sizes)]
    return flatten(*zip(*layers, strict=True)).astype(dtype, copy=False)


def as_arrays(parts, name):
    """A list of arrays of real numbers."""
    try:
        arrays = [np.asarray(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a list of arrays: {error}.") from error
    if not all(array.dtype.kind in "biuf" for array in arrays):
        dtypes = [str(array.dtype) for array in arrays]
        raise ValueError(f"{name} must hold real numbers, got dtypes {dtypes}.")
    return arrays


def check_layers(coefs, intercepts, n_features):
    """Coefs and intercepts, which a user may have set, as arrays of one float dtype."""
    parts = as_arrays(coefs, "coefs_"), as_arrays(intercepts, "intercepts_")
    single = all(part.dtype == np.float32 for part in parts[0] + parts[1])
    dtype = np.float32 if single else np.float64
    coefs, intercepts = (
        [np.asarray(part, dtype, order="C") for part in some] for some in parts
    )
    shapes = [W.shape for W in coefs], [b.shape for b in intercepts]
    n_outs = [shape[-1] if shape else 0 for shape in shapes[0]]
    if n_features is None and coefs:  # nothing has been fitted yet
        n_features = len(np.atleast_1d(coefs[0]))
    sizes = [n_features, *n_outs[:-1], 1]
    expected = list(pairwise(sizes)), [(n,) for n in n_outs]
    if not coefs or 0 in n_outs or shapes != expected:
        raise ValueError(
            f"coefs_ and intercepts_ have the shapes {shapes[0]} and {shapes[1]}. "
            "Expected are (n_in, n_out) and (n_out,) for each layer, from "
            f"{n_features} features to one output, each layer taking what the one "
            "before it gives."
        )
    if not all(is_finite(part) for part in coefs + intercepts):
        raise ValueError("coefs_ and intercepts_ must be finite, got NaN or infinity.")
    return coefs, intercepts


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


def make_network(layer_sizes, activation, backprop, alpha, max_rows, sparse=False):
    """The compiled network, for blocks of at most max_rows rows."""
    activation, _ = ACTIVATIONS[activation]
    return Network(
        layer_sizes, activation, BACKPROPS[backprop], alpha, max_rows, sparse
    )


def logits(coefs, intercepts, activation, X, check=lambda rows: None):
    """The network's output z for each row of X, before the sigmoid; it may overflow.

    Operation by operation as MLPClassifier takes them, so that the bits are the same;
    rows that need more than one block may differ from it in the last bit. Blocks of
    rows are checked while they are in the cache.
    """
    _, apply = ACTIVATIONS[activation]
    n_rows = BLOCK_SIZE // max(W.shape[1] for W in coefs)
    if n_rows < X.shape[0]:  # blocks that BLAS cuts alike
        n_rows = max(16, n_rows // 16 * 16)
    z = np.empty(X.shape[0], dtype=coefs[0].dtype)
    for start in range(0, len(z), n_rows):
        a = X[start : start + n_rows]
        check(a)
        with np.errstate(over="ignore", invalid="ignore"):
            for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
                a = a @ W
                apply(a, b)
            z[start : start + n_rows] = (a @ coefs[-1])[:, 0] + intercepts[-1]
    return z


def input_gradients(coefs, intercepts, activation, backprop, X):
    """dz/dx for each row x of X."""
    rows = as_rows(X)
    network = make_network(
        sizes_of(coefs), activation, backprop, 0, BLOCK_ROWS, rows.sparse
    )
    gradients = np.empty(X.shape, dtype=X.dtype)
    input_gradient(network, flatten(coefs, intercepts), rows, gradients)
    return gradients
