"""Lazy steps: plain gradient descent on CSR rows, at the cost of their stored values.

    W - rate (alpha W + G) = scale' (V - rate / scale' G)
    scale' = scale (1 - rate alpha)

where W = scale V is the weight matrix of the first layer, params hold V, and G is the
gradient of the loss. G is zero in each row of W whose feature the minibatch does not
store (Bottou, 2012, Stochastic gradient descent tricks, section 5.1).
"""


cdef floating touched_step(
    const index* columns, const Py_ssize_t* indptr, const Py_ssize_t* order,
    Py_ssize_t n_rows, Py_ssize_t n_out, floating rate, floating* grad_W, floating* W
) noexcept nogil:
    """W -= rate grad_W where the rows store values; then grad_W is zero everywhere.

    Returns 0, or NaN if a weight that was changed is not finite.
    """
    cdef Py_ssize_t i, j, k, p
    cdef floating zero = 0
    for i in range(n_rows):
        for p in range(indptr[order[i]], indptr[order[i] + 1]):
            j = columns[p] * n_out
            for k in range(j, j + n_out):
                W[k] -= rate * grad_W[k]
                grad_W[k] = 0
                zero += W[k] * 0
    return zero


cdef floating multiply_out(Network net, floating* params) noexcept nogil:
    """V = scale V, scale = 1; returns 0, or NaN if a weight is not finite."""
    cdef Py_ssize_t j
    cdef floating zero = 0
    if net.scale != 1:
        for j in range(net.layers[0].b):
            params[j] = <floating> (net.scale * params[j])
            zero += params[j] * 0
    net.scale = 1
    return zero


cdef floating lazy_sgd_step(
    Network net, Rows X, const Py_ssize_t* order, Py_ssize_t n_rows, floating rate,
    floating* params
) noexcept nogil:
    """W -= rate grad for the first W, which is scale V.

    Returns 0, or NaN if a weight of V that was changed is not finite.
    """
    cdef floating* grad = <floating*> net.work + net.grad
    cdef Py_ssize_t n_out = net.layers[0].n_out
    cdef floating rate_V, zero = 0
    net.scale *= 1 - <double> rate * <floating> net.alpha
    if not 1e-6 < net.scale < 1e6:  # so that V stays within the range of a float
        zero = multiply_out(net, params)
    rate_V = <floating> (rate / net.scale)
    if X.wide != NULL:
        return zero + touched_step(
            X.wide, X.indptr, order, n_rows, n_out, rate_V, grad, params
        )
    return zero + touched_step(
        X.narrow, X.indptr, order, n_rows, n_out, rate_V, grad, params
    )
