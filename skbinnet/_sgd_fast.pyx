# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""The compiled core: layers forward and backward, logistic loss, SGD steps, one epoch.

    z = a W + b       W (n_in, n_out) and b (n_out) lie in params, layer after layer
    a = f(z)          f is the activation; the first a is X, the last z is the logit
    delta = dL/dz     L is the loss of the minibatch, y its labels 0 or 1
    grad              dJ/dparams, J = L + alpha / 2 ||W||^2, laid out like params

All matrices are row-major. A row of z, a or delta belongs to one sample.
"""

from libc.math cimport exp, log1p, tanh
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, sgemm


cpdef enum Activation:
    IDENTITY
    LOGISTIC
    TANH
    RELU


cpdef enum Backprop:
    LOOP
    MATRIX


cpdef enum Optimizer:
    SGD
    MOMENTUM
    NESTEROV


cdef struct Layer:
    Py_ssize_t n_in
    Py_ssize_t n_out
    Py_ssize_t W  # offsets into params and grad
    Py_ssize_t b
    Py_ssize_t z  # offsets into the work memory
    Py_ssize_t a
    Py_ssize_t delta


cdef struct Sums:  # over the rows of an epoch, weighted
    double loss
    double correct


# Work memory holds at most so many numbers, if one row fits (8 MiB of float64).
cdef Py_ssize_t MAX_WORK = 1 << 20


cdef class Network:
    """Layer sizes, options and the work memory of one run; not for two threads at once.

    Minibatches and predictions pass through it in blocks of at most max_rows rows.
    """

    cdef readonly Py_ssize_t n_params
    cdef readonly Py_ssize_t max_rows
    cdef Py_ssize_t n_layers
    cdef Activation activation
    cdef Backprop backprop
    cdef double alpha
    cdef Layer* layers
    cdef void* work
    cdef Py_ssize_t X, y, sample_weight, grad  # offsets into the work memory

    def __cinit__(
        self, layer_sizes, Activation activation, Backprop backprop, double alpha=0, Py_ssize_t max_rows=512
    ):
        cdef Py_ssize_t width = layer_sizes[0] + 2 + 3 * sum(layer_sizes[1:])
        self.n_layers = len(layer_sizes) - 1
        self.activation = activation
        self.backprop = backprop
        self.alpha = alpha
        self.max_rows = max(1, min(max_rows, MAX_WORK // width))
        self.layers = <Layer*> malloc(self.n_layers * sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.work = malloc(self.lay_out(layer_sizes) * sizeof(double))
        if self.work == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layers)
        free(self.work)

    cdef Py_ssize_t lay_out(self, layer_sizes):
        """Place every layer in params and in the work memory, whose size is returned."""
        cdef Py_ssize_t rows = self.max_rows, l
        cdef Layer* layer
        self.n_params = 0
        self.X = 0
        self.y = self.X + rows * <Py_ssize_t> layer_sizes[0]
        self.sample_weight = self.y + rows
        self.grad = self.sample_weight + rows
        for l in range(self.n_layers):
            layer = &self.layers[l]
            layer.n_in, layer.n_out = layer_sizes[l], layer_sizes[l + 1]
            layer.W = self.n_params
            layer.b = layer.W + layer.n_in * layer.n_out
            self.n_params = layer.b + layer.n_out
        cdef Py_ssize_t end = self.grad + self.n_params
        for l in range(self.n_layers):
            layer = &self.layers[l]
            layer.z = end
            layer.a = layer.z + rows * layer.n_out
            layer.delta = layer.a + rows * layer.n_out
            end = layer.delta + rows * layer.n_out
        return end


# ---- activations: f and its derivative -------------------------------------------

cdef inline floating logistic(floating z) noexcept nogil:
    return <floating> (1.0 / (1.0 + exp(-z)))


cdef inline floating logistic_derivative(floating a) noexcept nogil:
    return a * (1 - a)


cdef inline floating tanh_derivative(floating a) noexcept nogil:
    return 1 - a * a


cdef inline floating relu(floating z) noexcept nogil:
    return 0 if z < 0 else z  # NaN stays NaN


cdef inline floating relu_derivative(floating z) noexcept nogil:
    return 0 if z < 0 else 1  # 1 at z = 0


cdef void activation_forward(
    Activation activation, const floating* z, floating* a, Py_ssize_t n
) noexcept nogil:
    """a = f(z)."""
    cdef Py_ssize_t i
    if activation == RELU:
        for i in range(n):
            a[i] = relu(z[i])
    elif activation == TANH:
        for i in range(n):
            a[i] = <floating> tanh(z[i])
    elif activation == LOGISTIC:
        for i in range(n):
            a[i] = logistic(z[i])
    else:
        memcpy(a, z, n * sizeof(floating))


cdef void activation_backward(
    Activation activation, const floating* z, const floating* a, floating* delta, Py_ssize_t n
) noexcept nogil:
    """delta = dL/dz = dL/da f'(z), in place of dL/da."""
    cdef Py_ssize_t i
    if activation == RELU:
        for i in range(n):
            delta[i] *= relu_derivative(z[i])
    elif activation == TANH:
        for i in range(n):
            delta[i] *= tanh_derivative(a[i])
    elif activation == LOGISTIC:
        for i in range(n):
            delta[i] *= logistic_derivative(a[i])


# ---- a dense layer, by loop -------------------------------------------------------

cdef void dense_forward_loop(
    const floating* a, const floating* W, const floating* b, floating* z,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """z_k = b_k + sum_j a_j W_jk, sample by sample."""
    cdef Py_ssize_t i, j, k
    for i in range(n_rows):
        for k in range(n_out):
            z[k] = b[k]
        for j in range(n_in):
            for k in range(n_out):
                z[k] += a[j] * W[j * n_out + k]
        a += n_in
        z += n_out


cdef void dense_backward_loop(
    const floating* a, const floating* W, const floating* delta,
    floating* grad_W, floating* grad_b, floating* dL_da,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """The chain rule, sample by sample and weight by weight; dL_da may be NULL."""
    cdef Py_ssize_t i, j, k
    cdef floating dz_dW, dz_da, total
    for i in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[k]  # dz_k/db_k = 1
        for j in range(n_in):
            dz_dW = a[j]
            for k in range(n_out):
                grad_W[j * n_out + k] += delta[k] * dz_dW
        if dL_da != NULL:
            for j in range(n_in):
                total = 0
                for k in range(n_out):  # over all paths from a_j to the loss
                    dz_da = W[j * n_out + k]
                    total += delta[k] * dz_da
                dL_da[j] = total
            dL_da += n_in
        a += n_in
        delta += n_out


# ---- a dense layer, by matrix products --------------------------------------------

cdef inline void add_product(
    char transpose_a, char transpose_b, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const floating* A, const floating* B, floating beta, floating* C
) noexcept nogil:
    """C (m, n) = op(A) (m, k) op(B) (k, n) + beta C, row-major: BLAS sees C' = B' A'."""
    cdef int rows = <int> n, columns = <int> m, inner = <int> k
    cdef int lda = columns if transpose_a == c"T" else inner
    cdef int ldb = inner if transpose_b == c"T" else rows
    cdef floating one = 1
    if floating is double:
        dgemm(&transpose_b, &transpose_a, &rows, &columns, &inner, &one,
              <double*> B, &ldb, <double*> A, &lda, &beta, C, &rows)
    else:
        sgemm(&transpose_b, &transpose_a, &rows, &columns, &inner, &one,
              <float*> B, &ldb, <float*> A, &lda, &beta, C, &rows)


cdef void dense_forward_matrix(
    const floating* a, const floating* W, const floating* b, floating* z,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """z = a W + b."""
    cdef Py_ssize_t i
    for i in range(n_rows):
        memcpy(z + i * n_out, b, n_out * sizeof(floating))
    add_product(c"N", c"N", n_rows, n_out, n_in, a, W, 1, z)


cdef void dense_backward_matrix(
    const floating* a, const floating* W, const floating* delta,
    floating* grad_W, floating* grad_b, floating* dL_da,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dL/dW = a' delta, dL/db = 1' delta, dL/da = delta W'; dL_da may be NULL."""
    cdef Py_ssize_t i, k
    for i in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[i * n_out + k]
    add_product(c"T", c"N", n_in, n_out, n_rows, a, delta, 1, grad_W)
    if dL_da != NULL:
        add_product(c"N", c"T", n_rows, n_in, n_out, delta, W, 0, dL_da)


# ---- the network -------------------------------------------------------------------

cdef void network_forward(
    Network net, const floating* params, const floating* X, Py_ssize_t n_rows
) noexcept nogil:
    """Fill z and a of every layer."""
    cdef floating* work = <floating*> net.work
    cdef const floating* a = X
    cdef Py_ssize_t l
    cdef Layer layer
    for l in range(net.n_layers):
        layer = net.layers[l]
        if net.backprop == LOOP:
            dense_forward_loop(a, params + layer.W, params + layer.b, work + layer.z,
                               n_rows, layer.n_in, layer.n_out)
        else:
            dense_forward_matrix(a, params + layer.W, params + layer.b, work + layer.z,
                                 n_rows, layer.n_in, layer.n_out)
        if l < net.n_layers - 1:
            activation_forward(net.activation, work + layer.z, work + layer.a, n_rows * layer.n_out)
        a = work + layer.a


cdef void network_backward(
    Network net, const floating* params, const floating* X, Py_ssize_t n_rows, floating* grad
) noexcept nogil:
    """Add dL/dparams to grad, from the last layer's delta."""
    cdef floating* work = <floating*> net.work
    cdef const floating* a
    cdef floating* dL_da
    cdef Py_ssize_t l
    cdef Layer layer, below
    for l in range(net.n_layers - 1, -1, -1):
        layer = net.layers[l]
        below = net.layers[l - 1 if l > 0 else 0]
        a = work + below.a if l > 0 else X
        dL_da = work + below.delta if l > 0 else NULL
        if net.backprop == LOOP:
            dense_backward_loop(a, params + layer.W, work + layer.delta,
                                grad + layer.W, grad + layer.b, dL_da,
                                n_rows, layer.n_in, layer.n_out)
        else:
            dense_backward_matrix(a, params + layer.W, work + layer.delta,
                                  grad + layer.W, grad + layer.b, dL_da,
                                  n_rows, layer.n_in, layer.n_out)
        if l > 0:
            activation_backward(net.activation, work + below.z, work + below.a,
                                work + below.delta, n_rows * below.n_out)


# ---- loss and penalty ---------------------------------------------------------------

cdef Sums logistic_loss(
    const floating* z, const floating* y, const floating* sample_weight,
    Py_ssize_t n_rows, double scale, floating* delta
) noexcept nogil:
    """Sums of w loss(y, z), loss = log(1 + exp(z)) - y z, and delta = scale w (p - y).

    With e = exp(-|z|) nothing overflows: log(1 + exp(z)) = max(z, 0) + log(1 + e),
    and p = 1 / (1 + e) for z >= 0, e / (1 + e) for z < 0.
    """
    cdef Sums sums = Sums(0, 0)
    cdef double zi, w, e, p
    cdef Py_ssize_t i
    for i in range(n_rows):
        zi, w = z[i], sample_weight[i]
        e = exp(-zi if zi > 0 else zi)
        p = (e if zi < 0 else 1) / (1 + e)
        sums.loss += w * ((0 if zi < 0 else zi) - y[i] * zi + log1p(e))
        sums.correct += w * ((zi > 0) == (y[i] > 0))
        delta[i] = <floating> (scale * w * (p - y[i]))
    return sums


cdef double penalty(Network net, const floating* params, floating* grad) noexcept nogil:
    """alpha / 2 ||W||^2; grad becomes its gradient: alpha W, and 0 for the biases."""
    cdef floating alpha = <floating> net.alpha
    cdef double total = 0
    cdef Py_ssize_t l, i
    cdef Layer layer
    if alpha == 0:
        memset(grad, 0, net.n_params * sizeof(floating))
        return 0
    for l in range(net.n_layers):
        layer = net.layers[l]
        for i in range(layer.W, layer.b):
            grad[i] = alpha * params[i]
            total += params[i] * params[i]
        memset(grad + layer.b, 0, layer.n_out * sizeof(floating))
    return 0.5 * alpha * total


cdef Sums add_gradient(
    Network net, const floating* params, const floating* X, const floating* y,
    const floating* sample_weight, Py_ssize_t n_rows, double scale, floating* grad
) noexcept nogil:
    """Forward, loss and backward for one block of rows; grad += scale d(sum w loss)."""
    cdef floating* work = <floating*> net.work
    cdef Layer output = net.layers[net.n_layers - 1]
    cdef Sums sums
    network_forward(net, params, X, n_rows)
    sums = logistic_loss(work + output.z, y, sample_weight, n_rows, scale, work + output.delta)
    network_backward(net, params, X, n_rows, grad)
    return sums


# ---- optimizers: one loop over the parameter vector ----------------------------------

cdef void sgd_step(
    const floating* grad, floating* params, Py_ssize_t n, floating rate
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        params[i] -= rate * grad[i]


cdef void momentum_step(
    const floating* grad, floating* velocity, floating* params, Py_ssize_t n, floating rate, floating momentum
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += velocity[i]


cdef void nesterov_step(
    const floating* grad, floating* velocity, floating* params, Py_ssize_t n, floating rate, floating momentum
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += momentum * velocity[i] - rate * grad[i]


# ---- the boundary ----------------------------------------------------------------------

cdef inline Py_ssize_t ceil_div(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return (n + size - 1) // size


def forward(Network net, const floating[::1] params, const floating[:, ::1] X, floating[::1] out):
    """Write the logit of each row of X to out."""
    cdef Py_ssize_t i, start, n_rows
    cdef floating* work = <floating*> net.work
    cdef Layer output = net.layers[net.n_layers - 1]
    with nogil:
        for i in range(ceil_div(X.shape[0], net.max_rows)):
            start = i * net.max_rows
            n_rows = min(net.max_rows, X.shape[0] - start)
            network_forward(net, &params[0], &X[start, 0], n_rows)
            memcpy(&out[start], work + output.z, n_rows * sizeof(floating))


def loss_and_gradient(
    Network net, const floating[::1] params, const floating[:, ::1] X, const floating[::1] y,
    const floating[::1] sample_weight, floating[::1] grad
):
    """Return J(params) over all rows and write dJ/dparams to grad."""
    cdef Py_ssize_t i, start
    cdef double total_weight = 0, loss = 0, l2
    with nogil:
        for i in range(X.shape[0]):
            total_weight += sample_weight[i]
        l2 = penalty(net, &params[0], &grad[0])
        for i in range(ceil_div(X.shape[0], net.max_rows)):
            start = i * net.max_rows
            loss += add_gradient(
                net, &params[0], &X[start, 0], &y[start], &sample_weight[start],
                min(net.max_rows, X.shape[0] - start), 1 / total_weight, &grad[0]
            ).loss
    return loss / total_weight + l2


def train_epoch(
    Network net, Optimizer optimizer, double momentum, floating[::1] params, floating[::1] velocity,
    const floating[:, ::1] X, const floating[::1] y, const floating[::1] sample_weight,
    const Py_ssize_t[::1] order, Py_ssize_t batch_size, const double[::1] learning_rates
):
    """Take one step per minibatch of batch_size rows, in the given order.

    Updates params and velocity; returns the weighted sums of the losses and of the correct
    predictions, each taken before its minibatch's step.
    """
    cdef Py_ssize_t batch, block, i, start, stop, first, n_rows
    cdef Py_ssize_t n_features = X.shape[1]
    cdef floating* work = <floating*> net.work
    cdef floating* grad = work + net.grad
    cdef floating rate
    cdef Sums sums = Sums(0, 0), part
    with nogil:
        for batch in range(learning_rates.shape[0]):
            start = batch * batch_size
            stop = min(start + batch_size, order.shape[0])
            rate = <floating> learning_rates[batch]
            penalty(net, &params[0], grad)
            for block in range(ceil_div(stop - start, net.max_rows)):
                first = start + block * net.max_rows
                n_rows = min(net.max_rows, stop - first)
                for i in range(n_rows):
                    memcpy(work + net.X + i * n_features, &X[order[first + i], 0], n_features * sizeof(floating))
                    work[net.y + i] = y[order[first + i]]
                    work[net.sample_weight + i] = sample_weight[order[first + i]]
                part = add_gradient(net, &params[0], work + net.X, work + net.y, work + net.sample_weight,
                                    n_rows, 1.0 / (stop - start), grad)
                sums.loss += part.loss
                sums.correct += part.correct
            if optimizer == SGD:
                sgd_step(grad, &params[0], net.n_params, rate)
            elif optimizer == MOMENTUM:
                momentum_step(grad, &velocity[0], &params[0], net.n_params, rate, <floating> momentum)
            else:
                nesterov_step(grad, &velocity[0], &params[0], net.n_params, rate, <floating> momentum)
    return sums.loss, sums.correct
