"""The network: layer sizes, and params, the flat vector of all weights and biases.

params holds W (n_in, n_out), row-major, and b (n_out) of the first layer, then of the
second, and so on to the output layer, whose n_out is 1.
"""

import math
import sys
from itertools import pairwise
from numbers import Integral

import numpy as np
from scipy.sparse import issparse

from ._core import (
    Activation,
    Backprop,
    Network,
    csr_rows,
    dense_rows,
    input_gradient,
    largest_magnitude,
    logits,
)

ACTIVATIONS = {kind.name.lower(): kind for kind in Activation}
BACKPROPS = {kind.name.lower(): kind for kind in Backprop}
BLOCK_ROWS = 512  # rows that pass through a network together, minibatches apart
MAX_PARAMS = sys.maxsize // 64  # so that the size of params in bytes is an intp


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
    """Draw the weights, then the biases, of one layer after the other."""
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
    # np.asarray tells a sequence from a set and from a nested sequence.
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
        arrays = [np.asarray(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a list of arrays: {error}.") from error
    if not all(array.dtype.kind in "biuf" for array in arrays):
        dtypes = [str(array.dtype) for array in arrays]
        raise ValueError(f"{name} must hold real numbers, got dtypes {dtypes}.")
    return arrays


def check_layers(coefs, intercepts, n_features):
    """Return params and layer sizes of coefs and intercepts, which users may set.

    params is a copy, of float32 if all parts are, else of float64. n_features is None
    before the first fit.
    """
    coefs, intercepts = as_arrays(coefs, "coefs_"), as_arrays(intercepts, "intercepts_")
    shapes = [W.shape for W in coefs], [b.shape for b in intercepts]
    n_outs = [shape[-1] if shape else 0 for shape in shapes[0]]
    if n_features is None and coefs:
        n_features = len(np.atleast_1d(coefs[0]))
    layer_sizes = [n_features, *n_outs[:-1], 1]
    expected = list(pairwise(layer_sizes)), [(n,) for n in n_outs]
    if not coefs or 0 in n_outs or shapes != expected:
        raise ValueError(
            f"coefs_ and intercepts_ have the shapes {shapes[0]} and {shapes[1]}, but "
            "must have (n_in, n_out) and (n_out,) for each layer, from "
            f"{n_features} features to one output, where n_in is the n_out of the "
            "layer before."
        )
    is_single = all(part.dtype == np.float32 for part in coefs + intercepts)
    dtype = np.float32 if is_single else np.float64
    params = flatten(coefs, intercepts).astype(dtype, copy=False)
    if not is_finite(params):
        raise ValueError("coefs_ and intercepts_ must be finite, got NaN or infinity.")
    return params, layer_sizes


# ---- finite numbers


def magnitude(X):
    """The largest |x| in a contiguous array or CSR matrix; NaN if any x is not finite.

    An array is read once, faster than by np.isfinite, and without a copy.
    """
    return largest_magnitude((X.data if issparse(X) else X).ravel())


def is_finite(X):
    """Whether no value of a contiguous array or CSR matrix is NaN or infinite."""
    return not math.isnan(magnitude(X))


def logit_bound(params, layer_sizes, x):
    """No logit of rows with magnitude x can be larger; NaN if a weight is NaN.

    n inputs up to x >= 1 and weights up to w >= 1 give no output above (n + 1) w x,
    whatever the activation.
    """
    w = max(magnitude(params), 1.0)
    return math.prod([float(n + 1) * w for n in layer_sizes[:-1]], start=max(x, 1.0))


# ---- the compiled network


def as_rows(X):
    """The rows of X for the compiled core, without a copy."""
    if not issparse(X):
        return dense_rows(X)
    return csr_rows(X.data, X.indices, X.indptr.astype(np.intp), X.shape[1])


def make_network(
    layer_sizes, activation, backprop, alpha=0, max_rows=BLOCK_ROWS, sparse=False
):
    """The compiled network, for blocks of at most max_rows rows."""
    return Network(
        layer_sizes,
        ACTIVATIONS[activation],
        BACKPROPS[backprop],
        alpha,
        max_rows,
        sparse,
    )


def predict_logits(params, layer_sizes, activation, X):
    """The output z, before the sigmoid, for each row of X; it may overflow."""
    rows, z = as_rows(X), np.empty(X.shape[0], params.dtype)
    max_rows = min(BLOCK_ROWS, X.shape[0])
    network = make_network(
        layer_sizes, activation, "matrix", max_rows=max_rows, sparse=rows.sparse
    )
    logits(network, params, rows, z)
    return z


def input_gradients(params, layer_sizes, activation, backprop, X):
    """dz/dx for each row x of X."""
    rows, gradients = as_rows(X), np.empty(X.shape, params.dtype)
    network = make_network(layer_sizes, activation, backprop, sparse=rows.sparse)
    input_gradient(network, params, rows, gradients)
    return gradients
