# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""The compiled core: all that Python may call, and one epoch of training.

    z = a W + b       W (n_in, n_out) and b (n_out) lie in params, layer after layer
    a = f(z)          f is the activation; the first a is X, the last z is the logit
    delta = dL/dz     L = sum_i w_i loss(y_i, z_i) / n over the n rows of a minibatch
    grad              dJ/dparams, J = L + alpha / 2 ||W||^2, laid out like params

All matrices are row-major, but X may be CSR. A row of z, a or delta belongs to one row
of X. Each chapter below holds one noun of these formulas.
"""

from libc.math cimport INFINITY, copysign, fabs, sqrt, sqrtf
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT
from cpython.buffer cimport PyBuffer_Release, PyObject_GetBuffer
from cython cimport floating


cdef extern from "_portable.h":
    void prefetch "PREFETCH"(const void* address) noexcept nogil
    ctypedef void cloned "CLONED"  # compiled with and without AVX2


include "_math.pxi"
include "_activations.pxi"
include "_optimizers.pxi"
include "_rows.pxi"
include "_threads.pxi"
include "_network.pxi"
include "_layers.pxi"
include "_dropout.pxi"
include "_loss.pxi"
include "_passes.pxi"
include "_lazy.pxi"


# ---- one minibatch -----------------------------------------------------------------

cdef inline Pass make_pass(const floating* params, bint goes_back) noexcept nogil:
    cdef Pass new
    memset(&new, 0, sizeof(Pass))
    new.itemsize, new.params, new.goes_back = sizeof(floating), params, goes_back
    return new


cdef void pass_samples(
    Network net, const floating* y, const floating* sample_weight, Sums* sums
) noexcept nogil:
    """Let the rows of net.current pass, with labels and weights; add their losses."""
    cdef const floating* z = <floating*> net.work + net.layers[net.n_layers - 1].z
    net.current.y, net.current.sample_weight = y, sample_weight
    pass_rows(net)
    add_up(net.loss, z, y, sample_weight, net.current.X.n_rows, sums)


cdef void minibatch_step(
    Network net, Rows X, const floating[::1] y, const floating[::1] sample_weight,
    const Py_ssize_t* order, Py_ssize_t n_rows, const Rule* rule, floating* work,
    Sums* sums
) noexcept nogil:
    """Take the step for a minibatch; its gradient stays in the work memory."""
    cdef Py_ssize_t i, start = 0
    net.current.scale = 1.0 / n_rows
    while start < n_rows:
        gather_rows(net, X, order + start, n_rows - start, &net.current.X)
        for i in range(net.current.X.n_rows):
            work[net.y + i] = y[order[start + i]]
            work[net.sample_weight + i] = sample_weight[order[start + i]]
        pass_samples(net, work + net.y, work + net.sample_weight, sums)
        net.current.is_first = start == 0
        start += net.current.X.n_rows
        net.current.rule = rule if start == n_rows else NULL
        pass_weights(net)
        net.place += net.current.X.n_rows


# ---- what Python may call; arrays that do not fit each other raise ValueError --------

cdef int check_rows(Network net, const floating[::1] params, Rows X) except -1:
    check_fit(params.shape[0] == net.n_params and X.n_features == net.n_features)
    check_fit(X.itemsize == sizeof(floating) and X.sparse == net.sparse)


cdef int check_samples(
    Network net, const floating[::1] params, Rows X, const floating[::1] y,
    const floating[::1] sample_weight
) except -1:
    check_rows(net, params, X)
    check_fit(y.shape[0] == sample_weight.shape[0] == X.n_rows)


def largest_magnitude(const floating[::1] values):
    """The largest |x|, or NaN where a value is NaN or infinite."""
    cdef floating largest
    with nogil:
        largest = magnitude(&values[0], values.shape[0])
    return largest


def are_joined(parts, whole):
    """Whether the parts, of the type of whole, lie in it without gaps and fill it."""
    cdef Py_buffer view
    cdef const char* place = NULL
    cdef Py_ssize_t left = 0
    cdef char kind = 0  # of float32 or float64, native, or 0
    for part in (whole, *parts):
        try:
            PyObject_GetBuffer(part, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
        except (BufferError, ValueError):  # not contiguous
            return False
        if view.format[1] != 0:  # a byte order stands before the letter
            kind = 0
        elif part is whole:
            place, left, kind = <const char*> view.buf, view.len, view.format[0]
        elif view.buf == place and view.format[0] == kind:
            place += view.len
            left -= view.len
        else:
            kind = 0
        PyBuffer_Release(&view)
    return left == 0 and kind != 0


def shuffle(Py_ssize_t[::1] order, const double[::1] draws):
    """Put order into one of all its permutations, by as many draws from U[0, 1).

    Durstenfeld (1964), Algorithm 235. RandomState.shuffle, which draws one number at a
    time, takes 2.5 times as long, which is a tenth of the notebook's fit.
    """
    cdef Py_ssize_t i, j
    check_fit(order.shape[0] == draws.shape[0])
    for i in range(order.shape[0] - 1, 0, -1):
        j = <Py_ssize_t> (draws[i] * (i + 1))
        order[i], order[j] = order[j], order[i]


def logits(
    Network net not None, const floating[::1] params, Rows X not None, floating[::1] z
):
    """Write the network's output, before the sigmoid, for each row of X to z.

    Returns the largest |z|, or NaN where a z is not finite.
    """
    cdef Py_ssize_t start = 0
    cdef floating largest
    cdef const floating* output = <floating*> net.work + net.layers[net.n_layers - 1].z
    check_rows(net, params, X)
    check_fit(z.shape[0] == X.n_rows)
    net.current = make_pass(&params[0], False)
    with nogil:
        while start < X.n_rows:
            net.current.X = slice_rows(net, X, start)
            pass_rows(net)
            memcpy(&z[start], output, net.current.X.n_rows * sizeof(floating))
            start += net.current.X.n_rows
        largest = magnitude(&z[0], X.n_rows)
    return largest


def evaluate(
    Network net not None, const floating[::1] params, Rows X not None,
    const floating[::1] y, const floating[::1] sample_weight
):
    """Return the weighted sums of the losses and of the correct predictions."""
    cdef Py_ssize_t start = 0
    cdef Sums sums = Sums(0, 0)
    check_samples(net, params, X, y, sample_weight)
    net.current = make_pass(&params[0], False)
    with nogil:
        while start < X.n_rows:
            net.current.X = slice_rows(net, X, start)
            pass_samples(net, &y[start], &sample_weight[start], &sums)
            start += net.current.X.n_rows
    return sums.loss, sums.correct


def loss_and_gradient(
    Network net not None, const floating[::1] params, Rows X not None,
    const floating[::1] y, const floating[::1] sample_weight, floating[::1] grad
):
    """Write dJ/dparams over all rows to grad.

    Returns the two parts of J, the mean loss and the penalty, and the accuracy.
    """
    cdef Py_ssize_t i, start = 0
    cdef double total_weight = 0
    cdef Sums sums = Sums(0, 0)
    check_samples(net, params, X, y, sample_weight)
    check_fit(grad.shape[0] == net.n_params)
    net.current = make_pass(&params[0], True)
    net.current.grad = &grad[0]
    with nogil:
        for i in range(X.n_rows):
            total_weight += sample_weight[i]
        net.current.scale = 1 / total_weight
        while start < X.n_rows:
            net.current.X = slice_rows(net, X, start)
            pass_samples(net, &y[start], &sample_weight[start], &sums)
            net.current.is_first = start == 0
            pass_weights(net)
            start += net.current.X.n_rows
    return (
        sums.loss / total_weight, penalty(net, &params[0]), sums.correct / total_weight
    )


def input_gradient(
    Network net not None, const floating[::1] params, Rows X not None,
    floating[:, ::1] dz_dX
):
    """Write dz/dx, z the logit, for each row x of X to dz_dX."""
    cdef Py_ssize_t start = 0
    check_rows(net, params, X)
    check_fit(dz_dX.shape[0] == X.n_rows and dz_dX.shape[1] == X.n_features)
    net.current = make_pass(&params[0], True)
    with nogil:
        while start < X.n_rows:
            net.current.X = slice_rows(net, X, start)
            net.current.dz_dX = &dz_dX[start, 0]
            pass_rows(net)
            start += net.current.X.n_rows


def train_epoch(
    Network net not None, Optimizer optimizer not None, floating[::1] params,
    floating[:, ::1] moments, Rows X not None, const floating[::1] y,
    const floating[::1] sample_weight, const Py_ssize_t[::1] order,
    Py_ssize_t batch_size, const double[::1] learning_rates, uint64_t seed
):
    """Take one step per minibatch of batch_size rows, in the given order.

    The seed is that of the masks of dropout, which no other function applies.
    Updates params and moments. Returns the weighted sums of the losses and of the
    correct predictions, both taken before the step of their minibatch, and whether
    params are finite.
    """
    cdef Py_ssize_t batch, start, n_rows
    cdef floating* grad = <floating*> net.work + net.grad
    cdef bint is_finite, lazy = net.sparse and optimizer.rule.method == SGD
    cdef floating rate, zero = 0
    cdef Sums sums = Sums(0, 0)
    check_samples(net, params, X, y, sample_weight)
    check_fit(moments.shape[0] == optimizer.n_moments)
    check_fit(moments.shape[1] == net.n_params and batch_size > 0)
    check_fit(learning_rates.shape[0] == ceil_div(order.shape[0], batch_size))
    net.current = make_pass(&params[0], True)
    net.current.grad, net.current.moments = grad, &moments[0, 0]
    net.current.is_lazy = lazy
    with nogil:
        if lazy and not net.clean:
            memset(grad, 0, net.layers[0].b * sizeof(floating))
        net.clean = lazy
        net.drops, net.seed, net.place = net.dropout > 0, seed, 0
        for batch in range(learning_rates.shape[0]):
            start = batch * batch_size
            n_rows = min(batch_size, order.shape[0] - start)
            rate = <floating> learning_rates[batch]
            net.current.rate = rate
            minibatch_step(
                net, X, y, sample_weight, &order[start], n_rows, &optimizer.rule,
                <floating*> net.work, &sums
            )
            if lazy:
                zero += lazy_sgd_step(net, X, &order[start], n_rows, rate, &params[0])
        net.drops = False
        start = 0
        if lazy:  # each weight of the first layer was checked when it was changed
            zero += multiply_out(net, &params[0])
            start = net.layers[0].b
        is_finite = zero + magnitude(&params[start], net.n_params - start) < INFINITY
    return sums.loss, sums.correct, is_finite
