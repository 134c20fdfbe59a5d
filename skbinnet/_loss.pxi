"""Loss and penalty: the parts of J, and delta = dL/dz of the last layer.

    J = sum_i w_i loss(y_i, z_i) / sum_i w_i + alpha / 2 ||W||^2

The sums here are not divided: the functions in _core.pyx divide them, those of a
minibatch by its number of rows, since fit has scaled the weights to a mean of 1.
"""


cdef struct Sums:  # weighted, over rows
    double loss
    double correct


cdef cloned logistic_loss(
    const floating* z, const floating* y, const floating* sample_weight,
    Py_ssize_t n_rows, double scale, double* restrict loss, floating* restrict delta
) noexcept nogil:
    """loss = w (log(1 + exp(z)) - y z), and delta = scale w (p - y), of each row.

    The chain rule with p = sigmoid(z), the network's output, gives delta:
    dloss/dp dp/dz = (-y / p + (1 - y) / (1 - p)) p (1 - p) = p - y.

    With e = exp(-|z|) nothing overflows: log(1 + exp(z)) = max(z, 0) + log(1 + e), and
    p = 1 / (1 + e) for z >= 0, e / (1 + e) for z < 0.
    """
    cdef double zi, w, e, p
    cdef Py_ssize_t i
    for i in range(n_rows):
        zi, w = z[i], sample_weight[i]
        e = exp_neg(zi)
        p = (e if zi < 0 else 1) / (1 + e)
        loss[i] = w * (0.5 * zi + 0.5 * fabs(zi) - y[i] * zi + log1p_unit(e))
        delta[i] = <floating> (scale * w * (p - y[i]))


cdef void add_up(
    const double* loss, const floating* z, const floating* y,
    const floating* sample_weight, Py_ssize_t n_rows, Sums* sums
) noexcept nogil:
    """Add the rows in their order, so that the sums depend on no cut into blocks.

    Within logistic_loss they would not vectorise.
    """
    cdef Py_ssize_t i
    for i in range(n_rows):
        sums.loss += loss[i]
        sums.correct += sample_weight[i] * ((z[i] > 0) == (y[i] > 0.5))


cdef double penalty(Network net, const floating* params) noexcept nogil:
    """alpha / 2 ||W||^2, with alpha rounded to the dtype of W, as in the gradient."""
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


cdef cloned penalty_gradient(
    double alpha, const floating* W, floating* restrict grad_W, Py_ssize_t n
) noexcept nogil:
    """grad_W = alpha W."""
    cdef floating strength = <floating> alpha
    cdef Py_ssize_t i
    if strength == 0:
        memset(grad_W, 0, n * sizeof(floating))
        return
    for i in range(n):
        grad_W[i] = strength * W[i]
