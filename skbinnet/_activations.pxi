"""Activations: a = f(z), and delta = dL/dz = dL/da f'(z).

To change an activation, change its two formulas. To add one, add its name to the enum,
its two formulas, and a branch to each of the two functions below them.
"""


cpdef enum Activation:  # in lower case, these names are the values of `activation`
    IDENTITY
    LOGISTIC
    TANH
    RELU


cdef inline floating logistic_forward(floating z) noexcept nogil:
    """1 / (1 + exp(-z)), or e / (1 + e) with e = exp(z) where z < 0."""
    cdef double e = exp_neg(z)
    return <floating> ((e if z < 0 else 1) / (1 + e))


cdef inline floating logistic_backward(floating dL_da, floating a) noexcept nogil:
    """f'(z) = a (1 - a)."""
    return dL_da * a * (1 - a)


cdef inline floating tanh_forward(floating z) noexcept nogil:
    """(1 - e) / (1 + e) with e = exp(-2 |z|), times the sign of z."""
    cdef double p, power, less
    p = exp_parts(-2 * fabs(z), &power)
    less = (1 - power) - power * p  # 1 - e, exact for small z
    return <floating> copysign(less / (2 - less), z)


cdef inline floating tanh_backward(floating dL_da, floating a) noexcept nogil:
    """f'(z) = 1 - a^2."""
    return dL_da * (1 - a * a)


cdef inline floating relu_forward(floating z) noexcept nogil:
    """max(z, 0), where NaN stays NaN."""
    return 0 if z < 0 else z


cdef inline floating relu_backward(floating dL_da, floating z) noexcept nogil:
    """f'(z) = 0 where z < 0, else 1."""
    return 0 if z < 0 else dL_da


cdef cloned activation_forward(
    Activation activation, const floating* z, floating* restrict a, Py_ssize_t n
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


cdef cloned activation_backward(
    Activation activation, const floating* z, const floating* a,
    floating* restrict delta, Py_ssize_t n
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
