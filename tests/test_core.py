import sys

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from skbinnet import _network
from skbinnet._core import (
    Method,
    Optimizer,
    csr_rows,
    dense_rows,
    evaluate,
    input_gradient,
    largest_magnitude,
    loss_and_gradient,
    shuffle,
    train_epoch,
)
from skbinnet._network import (
    ACTIVATIONS,
    BACKPROPS,
    as_rows,
    flatten,
    logit_bound,
    predict_logits,
    unflatten,
)

HIDDEN = [(), (4,), (4, 3), (5, 4, 3)]
OPTIMIZERS = {
    Method.SGD: (),
    Method.MOMENTUM: (0.9,),
    Method.NESTEROV: (0.9,),
    Method.ADAM: (0, 0.9, 0.99, 1e-8),
}


def narrow(X):
    return csr_matrix(X)


def wide(X):
    """CSR with 64-bit columns."""
    X = csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


FORMS = {"dense": np.asarray, "narrow CSR": narrow, "wide CSR": wide}


def make_network(
    layer_sizes,
    activation="relu",
    backprop="matrix",
    alpha=0.0,
    max_rows=64,
    sparse=False,
):
    return _network.make_network(
        layer_sizes, activation, backprop, alpha, max_rows, sparse
    )


def make_problem(hidden, n=23, d=6, dtype=np.float64):
    """Layer sizes, params, X, y, sample_weight; half of X is zero."""
    rng = np.random.RandomState(len(hidden))
    layer_sizes = [d, *hidden, 1]
    n_params = make_network(layer_sizes).n_params
    params = rng.normal(scale=0.5, size=n_params).astype(dtype)
    X = (rng.normal(size=(n, d)) * rng.randint(2, size=(n, d))).astype(dtype)
    y = rng.randint(2, size=n).astype(dtype)
    return layer_sizes, params, X, y, rng.uniform(0, 3, size=n).astype(dtype)


def objective(network, params, X, y, sample_weight, grad):
    """J, and its gradient in grad."""
    rows = as_rows(X)
    loss, penalty, _ = loss_and_gradient(network, params, rows, y, sample_weight, grad)
    return loss + penalty


def no_moments(params):
    return np.empty((0, len(params)), params.dtype)


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_matches_finite_differences(hidden, activation, backprop):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    network = make_network(layer_sizes, activation, backprop, alpha=0.1)
    grad, ignored = np.empty_like(params), np.empty_like(params)
    objective(network, params, X, y, sample_weight, grad)

    step = 1e-6
    numeric = np.empty_like(params)
    for i in range(len(params)):
        ahead, behind = params.copy(), params.copy()
        ahead[i] += step
        behind[i] -= step
        numeric[i] = (
            objective(network, ahead, X, y, sample_weight, ignored)
            - objective(network, behind, X, y, sample_weight, ignored)
        ) / (2 * step)
    assert np.linalg.norm(grad - numeric) < 1e-6 * np.linalg.norm(numeric)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_equals_the_numpy_reference(hidden, activation, backprop, form):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    grad = np.empty_like(params)
    network = make_network(
        layer_sizes, activation, backprop, alpha=0.1, sparse=form != "dense"
    )
    loss, penalty, accuracy = loss_and_gradient(
        network, params, as_rows(FORMS[form](X)), y, sample_weight, grad
    )

    coefs, intercepts = unflatten(params, layer_sizes)
    row_weights = sample_weight / sample_weight.sum()
    z = reference.forward(coefs, intercepts, activation, X)[0][-1][:, 0]
    assert loss == pytest.approx(row_weights @ reference.losses(y, z), rel=1e-12)
    assert penalty == pytest.approx(0.05 * sum(np.sum(W**2) for W in coefs), rel=1e-12)
    assert accuracy == pytest.approx(row_weights @ ((z > 0) == y), rel=1e-12)
    expected = reference.gradients(
        coefs, intercepts, activation, 0.1, X, y, row_weights
    )
    assert_allclose(grad, flatten(*expected), rtol=1e-11, atol=1e-14)


# Tiles of each size, panels that are copied or not, sums that are cut in parts: each of
# the numbers is once that of the rows, of the inputs and of the units.
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-13), (np.float32, 3e-5)])
@pytest.mark.parametrize("n_out", [1, 2, 3, 4, 5, 8, 9, 16, 23, 100, 300])
@pytest.mark.parametrize("n_in", [1, 2, 7, 13, 64, 300])
def test_products_of_all_sizes_equal_the_numpy_reference(n_in, n_out, dtype, rtol):
    for n_rows in [*range(1, 14), 18, 24, 64, 70, 300]:
        problem = make_problem((n_out, 3), n_rows, n_in, dtype)
        layer_sizes, params, X, y, sample_weight = problem
        X /= np.sqrt(n_in * n_out, dtype=dtype)  # no logit should be far from 0
        network = make_network(layer_sizes, "identity", max_rows=300)
        grad, dz_dX = np.empty_like(params), np.empty_like(X)
        objective(network, params, X, y, sample_weight, grad)
        input_gradient(network, params, as_rows(X), dz_dX)

        exact = params.astype(np.float64)
        coefs, intercepts = unflatten(exact, layer_sizes)
        row_weights = sample_weight / sample_weight.sum(dtype=np.float64)
        expected = flatten(
            *reference.gradients(coefs, intercepts, "identity", 0, X, y, row_weights)
        )
        assert np.abs(grad - expected).max() < rtol * np.abs(expected).max()
        slope = np.linalg.multi_dot(coefs)[:, 0]
        assert np.abs(dz_dX - slope).max() < rtol * np.abs(slope).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_of_rows_do_not_change_a_bit(dtype):
    layer_sizes, params, X, y, sample_weight = make_problem((8, 3), 300, 20, dtype)
    grads = []
    for max_rows in (300, 64, 7):
        network = make_network(layer_sizes, max_rows=max_rows)
        grads.append(np.empty_like(params))
        objective(network, params, X, y, sample_weight, grads[-1])
    assert_array_equal(grads[0], grads[1])
    assert_array_equal(grads[0], grads[2])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_input_gradient_matches_finite_differences(hidden, activation, backprop, form):
    layer_sizes, params, X, _, _ = make_problem(hidden)
    network = make_network(
        layer_sizes, activation, backprop, max_rows=10, sparse=form != "dense"
    )
    gradients = np.empty_like(X)
    input_gradient(network, params, as_rows(FORMS[form](X)), gradients)

    step = 1e-6
    for j in range(X.shape[1]):
        ahead, behind = X.copy(), X.copy()
        ahead[:, j] += step
        behind[:, j] -= step
        difference = np.subtract(
            *(
                predict_logits(params, layer_sizes, activation, as_rows(rows))
                for rows in (ahead, behind)
            )
        )
        assert_allclose(gradients[:, j], difference / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_evaluation_equals_the_numpy_reference(hidden, backprop, form):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    network = make_network(
        layer_sizes, "tanh", backprop, max_rows=10, sparse=form != "dense"
    )
    rows = as_rows(FORMS[form](X))
    loss, correct = evaluate(network, params, rows, y, sample_weight)
    coefs, intercepts = unflatten(params, layer_sizes)
    z = reference.forward(coefs, intercepts, "tanh", X)[0][-1][:, 0]
    assert loss == pytest.approx(sample_weight @ reference.losses(y, z), rel=1e-12)
    assert correct == pytest.approx(sample_weight @ ((z > 0) == y), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", OPTIMIZERS, ids=lambda method: method.name)
@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_epoch_equals_the_numpy_reference(hidden, backprop, method, form):
    layer_sizes, params, X, y, sample_weight = make_problem(hidden)
    order = np.random.RandomState(1).permutation(len(X))
    rates = np.array([0.1, 0.2, 0.3])
    coefs, intercepts = unflatten(params.copy(), layer_sizes)
    step = reference.STEPS[method.name](*OPTIMIZERS[method])
    expected_sums = reference.epoch(
        coefs, intercepts, step, "tanh", 0.1, X, y, sample_weight,
        [order[:10], order[10:20], order[20:]], rates,
    )  # fmt: skip

    network = make_network(
        layer_sizes, "tanh", backprop, alpha=0.1, max_rows=7, sparse=form != "dense"
    )
    optimizer = Optimizer(method, *OPTIMIZERS[method])
    moments = np.zeros((optimizer.n_moments, len(params)))
    *sums, is_finite = train_epoch(
        network, optimizer, params, moments, as_rows(FORMS[form](X)), y, sample_weight,
        order, 10, rates,
    )  # fmt: skip
    assert_allclose(params, flatten(coefs, intercepts), rtol=1e-11)
    assert_allclose(sums, expected_sums, rtol=1e-12)
    assert is_finite


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", BACKPROPS)
def test_blocks_of_rows_do_not_change_the_result(backprop, form):
    layer_sizes, params, X, y, sample_weight = make_problem((4, 3))
    rows = as_rows(FORMS[form](X))
    results = []
    for max_rows in (1, 7, 64):
        network = make_network(
            layer_sizes, backprop=backprop, alpha=0.1, max_rows=max_rows,
            sparse=form != "dense",
        )  # fmt: skip
        trained, grad, dz_dX = params.copy(), np.empty_like(params), np.empty_like(X)
        sums = loss_and_gradient(network, params, rows, y, sample_weight, grad)
        input_gradient(network, params, rows, dz_dX)
        sums += train_epoch(
            network, Optimizer(Method.SGD), trained, no_moments(params), rows, y,
            sample_weight, np.arange(len(X)), 20, np.full(2, 0.1),
        )  # fmt: skip
        sums += evaluate(network, params, rows, y, sample_weight)
        results.append(np.concatenate([grad, dz_dX.ravel(), trained, sums]))
    assert_allclose(results[0], results[2], rtol=1e-12)
    assert_allclose(results[1], results[2], rtol=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@pytest.mark.parametrize("alpha", [0, 0.01, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_lazy_penalty_of_sparse_rows_is_exact(rate, alpha, dtype, rtol):
    # alpha rate from 0 to 1.5: the factor of the weights goes from 1 over 0 to -0.5;
    # in between its powers pass the limits within which it is put off, and those of
    # float32.
    layer_sizes, dense, X, y, sample_weight = make_problem((4,), n=200, dtype=dtype)
    X[:, 3] = 0  # a feature that no row has: the penalty alone moves its weights
    sparse = dense.copy()
    for params, form in ((dense, "dense"), (sparse, "narrow CSR")):
        for _ in range(3):
            *_, is_finite = train_epoch(
                make_network(layer_sizes, alpha=alpha, sparse=form != "dense"),
                Optimizer(Method.SGD), params, no_moments(params),
                as_rows(FORMS[form](X)), y, sample_weight, np.arange(200), 1,
                np.full(200, rate),
            )  # fmt: skip
            assert is_finite
    atol = 0.01 * rtol * np.abs(dense).max()
    assert_allclose(sparse, dense, rtol=rtol, atol=atol)


@pytest.mark.parametrize("alpha", [1e-3, 3.0])
def test_overflow_of_a_weight_that_no_row_touches_is_seen(alpha):
    # |1 - rate alpha| is 2, at once or when the epoch ends.
    X = csr_matrix(([1.0], ([0], [0])), shape=(1, 2))
    params = np.array([0, 1e308, 0])
    *_, is_finite = train_epoch(
        make_network([2, 1], alpha=alpha, sparse=True), Optimizer(Method.SGD), params,
        no_moments(params), as_rows(X), np.ones(1), np.ones(1),
        np.zeros(1, dtype=np.intp), 1, np.array([-1e3 if alpha < 1 else 1.0]),
    )  # fmt: skip
    assert not is_finite


def test_a_lazy_step_costs_what_the_rows_store():
    # Were the weights of all features touched, this would take half an hour.
    X = csr_matrix(([1.0], ([0], [5])), shape=(1, 10**7))
    params = np.zeros(10**7 + 1)
    train_epoch(
        make_network([10**7, 1], alpha=1e-6, sparse=True), Optimizer(Method.SGD),
        params, no_moments(params), as_rows(X), np.ones(1), np.ones(1),
        np.zeros(10**5, dtype=np.intp), 1, np.full(10**5, 0.1),
    )  # fmt: skip
    assert params.nonzero()[0].tolist() == [5, 10**7]


def test_work_memory_is_bounded_for_wide_data():
    assert make_network([10**6, 1], max_rows=512).max_rows == 1
    assert make_network([10**6, 1], max_rows=512, sparse=True).max_rows == 512
    assert make_network([50, 1], max_rows=512).max_rows == 512


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backprop", BACKPROPS)
def test_loss_is_finite_and_exact_for_extreme_logits(backprop, dtype):
    network = make_network([1, 1], backprop=backprop)
    large = np.finfo(dtype).max
    X = np.array([[large], [-large], [800], [-800], [0]], dtype=dtype)
    y = np.array([1, 0, 0, 1, 1], dtype=dtype)
    grad = np.empty(2, dtype=dtype)
    loss = objective(
        network, np.array([1, 0], dtype=dtype), X, y, np.ones(5, dtype=dtype), grad
    )
    assert loss == pytest.approx((0 + 0 + 800 + 800 + np.log(2)) / 5, rel=1e-12)
    assert_allclose(grad, [(800 + 800) / 5, (1 - 1 - 0.5) / 5], rtol=1e-6)


LOGITS = np.concatenate(
    [
        np.random.RandomState(0).uniform(-1, 1, 500) * scale
        for scale in (1e-300, 1e-8, 1e-3, 0.1, 1, 10, 100, 700)
    ]
)


def losses_and_slopes(z, y):
    """loss(y, z) and dloss/dz, each by a call of its own."""
    network, params, weight = make_network([1, 1]), np.array([1.0, 0]), np.ones(1)
    grad, y = np.empty(2), np.array([float(y)])
    for each in z:
        rows = as_rows(np.array([[each]]))
        loss, _, _ = loss_and_gradient(network, params, rows, y, weight, grad)
        yield loss, grad[1]


def test_losses_are_exact_to_few_units_of_the_last_place():
    z = LOGITS.astype(np.longdouble)
    loss, slope = np.array(list(losses_and_slopes(LOGITS, 0))).T
    e = np.exp(-abs(z))
    assert_allclose(loss, np.maximum(z, 0) + np.log1p(e), rtol=8e-16)
    assert_allclose(slope, np.where(z < 0, e, 1) / (1 + e), rtol=8e-16)
    loss, slope = np.array(list(losses_and_slopes(LOGITS, 1))).T
    assert_allclose(loss, np.maximum(-z, 0) + np.log1p(e), rtol=8e-16, atol=1e-13)
    assert_allclose(slope, -np.where(z < 0, 1, e) / (1 + e), rtol=8e-16, atol=2e-16)


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_activations_are_exact_to_few_units_of_the_last_place(activation):
    network, weight = make_network([1, 1, 1], activation), np.ones(1)
    params, grad = np.array([1.0, 0, 0, 0]), np.empty(4)  # a weighs nothing
    a = []
    for z in LOGITS:
        rows = as_rows(np.array([[z]]))
        loss_and_gradient(network, params, rows, np.zeros(1), weight, grad)
        a.append(2 * grad[2])  # dL/dw = (sigmoid(0) - 0) a
    z = LOGITS.astype(np.longdouble)
    expected = np.tanh(z) if activation == "tanh" else 1 / (1 + np.exp(-z))
    assert_allclose(np.array(a), expected, rtol=8e-16)


def test_shuffle_takes_each_order_as_often():
    random_state = np.random.RandomState(0)
    counts = {}
    for _ in range(6000):
        order = np.arange(3)
        shuffle(order, random_state.random_sample(3))
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts.values()) < 5 * 29  # 5 sigma


def test_shuffle_stays_within_the_order():
    order = np.arange(1000)
    shuffle(order, np.full(1000, np.nextafter(1, 0)))  # the largest draw there is
    assert_array_equal(order, np.arange(1000))
    shuffle(order, np.zeros(1000))
    assert_array_equal(np.sort(order), np.arange(1000))
    with pytest.raises(ValueError, match="do not fit"):
        shuffle(order, np.zeros(999))


def test_sums_are_taken_in_double():
    layer_sizes, params, X, y, sample_weight = make_problem((), 5000, 400, np.float32)
    X, params = np.rint(4 * X) / 4, np.rint(64 * params) / 64  # so that z is exact
    grad = np.empty_like(params)
    network = make_network(layer_sizes, alpha=1.0, max_rows=5000)
    z = predict_logits(params, layer_sizes, "relu", as_rows(X))
    loss, _ = evaluate(network, params, as_rows(X), y, sample_weight)
    z, y64, w64 = (array.astype(np.float64) for array in (z, y, sample_weight))
    # A sum in float32 would be off by 1e-4.
    assert loss == pytest.approx(w64 @ reference.losses(y64, z), rel=1e-8)
    total = objective(network, params, X, y, sample_weight, grad)
    penalty = 0.5 * np.sum(params[:-1].astype(np.float64) ** 2)
    assert total == pytest.approx(loss / w64.sum() + penalty, rel=1e-12)


def test_delta_of_float32_is_rounded_once():
    # With x = 0 and y = 1, z = b and dJ/db = p - 1 = -sigmoid(-b).
    network = make_network([1, 1])
    x, one = np.zeros((1, 1), dtype=np.float32), np.ones(1, dtype=np.float32)
    for b in np.linspace(-10, 3, 101, dtype=np.float32):
        params, grad = np.array([0, b], dtype=np.float32), np.empty(2, np.float32)
        objective(network, params, x, one, one, grad)
        assert_allclose(grad[1], -reference.sigmoid(-np.float64(b)), rtol=1e-7)


def test_adam_stays_in_float32():
    # In double, 1 - 0.999 and the square root would round otherwise.
    beta_1, beta_2, epsilon, rate = np.float32([0.9, 0.999, 1e-8, 0.1])
    one = np.float32(1)
    params, moments = np.zeros(2, np.float32), np.zeros((2, 2), np.float32)
    x = np.array([[0.3]], dtype=np.float32)
    train_epoch(
        make_network([1, 1]), Optimizer(Method.ADAM, 0, 0.9, 0.999, 1e-8), params,
        moments, as_rows(x), np.ones(1, np.float32), np.ones(1, np.float32),
        np.arange(1), 1, np.array([0.1]),
    )  # fmt: skip
    grad = np.float32(-0.5) * np.array([0.3, 1], np.float32)
    mean = (one - beta_1) * grad
    square = (one - beta_2) * grad * grad
    assert_array_equal(moments, [mean, square])
    assert_array_equal(params, -(rate * mean / (np.sqrt(square) + epsilon)))


def test_logit_of_zero_counts_as_the_first_class():
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    network = make_network(layer_sizes)
    _, correct = evaluate(network, 0 * params, as_rows(X), y, sample_weight)
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
    objective(network, params, np.zeros((1, 1)), np.zeros(1), np.ones(1), grad)
    assert_array_equal(grad, [0, 1.5, 0, 0.5])


@pytest.mark.parametrize("backprop", BACKPROPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_is_not_swallowed(activation, backprop):
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    params[0] = np.nan
    network = make_network(layer_sizes, activation, backprop)
    loss, _ = evaluate(network, params, as_rows(X), y, sample_weight)
    assert np.isnan(loss)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backprop", BACKPROPS)
def test_minibatch_of_zero_weight_only_shrinks_the_weights(backprop, form):
    layer_sizes, params, X, y, _ = make_problem((4,))
    before = params.copy()
    train_epoch(
        make_network(
            layer_sizes, backprop=backprop, alpha=0.5, sparse=form != "dense"
        ),
        Optimizer(Method.SGD), params, no_moments(params), as_rows(FORMS[form](X)), y,
        np.zeros(len(X)), np.arange(len(X)), len(X), np.array([0.1]),
    )  # fmt: skip
    coefs, intercepts = unflatten(before, layer_sizes)
    expected = flatten([0.95 * W for W in coefs], intercepts)
    assert_allclose(params, expected, rtol=1e-12)


def test_arrays_that_do_not_fit_are_refused():
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    network, optimizer = make_network(layer_sizes), Optimizer(Method.MOMENTUM, 0.9)
    rows, dz_dX, moments = as_rows(X), np.empty_like(X), np.zeros((1, len(params)))
    order, batch_size, rates = np.arange(len(X)), 10, np.full(3, 0.1)
    misfits = {
        "params": params[1:],
        "rows": as_rows(np.ascontiguousarray(X[:, 1:])),
        "y": y[1:],
        "sample_weight": sample_weight[1:],
        "grad": params[1:],
        "dz_dX": dz_dX[1:],
        "moments": np.zeros((2, len(params))),
        "rates": rates[1:],
    }
    fits = {
        "params": params, "rows": rows, "y": y, "sample_weight": sample_weight,
        "grad": params.copy(), "dz_dX": dz_dX, "moments": moments, "rates": rates,
    }  # fmt: skip
    calls = {
        evaluate: "params rows y sample_weight",
        loss_and_gradient: "params rows y sample_weight grad",
        input_gradient: "params rows dz_dX",
        train_epoch: "params moments rows y sample_weight rates",
    }

    def call(function, arguments):
        if function is not train_epoch:
            return function(network, *arguments)
        *before, rates = arguments
        return function(network, optimizer, *before, order, batch_size, rates)

    for function, names in calls.items():
        names = names.split()
        call(function, [fits[name] for name in names])
        for name in names:
            with pytest.raises(ValueError, match="do not fit"):
                call(function, [(fits | {name: misfits[name]})[n] for n in names])


def test_rows_of_another_kind_are_refused():
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    network = make_network(layer_sizes)
    for rows in (as_rows(X.astype(np.float32)), as_rows(csr_matrix(X))):
        with pytest.raises(ValueError, match="do not fit"):
            evaluate(network, params, rows, y, sample_weight)


@pytest.mark.parametrize(
    ("columns", "indptr"),
    [
        ([0, 5, 1], [0, 2, 3]),  # no column 5
        ([0, -1, 1], [0, 2, 3]),
        ([0, 4], [0, 2, 3]),  # three values, two columns
        ([0, 4, 1], [0, 2, 4]),  # ends beyond the values
        ([0, 4, 1], [0, 3, 2]),  # a row that ends before it begins
        ([0, 4, 1], [1, 2, 3]),
        ([0, 4, 1], []),
    ],
)
def test_a_broken_csr_matrix_is_refused(columns, indptr):
    values, indptr = np.ones(3), np.array(indptr, dtype=np.intp)
    csr_rows(values, np.array([0, 4, 1]), np.array([0, 2, 3]), 5)
    for index in (np.int32, np.int64):
        with pytest.raises(ValueError, match="do not fit"):
            csr_rows(values, np.array(columns, dtype=index), indptr, 5)


def test_rows_are_not_copied_and_stay_alive():
    X = np.ones((3, 2))
    rows = dense_rows(X)
    X[:] = 2
    del X
    params = np.array([1.0, 1.0, 0.0])
    loss, _ = evaluate(make_network([2, 1]), params, rows, np.zeros(3), np.ones(3))
    assert loss == pytest.approx(3 * np.log1p(np.exp(4)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", OPTIMIZERS, ids=lambda method: method.name)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_epoch_tells_whether_all_weights_are_finite(bad, method, form):
    layer_sizes, params, X, y, sample_weight = make_problem((3,))
    X = np.abs(X)
    params[7] = bad  # of feature 2; relu turns minus infinity into a finite loss
    optimizer = Optimizer(method, *OPTIMIZERS[method])
    *_, is_finite = train_epoch(
        make_network(layer_sizes, sparse=form != "dense"), optimizer, params,
        np.zeros((optimizer.n_moments, len(params))), as_rows(FORMS[form](X)), y,
        sample_weight, np.arange(len(X)), 10, np.full(3, 0.1),
    )  # fmt: skip
    assert not is_finite


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_magnitude_is_the_largest_absolute_value_or_nan(dtype):
    largest = np.finfo(dtype).max
    for i in range(101):
        values = np.full(101, 0.5, dtype)
        for value in (largest, -largest, np.nan, np.inf, -np.inf):
            values[i] = value
            expected = largest if np.isfinite(value) else np.nan
            assert_array_equal(largest_magnitude(values), expected)
            assert_array_equal(as_rows(values[None]).magnitude, expected)
            assert_array_equal(as_rows(csr_matrix(values)).magnitude, expected)
    assert largest_magnitude(np.zeros(0, dtype)) == 0
    assert as_rows(csr_matrix((3, 2), dtype=dtype)).magnitude == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_no_logit_is_beyond_its_bound(sign, dtype):
    # Two layers of ones, biases 1: 3 features of size x give 3 (3 x + 1) + 1.
    params, sizes = np.full(16, sign, dtype), [3, 3, 1]
    for x in (2.0, 1e4):
        rows = as_rows(np.full((1, 3), x, dtype))
        z = predict_logits(params, sizes, "identity", rows)
        assert np.abs(z[0]) == 3 * (3 * x + 1) + sign
        assert np.abs(z[0]) < logit_bound(params, sizes, x) == 16 * x
    assert logit_bound(10 * params, sizes, 0.5) == 1600
    assert np.isnan(logit_bound(params * dtype(np.nan), sizes, 1))


def test_no_reference_to_a_constant_is_lost():
    # A core that was built on 3.13 did lose some, which 3.11 counts.
    constants = True, False, None
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    before = list(map(sys.getrefcount, constants))
    for _ in range(100):
        network = make_network(layer_sizes)
        evaluate(network, params, as_rows(X), y, sample_weight)
        largest_magnitude(params)
    assert np.abs(np.subtract(list(map(sys.getrefcount, constants)), before)).max() < 50


def test_one_network_serves_one_solver_after_another():
    # Lazy steps count on a gradient that is zero where no row has values.
    layer_sizes, params, X, y, sample_weight = make_problem((4,))
    rows, again = as_rows(narrow(X)), params.copy()
    shared = make_network(layer_sizes, alpha=0.1, sparse=True)
    methods = [Method.SGD, Method.MOMENTUM, Method.SGD]
    for params_of, network in ((params, lambda: shared), (again, None)):
        for method in methods:
            optimizer = Optimizer(method, 0.9)
            train_epoch(
                network() if network else make_network(
                    layer_sizes, alpha=0.1, sparse=True
                ),
                optimizer, params_of, np.zeros((optimizer.n_moments, len(params))),
                rows, y, sample_weight, np.arange(len(X)), 10, np.full(3, 0.1),
            )  # fmt: skip
    assert_array_equal(params, again)
