"""Optimizers: params -= rate * (a direction that grad and the moments give).

Each is one loop over the parameter vector.
"""


cpdef enum Method:
    SGD
    MOMENTUM
    NESTEROV
    ADAM


cdef struct Rule:  # how params change; a pointer to it needs no GIL
    Method method
    double momentum, beta_1, beta_2, epsilon


cdef class Optimizer:
    """A method and its constants."""

    cdef Rule rule

    def __cinit__(
        self, Method method, momentum=0.0, beta_1=0.0, beta_2=0.0, epsilon=0.0
    ):
        self.rule = Rule(method, momentum, beta_1, beta_2, epsilon)

    @property
    def n_moments(self):
        """The number of vectors, each as long as params, that it remembers."""
        return 2 if self.rule.method == ADAM else int(self.rule.method != SGD)


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
    const Rule* rule, const floating* grad, floating* moments, Py_ssize_t to_square,
    floating* params, Py_ssize_t n, floating rate
) noexcept nogil:
    """The step of n params; adam's square lies to_square numbers after its mean."""
    cdef floating momentum = <floating> rule.momentum
    if rule.method == SGD:
        sgd_step(grad, params, n, rate)
    elif rule.method == MOMENTUM:
        momentum_step(grad, moments, params, n, rate, momentum)
    elif rule.method == NESTEROV:
        nesterov_step(grad, moments, params, n, rate, momentum)
    else:
        adam_step(
            grad, moments, moments + to_square, params, n, rate,
            <floating> rule.beta_1, <floating> rule.beta_2, <floating> rule.epsilon,
        )
