import sys

import numpy as np
import pytest
import reference
from every_kind import FORMS
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from skbinnet import _core, _network
from skbinnet._network import as_rows, flatten, make_network, unflatten

# The rules that an optimizer follows, with their constants.
RULES = {"SGD": [], "MOMENTUM": [0.9], "NESTEROV": [0.9], "ADAM": [0, 0.9, 0.99, 1e-8]}
CASES = {
    "hidden": [(), (4,), (4, 3), (5, 4, 3)],
    "activation": _network.ACTIVATIONS,
    "backprop": _network.BACKPROPS,
    "method": RULES,
    "form": FORMS,
    "dtype": [np.float32, np.float64],
}


class Problem:
    """A network, its params, and rows with their labels and weights."""

    def __init__(
        self, layer_sizes, params, X, y=1, sample_weight=1, dtype=np.float64,
        activation="relu", backprop="matrix", form="dense", alpha=0.0, max_rows=512,
        dropout=0.0,
    ):  # fmt: skip
        self.layer_sizes, self.activation, self.alpha = layer_sizes, activation, alpha
        self.params, self.form = np.array(params, dtype), form
        self.X, self.y = np.array(X, dtype), np.full(len(X), y, dtype)
        self.sample_weight = np.full(len(X), sample_weight, dtype)
        self.network = make_network(
            layer_sizes, activation, backprop, alpha, max_rows, form != "dense", dropout
        )

    @property
    def samples(self):
        """X in its form, as the core takes it, with labels and weights."""
        return as_rows(FORMS[self.form](self.X)), self.y, self.sample_weight

    def evaluate(self):
        return _core.evaluate(self.network, self.params, *self.samples)

    def loss_and_gradient(self):
        """Loss, penalty, accuracy, and the gradient of the objective."""
        grad = np.empty_like(self.params)
        sums = _core.loss_and_gradient(self.network, self.params, *self.samples, grad)
        return *sums, grad

    def objective(self):
        loss, penalty, *_ = self.loss_and_gradient()
        return loss + penalty

    def input_gradient(self):
        gradients = np.empty_like(self.X)
        _core.input_gradient(self.network, self.params, self.samples[0], gradients)
        return gradients

    def dense_logits(self):
        """Predictions for X as dense rows, whatever its form."""
        layers = self.params, self.layer_sizes, self.activation
        return _network.predict_logits(*layers, as_rows(self.X))

    def train(
        self, method="SGD", rule=None, order=None, batch_size=10, rates=0.1, seed=0
    ):
        """Train params for one epoch, in place; the moments are new."""
        optimizer = _core.Optimizer(_core.Method[method], *(rule or RULES[method]))
        shape = optimizer.n_moments, len(self.params)
        self.moments = np.zeros(shape, self.params.dtype)
        order = np.arange(len(self.X)) if order is None else order
        rates = np.full(-(-len(order) // batch_size), rates)
        state = self.network, optimizer, self.params, self.moments
        return _core.train_epoch(*state, *self.samples, order, batch_size, rates, seed)

    def in_numpy(self):
        """The same network as a NumPy reference, in double, and its samples."""
        layers = unflatten(self.params.astype(np.float64), self.layer_sizes)
        network = reference.Network(*layers, self.activation, self.alpha)
        return network, (self.X, self.y, self.sample_weight)


def make_problem(
    hidden=(4,), activation="relu", backprop="matrix", form="dense", n=23, d=6, **kwargs
):
    """A problem with random numbers; half of X is zero."""
    rng, layer_sizes = np.random.RandomState(len(hidden)), [d, *hidden, 1]
    n_params = make_network(layer_sizes, "relu", "matrix").n_params
    params = rng.normal(scale=0.5, size=n_params)
    X = rng.normal(size=(n, d)) * rng.randint(2, size=(n, d))
    y, sample_weight = rng.randint(2, size=n), rng.uniform(0, 3, size=n)
    kwargs |= {"activation": activation, "backprop": backprop, "form": form}
    return Problem(layer_sizes, params, X, y, sample_weight, **kwargs)


def central_difference(function, x, where, step=1e-6):
    """The derivative of function() while x[where], on which it depends, changes."""
    before = x[where].copy()
    x[where] = before + step
    ahead = function()
    x[where] = before - step
    behind = function()
    x[where] = before
    return (ahead - behind) / (2 * step)


def test_gradient_matches_finite_differences(hidden, activation, backprop):
    problem = make_problem(hidden, activation, backprop, alpha=0.1)
    *_, grad = problem.loss_and_gradient()
    where = range(len(grad))
    numeric = [central_difference(problem.objective, problem.params, i) for i in where]
    assert np.linalg.norm(grad - numeric) < 1e-6 * np.linalg.norm(numeric)


def test_gradient_equals_the_numpy_reference(hidden, activation, backprop, form):
    problem = make_problem(hidden, activation, backprop, form, alpha=0.1)
    loss, penalty, accuracy, grad = problem.loss_and_gradient()
    exact, samples = problem.in_numpy()
    total = problem.sample_weight.sum()
    assert_allclose([total * loss, total * accuracy], exact.sums(*samples), rtol=1e-12)
    squares = sum(np.sum(W**2) for W in exact.coefs)
    assert penalty == pytest.approx(0.05 * squares, rel=1e-12)
    expected = flatten(*exact.gradients(*samples))
    assert_allclose(grad, expected, rtol=1e-11, atol=1e-14)


# Tiles of each size, panels that are copied or not, sums that are cut in parts: each of
# the numbers is once that of the rows, of the inputs and of the units.
@pytest.mark.parametrize("n_out", [1, 2, 3, 4, 5, 8, 9, 16, 23, 100, 300])
@pytest.mark.parametrize("n_in", [1, 2, 7, 13, 64, 300])
def test_products_of_all_sizes_equal_the_numpy_reference(n_in, n_out, dtype):
    options = {"dtype": dtype, "max_rows": 300}
    rtol = {np.float64: 1e-13, np.float32: 3e-5}[dtype]
    for n_rows in [*range(1, 14), 18, 24, 64, 70, 300]:
        problem = make_problem((n_out, 3), "identity", n=n_rows, d=n_in, **options)
        problem.X /= np.sqrt(n_in * n_out, dtype=dtype)  # no logit is far from 0
        *_, grad = problem.loss_and_gradient()
        dz_dX = problem.input_gradient()
        exact, samples = problem.in_numpy()
        expected = flatten(*exact.gradients(*samples))
        assert np.abs(grad - expected).max() < rtol * np.abs(expected).max()
        slope = np.linalg.multi_dot(exact.coefs)[:, 0]
        assert np.abs(dz_dX - slope).max() < rtol * np.abs(slope).max()


def test_input_gradient_matches_finite_differences(hidden, activation, backprop, form):
    problem = make_problem(hidden, activation, backprop, form, max_rows=10)
    gradients = problem.input_gradient()
    for j in range(gradients.shape[1]):
        numeric = central_difference(problem.dense_logits, problem.X, np.s_[:, j])
        assert_allclose(gradients[:, j], numeric, rtol=1e-6, atol=1e-9)


def test_evaluation_equals_the_numpy_reference(hidden, backprop, form):
    problem = make_problem(hidden, "tanh", backprop, form, max_rows=10)
    exact, samples = problem.in_numpy()
    assert_allclose(problem.evaluate(), exact.sums(*samples), rtol=1e-12)


@pytest.mark.parametrize("dropout", [0, 0.3])
def test_epoch_equals_the_numpy_reference(hidden, backprop, method, form, dropout):
    options = {"alpha": 0.1, "max_rows": 7, "dropout": dropout}
    problem = make_problem(hidden, "tanh", backprop, form, **options)
    order, rates = np.random.RandomState(1).permutation(23), [0.1, 0.2, 0.3]
    (exact, samples), batches = problem.in_numpy(), reference.minibatches(order)
    step = reference.STEPS[method], *RULES[method]
    masks = draw_masks(problem, dropout, seed=3)
    expected_sums = exact.epoch(step, *samples, batches, rates, masks)
    *sums, is_finite = problem.train(method, order=order, rates=rates, seed=3)
    assert_allclose(problem.params, flatten(exact.coefs, exact.intercepts), rtol=1e-11)
    assert_allclose(sums, expected_sums, rtol=1e-12)
    assert is_finite


def take_step(problem, seed, rate):
    """Take one step of plain SGD with all rows; returns the loss before it."""
    n = len(problem.X)
    loss, *_ = problem.train(batch_size=n, rates=float(rate), seed=seed)
    return loss / n


def draw_masks(problem, dropout, seed):
    """The masks that the reference draws for an epoch of all rows."""
    hidden = problem.layer_sizes[1:-1]
    return reference.draw_masks(seed, dropout, len(problem.X), hidden)


def test_the_reference_draws_the_published_words_of_splitmix64():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert reference.splitmix64(1234567, 0, 3).tolist() == published


@pytest.mark.parametrize("dropout", [1e-12, 0.1, 0.5, 0.9, 1 - 1e-12])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_share_of_dropped_units_is_dropout(seed, dropout, dtype):
    # With a = 1 and z = 0 for every unit, dL/dW of the output layer is -m / 2.
    params = [0] * 999 + [1] * 999 + [0] * 1000
    problem = Problem([1, 999, 1], params, [[0]], dtype=dtype, dropout=dropout)
    found = []
    for epoch in range(50):
        problem.params[:] = params
        take_step(problem, (seed + epoch) % 2**64, rate=2)
        found.append(problem.params[-1000:-1].copy())
        (mask,) = draw_masks(problem, dropout, (seed + epoch) % 2**64)
        assert_array_equal(found[-1], mask[0].astype(dtype))
    n, share = np.size(found), np.mean(np.array(found) == 0)
    assert abs(share - dropout) <= 5 * np.sqrt(dropout * (1 - dropout) / n)


def test_gradient_with_dropout_matches_finite_differences(hidden, activation, backprop):
    problem = make_problem(hidden, activation, backprop, dropout=0.4)
    problem.sample_weight[:] = 1
    params, where = problem.params, range(len(problem.params))

    def loss():  # the masks are those of the seed
        return take_step(problem, seed=5, rate=0)

    numeric = [central_difference(loss, params, i) for i in where]
    before = params.copy()
    take_step(problem, seed=5, rate=1)
    grad = before - params
    assert np.linalg.norm(grad - numeric) < 1e-6 * np.linalg.norm(numeric)


def test_gradient_with_dropout_equals_the_numpy_reference(
    hidden, activation, backprop, form
):
    options = {"alpha": 0.1, "dropout": 0.4, "max_rows": 7}
    problem = make_problem(hidden, activation, backprop, form, **options)
    (exact, samples), before = problem.in_numpy(), problem.params.copy()
    take_step(problem, seed=5, rate=1)
    masks = draw_masks(problem, 0.4, seed=5)
    expected = flatten(*exact.gradients(*samples, masks, total=23))
    assert_allclose(before - problem.params, expected, rtol=1e-11, atol=1e-14)


def test_only_epochs_drop_units(hidden, backprop, form):
    thinned, whole = (
        make_problem(hidden, "tanh", backprop, form, dropout=p) for p in (0.5, 0)
    )
    thinned.train()  # a later call must not use its masks
    whole.params[:] = thinned.params
    for one in (Problem.evaluate, Problem.loss_and_gradient, Problem.input_gradient):
        for found, expected in zip(one(thinned), one(whole), strict=True):
            assert_array_equal(found, expected)


@pytest.mark.parametrize("dropout", [-0.1, 1, np.nan])
def test_impossible_dropout_is_refused(dropout):
    with pytest.raises(ValueError, match="do not fit"):
        make_network([5, 3, 1], "relu", dropout=dropout)


def test_size_of_a_block_does_not_change_the_bits_of_a_gradient(dtype):
    options = {"n": 300, "d": 20, "dtype": dtype, "dropout": 0.3}
    problems = [make_problem((9, 3), max_rows=rows, **options) for rows in (300, 64, 7)]
    first, *others = (problem.loss_and_gradient()[-1] for problem in problems)
    assert_array_equal(others, [first, first])
    for problem in problems:
        problem.train(batch_size=150)
    first, *others = (problem.params for problem in problems)
    assert_array_equal(others, [first, first])


def test_size_of_a_block_does_not_change_the_results(backprop, form):
    results = []
    for size in (1, 7, 64):
        options = {"max_rows": size, "alpha": 0.1, "dropout": 0.3}
        problem = make_problem((4, 3), "relu", backprop, form, **options)
        *sums, grad = problem.loss_and_gradient()
        sums += problem.evaluate()
        dz_dX = problem.input_gradient()
        sums += problem.train(batch_size=20)
        results.append(np.concatenate([sums, grad, dz_dX.ravel(), problem.params]))
    assert_allclose(results[0], results[2], rtol=1e-12)
    assert_allclose(results[1], results[2], rtol=1e-12)


@pytest.mark.parametrize("alpha", [0, 0.01, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_lazy_penalty_of_sparse_rows_is_exact(rate, alpha, dtype):
    # alpha rate from 0 to 1.5: the factor of the weights goes from 1 over 0 to -0.5;
    # in between its powers pass the limits within which it is put off, and those of
    # float32.
    trained = []
    for form in ("dense", "narrow CSR"):
        problem = make_problem(n=200, dtype=dtype, form=form, alpha=alpha)
        problem.X[:, 3] = 0  # only the penalty moves the weights of this feature
        for _ in range(3):
            *_, is_finite = problem.train(batch_size=1, rates=rate)
            assert is_finite
        trained.append(problem.params)
    dense, sparse = trained
    rtol = {np.float64: 1e-9, np.float32: 1e-3}[dtype]
    assert_allclose(sparse, dense, rtol=rtol, atol=0.01 * rtol * np.abs(dense).max())


@pytest.mark.parametrize(("alpha", "rate"), [(1e-3, -1e3), (3.0, 1.0)])
def test_overflow_of_a_weight_that_no_row_touches_is_seen(alpha, rate):
    # |1 - rate alpha| is 2, at once or when the epoch ends.
    problem = Problem([2, 1], [0, 1e308, 0], [[1, 0]], form="narrow CSR", alpha=alpha)
    *_, is_finite = problem.train(batch_size=1, rates=rate)
    assert not is_finite


def test_time_of_a_lazy_step_depends_only_on_the_stored_values():
    # Were the weights of all features touched, this would take half an hour.
    X, params = np.zeros((1, 10**7)), np.zeros(10**7 + 1)
    X[0, 5] = 1
    problem = Problem([10**7, 1], params, X, form="narrow CSR", alpha=1e-6)
    problem.train(order=np.zeros(10**5, dtype=np.intp), batch_size=1)
    assert problem.params.nonzero()[0].tolist() == [5, 10**7]


def test_one_network_serves_one_solver_after_another():
    # Lazy steps count on a gradient that is zero where no row has values.
    shared, fresh = (make_problem(form="narrow CSR", alpha=0.1) for _ in range(2))
    for method in ("SGD", "MOMENTUM", "SGD"):
        shared.train(method)
        fresh.network = make_network(fresh.layer_sizes, "relu", alpha=0.1, sparse=True)
        fresh.train(method)
    assert_array_equal(shared.params, fresh.params)


def test_work_memory_is_bounded_for_wide_data():
    assert make_network([10**7, 1], "relu", max_rows=512).max_rows == 1
    assert make_network([10**6, 1], "relu", max_rows=512).max_rows == 3
    assert make_network([100, 256, 256, 1], "relu", max_rows=200).max_rows == 200
    assert make_network([10**6, 1], "relu", max_rows=512, sparse=True).max_rows == 512
    assert make_network([50, 1], "relu", max_rows=512).max_rows == 512


def test_loss_is_finite_and_exact_for_extreme_logits(backprop, dtype):
    large = np.finfo(dtype).max
    X, y = [[large], [-large], [800], [-800], [0]], [1, 0, 0, 1, 1]
    problem = Problem([1, 1], [1, 0], X, y, dtype=dtype, backprop=backprop)
    *_, grad = problem.loss_and_gradient()
    J = (0 + 0 + 800 + 800 + np.log(2)) / 5
    assert problem.objective() == pytest.approx(J, rel=1e-12)
    assert_allclose(grad, [(800 + 800) / 5, (1 - 1 - 0.5) / 5], rtol=1e-6)


SCALES = np.array([1e-300, 1e-8, 1e-3, 0.1, 1, 10, 100, 700])
LOGITS = (np.random.RandomState(0).uniform(-1, 1, (8, 500)) * SCALES[:, None]).ravel()


def at_each_logit(n_layers, y, **options):
    """Loss and gradient, with each of LOGITS as X, of a chain with params 1, 0, 0..."""
    layer_sizes, params = [1] * (n_layers + 1), [1] + [0] * (2 * n_layers - 1)
    for z in LOGITS:
        problem = Problem(layer_sizes, params, [[z]], y, **options)
        loss, _, _, grad = problem.loss_and_gradient()
        yield loss, *grad


@pytest.mark.parametrize(("y", "atols"), [(0, (0, 0)), (1, (1e-13, 2e-16))])
def test_losses_are_exact_to_few_units_of_the_last_place(y, atols):
    loss, _, slope = np.array(list(at_each_logit(1, y))).T
    sign = 1 - 2 * y
    z = sign * LOGITS.astype(np.longdouble)  # so that a large z is a large loss
    e = np.exp(-abs(z))
    assert_allclose(loss, np.maximum(z, 0) + np.log1p(e), rtol=8e-16, atol=atols[0])
    expected = sign * np.where(z < 0, e, 1) / (1 + e)
    assert_allclose(slope, expected, rtol=8e-16, atol=atols[1])


@pytest.mark.parametrize(
    ("name", "exact"), [("tanh", np.tanh), ("logistic", reference.sigmoid)]
)
def test_activations_are_exact_to_few_units_of_the_last_place(name, exact):
    *_, slope, _ = np.array(list(at_each_logit(2, 0, activation=name))).T
    a = exact(LOGITS.astype(np.longdouble))
    assert_allclose(2 * slope, a, rtol=8e-16)  # dL/dw = (sigmoid(0) - 0) a


def test_sums_are_taken_in_double():
    problem = make_problem((), n=5000, d=400, dtype=np.float32, alpha=1, max_rows=5000)
    problem.X = np.rint(4 * problem.X) / 4  # so that z is exact
    problem.params = np.rint(64 * problem.params) / 64
    loss, _ = problem.evaluate()
    # A sum in float32 would be off by 1e-4.
    arrays = problem.dense_logits(), problem.y, problem.sample_weight
    z, y, sample_weight = (array.astype(np.float64) for array in arrays)
    assert loss == pytest.approx(sample_weight @ reference.losses(y, z), rel=1e-8)
    penalty = 0.5 * np.sum(problem.params[:-1].astype(np.float64) ** 2)
    expected = loss / sample_weight.sum() + penalty
    assert problem.objective() == pytest.approx(expected, rel=1e-12)


def test_delta_of_float32_is_rounded_once():
    # With x = 0 and y = 1, z = b and dJ/db = p - 1 = -sigmoid(-b).
    for b in np.linspace(-10, 3, 101, dtype=np.float32):
        *_, grad = Problem([1, 1], [0, b], [[0]], dtype=np.float32).loss_and_gradient()
        assert_allclose(grad[1], -reference.sigmoid(-np.float64(b)), rtol=1e-7)


def test_adam_stays_in_float32():
    # In double, 1 - 0.999 and the square root would round otherwise.
    beta_1, beta_2, epsilon, rate, one = np.float32([0.9, 0.999, 1e-8, 0.1, 1])
    problem = Problem([1, 1], [0, 0], [[0.3]], dtype=np.float32)
    problem.train("ADAM", rule=[0, 0.9, 0.999, 1e-8])
    grad = np.float32(-0.5) * np.array([0.3, 1], np.float32)
    mean = (one - beta_1) * grad
    square = (one - beta_2) * grad * grad
    assert_array_equal(problem.moments, [mean, square])
    assert_array_equal(problem.params, -(rate * mean / (np.sqrt(square) + epsilon)))


def test_logit_of_zero_counts_as_the_first_class():
    problem = make_problem()
    problem.params[:] = 0
    _, correct = problem.evaluate()
    assert correct == pytest.approx(problem.sample_weight[problem.y == 0].sum())


def test_derivative_of_relu_at_zero_is_one(backprop):
    # x = 0 and b = 0 make z = 0; dL/db = (p - y) v f'(0) with p = 1/2, y = 0 and v = 3.
    problem = Problem([1, 1, 1], [2, 0, 3, 0], [[0]], y=0, backprop=backprop)
    *_, grad = problem.loss_and_gradient()
    assert_array_equal(grad, [0, 1.5, 0, 0.5])


def test_nan_in_a_weight_makes_the_loss_nan(activation, backprop):
    problem = make_problem((4,), activation, backprop)
    problem.params[0] = np.nan
    loss, _ = problem.evaluate()
    assert np.isnan(loss)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_epoch_reports_a_weight_that_is_not_finite(bad, method, form):
    problem = make_problem((3,), form=form)
    problem.X = np.abs(problem.X)
    problem.params[7] = bad  # of feature 2; relu makes the loss finite for -infinity
    *_, is_finite = problem.train(method)
    assert not is_finite


def test_minibatch_of_zero_weight_only_shrinks_the_weights(backprop, form):
    problem = make_problem(backprop=backprop, form=form, alpha=0.5)
    problem.sample_weight[:] = 0
    before, _ = problem.in_numpy()
    problem.train(batch_size=23)
    expected = flatten([0.95 * W for W in before.coefs], before.intercepts)
    assert_allclose(problem.params, expected, rtol=1e-12)


def test_magnitude_is_the_largest_absolute_value_or_nan(dtype):
    largest = np.finfo(dtype).max
    for i in range(101):
        values = np.full(101, 0.5, dtype)
        for value in (largest, -largest, np.nan, np.inf, -np.inf):
            values[i] = value
            expected = largest if np.isfinite(value) else np.nan
            assert_array_equal(_core.largest_magnitude(values), expected)
            assert_array_equal(as_rows(values[None]).magnitude, expected)
            assert_array_equal(as_rows(csr_matrix(values)).magnitude, expected)
    assert _core.largest_magnitude(np.zeros(0, dtype)) == 0
    assert as_rows(csr_matrix((3, 2), dtype=dtype)).magnitude == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_no_logit_is_beyond_its_bound(sign, dtype):
    # Two layers of ones, biases 1: 3 features of size x give 3 (3 x + 1) + 1.
    params, sizes = np.full(16, sign, dtype), [3, 3, 1]
    for x in (2.0, 1e4):
        rows = as_rows(np.full((1, 3), x, dtype))
        z = _network.predict_logits(params, sizes, "identity", rows)
        assert np.abs(z[0]) == 3 * (3 * x + 1) + sign
        assert np.abs(z[0]) < _network.logit_bound(params, sizes, x) == 16 * x
    assert _network.logit_bound(10 * params, sizes, 0.5) == 1600
    assert np.isnan(_network.logit_bound(params * dtype(np.nan), sizes, 1))


def test_shuffle_takes_each_order_as_often():
    random_state, orders = np.random.RandomState(0), np.tile(np.arange(3), (6000, 1))
    for order in orders:
        _core.shuffle(order, random_state.random_sample(3))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 5 * 29  # 5 sigma


def test_shuffle_stays_within_the_order():
    order = np.arange(1000)
    _core.shuffle(order, np.full(1000, np.nextafter(1, 0)))  # the largest draw there is
    assert_array_equal(order, np.arange(1000))
    _core.shuffle(order, np.zeros(1000))
    assert_array_equal(np.sort(order), np.arange(1000))
    with pytest.raises(ValueError, match="do not fit"):
        _core.shuffle(order, np.zeros(999))


@pytest.mark.parametrize("sizes", [[5], [5, 0, 1], [5, -3, 1]])
def test_impossible_layer_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="do not fit"):
        make_network(sizes, "relu")


def test_arrays_that_do_not_fit_are_refused():
    problem = make_problem()
    params, X, n_params = problem.params, problem.X, len(problem.params)
    rows, y, sample_weight = problem.samples
    fits = {
        "params": params, "rows": rows, "y": y, "sample_weight": sample_weight,
        "grad": params.copy(), "dz_dX": np.empty_like(X), "batch_size": 10,
        "optimizer": _core.Optimizer(_core.Method.MOMENTUM, 0.9), "rates": np.ones(3),
        "moments": np.zeros((1, n_params)), "order": np.arange(23), "seed": 0,
    }  # fmt: skip
    too_short = ("params", "y", "sample_weight", "grad", "dz_dX", "rates")
    misfits = {name: [fits[name][1:]] for name in too_short}
    misfits["moments"] = [np.zeros((2, n_params))]
    other_rows = (X[:, 1:].copy(), X.astype(np.float32), csr_matrix(X))
    misfits["rows"] = [as_rows(each) for each in other_rows]
    samples, steps = "rows y sample_weight", "order batch_size rates seed"
    for function, names in {
        _core.evaluate: f"params {samples}",
        _core.loss_and_gradient: f"params {samples} grad",
        _core.input_gradient: "params rows dz_dX",
        _core.train_epoch: f"optimizer params moments {samples} {steps}",
    }.items():
        arguments = {name: fits[name] for name in names.split()}
        function(problem.network, *arguments.values())
        for name in arguments.keys() & misfits.keys():
            for misfit in misfits[name]:
                with pytest.raises(ValueError, match="do not fit"):
                    function(problem.network, *(arguments | {name: misfit}).values())


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
    _core.csr_rows(values, np.array([0, 4, 1]), np.array([0, 2, 3]), 5)
    for index in (np.int32, np.int64):
        with pytest.raises(ValueError, match="do not fit"):
            _core.csr_rows(values, np.array(columns, dtype=index), indptr, 5)


def test_rows_are_not_copied_and_stay_alive():
    X = np.ones((3, 2))
    rows = _core.dense_rows(X)
    X[:] = 2
    del X
    network, params = make_network([2, 1], "relu"), np.array([1.0, 1, 0])
    loss, _ = _core.evaluate(network, params, rows, np.zeros(3), np.ones(3))
    assert loss == pytest.approx(3 * np.log1p(np.exp(4)))


def test_references_to_constants_are_not_lost():
    # A core that was built on 3.13 did lose some, which 3.11 counts.
    constants = True, False, None
    before = list(map(sys.getrefcount, constants))
    for _ in range(100):
        problem = make_problem()
        problem.evaluate()
        _core.largest_magnitude(problem.params)
    assert np.abs(np.subtract(list(map(sys.getrefcount, constants)), before)).max() < 50
