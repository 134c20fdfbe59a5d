import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal

from skbinnet import _network
from skbinnet._network import ACTIVATIONS, BACKPROPS, flatten, unflatten
from skbinnet._sgd_fast import (
    Optimizer,
    evaluate,
    forward,
    loss_and_gradient,
    train_epoch,
)

HIDDEN = [(), (4,), (4, 3), (5, 4, 3)]
OPTIMIZERS = {
    Optimizer.SGD: (0.0, False),
    Optimizer.MOMENTUM: (0.9, False),
    Optimizer.NESTEROV: (0.9, True),
}


def make_network(
    layer_sizes, activation="relu", backprop="matrix", alpha=0.0, max_rows=64
):
    return _network.make_network(layer_sizes, activation, backprop, alpha, max_rows)


def make_problem(hidden, n=23, d=6, dtype=np.float64):
    """Layer sizes, params, X, y, sample_weight."""
    rng = np.random.RandomState(len(hidden))
    layer_sizes = [d, *hidden, 1]
    n_params = make_network(layer_sizes).n_params
    params = rng.normal(scale=0.5, size=n_params).astype(dtype)
    X = rng.normal(size=(n, d)).astype(dtype)
    y = rng.randint(2, size=n).astype(dtype)
    return layer_sizes, params, X, y, rng.uniform(0, 3, size=n).astype(dtype)


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_forward_equals_the_numpy_reference(hidden, activation, backprop):
    layer_sizes, params, X, _, _ = make_problem(hidden)
    z = np.empty(len(X))
    forward(make_network(layer_sizes, activation, backprop), params, X, z)
    zs, _ = reference.forward(*unflatten(params, layer_sizes), activation, X)
    assert_allclose(z, zs[-1][:, 0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_matches_finite_differences(hidden, activation, backprop):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    network = make_network(layer_sizes, activation, backprop, alpha=0.1)
    grad, ignored = np.empty_like(params), np.empty_like(params)
    loss_and_gradient(network, params, X, y, sample_weight, grad)

    step = 1e-6
    numeric = np.empty_like(params)
    for i in range(len(params)):
        ahead, behind = params.copy(), params.copy()
        ahead[i] += step
        behind[i] -= step
        numeric[i] = (
            loss_and_gradient(network, ahead, X, y, sample_weight, ignored)
            - loss_and_gradient(network, behind, X, y, sample_weight, ignored)
        ) / (2 * step)
    assert np.linalg.norm(grad - numeric) < 1e-6 * np.linalg.norm(numeric)


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_equals_the_numpy_reference(hidden, activation, backprop):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    grad = np.empty_like(params)
    network = make_network(layer_sizes, activation, backprop, alpha=0.1)
    objective = loss_and_gradient(network, params, X, y, sample_weight, grad)

    coefs, intercepts = unflatten(params, layer_sizes)
    row_weights = sample_weight / sample_weight.sum()
    z = reference.forward(coefs, intercepts, activation, X)[0][-1][:, 0]
    penalty = 0.05 * sum(np.sum(W**2) for W in coefs)
    assert objective == pytest.approx(
        row_weights @ reference.losses(y, z) + penalty, rel=1e-12
    )
    expected = reference.gradients(
        coefs, intercepts, activation, 0.1, X, y, row_weights
    )
    assert_allclose(grad, flatten(*expected), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_evaluation_equals_the_numpy_reference(hidden, backprop):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    network = make_network(layer_sizes, "tanh", backprop, max_rows=10)
    loss, correct = evaluate(network, params, X, y, sample_weight)
    coefs, intercepts = unflatten(params, layer_sizes)
    z = reference.forward(coefs, intercepts, "tanh", X)[0][-1][:, 0]
    assert loss == pytest.approx(sample_weight @ reference.losses(y, z), rel=1e-12)
    assert correct == pytest.approx(sample_weight @ ((z > 0) == y), rel=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer.name)
@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_epoch_equals_the_numpy_reference(hidden, backprop, optimizer):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    momentum, nesterov = OPTIMIZERS[optimizer]
    order = np.random.RandomState(1).permutation(len(X))
    rates = np.array([0.1, 0.2, 0.3])
    coefs, intercepts = unflatten(params.copy(), layer_sizes)
    velocities = [np.zeros_like(part) for part in [*coefs, *intercepts]]
    expected_sums = reference.sgd_epoch(
        coefs, intercepts, velocities, "tanh", 0.1, X, y, sample_weight,
        [order[:10], order[10:20], order[20:]], rates, momentum, nesterov,
    )  # fmt: skip

    network = make_network(layer_sizes, "tanh", backprop, alpha=0.1, max_rows=10)
    velocity = np.zeros_like(params)
    sums = train_epoch(
        network, optimizer, momentum, params, velocity, X, y, sample_weight,
        order, 10, rates,
    )  # fmt: skip
    assert_allclose(params, flatten(coefs, intercepts), rtol=1e-11)
    assert_allclose(sums, expected_sums, rtol=1e-12)


@pytest.mark.parametrize("backprop", BACKPROPS)
def test_blocks_of_rows_do_not_change_the_result(backprop):
    layer_sizes, params, X, y, sample_weight = make_problem((4, 3))
    results = []
    for max_rows in (1, 7, 64):
        network = make_network(
            layer_sizes, backprop=backprop, alpha=0.1, max_rows=max_rows
        )
        trained, z, grad = params.copy(), np.empty(len(X)), np.empty_like(params)
        forward(network, params, X, z)
        loss = loss_and_gradient(network, params, X, y, sample_weight, grad)
        sums = train_epoch(
            network, Optimizer.SGD, 0, trained, np.zeros_like(params), X, y,
            sample_weight, np.arange(len(X)), 20, np.full(2, 0.1),
        )  # fmt: skip
        sums += evaluate(network, params, X, y, sample_weight)
        results.append(np.concatenate([z, grad, trained, [loss], sums]))
    assert_allclose(results[0], results[2], rtol=1e-12)
    assert_allclose(results[1], results[2], rtol=1e-12)


def test_work_memory_is_bounded_for_wide_data():
    assert make_network([10**6, 1], max_rows=512).max_rows == 1
    assert make_network([1000, 1], max_rows=512).max_rows == 512


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backprop", BACKPROPS)
def test_loss_is_finite_and_exact_for_extreme_logits(backprop, dtype):
    network = make_network([1, 1], backprop=backprop)
    X = np.array([[1e30], [-1e30], [800], [-800], [0]], dtype=dtype)
    y = np.array([1, 0, 0, 1, 1], dtype=dtype)
    grad = np.empty(2, dtype=dtype)
    loss = loss_and_gradient(
        network, np.array([1, 0], dtype=dtype), X, y, np.ones(5, dtype=dtype), grad
    )
    assert loss == pytest.approx((0 + 0 + 800 + 800 + np.log(2)) / 5, rel=1e-12)
    assert_allclose(grad, [(800 + 800) / 5, (1 - 1 - 0.5) / 5], rtol=1e-6)


def test_sums_are_taken_in_double():
    layer_sizes, params, X, y, sample_weight = make_problem((), 5000, 400, np.float32)
    z, grad = np.empty(5000, dtype=np.float32), np.empty_like(params)
    network = make_network(layer_sizes, alpha=1.0)
    forward(network, params, X, z)
    loss, _ = evaluate(network, params, X, y, sample_weight)
    z, y64, w64 = (array.astype(np.float64) for array in (z, y, sample_weight))
    assert loss == pytest.approx(w64 @ reference.losses(y64, z), rel=1e-12)
    objective = loss_and_gradient(network, params, X, y, sample_weight, grad)
    penalty = 0.5 * np.sum(params[:-1].astype(np.float64) ** 2)
    assert objective == pytest.approx(loss / w64.sum() + penalty, rel=1e-12)


def test_delta_of_float32_is_rounded_once():
    # With x = 0 and y = 1, z = b and dJ/db = p - 1 = -sigmoid(-b).
    network = make_network([1, 1])
    x, one = np.zeros((1, 1), dtype=np.float32), np.ones(1, dtype=np.float32)
    for b in np.linspace(-10, 3, 101, dtype=np.float32):
        params, grad = np.array([0, b], dtype=np.float32), np.empty(2, np.float32)
        loss_and_gradient(network, params, x, one, one, grad)
        assert_allclose(grad[1], -reference.sigmoid(-np.float64(b)), rtol=1e-7)


def test_logit_of_zero_counts_as_the_first_class():
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    network = make_network(layer_sizes)
    _, correct = evaluate(network, np.zeros_like(params), X, y, sample_weight)
    assert correct == pytest.approx(sample_weight[y == 0].sum())


@pytest.mark.parametrize("sizes", [[5], [5, 0, 1], [5, -3, 1]])
def test_layer_sizes_that_do_not_make_a_network_are_refused(sizes):
    with pytest.raises(ValueError, match="do not fit"):
        make_network(sizes)


@pytest.mark.parametrize("backprop", BACKPROPS)
def test_derivative_of_relu_at_zero_is_one(backprop):
    # x = 0 and b = 0 make z = 0; dL/db = (p - y) v f'(0) with p = 1/2, y = 0 and v = 3.
    params = np.array([2.0, 0.0, 3.0, 0.0])
    grad = np.empty(4)
    network = make_network([1, 1, 1], "relu", backprop)
    loss_and_gradient(network, params, np.zeros((1, 1)), np.zeros(1), np.ones(1), grad)
    assert_array_equal(grad, [0, 1.5, 0, 0.5])


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_is_not_swallowed(activation, backprop):
    layer_sizes, params, X, _, _ = make_problem((4,))
    params[0] = np.nan
    z = np.empty(len(X))
    forward(make_network(layer_sizes, activation, backprop), params, X, z)
    assert np.isnan(z).all()


@pytest.mark.parametrize("backprop", BACKPROPS)
def test_minibatch_of_zero_weight_only_shrinks_the_weights(backprop):
    layer_sizes, params, X, y, _ = make_problem((4,))
    before = params.copy()
    train_epoch(
        make_network(layer_sizes, backprop=backprop, alpha=0.5), Optimizer.SGD, 0,
        params, np.zeros_like(params), X, y, np.zeros(len(X)), np.arange(len(X)),
        len(X), np.array([0.1]),
    )  # fmt: skip
    coefs, intercepts = unflatten(before, layer_sizes)
    expected = flatten([0.95 * W for W in coefs], intercepts)
    assert_allclose(params, expected, rtol=1e-12)


def test_arrays_that_do_not_fit_are_refused():
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    network, narrow = make_network(layer_sizes), np.ascontiguousarray(X[:, 1:])
    out, grad, order = np.empty(len(X)), params.copy(), np.arange(len(X))
    momentum, batch_size, rates = 0, 10, np.full(3, 0.1)
    calls = {
        forward: [params, X, out],
        evaluate: [params, X, y, sample_weight],
        loss_and_gradient: [params, X, y, sample_weight, grad],
        train_epoch: [params, grad, X, y, sample_weight, order, batch_size, rates],
    }
    for function, arrays in calls.items():
        options = [Optimizer.SGD, momentum] if function is train_epoch else []
        function(network, *options, *arrays)
        for i, array in enumerate(arrays):
            if array is batch_size or array is order:
                continue
            short = narrow if array is X else array[1:]
            with pytest.raises(ValueError, match="do not fit"):
                function(network, *options, *arrays[:i], short, *arrays[i + 1 :])
