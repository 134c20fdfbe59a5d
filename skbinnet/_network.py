"""The network: layer sizes, and params, the flat vector of all weights and biases.

params holds W (n_in, n_out), row-major, and b (n_out) of the first layer, then of the
second, and so on to the output layer, whose n_out is 1.
"""

import math
import sys
from itertools import pairwise
from numbers import Integral

import numpy as np

from ._core import (
    Activation,
    Backprop,
    Network,
    Threads,
    are_joined,
    csr_rows,
    dense_rows,
    input_gradient,
    largest_magnitude,
    logits,
)
from ._threads import count_threads, helpers

ACTIVATIONS = {kind.name.lower(): kind for kind in Activation}
BACKPROPS = {kind.name.lower(): kind for kind in Backprop}
BLOCK_ROWS = 512  # rows of a part that passes through a network, if not a minibatch
MUCH = 1e8  # multiplications of a prediction for which threads are started
MAX_PARAMS = sys.maxsize // 64  # the size of params in bytes then fits an intp


# ---- initialisation


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
    """Draw weights, then biases, layer by layer."""
    n_params = sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_sizes))
    if n_params > MAX_PARAMS:
        raise ValueError(
            "The features of X and hidden_layer_sizes ask for more weights than any "
            "memory can hold."
        )
    layers = [INITS[init](random_state, *shape) for shape in pairwise(layer_sizes)]
    return flatten(*zip(*layers, strict=True)).astype(dtype, copy=False)


# ---- layers <-> params


def flatten(coefs, intercepts):
    """A new params vector with the values of coefs and intercepts."""
    layers = zip(coefs, intercepts, strict=True)
    return np.concatenate([part.ravel() for layer in layers for part in layer])


def unflatten(params, layer_sizes):
    """Coefs and intercepts, as lists of views into params."""
    coefs, intercepts, start = [], [], 0
    for n_in, n_out in pairwise(layer_sizes):
        middle, stop = start + n_in * n_out, start + (n_in + 1) * n_out
        coefs.append(params[start:middle].reshape(n_in, n_out))
        intercepts.append(params[middle:stop])
        start = stop
    return coefs, intercepts


def check_hidden_layer_sizes(hidden_layer_sizes):
    """Return hidden_layer_sizes as a list of int."""
    # The array of a set has no dimensions, that of a nested sequence has two.
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes, dtype=object))
    if sizes.ndim > 1 or not all(
        isinstance(size, Integral) and size >= 1 for size in sizes
    ):
        raise ValueError(
            "hidden_layer_sizes must be an int >= 1 or a sequence of them, "
            f"got {hidden_layer_sizes!r}."
        )
    return [int(size) for size in sizes]


def as_arrays(parts, name):
    """A list of arrays of real numbers."""
    try:
        arrays = list(map(np.asarray, parts))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a list of arrays: {error}.") from error
    for array in arrays:
        if array.dtype.kind not in "fiub":
            dtypes = [str(array.dtype) for array in arrays]
            raise ValueError(f"{name} must hold real numbers, got dtypes {dtypes}.")
    return arrays


def as_vector(parts):
    """The vector that these arrays are views of, from end to end, or else a copy."""
    params = parts[0].base
    is_vector = type(params) is np.ndarray and params.ndim == 1
    if not is_vector or not are_joined(parts, params):
        params = np.concatenate([part.ravel() for part in parts])
    if params.dtype == np.float32 or params.dtype == np.float64:
        return params
    return params.astype(np.float64)


def check_layers(coefs, intercepts, n_features):
    """Return params and layer sizes; raise ValueError if the layers do not fit.

    A user may have set coefs and intercepts. params is the vector that they are views
    of, or else a copy, of float32 if they are, else of float64. n_features is None
    before the first fit.
    """
    coefs, intercepts = as_arrays(coefs, "coefs_"), as_arrays(intercepts, "intercepts_")
    if n_features is None and coefs:
        n_features = len(np.atleast_1d(coefs[0]))
    layer_sizes, parts = [n_features], []
    fits = len(coefs) == len(intercepts) > 0
    for W, b in zip(coefs, intercepts, strict=False):
        fits = fits and b.ndim == 1 and W.shape == (layer_sizes[-1], *b.shape)
        layer_sizes += b.shape
        parts += W, b
    if not fits or layer_sizes[-1] != 1 or 0 in layer_sizes:
        raise ValueError(
            f"coefs_ and intercepts_ have the shapes {[W.shape for W in coefs]} and "
            f"{[b.shape for b in intercepts]}, but must have (n_in, n_out) and "
            f"(n_out,) for each layer, from {n_features} features to one output, where "
            "n_in is the n_out of the layer before."
        )
    params = as_vector(parts)
    if math.isnan(largest_magnitude(params)):
        raise ValueError("coefs_ and intercepts_ must be finite, got NaN or infinity.")
    return params, layer_sizes


# ---- the compiled network, and the rows that pass through it


def as_rows(X):
    """The rows of X, C-contiguous or CSR, for the compiled core, without a copy."""
    if isinstance(X, np.ndarray):
        rows = dense_rows(X)
    else:
        rows = csr_rows(X.data, X.indices, X.indptr.astype(np.intp), X.shape[1])
    rows.X = X
    return rows


def make_network(
    layer_sizes, activation, backprop="matrix", alpha=0.0, max_rows=512, sparse=False,
    dropout=0.0, threads=None,
):  # fmt: skip
    """A compiled network for blocks of at most max_rows rows."""
    activation, backprop = ACTIVATIONS[activation], BACKPROPS[backprop]
    options = activation, backprop, alpha, max_rows, sparse, dropout
    return Network(layer_sizes, *options, threads or Threads(1))


def block_rows(n_rows, threads):
    """How many of n_rows rows pass together, if they are not in minibatches."""
    return min(n_rows, BLOCK_ROWS * threads.n_parts)


def prediction_network(params, layer_sizes, activation, backprop, rows, n_jobs):
    """A network for predictions, and its threads: one, if others would hardly help."""
    is_much = rows.n_rows * len(params) >= MUCH and not rows.sparse
    threads = Threads(count_threads(n_jobs) if is_much else 1)
    options = backprop, 0, block_rows(rows.n_rows, threads), rows.sparse, 0, threads
    return make_network(layer_sizes, activation, *options), threads


def predict_logits(params, layer_sizes, activation, rows, n_jobs=1):
    """The output z, before the sigmoid, for each row."""
    layers = params, layer_sizes, activation
    network, threads = prediction_network(*layers, "matrix", rows, n_jobs)
    z = np.empty(rows.n_rows, params.dtype)
    with helpers(threads):
        magnitude = logits(network, params, rows, z)
    refuse_overflow(magnitude, z.dtype)
    return z


def input_gradients(params, layer_sizes, activation, backprop, rows, n_jobs=1):
    """dz/dx for each row x."""
    layers = params, layer_sizes, activation
    network, threads = prediction_network(*layers, backprop, rows, n_jobs)
    gradients = np.empty((rows.n_rows, rows.n_features), params.dtype)
    with helpers(threads):
        input_gradient(network, params, rows, gradients)
    refuse_overflow(largest_magnitude(gradients.ravel()), gradients.dtype)
    return gradients


def refuse_overflow(magnitude, dtype):
    """Raise ValueError if a result is not finite: its magnitude is then NaN."""
    if math.isnan(magnitude):
        raise ValueError(
            f"X is too large for the weights: a result overflows {dtype}. Bring the "
            "features to a similar scale, for example with StandardScaler."
        )


def logit_bound(params, layer_sizes, x):
    """An upper bound of |z| for rows of magnitude x; NaN if a weight is NaN.

    A unit with n inputs of at most x >= 1, and with weights of at most w >= 1, gives at
    most (n + 1) w x, whatever the activation.
    """
    w = max(largest_magnitude(params), 1.0)
    return math.prod([float(n + 1) * w for n in layer_sizes[:-1]], start=max(x, 1.0))
