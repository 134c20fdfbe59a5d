"""The network: its memory, and all layers forwards, then backwards, in turn."""


cdef struct Layer:
    Py_ssize_t n_in, n_out
    Py_ssize_t W, b  # offsets into params and grad
    Py_ssize_t z, a, delta  # offsets into the work memory
    Py_ssize_t dropped  # the same, of a' with dropout, and otherwise of a
    Py_ssize_t draws  # offset into the draws of dropout


cdef struct Range:  # some rows of a W, the last of them with b
    Py_ssize_t layer
    Py_ssize_t first, n_rows


cdef struct Pass:  # of a block of rows
    Py_ssize_t itemsize
    Block X
    const void* params
    const void* y  # NULL if no loss is wanted
    const void* sample_weight
    double scale  # of the loss, in delta
    bint goes_back
    void* dz_dX  # NULL if not wanted
    Py_ssize_t height  # rows of a part
    void* grad
    bint is_first  # of the blocks of a minibatch: the gradient begins
    bint is_lazy  # the first W has no penalty and takes no step
    const Rule* rule  # NULL: no step is taken
    void* moments
    double rate


# The work memory for a block of rows holds at most SMALL_WORK numbers (256 KiB of
# float64), to stay in the cache, or n_params numbers if that is more. Where that is at
# most LARGE_WORK numbers (32 MiB), it may be 4 n_params: the weights and their gradient
# pass through the cache once a block, and with few rows in a block that costs wide
# layers 5 to 12 % of their time.
cdef Py_ssize_t SMALL_WORK = 1 << 15
cdef Py_ssize_t LARGE_WORK = 1 << 22

# Vectors and matrices in the work memory begin at lines of the cache. Without that,
# fits took 1.02 to 1.04 of the time, and two threads may write to the same line.
cdef Py_ssize_t LINE_BYTES = 64


cdef inline Py_ssize_t whole_lines(Py_ssize_t n) noexcept nogil:
    """n rounded up to as many numbers of 4 bytes, or more, as fill lines."""
    cdef Py_ssize_t line = LINE_BYTES // 4
    return ceil_div(n, line) * line


cdef class Network:
    """Layer sizes, options and work memory; two calls must not use one at once.

    Rows pass through it in blocks of max_rows at most.
    """

    cdef readonly Py_ssize_t n_features, n_params, max_rows
    cdef Threads threads
    cdef Activation activation
    cdef Backprop backprop
    cdef double alpha, dropout
    cdef double scale  # W of the first layer is scale times what params hold
    cdef bint sparse
    cdef bint clean  # in the work memory, the gradient of that W is zero
    cdef bint drops  # hidden units are dropped: only within train_epoch
    cdef uint64_t seed  # of the masks of dropout
    cdef Py_ssize_t place  # in the epoch's order, of the first row of the block
    cdef Py_ssize_t n_layers, n_ranges
    cdef Layer* layers
    cdef Range* ranges  # of all weights; a thread computes the gradient of one
    cdef Py_ssize_t* bounds  # CSR: begin and end of max_rows rows
    cdef double* loss  # of max_rows rows
    cdef uint32_t* draws  # one for each hidden unit of max_rows rows
    cdef void* memory  # with room for work, which begins at a line of the cache
    cdef void* work
    # Offsets into the work memory, which begins with a block of dense rows.
    cdef Py_ssize_t y, sample_weight, grad
    cdef Pass current  # what the threads share out

    def __cinit__(
        self, layer_sizes, Activation activation, Backprop backprop, double alpha,
        Py_ssize_t max_rows, bint sparse, double dropout, Threads threads not None
    ):
        # Numbers for a row: y and w, X if dense, z, a and delta of each layer, and a'
        # of the hidden ones.
        cdef Py_ssize_t i, size, most, width = 2
        check_fit(len(layer_sizes) > 1 and max_rows > 0 and 0 <= dropout < 1)
        for size in layer_sizes:
            check_fit(size > 0)
            width += 3 * size
        width -= (3 if sparse else 2) * layer_sizes[0]
        if dropout > 0:
            width += sum(layer_sizes[1:-1])
        self.n_features = layer_sizes[0]
        self.threads = threads
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
        self.cut_params(threads.n_parts)
        most = max(
            threads.n_parts * SMALL_WORK, self.n_params,
            min(4 * self.n_params, LARGE_WORK),
        )
        self.max_rows = max(1, min(max_rows, most // width))
        self.bounds = <Py_ssize_t*> malloc(2 * self.max_rows * sizeof(Py_ssize_t))
        self.loss = <double*> malloc(self.max_rows * sizeof(double))
        self.memory = malloc(self.lay_out_work() * sizeof(double) + LINE_BYTES)
        self.work = <char*> self.memory + LINE_BYTES
        self.work = <char*> self.work - <Py_ssize_t> self.work % LINE_BYTES
        self.draws = <uint32_t*> malloc(self.lay_out_draws() * sizeof(uint32_t))
        if self.bounds == NULL or self.loss == NULL or self.memory == NULL:
            raise MemoryError
        if self.draws == NULL:
            raise MemoryError
        for i in range(self.n_layers):
            if self.layers[i].n_in > 128 and self.layers[i].n_out >= 128:
                threads.provide_copies()
        threads.are_wanted = threads.are_wanted or self.is_shared(self.max_rows)

    def __dealloc__(self):
        free(self.layers)
        free(self.ranges)
        free(self.bounds)
        free(self.loss)
        free(self.draws)
        free(self.memory)

    cdef inline bint is_shared(self, Py_ssize_t n_rows) noexcept nogil:
        """Whether the threads share out a pass of n_rows rows."""
        cdef Py_ssize_t n = self.n_params - (self.layers[0].b if self.sparse else 0)
        return self.threads.team.n_threads > 1 and <double> n_rows * n >= LEAST_SHARED

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

    cdef int cut_params(self, Py_ssize_t n_parts) except -1:
        """Cut W of each dense layer into ranges of rows, n_parts in all or more."""
        cdef Py_ssize_t i, first, n_rows, size = ceil_div(self.n_params, n_parts)
        cdef Layer* layer
        self.n_ranges = 0
        self.ranges = <Range*> malloc((self.n_layers + n_parts) * sizeof(Range))
        if self.ranges == NULL:
            raise MemoryError
        for i in range(self.n_layers):
            layer = &self.layers[i]
            n_rows = layer.n_in
            if n_parts > 1 and self.backprop == MATRIX and not (i == 0 and self.sparse):
                # Whole tiles of the product, and more than n_params / n_parts numbers.
                n_rows = min(n_rows, ceil_div(ceil_div(size, layer.n_out), 12) * 12)
            for first in range(0, layer.n_in, n_rows):
                self.ranges[self.n_ranges] = Range(
                    i, first, min(n_rows, layer.n_in - first)
                )
                self.n_ranges += 1

    cdef Py_ssize_t lay_out_work(self):
        """Return the size of the work memory, in numbers."""
        cdef Py_ssize_t i, end
        cdef Layer* layer
        self.y = 0 if self.sparse else whole_lines(self.max_rows * self.n_features)
        self.sample_weight = self.y + whole_lines(self.max_rows)
        self.grad = self.sample_weight + whole_lines(self.max_rows)
        end = self.grad + whole_lines(self.n_params)
        for i in range(self.n_layers):
            layer = &self.layers[i]
            layer.z = end
            layer.a = layer.z + whole_lines(self.max_rows * layer.n_out)
            layer.delta = layer.a + whole_lines(self.max_rows * layer.n_out)
            end = layer.delta + whole_lines(self.max_rows * layer.n_out)
            layer.dropped = layer.a
            if self.dropout > 0 and i < self.n_layers - 1:
                layer.dropped = end
                end += whole_lines(self.max_rows * layer.n_out)
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
                end += self.max_rows * (layer.n_out + 2)
        return max(1, end)


cdef void network_forward(
    Network net, const floating* params, const Block* X
) noexcept nogil:
    """z = a W + b and a = f(z) of every layer, from the first to the last."""
    cdef floating* work = <floating*> net.work
    cdef const Layer* layer = net.layers
    cdef Py_ssize_t start
    cdef Block a
    layer_forward(net, layer, params, X)
    for _ in range(1, net.n_layers):
        start = X.first * layer.n_out
        activation_forward(
            net.activation, work + layer.z + start, work + layer.a + start,
            X.n_rows * layer.n_out
        )
        if net.drops:
            dropout_forward(
                net, layer, work + layer.a + start, work + layer.dropped + start,
                X.first, X.n_rows
            )
        a = hidden_output(net, layer, work, X.first, X.n_rows)
        layer += 1
        layer_forward(net, layer, params, &a)


cdef inline Block hidden_output(
    Network net, const Layer* layer, const floating* work, Py_ssize_t first,
    Py_ssize_t n_rows
) noexcept nogil:
    """a; or a' with dropout."""
    cdef Py_ssize_t a = layer.dropped if net.drops else layer.a
    return dense_block(work + a + first * layer.n_out, n_rows, first)


cdef void network_backward(
    Network net, const floating* params, Py_ssize_t first, Py_ssize_t n_rows,
    floating* dL_dX
) noexcept nogil:
    """delta of every layer, from the last one's down to the first.

    At the end dL_dX is filled, if it is not NULL.
    """
    cdef floating* work = <floating*> net.work
    cdef floating* delta
    cdef Py_ssize_t i, start
    cdef const Layer* layer
    for i in range(net.n_layers - 1, 0, -1):
        layer = &net.layers[i - 1]
        start = first * layer.n_out
        delta = work + layer.delta + start
        layer_backward(net, layer + 1, params, first, n_rows, delta)
        if net.drops:
            dropout_backward(net, layer, delta, first, n_rows)
        activation_backward(
            net.activation, work + layer.z + start, work + layer.a + start, delta,
            n_rows * layer.n_out,
        )
    if dL_dX != NULL:
        layer_backward(net, net.layers, params, first, n_rows, dL_dX)
