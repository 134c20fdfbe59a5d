"""The network: its memory, and all layers forwards, then backwards, in turn."""


cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t W, b  # offsets into params and grad
    Py_ssize_t z, a, delta  # offsets into the work memory
    Py_ssize_t draws  # offset into the draws of dropout


# The work memory for a block of rows holds at most SMALL_WORK numbers (256 KiB of
# float64), to stay in the cache, or n_params numbers if that is more. Where that is at
# most LARGE_WORK numbers (32 MiB), it may be 4 n_params: the weights and their gradient
# pass through the cache once a block, and with few rows in a block that costs wide
# layers 5 to 12 % of their time.
cdef Py_ssize_t SMALL_WORK = 1 << 15
cdef Py_ssize_t LARGE_WORK = 1 << 22


cdef class Network:
    """Layer sizes, options and work memory; two threads must not share one.

    Rows pass through it in blocks of max_rows at most.
    """

    cdef readonly Py_ssize_t n_features, n_params, max_rows
    cdef Activation activation
    cdef Backprop backprop
    cdef double alpha, dropout
    cdef double scale  # W of the first layer is scale times what params hold
    cdef bint sparse
    cdef bint clean  # in the work memory, the gradient of that W is zero
    cdef bint drops  # hidden units are dropped: only within train_epoch
    cdef uint64_t seed  # of the masks of dropout
    cdef Py_ssize_t place  # in the epoch's order, of the first row of the block
    cdef Py_ssize_t n_layers
    cdef Layer* layers
    cdef Py_ssize_t* bounds  # CSR: begin and end of max_rows rows
    cdef double* loss  # of max_rows rows
    cdef uint32_t* draws  # one for each hidden unit of max_rows rows
    cdef void* work
    # Offsets into the work memory, which begins with a block of dense rows.
    cdef Py_ssize_t y, sample_weight, grad

    def __cinit__(
        self, layer_sizes, Activation activation, Backprop backprop, double alpha,
        Py_ssize_t max_rows, bint sparse, double dropout
    ):
        # Numbers for a row: y and w, X if dense, z, a and delta of each layer.
        cdef Py_ssize_t size, most, width = 2
        check_fit(len(layer_sizes) > 1 and max_rows > 0 and 0 <= dropout < 1)
        for size in layer_sizes:
            check_fit(size > 0)
            width += 3 * size
        width -= (3 if sparse else 2) * layer_sizes[0]
        self.n_features = layer_sizes[0]
        self.activation = activation
        self.backprop = backprop
        self.alpha, self.dropout = alpha, dropout
        self.scale = 1
        self.sparse = sparse
        self.clean = self.drops = False
        self.n_layers = len(layer_sizes) - 1
        self.layers = <Layer*> malloc(self.n_layers * sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError
        self.lay_out_params(layer_sizes)
        most = max(SMALL_WORK, self.n_params, min(4 * self.n_params, LARGE_WORK))
        self.max_rows = max(1, min(max_rows, most // width))
        self.bounds = <Py_ssize_t*> malloc(2 * self.max_rows * sizeof(Py_ssize_t))
        self.loss = <double*> malloc(self.max_rows * sizeof(double))
        self.work = malloc(self.lay_out_work() * sizeof(double))
        self.draws = <uint32_t*> malloc(self.lay_out_draws() * sizeof(uint32_t))
        if self.bounds == NULL or self.loss == NULL or self.work == NULL:
            raise MemoryError
        if self.draws == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.layers)
        free(self.bounds)
        free(self.loss)
        free(self.draws)
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
        """Return the size of the work memory, in numbers."""
        cdef Py_ssize_t i, end
        cdef Layer* layer
        self.y = 0 if self.sparse else self.max_rows * self.n_features
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

    cdef Py_ssize_t lay_out_draws(self):
        """Return the number of draws to keep, at least 1."""
        cdef Py_ssize_t i, end = 0
        cdef Layer* layer
        if self.dropout > 0:
            for i in range(self.n_layers - 1):
                layer = &self.layers[i]
                layer.draws = end
                # Words are drawn whole: one draw at either end may be another row's.
                end += self.max_rows * layer.n_out + 2
        return max(1, end)


cdef void network_forward(
    Network net, const floating* params, const Block* X
) noexcept nogil:
    """z = a W + b and a = f(z) of every layer, from the first to the last."""
    cdef floating* work = <floating*> net.work
    cdef const Layer* layer = net.layers
    cdef Block a
    layer_forward(net, layer, params, X)
    for _ in range(1, net.n_layers):
        activation_forward(
            net.activation, work + layer.z, work + layer.a, X.n_rows * layer.n_out
        )
        if net.drops:
            dropout_forward(
                net, layer, work + layer.a, work + layer.delta, X.n_rows
            )
        a = hidden_output(net, layer, work, X.n_rows)
        layer += 1
        layer_forward(net, layer, params, &a)


cdef inline Block hidden_output(
    Network net, const Layer* layer, const floating* work, Py_ssize_t n_rows
) noexcept nogil:
    """a; or a' with dropout, which lies where delta will be, until that is known."""
    return dense_block(work + (layer.delta if net.drops else layer.a), n_rows)


cdef void network_backward(
    Network net, const floating* params, const Block* X, floating* grad, floating* dL_dX
) noexcept nogil:
    """delta of every layer, from the last one's down to the first.

    On the way dL/dparams is added to grad, and at the end dL_dX is filled. Either of
    the two may be NULL.
    """
    cdef floating* work = <floating*> net.work
    cdef Py_ssize_t i
    cdef const Layer* layer
    cdef const Layer* below
    cdef Block a
    for i in range(net.n_layers - 1, 0, -1):
        layer, below = &net.layers[i], &net.layers[i - 1]
        if grad != NULL:
            a = hidden_output(net, below, work, X.n_rows)
            layer_gradient(net, layer, &a, grad)
        layer_backward(net, layer, params, X.n_rows, work + below.delta)
        if net.drops:
            dropout_backward(net, below, work + below.delta, X.n_rows)
        activation_backward(
            net.activation, work + below.z, work + below.a, work + below.delta,
            X.n_rows * below.n_out,
        )
    if grad != NULL:
        layer_gradient(net, net.layers, X, grad)
    if dL_dX != NULL:
        layer_backward(net, net.layers, params, X.n_rows, dL_dX)
