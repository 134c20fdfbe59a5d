"""The network: its memory, and all layers forwards, then backwards, in turn."""


cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t W, b  # offsets into params and grad
    Py_ssize_t z, a, delta  # offsets into the work memory


# The work memory for a block of rows holds at most this many numbers (256 KiB of
# float64), to stay in the cache, or n_params numbers if that is more.
cdef Py_ssize_t MAX_WORK = 1 << 15


cdef class Network:
    """Layer sizes, options and work memory; two threads must not share one.

    Rows pass through it in blocks of max_rows at most.
    """

    cdef readonly Py_ssize_t n_features, n_params, max_rows
    cdef Activation activation
    cdef Backprop backprop
    cdef double alpha
    cdef double scale  # W of the first layer is scale times what params hold
    cdef bint sparse
    cdef bint clean  # in the work memory, the gradient of that W is zero
    cdef Py_ssize_t n_layers
    cdef Layer* layers
    cdef Py_ssize_t* bounds  # CSR: begin and end of max_rows rows
    cdef double* loss  # of max_rows rows
    cdef void* work
    # Offsets into the work memory, which begins with a block of dense rows.
    cdef Py_ssize_t y, sample_weight, grad

    def __cinit__(
        self, layer_sizes, Activation activation, Backprop backprop, double alpha,
        Py_ssize_t max_rows, bint sparse
    ):
        # Numbers for a row: y and w, X if dense, z, a and delta of each layer.
        cdef Py_ssize_t size, width = 2
        check_fit(len(layer_sizes) > 1 and max_rows > 0)
        for size in layer_sizes:
            check_fit(size > 0)
            width += 3 * size
        width -= (3 if sparse else 2) * layer_sizes[0]
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
        a = dense_block(work + layer.a, X.n_rows)
        layer += 1
        layer_forward(net, layer, params, &a)


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
