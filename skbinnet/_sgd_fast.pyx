# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True, initializedcheck=False
"""The compiled core: layers forward and backward, logistic loss, steps, one epoch.

    z = a W + b       W (n_in, n_out) and b (n_out) lie in params, layer after layer
    a = f(z)          f is the activation; the first a is X, the last z is the logit
    delta = dL/dz     L is the loss of the minibatch, y its labels 0 or 1
    grad              dJ/dparams, J = L + alpha / 2 ||W||^2, laid out like params

All matrices are row-major, but X may be CSR. A row of z, a or delta belongs to one
sample.
"""

from libc.math cimport copysign, fabs, sqrt, sqrtf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from cython cimport floating


cdef extern from *:  # what not every compiler has
    """
    #ifdef __GNUC__
    #define PREFETCH(address) __builtin_prefetch(address)
    #else
    #define PREFETCH(address)
    #endif

    #include <float.h>
    #if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 2
    #error "exp_parts needs doubles that are rounded: compile with -mfpmath=sse"
    #endif

    #if defined(__GNUC__) && !defined(__clang__) \\
        && defined(__x86_64__) && defined(__GLIBC__)
    #define CLONED __attribute__((target_clones("avx2", "default"))) void
    #else
    #define CLONED void
    #endif
    """
    void prefetch "PREFETCH"(const void* address) noexcept nogil

    # What a pass over numbers returns that is compiled with and without AVX2, to be
    # chosen when the module loads: an epoch took 0.80 to 0.95 x.
    ctypedef void cloned "CLONED"


cdef extern from *:  # 3.11 counts True and None, returned uncounted by later headers
    """
    #undef Py_RETURN_TRUE
    #undef Py_RETURN_FALSE
    #undef Py_RETURN_NONE
    #define Py_RETURN_TRUE return Py_NewRef(Py_True)
    #define Py_RETURN_FALSE return Py_NewRef(Py_False)
    #define Py_RETURN_NONE return Py_NewRef(Py_None)
    """


cdef extern from "_product.h":  # C (m, n) = start + A (m, k) B (k, n)
    void product_float(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
        const float* start, Py_ssize_t start_row,
        const float* A, Py_ssize_t A_row, Py_ssize_t A_col,
        const float* B, Py_ssize_t B_row, Py_ssize_t B_col,
        float* C,
    ) noexcept nogil
    void product_double(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
        const double* start, Py_ssize_t start_row,
        const double* A, Py_ssize_t A_row, Py_ssize_t A_col,
        const double* B, Py_ssize_t B_row, Py_ssize_t B_col,
        double* C,
    ) noexcept nogil


cpdef enum Activation:
    IDENTITY
    LOGISTIC
    TANH
    RELU


cpdef enum Backprop:
    LOOP
    MATRIX


cpdef enum Method:
    SGD
    MOMENTUM
    NESTEROV
    ADAM


ctypedef fused index:  # the columns of a CSR matrix come in two widths
    int
    long long


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


cdef struct Block:  # of rows that pass through the network at once, or a layer's inputs
    const void* values  # dense: the first row; CSR: the stored values of all rows
    const int* narrow  # CSR: their columns, in one of two widths
    const long long* wide
    const Py_ssize_t* begin  # CSR: where the values of each row begin and end
    const Py_ssize_t* end
    Py_ssize_t n_rows


# Work memory for rows holds at most this many numbers (256 KiB of float64) or as many
# as there are params, but at least those of one row. It should stay in the cache.
cdef Py_ssize_t MAX_WORK = 1 << 15

# Rows of a minibatch that are fetched before they are copied: where the data are larger
# than the cache, an epoch took 0.91 to 0.98 x.
cdef Py_ssize_t AHEAD = 12


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
    cdef double scale  # W of the first layer is scale times what params hold
    cdef bint sparse
    cdef bint clean  # the gradient of that W is zero in the work memory
    cdef Py_ssize_t n_layers
    cdef Layer* layers
    cdef Py_ssize_t* bounds  # CSR: begin and end of max_rows rows
    cdef double* loss  # of max_rows rows
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
        bint sparse,
    ):
        cdef Py_ssize_t width = 2 + 3 * sum(layer_sizes[1:])
        check_fit(len(layer_sizes) > 1 and min(layer_sizes) > 0 and max_rows > 0)
        if not sparse:
            width += layer_sizes[0]
        self.n_features = layer_sizes[0]
        self.activation = activation
        self.backprop = backprop
        self.alpha = alpha
        self.scale = 1
        self.sparse = sparse
        self.clean = False
        self.n_layers = len(layer_sizes) - 1
        self.layers = <Layer*> malloc(self.n_layers * sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.lay_out_params(layer_sizes)
        self.max_rows = max(1, min(max_rows, max(MAX_WORK, self.n_params) // width))
        self.bounds = <Py_ssize_t*> malloc(2 * self.max_rows * sizeof(Py_ssize_t))
        self.loss = <double*> malloc(self.max_rows * sizeof(double))
        self.work = malloc(self.lay_out_work() * sizeof(double))
        if self.bounds == NULL or self.loss == NULL or self.work == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layers)
        free(self.bounds)
        free(self.loss)
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
        self.y = self.X + (0 if self.sparse else self.max_rows * self.n_features)
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


cdef class Rows:
    """The rows of X where they lie, dense or CSR, without a copy."""

    cdef readonly Py_ssize_t n_rows
    cdef readonly Py_ssize_t n_features
    cdef readonly bint sparse
    cdef Py_ssize_t itemsize
    cdef const void* values
    cdef const int* narrow
    cdef const long long* wide
    cdef const Py_ssize_t* indptr
    cdef object memory  # keeps the arrays alive


def dense_rows(const floating[:, ::1] X):
    """Rows of a dense array."""
    cdef Rows rows = Rows()
    rows.n_rows, rows.n_features = X.shape[0], X.shape[1]
    rows.itemsize = sizeof(floating)
    rows.values = &X[0, 0]
    rows.memory = X
    return rows


def csr_rows(
    const floating[::1] values,
    const index[::1] columns,
    const Py_ssize_t[::1] indptr,
    Py_ssize_t n_features,
):
    """Rows of a CSR matrix; columns may be in any order, also more than once."""
    cdef Rows rows = Rows()
    cdef Py_ssize_t i
    cdef bint fits = indptr.shape[0] > 0 and indptr[0] == 0
    check_fit(fits and values.shape[0] == columns.shape[0])
    for i in range(indptr.shape[0] - 1):
        fits = fits and indptr[i] <= indptr[i + 1]
    check_fit(fits and indptr[indptr.shape[0] - 1] <= columns.shape[0])
    for i in range(columns.shape[0]):
        fits = fits and 0 <= columns[i] < n_features
    check_fit(fits)
    rows.n_rows, rows.n_features, rows.sparse = indptr.shape[0] - 1, n_features, True
    rows.itemsize = sizeof(floating)
    rows.values, rows.indptr = &values[0], &indptr[0]
    if index is int:
        rows.narrow = &columns[0]
    else:
        rows.wide = &columns[0]
    rows.memory = (values, columns, indptr)
    return rows


cdef class Optimizer:
    """A method of descent and its constants."""

    cdef Method method
    cdef double momentum
    cdef double beta_1
    cdef double beta_2
    cdef double epsilon

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
        """How many vectors like params it remembers."""
        return 2 if self.method == ADAM else int(self.method != SGD)


# ---- exp and log, without branches or calls, so that loops over them vectorise -------
#
# To 4e-16, relative. Over those of libm, an epoch of tanh units took 0.35 to 0.5 x, the
# notebook's 0.91 x.

cdef union Bits:
    double number
    unsigned long long word


cdef double LEAST = -708  # variables: of constants GCC makes branches
cdef double ZERO = 0


cdef inline double exp_parts(double x, double* power) noexcept nogil:
    """p and power with exp(x) = power (1 + p), power = 2^n, for x <= 0.

    x = n log 2 + r, |r| <= log(2) / 2, with log 2 in two parts (Cody and Waite, 1980);
    p = exp(r) - 1 by its Taylor series. Below -708, exp(x) is taken as 0.
    """
    cdef double magic = 6755399441055744.0  # 1.5 2^52: a sum has n in its last bits
    cdef double n, r, p
    cdef Bits bits
    cdef double least = LEAST if x < LEAST else x
    bits.number = 1.4426950408889634 * least + magic
    n = bits.number - magic
    r = least - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6
    p = 1.0 / 479001600 + r * (1.0 / 6227020800.0)
    p = 1.0 / 39916800 + r * p
    p = 1.0 / 3628800 + r * p
    p = 1.0 / 362880 + r * p
    p = 1.0 / 40320 + r * p
    p = 1.0 / 5040 + r * p
    p = 1.0 / 720 + r * p
    p = 1.0 / 120 + r * p
    p = 1.0 / 24 + r * p
    p = 1.0 / 6 + r * p
    p = r + r * r * (0.5 + r * p)
    bits.word = (bits.word + 1023) << 52
    power[0] = ZERO if x < LEAST else bits.number
    return p


cdef inline double exp_neg(double x) noexcept nogil:
    """exp(-|x|)."""
    cdef double p, power
    p = exp_parts(-fabs(x), &power)
    return power + power * p


cdef inline double log1p_unit(double x) noexcept nogil:
    """log(1 + x) for 0 <= x <= 1, the series of 2 artanh(x / (2 + x))."""
    cdef double w = x / (2 + x), square = w * w, sum
    sum = 1.0 / 31 + square * (1.0 / 33)
    sum = 1.0 / 29 + square * sum
    sum = 1.0 / 27 + square * sum
    sum = 1.0 / 25 + square * sum
    sum = 1.0 / 23 + square * sum
    sum = 1.0 / 21 + square * sum
    sum = 1.0 / 19 + square * sum
    sum = 1.0 / 17 + square * sum
    sum = 1.0 / 15 + square * sum
    sum = 1.0 / 13 + square * sum
    sum = 1.0 / 11 + square * sum
    sum = 1.0 / 9 + square * sum
    sum = 1.0 / 7 + square * sum
    sum = 1.0 / 5 + square * sum
    sum = 1.0 / 3 + square * sum
    return 2 * (w + w * square * sum)


# ---- activations: a = f(z), and delta = dL/da f'(z) --------------------------------

cdef inline floating logistic_forward(floating z) noexcept nogil:
    cdef double e = exp_neg(z)
    return <floating> ((e if z < 0 else 1) / (1 + e))


cdef inline floating logistic_backward(floating dL_da, floating a) noexcept nogil:
    return dL_da * a * (1 - a)


cdef inline floating tanh_forward(floating z) noexcept nogil:
    """(1 - e) / (1 + e) with e = exp(-2 |z|), and the sign of z."""
    cdef double p, power, less
    p = exp_parts(-2 * fabs(z), &power)
    less = (1 - power) - power * p  # 1 - e, exact for small z
    return <floating> copysign(less / (2 - less), z)


cdef inline floating tanh_backward(floating dL_da, floating a) noexcept nogil:
    return dL_da * (1 - a * a)


cdef inline floating relu_forward(floating z) noexcept nogil:
    return 0 if z < 0 else z  # NaN stays NaN


cdef inline floating relu_backward(floating dL_da, floating z) noexcept nogil:
    return 0 if z < 0 else dL_da  # f'(0) = 1


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


cdef cloned rectify_rows(
    floating* restrict z, const floating* b, Py_ssize_t n_rows, Py_ssize_t n_out
) noexcept nogil:
    """z = relu(z + b)."""
    cdef Py_ssize_t k
    for _ in range(n_rows):
        for k in range(n_out):
            z[k] = relu_forward(z[k] + b[k])
        z += n_out


cdef cloned activation_backward(
    Activation activation,
    const floating* z,
    const floating* a,
    floating* restrict delta,
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


# ---- a dense layer, and its two ways back --------------------------------------------

cdef inline void product(
    Py_ssize_t m,
    Py_ssize_t n,
    Py_ssize_t k,
    const floating* start,
    Py_ssize_t start_row,
    const floating* A,
    Py_ssize_t A_row,
    Py_ssize_t A_col,
    const floating* B,
    Py_ssize_t B_row,
    Py_ssize_t B_col,
    floating* C,
) noexcept nogil:
    if floating is float:
        product_float(
            m, n, k, start, start_row, A, A_row, A_col, B, B_row, B_col, C
        )
    else:
        product_double(
            m, n, k, start, start_row, A, A_row, A_col, B, B_row, B_col, C
        )


cdef void dense_forward(
    const floating* a,
    const floating* W,
    const floating* b,
    floating* z,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """z = a W + b."""
    product(n_rows, n_out, n_in, b, 0, a, n_in, 1, W, n_out, 1, z)


cdef cloned dense_gradient_loop(
    const floating* a,
    const floating* delta,
    floating* restrict grad_W,
    floating* restrict grad_b,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """The chain rule, sample by sample and weight by weight, added to grad."""
    cdef Py_ssize_t j, k
    cdef floating dz_dW
    for _ in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[k]  # dz_k/db_k = 1
        for j in range(n_in):
            dz_dW = a[j]
            for k in range(n_out):
                grad_W[j * n_out + k] += delta[k] * dz_dW
        a += n_in
        delta += n_out


cdef cloned dense_backward_loop(
    const floating* W,
    const floating* delta,
    floating* restrict dL_da,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/da_j, the sum over all paths from a_j to the loss."""
    cdef Py_ssize_t j, k
    cdef floating dz_da, sum_of_paths
    for _ in range(n_rows):
        for j in range(n_in):
            sum_of_paths = 0
            for k in range(n_out):
                dz_da = W[j * n_out + k]
                sum_of_paths += delta[k] * dz_da
            dL_da[j] = sum_of_paths
        delta += n_out
        dL_da += n_in


cdef void dense_gradient_matrix(
    const floating* a,
    const floating* delta,
    floating* grad_W,
    floating* grad_b,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/dW = a' delta and dL/db = 1' delta, added to grad."""
    add_rows(delta, grad_b, n_rows, n_out)
    product(
        n_in, n_out, n_rows, grad_W, n_out, a, 1, n_in, delta, n_out, 1, grad_W
    )


cdef cloned add_rows(
    const floating* delta,
    floating* restrict grad_b,
    Py_ssize_t n_rows,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/db = 1' delta, added to grad."""
    cdef Py_ssize_t k
    for _ in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[k]
        delta += n_out


cdef void dense_backward_matrix(
    const floating* W,
    const floating* delta,
    floating* dL_da,
    Py_ssize_t n_rows,
    Py_ssize_t n_in,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/da = delta W'."""
    product(
        n_rows, n_in, n_out, <floating*> NULL, 0, delta, n_out, 1, W, 1, n_out, dL_da
    )


# ---- the first layer of CSR rows; loop and matrix are one here ----------------------

cdef void sparse_forward(
    const floating* values,
    const index* columns,
    const Py_ssize_t* begin,
    const Py_ssize_t* end,
    const floating* W,
    const floating* b,
    floating* z,
    Py_ssize_t n_rows,
    Py_ssize_t n_out,
    double scale,
) noexcept nogil:
    """z = scale a W + b, from the values that are stored of a."""
    cdef Py_ssize_t i, k, p
    cdef const floating* W_j
    cdef floating a_j
    for i in range(n_rows):
        memcpy(z, b, n_out * sizeof(floating))
        for p in range(begin[i], end[i]):
            a_j, W_j = <floating> (scale * values[p]), W + columns[p] * n_out
            for k in range(n_out):
                z[k] += a_j * W_j[k]
        z += n_out


cdef void sparse_gradient(
    const floating* values,
    const index* columns,
    const Py_ssize_t* begin,
    const Py_ssize_t* end,
    const floating* delta,
    floating* grad_W,
    floating* grad_b,
    Py_ssize_t n_rows,
    Py_ssize_t n_out,
) noexcept nogil:
    """dL/dW = a' delta and dL/db = 1' delta, added to grad."""
    cdef Py_ssize_t i, k, p
    cdef floating* grad_W_j
    add_rows(delta, grad_b, n_rows, n_out)
    for i in range(n_rows):
        for p in range(begin[i], end[i]):
            grad_W_j = grad_W + columns[p] * n_out
            for k in range(n_out):
                grad_W_j[k] += values[p] * delta[k]
        delta += n_out


# ---- any layer --------------------------------------------------------------------

cdef void layer_forward(
    Network net, const Layer* layer, const floating* params, const Block* a
) noexcept nogil:
    cdef const floating* values = <const floating*> a.values
    cdef const floating* W = params + layer.W
    cdef const floating* b = params + layer.b
    cdef floating* z = <floating*> net.work + layer.z
    cdef Py_ssize_t n_in = layer.n_in, n_out = layer.n_out
    if a.wide != NULL:
        sparse_forward(
            values, a.wide, a.begin, a.end, W, b, z, a.n_rows, n_out, net.scale
        )
    elif a.begin != NULL:  # narrow may be NULL where nothing is stored
        sparse_forward(
            values, a.narrow, a.begin, a.end, W, b, z, a.n_rows, n_out, net.scale
        )
    else:
        dense_forward(values, W, b, z, a.n_rows, n_in, n_out)


cdef void layer_gradient(
    Network net, const Layer* layer, const Block* a, floating* grad
) noexcept nogil:
    cdef const floating* values = <const floating*> a.values
    cdef const floating* delta = <floating*> net.work + layer.delta
    cdef floating* dW = grad + layer.W
    cdef floating* db = grad + layer.b
    cdef Py_ssize_t n_in = layer.n_in, n_out = layer.n_out
    if a.wide != NULL:
        sparse_gradient(
            values, a.wide, a.begin, a.end, delta, dW, db, a.n_rows, n_out
        )
    elif a.begin != NULL:
        sparse_gradient(
            values, a.narrow, a.begin, a.end, delta, dW, db, a.n_rows, n_out
        )
    elif net.backprop == LOOP:
        dense_gradient_loop(values, delta, dW, db, a.n_rows, n_in, n_out)
    else:
        dense_gradient_matrix(values, delta, dW, db, a.n_rows, n_in, n_out)


cdef void layer_backward(
    Network net,
    const Layer* layer,
    const floating* params,
    Py_ssize_t n_rows,
    floating* dL_da,
) noexcept nogil:
    cdef const floating* W = params + layer.W
    cdef const floating* delta = <floating*> net.work + layer.delta
    if net.backprop == LOOP:
        dense_backward_loop(W, delta, dL_da, n_rows, layer.n_in, layer.n_out)
    else:
        dense_backward_matrix(W, delta, dL_da, n_rows, layer.n_in, layer.n_out)


# ---- the network ------------------------------------------------------------------

cdef inline Block dense_block(const void* values, Py_ssize_t n_rows) noexcept nogil:
    return Block(values, NULL, NULL, NULL, NULL, n_rows)


cdef void network_forward(
    Network net, const floating* params, const Block* X
) noexcept nogil:
    """Fill z and a of every layer."""
    cdef floating* work = <floating*> net.work
    cdef const Layer* layer = net.layers
    cdef Block a
    layer_forward(net, layer, params, X)
    for _ in range(1, net.n_layers):
        activation_forward(
            net.activation, work + layer.z, work + layer.a, X.n_rows * layer.n_out
        )
        a = dense_block(work + layer.a, X.n_rows)
        layer += 1
        layer_forward(net, layer, params, &a)


cdef void network_backward(
    Network net,
    const floating* params,
    const Block* X,
    floating* grad,
    floating* dL_dX,
) noexcept nogil:
    """From the last layer's delta down: add dL/dparams to grad, fill dL_dX.

    Either may be NULL.
    """
    cdef floating* work = <floating*> net.work
    cdef Py_ssize_t i
    cdef const Layer* layer
    cdef const Layer* below
    cdef Block a
    for i in range(net.n_layers - 1, 0, -1):
        layer, below = &net.layers[i], &net.layers[i - 1]
        if grad != NULL:
            a = dense_block(work + below.a, X.n_rows)
            layer_gradient(net, layer, &a, grad)
        layer_backward(net, layer, params, X.n_rows, work + below.delta)
        activation_backward(
            net.activation, work + below.z, work + below.a, work + below.delta,
            X.n_rows * below.n_out,
        )
    if grad != NULL:
        layer_gradient(net, net.layers, X, grad)
    if dL_dX != NULL:
        layer_backward(net, net.layers, params, X.n_rows, dL_dX)


# ---- loss and penalty -------------------------------------------------------------

cdef cloned logistic_loss(
    const floating* z,
    const floating* y,
    const floating* sample_weight,
    Py_ssize_t n_rows,
    double scale,
    double* restrict loss,
    floating* restrict delta,
) noexcept nogil:
    """loss = w (log(1 + exp(z)) - y z) of each row, and delta = scale w (p - y).

    The chain rule over p = sigmoid(z), the network's output, multiplied out:
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


cdef Sums add_up(
    const double* loss,
    const floating* z,
    const floating* y,
    const floating* sample_weight,
    Py_ssize_t n_rows,
) noexcept nogil:
    """Apart from logistic_loss, which vectorises: sums are taken in order."""
    cdef Sums sums = Sums(0, 0)
    cdef Py_ssize_t i
    for i in range(n_rows):
        sums.loss += loss[i]
        sums.correct += sample_weight[i] * ((z[i] > 0) == (y[i] > 0))
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


cdef cloned penalty_gradient(
    Network net, const floating* params, bint lazy, floating* grad
) noexcept nogil:
    """grad = alpha W for the weights, 0 for the biases; lazy leaves the first W out."""
    cdef floating alpha = <floating> net.alpha
    cdef Py_ssize_t start = net.layers[0].b if lazy else 0
    cdef Py_ssize_t i, j
    cdef Layer layer
    if alpha == 0:
        memset(grad + start, 0, (net.n_params - start) * sizeof(floating))
        return
    for i in range(net.n_layers):
        layer = net.layers[i]
        for j in range(max(start, layer.W), layer.b):
            grad[j] = alpha * params[j]
        memset(grad + layer.b, 0, layer.n_out * sizeof(floating))


# ---- blocks of rows ---------------------------------------------------------------

cdef Block slice_rows(Rows X, Py_ssize_t start, Py_ssize_t n_rows) noexcept nogil:
    """Rows that lie one after the other."""
    cdef const char* values = <const char*> X.values
    cdef const Py_ssize_t* begin = X.indptr
    if X.sparse:
        begin += start
        return Block(values, X.narrow, X.wide, begin, begin + 1, n_rows)
    return dense_block(values + start * X.n_features * X.itemsize, n_rows)


cdef Block gather_rows(
    Network net, Rows X, const Py_ssize_t* order, Py_ssize_t n_rows
) noexcept nogil:
    """The rows that order names; dense ones are copied into the work memory."""
    cdef Py_ssize_t i, j
    cdef Py_ssize_t size = X.n_features * X.itemsize
    cdef const char* values = <const char*> X.values
    cdef char* row = <char*> net.work  # net.X is 0
    if X.sparse:
        for i in range(n_rows):
            net.bounds[i] = X.indptr[order[i]]
            net.bounds[net.max_rows + i] = X.indptr[order[i] + 1]
        return Block(
            values, X.narrow, X.wide, net.bounds, net.bounds + net.max_rows, n_rows
        )
    for i in range(n_rows):
        if i + AHEAD < n_rows:
            for j in range(0, size, 64):
                prefetch(values + order[i + AHEAD] * size + j)
        memcpy(row, values + order[i] * size, size)
        row += size
    return dense_block(net.work, n_rows)


cdef Sums block_loss(
    Network net,
    const floating* params,
    const Block* X,
    const floating* y,
    const floating* sample_weight,
    double scale,
) noexcept nogil:
    """Forward and loss; leaves the last layer's delta for the way back."""
    cdef floating* work = <floating*> net.work
    cdef const Layer* output = &net.layers[net.n_layers - 1]
    cdef const floating* z = work + output.z
    network_forward(net, params, X)
    logistic_loss(
        z, y, sample_weight, X.n_rows, scale, net.loss, work + output.delta
    )
    return add_up(net.loss, z, y, sample_weight, X.n_rows)


cdef Sums block_gradient(
    Network net,
    const floating* params,
    const Block* X,
    const floating* y,
    const floating* sample_weight,
    double scale,
    floating* grad,
) noexcept nogil:
    """Forward, loss and backward: grad += scale d(sum w loss)/dparams."""
    cdef Sums sums = block_loss(net, params, X, y, sample_weight, scale)
    network_backward(net, params, X, grad, <floating*> NULL)
    return sums


cdef Sums minibatch_gradient(
    Network net,
    const floating* params,
    Rows X,
    const floating[::1] y,
    const floating[::1] sample_weight,
    const Py_ssize_t* order,
    Py_ssize_t n_rows,
    bint lazy,
) noexcept nogil:
    """Write dJ/dparams of a minibatch to grad, in the work memory."""
    cdef floating* work = <floating*> net.work
    cdef Py_ssize_t i, block, start, n
    cdef Sums sums = Sums(0, 0), part
    cdef Block rows
    penalty_gradient(net, params, lazy, work + net.grad)
    for block in range(ceil_div(n_rows, net.max_rows)):
        start = block * net.max_rows
        n = min(net.max_rows, n_rows - start)
        for i in range(n):
            work[net.y + i] = y[order[start + i]]
            work[net.sample_weight + i] = sample_weight[order[start + i]]
        rows = gather_rows(net, X, order + start, n)
        part = block_gradient(
            net, params, &rows, work + net.y, work + net.sample_weight, 1.0 / n_rows,
            work + net.grad,
        )
        sums.loss += part.loss
        sums.correct += part.correct
    return sums


cdef inline Py_ssize_t ceil_div(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    return n // size + (n % size > 0)


# ---- optimizers: one loop over the parameter vector -------------------------------

cdef cloned sgd_step(
    const floating* grad, floating* restrict params, Py_ssize_t n, floating rate
) noexcept nogil:
    """params -= rate grad."""
    cdef Py_ssize_t i
    for i in range(n):
        params[i] -= rate * grad[i]


cdef cloned momentum_step(
    const floating* grad,
    floating* restrict velocity,
    floating* restrict params,
    Py_ssize_t n,
    floating rate,
    floating momentum,
) noexcept nogil:
    """velocity = momentum velocity - rate grad; params += velocity."""
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] - rate * grad[i]
        params[i] += velocity[i]


cdef cloned nesterov_step(
    const floating* grad,
    floating* restrict velocity,
    floating* restrict params,
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


cdef inline floating root(floating x) noexcept nogil:
    return sqrtf(x) if floating is float else sqrt(x)


cdef cloned adam_step(
    const floating* grad,
    floating* restrict mean,
    floating* restrict square,
    floating* restrict params,
    Py_ssize_t n,
    floating rate,
    floating beta_1,
    floating beta_2,
    floating epsilon,
) noexcept nogil:
    """mean and square are moving averages of grad and of its square.

    params -= rate mean / (sqrt(square) + epsilon). Kingma and Ba (2015), algorithm 1 in
    the order of the end of their section 2; rate holds the correction of the bias.
    """
    cdef floating rest_1 = 1 - beta_1, rest_2 = 1 - beta_2
    cdef Py_ssize_t i
    for i in range(n):
        mean[i] = beta_1 * mean[i] + rest_1 * grad[i]
        square[i] = beta_2 * square[i] + rest_2 * grad[i] * grad[i]
        params[i] -= rate * mean[i] / (root(square[i]) + epsilon)


cdef void step(
    Optimizer optimizer,
    const floating* grad,
    floating* moments,
    floating* params,
    Py_ssize_t n,
    floating rate,
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


# ---- plain descent on CSR rows: a step costs what the minibatch stores --------------

cdef floating touched_step(
    const index* columns,
    const Py_ssize_t* indptr,
    const Py_ssize_t* order,
    Py_ssize_t n_rows,
    Py_ssize_t n_out,
    floating rate,
    floating* grad_W,
    floating* W,
) noexcept nogil:
    """W -= rate grad_W where the rows have values; leaves grad_W zero everywhere.

    Returns 0, or NaN if a weight is not finite.
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
    """Back to a first W as params hold it; returns 0, or NaN if it is not finite."""
    cdef Py_ssize_t j
    cdef floating zero = 0
    if net.scale != 1:
        for j in range(net.layers[0].b):
            params[j] = <floating> (net.scale * params[j])
            zero += params[j] * 0
    net.scale = 1
    return zero


cdef floating lazy_sgd_step(
    Network net,
    Rows X,
    const Py_ssize_t* order,
    Py_ssize_t n_rows,
    floating rate,
    floating* params,
) noexcept nogil:
    """params -= rate grad, the penalty on the first W by way of its scale.

    W = scale V, so W - rate (alpha W + G) = scale' (V - rate / scale' G), with
    scale' = scale (1 - rate alpha) and G the gradient of the loss, which is zero where
    the minibatch stores nothing. Returns 0, or NaN if a weight is not finite.
    """
    cdef floating* grad = <floating*> net.work + net.grad
    cdef Py_ssize_t b = net.layers[0].b, n_out = net.layers[0].n_out
    cdef floating rate_V, zero = 0
    net.scale *= 1 - <double> rate * <floating> net.alpha
    if not 1e-6 < net.scale < 1e6:  # keep V within the range of a float
        zero = multiply_out(net, params)
    rate_V = <floating> (rate / net.scale)
    sgd_step(grad + b, params + b, net.n_params - b, rate)
    if X.wide != NULL:
        return zero + touched_step(
            X.wide, X.indptr, order, n_rows, n_out, rate_V, grad, params
        )
    return zero + touched_step(
        X.narrow, X.indptr, order, n_rows, n_out, rate_V, grad, params
    )


# ---- the boundary -----------------------------------------------------------------

cdef int check_rows(Network net, const floating[::1] params, Rows X) except -1:
    check_fit(params.shape[0] == net.n_params and X.n_features == net.n_features)
    check_fit(X.itemsize == sizeof(floating) and X.sparse == net.sparse)


cdef int check_samples(
    Network net,
    const floating[::1] params,
    Rows X,
    const floating[::1] y,
    const floating[::1] sample_weight,
) except -1:
    check_rows(net, params, X)
    check_fit(y.shape[0] == sample_weight.shape[0] == X.n_rows)


cdef cloned add_zeros(
    const floating* values, Py_ssize_t n, floating scale, floating* restrict zeros
) noexcept nogil:
    """Add 0 times each product to one of 8 sums, which vectorises; some stay NaN."""
    cdef Py_ssize_t i, j
    for i in range(0, n - 7, 8):
        for j in range(8):
            zeros[j] += values[i + j] * scale * 0
    for i in range(n - n % 8, n):
        zeros[0] += values[i] * scale * 0


cdef floating zero_or_nan(
    const floating* values, Py_ssize_t n, floating scale
) noexcept nogil:
    """0, or NaN if a number times the scale is NaN or infinite."""
    cdef floating[8] zeros
    cdef floating zero = 0
    cdef Py_ssize_t j
    memset(zeros, 0, sizeof(zeros))
    add_zeros(values, n, scale, zeros)
    for j in range(8):
        zero += zeros[j]
    return zero


def all_finite(const floating[::1] values, double scale=1):
    """Whether no number times the scale is NaN or infinite."""
    cdef bint is_finite
    with nogil:
        is_finite = zero_or_nan(&values[0], values.shape[0], <floating> scale) == 0
    return is_finite


def add_bias_rectify(floating[:, ::1] z, const floating[::1] b):
    """z = relu(z + b), in place."""
    check_fit(z.shape[1] == b.shape[0])
    with nogil:
        rectify_rows(&z[0, 0], &b[0], z.shape[0], z.shape[1])


def shuffle(Py_ssize_t[::1] order, const double[::1] draws):
    """Put order into one of all orders by as many draws from U[0, 1).

    Durstenfeld (1964), Algorithm 235. RandomState.shuffle draws as it goes and takes
    2.5 x as long, a tenth of the notebook's fit.
    """
    cdef Py_ssize_t i, j
    check_fit(order.shape[0] == draws.shape[0])
    for i in range(order.shape[0] - 1, 0, -1):
        j = <Py_ssize_t> (draws[i] * (i + 1))
        order[i], order[j] = order[j], order[i]


def evaluate(
    Network net not None,
    const floating[::1] params,
    Rows X not None,
    const floating[::1] y,
    const floating[::1] sample_weight,
):
    """Return the weighted sums of the losses and of the correct predictions."""
    cdef Py_ssize_t block, start, n_rows
    cdef Sums sums = Sums(0, 0), part
    cdef Block rows
    check_samples(net, params, X, y, sample_weight)
    with nogil:
        for block in range(ceil_div(X.n_rows, net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.n_rows - start)
            rows = slice_rows(X, start, n_rows)
            part = block_loss(
                net, &params[0], &rows, &y[start], &sample_weight[start], 1
            )
            sums.loss += part.loss
            sums.correct += part.correct
    return sums.loss, sums.correct


def loss_and_gradient(
    Network net not None,
    const floating[::1] params,
    Rows X not None,
    const floating[::1] y,
    const floating[::1] sample_weight,
    floating[::1] grad,
):
    """Write dJ/dparams over all rows to grad.

    Returns the two parts of J, the mean loss and the penalty, and the accuracy.
    """
    cdef Py_ssize_t i, block, start, n_rows
    cdef double total_weight = 0
    cdef Sums sums = Sums(0, 0), part
    cdef Block rows
    check_samples(net, params, X, y, sample_weight)
    check_fit(grad.shape[0] == net.n_params)
    with nogil:
        for i in range(X.n_rows):
            total_weight += sample_weight[i]
        penalty_gradient(net, &params[0], False, &grad[0])
        for block in range(ceil_div(X.n_rows, net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.n_rows - start)
            rows = slice_rows(X, start, n_rows)
            part = block_gradient(
                net, &params[0], &rows, &y[start], &sample_weight[start],
                1 / total_weight, &grad[0],
            )
            sums.loss += part.loss
            sums.correct += part.correct
    return (
        sums.loss / total_weight, penalty(net, &params[0]), sums.correct / total_weight
    )


def input_gradient(
    Network net not None,
    const floating[::1] params,
    Rows X not None,
    floating[:, ::1] dz_dX,
):
    """Write dz/dx, z the logit, for each row x of X to dz_dX."""
    cdef Py_ssize_t i, block, start, n_rows
    cdef floating* work = <floating*> net.work
    cdef Layer output = net.layers[net.n_layers - 1]
    cdef Block rows
    check_rows(net, params, X)
    check_fit(dz_dX.shape[0] == X.n_rows and dz_dX.shape[1] == X.n_features)
    with nogil:
        for block in range(ceil_div(X.n_rows, net.max_rows)):
            start = block * net.max_rows
            n_rows = min(net.max_rows, X.n_rows - start)
            rows = slice_rows(X, start, n_rows)
            network_forward(net, &params[0], &rows)
            for i in range(n_rows):
                work[output.delta + i] = 1  # dz/dz
            network_backward(
                net, &params[0], &rows, <floating*> NULL, &dz_dX[start, 0]
            )


def train_epoch(
    Network net not None,
    Optimizer optimizer not None,
    floating[::1] params,
    floating[:, ::1] moments,
    Rows X not None,
    const floating[::1] y,
    const floating[::1] sample_weight,
    const Py_ssize_t[::1] order,
    Py_ssize_t batch_size,
    const double[::1] learning_rates,
):
    """Take one step per minibatch of batch_size rows, in the given order.

    Updates params and moments; returns the weighted sums of the losses and of the
    correct predictions, each taken before its minibatch's step, and whether the params
    are finite.
    """
    cdef Py_ssize_t batch, start, n_rows
    cdef floating* grad = <floating*> net.work + net.grad
    cdef bint lazy = net.sparse and optimizer.method == SGD
    cdef floating rate, zero = 0
    cdef Sums sums = Sums(0, 0), part
    check_samples(net, params, X, y, sample_weight)
    check_fit(moments.shape[0] == optimizer.n_moments)
    check_fit(moments.shape[1] == net.n_params and batch_size > 0)
    check_fit(learning_rates.shape[0] == ceil_div(order.shape[0], batch_size))
    with nogil:
        if lazy and not net.clean:
            memset(grad, 0, net.layers[0].b * sizeof(floating))
        net.clean = lazy
        for batch in range(learning_rates.shape[0]):
            start = batch * batch_size
            n_rows = min(batch_size, order.shape[0] - start)
            part = minibatch_gradient(
                net, &params[0], X, y, sample_weight, &order[start], n_rows, lazy
            )
            sums.loss += part.loss
            sums.correct += part.correct
            rate = <floating> learning_rates[batch]
            if lazy:
                zero += lazy_sgd_step(
                    net, X, &order[start], n_rows, rate, &params[0]
                )
            else:
                step(
                    optimizer, grad, &moments[0, 0], &params[0], net.n_params, rate
                )
        start = 0
        if lazy:  # what no row has touched is as finite as before
            zero += multiply_out(net, &params[0])
            start = net.layers[0].b
        zero += zero_or_nan(&params[start], net.n_params - start, <floating> 1)
    return sums.loss, sums.correct, zero == 0
