"""Optimizers: params -= rate * (a direction that grad and the moments give).

Each is one loop over the parameter vector.
"""


cpdef enum Method:
    SGD
    MOMENTUM
    NESTEROV
    ADAM


cdef class Optimizer:
    """A method and its constants."""

    cdef Method method
    cdef double momentum, beta_1, beta_2, epsilon

    def __cinit__(
        self, Method method, momentum=0.0, beta_1=0.0, beta_2=0.0, epsilon=0.0
    ):
        self.method = method
        self.momentum = momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def n_moments(self):
        """The number of vectors, each as long as params, that it remembers."""
        return 2 if self.method == ADAM else int(self.method != SGD)


cdef cloned sgd_step(
    const floating* grad, floating* restrict params, Py_ssize_t n, floating rate
) noexcept nogil:
    """params -= rate grad."""
    cdef Py_ssize_t i
    for i in range(n):
        params[i] -= rate * grad[i]


cdef cloned momentum_step(
    const floating* grad, floating* restrict velocity, floating* restrict params,
    Py_ssize_t n, floating rate, floating momentum
) noexcept nogil:
    """velocity = momentum velocity - rate grad; params += velocity."""
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += velocity[i]


cdef cloned nesterov_step(
    const floating* grad, floating* restrict velocity, floating* restrict params,
    Py_ssize_t n, floating rate, floating momentum
) noexcept nogil:
    """The same velocity; params += momentum velocity - rate grad.

    Sutskever et al. (2013), where params are the point that looks ahead.
    """
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += momentum * velocity[i] - rate * grad[i]


cdef inline floating root(floating x) noexcept nogil:
    return sqrtf(x) if floating is float else sqrt(x)


cdef cloned adam_step(
    const floating* grad, floating* restrict mean, floating* restrict square,
    floating* restrict params, Py_ssize_t n, floating rate, floating beta_1,
    floating beta_2, floating epsilon
) noexcept nogil:
    """params -= rate mean / (sqrt(square) + epsilon).

    mean and square are moving averages of grad and of its square. Kingma and Ba (2015),
    algorithm 1 in the form at the end of their section 2: rate includes the correction
    of the bias, which is bias_correction in _solvers.py.
    """
    cdef floating rest_1 = 1 - beta_1, rest_2 = 1 - beta_2
    cdef Py_ssize_t i
    for i in range(n):
        mean[i] = beta_1 * mean[i] + rest_1 * grad[i]
        square[i] = beta_2 * square[i] + rest_2 * grad[i] * grad[i]
        params[i] -= rate * mean[i] / (root(square[i]) + epsilon)


cdef void step(
    Optimizer optimizer, const floating* grad, floating* moments, floating* params,
    Py_ssize_t n, floating rate
) noexcept nogil:
    cdef floating momentum = <floating> optimizer.momentum
    if optimizer.method == SGD:
        sgd_step(grad, params, n, rate)
    elif optimizer.method == MOMENTUM:
        momentum_step(grad, moments, params, n, rate, momentum)
    elif optimizer.method == NESTEROV:
        nesterov_step(grad, moments, params, n, rate, momentum)
    else:
        adam_step(
            grad, moments, moments + n, params, n, rate,
            <floating> optimizer.beta_1,
            <floating> optimizer.beta_2,
            <floating> optimizer.epsilon,
        )
