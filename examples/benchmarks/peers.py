"""What skbinnet is compared with: other libraries, and the matrix products alone."""

import importlib.util
import sys
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np


def is_installed(name):
    return importlib.util.find_spec(name) is not None


# ---- a lower bound: the matrix products alone


@cache
def compiled_products():
    """Compile products.pyx, which needs Cython, setuptools and a C compiler."""
    import pyximport

    pyximport.install(build_dir=tempfile.mkdtemp())
    sys.path.insert(0, str(Path(__file__).parent))
    import products

    return products


def products_alone(layer_sizes, n_rows, batch_size, n_epochs, dtype=np.float64):
    """Return a function that computes the matrix products of a fit of these sizes.

    An incomplete last minibatch is included. The products of the output layer are left
    out, since its weights are a vector.
    """
    layer_products = compiled_products().layer_products
    n_full, n_rest = divmod(n_rows, batch_size)
    calls = []
    for size, n_times in ((batch_size, n_full * n_epochs), (n_rest, n_epochs)):
        for i, (n_in, n_out) in enumerate(pairwise(layer_sizes)):
            if size == 0 or n_out == 1:
                continue
            a, W = np.ones((size, n_in), dtype), np.zeros((n_in, n_out), dtype)
            z, grad = np.zeros((size, n_out), dtype), np.zeros((n_in, n_out), dtype)
            calls.append((a, W, z, grad, i == 0, n_times))

    def run():
        for arguments in calls:
            layer_products(*arguments)

    return run


# ---- other libraries: plain minibatch gradient descent, hidden layers of relu units


def jax_scan(X, y, n_units, batch_size, n_epochs, dtype):
    """Return a fit by JAX as one compiled program, compiled before it is measured."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    n_rows, n_features = X.shape
    n_batches = -(-n_rows // batch_size)
    X, y = jnp.asarray(X, dtype), jnp.asarray(y, dtype)
    rng = np.random.RandomState(0)
    initial = (
        jnp.asarray(rng.normal(size=(n_features, n_units)) * 0.1, dtype),
        jnp.zeros(n_units, dtype),
        jnp.asarray(rng.normal(size=n_units) * 0.1, dtype),
        jnp.zeros((), dtype),
    )

    def loss(params, X, y, weight):
        W, b, w, c = params
        z = jnp.maximum(X @ W + b, 0) @ w + c
        return jnp.sum(weight * (jnp.logaddexp(0, z) - y * z)) / jnp.sum(weight)

    def step(params, batch):
        rows, weight = batch
        value, grads = jax.value_and_grad(loss)(params, X[rows], y[rows], weight)
        params = tuple(p - 0.01 * g for p, g in zip(params, grads, strict=True))
        return params, value

    def epoch(params, key):
        order = jax.random.permutation(key, n_rows)
        rows = jnp.resize(order, (n_batches, batch_size))
        weight = jnp.arange(n_batches * batch_size) < n_rows  # 0 for the repeated rows
        weight = weight.reshape(rows.shape).astype(dtype)
        params, losses = jax.lax.scan(step, params, (rows, weight))
        return params, losses.mean()

    @jax.jit
    def fit(params, key):
        return jax.lax.scan(epoch, params, jax.random.split(key, n_epochs))

    def run():
        jax.block_until_ready(fit(initial, jax.random.key(0)))

    run()
    return run


def torch_loop(X, y, hidden, batch_size, n_epochs, dtype, n_threads=1):
    """Return a fit by the training loop of PyTorch's tutorials."""
    import torch

    X, y = torch.from_numpy(X.astype(dtype)), torch.from_numpy(y.astype(dtype))

    def run():
        torch.set_num_threads(n_threads)
        torch.manual_seed(0)
        modules = []
        for n_in, n_out in pairwise([X.shape[1], *hidden]):
            modules += torch.nn.Linear(n_in, n_out, dtype=X.dtype), torch.nn.ReLU()
        output = torch.nn.Linear(hidden[-1], 1, dtype=X.dtype)
        model = torch.nn.Sequential(*modules, output)
        loss = torch.nn.BCEWithLogitsLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(n_epochs):
            for rows in torch.randperm(len(X)).split(batch_size):
                optimizer.zero_grad()
                loss(model(X[rows])[:, 0], y[rows]).backward()
                optimizer.step()

    return run


def skorch_fit(X, y, n_units, batch_size, n_epochs, dtype):
    """Return a fit by skorch's binary classifier, without output and validation."""
    import torch
    from skorch import NeuralNetBinaryClassifier

    torch.set_num_threads(1)
    X, y = X.astype(np.float32), y.astype(np.float32)
    net = NeuralNetBinaryClassifier(
        torch.nn.Sequential(
            torch.nn.Linear(X.shape[1], n_units),
            torch.nn.ReLU(),
            torch.nn.Linear(n_units, 1),
            torch.nn.Flatten(0),
        ),
        max_epochs=n_epochs,
        batch_size=batch_size,
        lr=0.01,
        train_split=None,
        verbose=0,
        iterator_train__shuffle=True,
    )
    return lambda: net.fit(X, y)
