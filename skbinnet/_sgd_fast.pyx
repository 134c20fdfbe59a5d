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
from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm, sgemv


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


# Work memory for rows holds at most this many numbers (8 MiB of float64) or as many as
# there are params, but at least those of one row.
cdef Py_ssize_t MAX_WORK = 1 << 20


cdef class Network:
    """Layer sizes, options and the work memory of one run; not for two threads at once.

    Rows pass through it in blocks of at most max_rows.
    """

    cdef readonly Py_ssize_t n_features
    cdef readonly Py_ssize_t n_params
    cdef readonly Py_ssize_t max_rows
    cdef Activation activation
    cdef Backprop backprop
    cdef double alpha
    cdef Py_ssize_t n_layers
    cdef Layer* layers
    cdef void* work
    cdef Py_ssize_t X  # offsets into the work memory: a block of samples, and grad
    cdef Py_ssize_t y
    cdef Py_ssize_t sample_weight
    cdef Py_ssize_t grad

    def __cinit__(
        self,
        layer_sizes,
        Activation activation,
        Backprop backprop,
        double alpha,
        Py_ssize_t max_rows,
    ):
        cdef Py_ssize_t width = layer_sizes[0] + 2 + 3 * sum(layer_sizes[1:])
        check_fit(len(layer_sizes) > 1 and min(layer_sizes) > 0 and max_rows > 0)
        self.n_features = layer_sizes[0]
        self.activation = activation
        self.backprop = backprop
        self.alpha = alpha
        self.n_layers = len(layer_sizes) - 1
        self.layers = <Layer*> malloc(self.n_layers * sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.lay_out_params(layer_sizes)
        self.max_rows = max(1, min(max_rows, max(MAX_WORK, self.n_params) // width))
        self.work = malloc(self.lay_out_work() * sizeof(double))
        if self.work == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layers)
        free(self.work)

    cdef int lay_out_params(self, layer_sizes) except -1:
        cdef Py_ssize_t i
        cdef Layer* layer
        self.n_params = 0
        for i in range(self.n_layers):
            layer = &self.layers[i]
            layer.n_in = layer_sizes[i]
            layer.n_out = layer_sizes[i + 1]
            layer.W = self.n_params
            layer.b = layer.W + layer.n_in * layer.n_out
            self.n_params = layer.b + layer.n_out

    cdef Py_ssize_t lay_out_work(self):
        """Return how many numbers the work memory holds."""
        cdef Py_ssize_t i, end
        cdef Layer* layer
        self.X = 0
        self.y = self.X + self.max_rows * self.n_features
        self.sample_weight = self.y + self.max_rows
        self.grad = self.sample_weight + self.max_rows
        end = self.grad + self.n_params
        for i in range(self.n_layers):
            layer = &self.layers[i]
            layer.z = end
            layer.a = layer.z + self.max_rows * layer.n_out
            layer.delta = layer.a + self.max_rows * layer.n_out
            end = layer.delta + self.max_rows * layer.n_out
        return end


cdef int check_fit(bint fits) except -1:
    """Kernels do not look at lengths: a wrong one would be read beyond its end."""
    if not fits:
        raise ValueError("The arrays or sizes do not fit the network or each other.")


# ---- activations: a = f(z), and delta = dL/da f'(z) --------------------------------

cdef inline floating logistic_forward(floating z) noexcept nogil:
    return <floating> (1 / (1 + exp(-z)))


cdef inline floating logistic_backward(floating dL_da, floating a) noexcept nogil:
    return dL_da * a * (1 - a)


cdef inline floating tanh_forward(floating z) noexcept nogil:
    return <floating> tanh(z)


cdef inline floating tanh_backward(floating dL_da, floating a) noexcept nogil:
    return dL_da * (1 - a * a)


cdef inline floating relu_forward(floating z) noexcept nogil:
    return 0 if z < 0 else z  # NaN stays NaN


cdef inline floating relu_backward(floating dL_da, floating z) noexcept nogil:
    return 0 if z < 0 else dL_da  # f'(0) = 1


cdef void activation_forward(
    Activation activation, const floating* z, floating* a, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t i
    if activation == RELU:
        for i in range(n):
            a[i] = relu_forward(z[i])
    elif activation == TANH:
        for i in range(n):
            a[i] = tanh_forward(z[i])
    elif activation == LOGISTIC:
        for i in range(n):
            a[i] = logistic_forward(z[i])
    else:
        memcpy(a, z, n * sizeof(floating))


cdef void activation_backward(
    Activation activation,
    const floating* z,
    const floating* a,
    floating* delta,
    Py_ssize_t n,
) noexcept nogil:
    """delta holds dL/da before and dL/dz after."""
    cdef Py_ssize_t i
    if activation == RELU:
        for i in range(n):
            delta[i] = relu_backward(delta[i], z[i])
    elif activation == TANH:
        for i in range(n):
            delta[i] = tanh_backward(delta[i], a[i])
    elif activation == LOGISTIC:
        for i in range(n):
            delta[i] = logistic_backward(delta[i], a[i])


# ---- a dense layer, by loop -------------------------------------------------------

cdef void dense_forward_loop(
    const floating* a,
    const floating* W,
    const floating* b,
    floating* z,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """z_k = b_k + sum_j a_j W_jk, sample by sample."""
    cdef Py_ssize_t j, k
    for _ in range(n_rows):
        for k in range(n_out):
            z[k] = b[k]
        for j in range(n_in):
            for k in range(n_out):
                z[k] += a[j] * W[j * n_out + k]
        a += n_in
        z += n_out


cdef void dense_backward_loop(
    const floating* a,
    const floating* W,
    const floating* delta,
    floating* grad_W,
    floating* grad_b,
    floating* dL_da,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """The chain rule, sample by sample and weight by weight; dL_da may be NULL."""
    cdef Py_ssize_t j, k
    cdef floating dz_dW, dz_da, sum_of_paths
    for _ in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[k]  # dz_k/db_k = 1
        for j in range(n_in):
            dz_dW = a[j]
            for k in range(n_out):
                grad_W[j * n_out + k] += delta[k] * dz_dW
        if dL_da != NULL:
            for j in range(n_in):
                sum_of_paths = 0  # from the loss over each z_k to a_j
                for k in range(n_out):
                    dz_da = W[j * n_out + k]
                    sum_of_paths += delta[k] * dz_da
                dL_da[j] = sum_of_paths
            dL_da += n_in
        a += n_in
        delta += n_out


# ---- a dense layer, by matrix products --------------------------------------------

cdef inline void product(
    char op_a,
    char op_b,
    int m,
    int n,
    int k,
    const floating* A,
    const floating* B,
    floating beta,
    floating* C,
) noexcept nogil:
    """C (m, n) = op(A) (m, k) op(B) (k, n) + beta C; op is N, as is, or T, transposed.

    BLAS is column-major and sees the transpose of each matrix, so it is asked for
    C' = op(B)' op(A)'.
    """
    cdef int rows = m if op_a == c"N" else k
    cdef int lda = k if op_a == c"N" else m
    cdef int ldb = n if op_b == c"N" else k
    cdef char op = c"T" if op_a == c"N" else c"N"
    cdef int step = 1
    cdef floating one = 1
    cdef floating* a = <floating*> A  # BLAS from Cython knows no const
    cdef floating* b = <floating*> B
    cdef Py_ssize_t i, j
    if k == 1 and beta == 0:  # an outer product: gemm took 1.2 x as long
        for i in range(m):
            for j in range(n):
                C[i * n + j] = A[i] * B[j]
    elif floating is double:
        if n == 1:
            dgemv(&op, &lda, &rows, &one, a, &lda, b, &step, &beta, C, &step)
        else:
            dgemm(&op_b, &op_a, &n, &m, &k, &one, b, &ldb, a, &lda, &beta, C, &n)
    else:
        if n == 1:
            sgemv(&op, &lda, &rows, &one, a, &lda, b, &step, &beta, C, &step)
        else:
            sgemm(&op_b, &op_a, &n, &m, &k, &one, b, &ldb, a, &lda, &beta, C, &n)


cdef void dense_forward_matrix(
    const floating* a,
    const floating* W,
    const floating* b,
    floating* z,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """z = a W + b."""
    cdef Py_ssize_t i
    for i in range(n_rows):
        memcpy(z + i * n_out, b, n_out * sizeof(floating))
    product(c"N", c"N", n_rows, n_out, n_in, a, W, 1, z)


cdef void dense_backward_matrix(
    const floating* a,
    const floating* W,
    const floating* delta,
    floating* grad_W,
    floating* grad_b,
    floating* dL_da,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/dW = a' delta, dL/db = 1' delta, dL/da = delta W'; dL_da may be NULL."""
    cdef Py_ssize_t i, k
    for i in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[i * n_out + k]
    product(c"T", c"N", n_in, n_out, n_rows, a, delta, 1, grad_W)
    if dL_da != NULL:
        product(c"N", c"T", n_rows, n_in, n_out, delta, W, 0, dL_da)


# ---- the network ------------------------------------------------------------------

cdef void network_forward(
    Network net, const floating* params, const floating* X, Py_ssize_t n_rows
) noexcept nogil:
    """Fill z and a of every layer."""
    cdef floating* work = <floating*> net.work
    cdef const floating* a = X
    cdef const floating* W
    cdef const floating* b
    cdef floating* z
    cdef Py_ssize_t i
    cdef Layer layer
    for i in range(net.n_layers):
        layer = net.layers[i]
        W, b, z = params + layer.W, params + layer.b, work + layer.z
        if net.backprop == LOOP:
            dense_forward_loop(a, W, b, z, n_rows, layer.n_in, layer.n_out)
        else:
            dense_forward_matrix(a, W, b, z, n_rows, layer.n_in, layer.n_out)
        if i < net.n_layers - 1:
            activation_forward(net.activation, z, work + layer.a, n_rows * layer.n_out)
        a = work + layer.a


cdef void network_backward(
    Network net,
    const floating* params,
    const floating* X,
    Py_ssize_t n_rows,
    floating* grad,
) noexcept nogil:
    """Add dL/dparams to grad, from the last layer's delta down."""
    cdef floating* work = <floating*> net.work
    cdef const floating* a
    cdef const floating* W
    cdef const floating* delta
    cdef floating* grad_W
    cdef floating* grad_b
    cdef floating* dL_da
    cdef Py_ssize_t i
    cdef Layer layer, below
    for i in range(net.n_layers - 1, -1, -1):
        layer = net.layers[i]
        W, delta = params + layer.W, work + layer.delta
        grad_W, grad_b = grad + layer.W, grad + layer.b
        if i > 0:
            below = net.layers[i - 1]
            a, dL_da = work + below.a, work + below.delta
        else:
            a = X
            dL_da = NULL
        if net.backprop == LOOP:
            dense_backward_loop(
                a, W, delta, grad_W, grad_b, dL_da, n_rows, layer.n_in, layer.n_out
            )
        else:
            dense_backward_matrix(
                a, W, delta, grad_W, grad_b, dL_da, n_rows, layer.n_in, layer.n_out
            )
        if i > 0:
            activation_backward(
                net.activation, work + below.z, a, dL_da, n_rows * below.n_out
            )


# ---- loss and penalty -------------------------------------------------------------

cdef Sums logistic_loss(
    const floating* z,
    const floating* y,
    const floating* sample_weight,
    Py_ssize_t n_rows,
    double scale,
    floating* delta,
) noexcept nogil:
    """Sums of w loss(y, z), loss = log(1 + exp(z)) - y z, and delta = scale w (p - y).

    The chain rule over p = sigmoid(z), the network's output, multiplied out:
    dloss/dp dp/dz = (-y / p + (1 - y) / (1 - p)) p (1 - p) = p - y.

    With e = exp(-|z|) nothing overflows: log(1 + exp(z)) = max(z, 0) + log(1 + e), and
    p = 1 / (1 + e) for z >= 0, e / (1 + e) for z < 0.
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


cdef double penalty(Network net, const floating* params) noexcept nogil:
    """alpha / 2 ||W||^2, with alpha rounded as in its gradient."""
    cdef floating alpha = <floating> net.alpha
    cdef double sum_of_squares = 0
    cdef Py_ssize_t i, j
    cdef Layer layer
    if alpha == 0:
        return 0
    for i in range(net.n_layers):
        layer = net.layers[i]
        for j in range(layer.W, layer.b):
            sum_of_squares += <double> params[j] * params[j]
    return 0.5 * alpha * sum_of_squares


cdef void penalty_gradient(
    Network net, const floating* params, floating* grad
) noexcept nogil:
    """grad = alpha W for the weights, 0 for the biases."""
    cdef floating alpha = <floating> net.alpha
    cdef Py_ssize_t i, j
    cdef Layer layer
    if alpha == 0:
        memset(grad, 0, net.n_params * sizeof(floating))
        return
    for i in range(net.n_layers):
        layer = net.layers[i]
        for j in range(layer.W, layer.b):
            grad[j] = alpha * params[j]
        memset(grad + layer.b, 0, layer.n_out * sizeof(floating))


# ---- a block of rows --------------------------------------------------------------

cdef Sums block_loss(
    Network net,
    const floating* params,
    const floating* X,
    const floating* y,
    const floating* sample_weight,
    Py_ssize_t n_rows,
    double scale,
) noexcept nogil:
    """Forward and loss; leaves the last layer's delta for the way back."""
    cdef floating* work = <floating*> net.work
    cdef Layer output = net.layers[net.n_layers - 1]
    network_forward(net, params, X, n_rows)
    return logistic_loss(
        work + output.z, y, sample_weight, n_rows, scale, work + output.delta
    )


cdef Sums block_gradient(
    Network net,
    const floating* params,
    const floating* X,
    const floating* y,
    const floating* sample_weight,
    Py_ssize_t n_rows,
    double scale,
    floating* grad,
) noexcept nogil:
    """Forward, loss and backward: grad += scale d(sum w loss)/dparams."""
    cdef Sums sums = block_loss(net, params, X, y, sample_weight, n_rows, scale)
    network_backward(net, params, X, n_rows, grad)
    return sums


# ---- optimizers: one loop over the parameter vector -------------------------------

cdef void sgd_step(
    const floating* grad, floating* params, Py_ssize_t n, floating rate
) noexcept nogil:
    """params -= rate grad."""
    cdef Py_ssize_t i
    for i in range(n):
        params[i] -= rate * grad[i]


cdef void momentum_step(
    const floating* grad,
    floating* velocity,
    floating* params,
    Py_ssize_t n,
    floating rate,
    floating momentum,
) noexcept nogil:
    """velocity = momentum velocity - rate grad; params += velocity."""
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += velocity[i]


cdef void nesterov_step(
    const floating* grad,
    floating* velocity,
    floating* params,
    Py_ssize_t n,
    floating rate,
    floating momentum,
) noexcept nogil:
    """The same velocity; params += momentum velocity - rate grad.

    Sutskever et al. (2013), with params at the point that looks ahead.
    """
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += momentum * velocity[i] - rate * grad[i]


# ---- the boundary -----------------------------------------------------------------

cdef inline Py_ssize_t ceil_div(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return (n + size - 1) // size


cdef int check_samples(
    Network net,
    const floating[::1] params,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
) except -1:
    check_fit(params.shape[0] == net.n_params and X.shape[1] == net.n_features)
    check_fit(y.shape[0] == sample_weight.shape[0] == X.shape[0])


def forward(
    Network net not None,
    const floating[::1] params,
    const floating[:, ::1] X,
    floating[::1] out,
):
    """Write the logit of each row of X to out."""
    cdef Py_ssize_t block, start, n_rows
    cdef floating* work = <floating*> net.work
    cdef Layer output = net.layers[net.n_layers - 1]
    check_fit(params.shape[0] == net.n_params and X.shape[1] == net.n_features)
    check_fit(out.shape[0] == X.shape[0])
    with nogil:
        for block in range(ceil_div(X.shape[0], net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.shape[0] - start)
            network_forward(net, &params[0], &X[start, 0], n_rows)
            memcpy(&out[start], work + output.z, n_rows * sizeof(floating))


def evaluate(
    Network net not None,
    const floating[::1] params,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
):
    """Return the weighted sums of the losses and of the correct predictions."""
    cdef Py_ssize_t block, start, n_rows
    cdef Sums sums = Sums(0, 0), part
    check_samples(net, params, X, y, sample_weight)
    with nogil:
        for block in range(ceil_div(X.shape[0], net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.shape[0] - start)
            part = block_loss(
                net, &params[0], &X[start, 0], &y[start], &sample_weight[start],
                n_rows, 1,
            )
            sums.loss += part.loss
            sums.correct += part.correct
    return sums.loss, sums.correct


def loss_and_gradient(
    Network net not None,
    const floating[::1] params,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
    floating[::1] grad,
):
    """Return J(params) over all rows and write dJ/dparams to grad."""
    cdef Py_ssize_t i, block, start, n_rows
    cdef double total_weight = 0, loss = 0
    check_samples(net, params, X, y, sample_weight)
    check_fit(grad.shape[0] == net.n_params)
    with nogil:
        for i in range(X.shape[0]):
            total_weight += sample_weight[i]
        penalty_gradient(net, &params[0], &grad[0])
        for block in range(ceil_div(X.shape[0], net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.shape[0] - start)
            loss += block_gradient(
                net, &params[0], &X[start, 0], &y[start], &sample_weight[start],
                n_rows, 1 / total_weight, &grad[0],
            ).loss
    return loss / total_weight + penalty(net, &params[0])


cdef void gather(
    Network net,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
    const Py_ssize_t* rows,
    Py_ssize_t n_rows,
) noexcept nogil:
    """Copy the given rows into the work memory."""
    cdef floating* work = <floating*> net.work
    cdef floating* row = work + net.X
    cdef Py_ssize_t i
    for i in range(n_rows):
        memcpy(row, &X[rows[i], 0], net.n_features * sizeof(floating))
        row += net.n_features
        work[net.y + i] = y[rows[i]]
        work[net.sample_weight + i] = sample_weight[rows[i]]


cdef Sums minibatch_gradient(
    Network net,
    const floating* params,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
    const Py_ssize_t* rows,
    Py_ssize_t n_rows,
) noexcept nogil:
    """Write dJ/dparams of a minibatch to grad, in the work memory."""
    cdef floating* work = <floating*> net.work
    cdef floating* grad = work + net.grad
    cdef Py_ssize_t block, start, n
    cdef Sums sums = Sums(0, 0), part
    penalty_gradient(net, params, grad)
    for block in range(ceil_div(n_rows, net.max_rows)):
        start = block * net.max_rows
        n = min(net.max_rows, n_rows - start)
        gather(net, X, y, sample_weight, rows + start, n)
        part = block_gradient(
            net, params, work + net.X, work + net.y, work + net.sample_weight,
            n, 1.0 / n_rows, grad,
        )
        sums.loss += part.loss
        sums.correct += part.correct
    return sums


def train_epoch(
    Network net not None,
    Optimizer optimizer,
    double momentum,
    floating[::1] params,
    floating[::1] velocity,
    const floating[:, ::1] X,
    const floating[::1] y,
    const floating[::1] sample_weight,
    const Py_ssize_t[::1] order,
    Py_ssize_t batch_size,
    const double[::1] learning_rates,
):
    """Take one step per minibatch of batch_size rows, in the given order.

    Updates params and velocity; returns the weighted sums of the losses and of the
    correct predictions, each taken before its minibatch's step.
    """
    cdef Py_ssize_t batch, start, n_rows
    cdef floating* grad = <floating*> net.work + net.grad
    cdef floating rate
    cdef Sums sums = Sums(0, 0), part
    check_samples(net, params, X, y, sample_weight)
    check_fit(velocity.shape[0] == net.n_params and batch_size > 0)
    check_fit(learning_rates.shape[0] == ceil_div(order.shape[0], batch_size))
    with nogil:
        for batch in range(learning_rates.shape[0]):
            start = batch * batch_size
            n_rows = min(batch_size, order.shape[0] - start)
            part = minibatch_gradient(
                net, &params[0], X, y, sample_weight, &order[start], n_rows
            )
            sums.loss += part.loss
            sums.correct += part.correct
            rate = <floating> learning_rates[batch]
            if optimizer == SGD:
                sgd_step(grad, &params[0], net.n_params, rate)
            elif optimizer == MOMENTUM:
                momentum_step(
                    grad, &velocity[0], &params[0], net.n_params, rate, momentum
                )
            else:
                nesterov_step(
                    grad, &velocity[0], &params[0], net.n_params, rate, momentum
                )
    return sums.loss, sums.correct
