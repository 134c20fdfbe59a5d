"""Passes: a block of rows forwards and backwards, then its gradient and the step.

First each row of the block gets its z, a and delta of every layer, for which it needs
no other row. When all have theirs, each weight gets its gradient and takes its step,
for which it needs no other weight. So the threads share out parts of the rows, and then
ranges of the weights. Each sum is computed by one thread, in the order in which a
single one computes it.
"""


cdef void pass_rows(Network net) noexcept nogil:
    """z, a and, if wanted, loss and delta of the rows of net.current."""
    cdef Py_ssize_t n_rows = net.current.X.n_rows
    cdef Py_ssize_t n_threads = net.threads.team.n_threads
    cdef Py_ssize_t n_each  # parts for each thread
    if not net.is_shared(n_rows):
        net.current.height = n_rows
        rows_part(net, 0, 0)
        return
    n_each = ceil_div(min(n_rows // LEAST_ROWS, PARTS * n_threads), n_threads)
    net.current.height = ceil_div(n_rows, max(1, n_each) * n_threads)
    share_out(
        net.threads.team, rows_part, net, ceil_div(n_rows, net.current.height)
    )


cdef void rows_part(Network net, Py_ssize_t part, Py_ssize_t thread) noexcept nogil:
    if net.current.itemsize == sizeof(float):
        part_of_rows(net, part, <float*> net.work)
    else:
        part_of_rows(net, part, <double*> net.work)


cdef void part_of_rows(
    Network net, Py_ssize_t part, floating* work
) noexcept nogil:
    cdef const Pass* current = &net.current
    cdef const Layer* output = &net.layers[net.n_layers - 1]
    cdef const floating* params = <const floating*> current.params
    cdef const floating* y = <const floating*> current.y
    cdef const floating* sample_weight = <const floating*> current.sample_weight
    cdef floating* delta = work + output.delta
    cdef floating* dz_dX = <floating*> current.dz_dX
    cdef Py_ssize_t i, first = part * current.height
    cdef Py_ssize_t n_rows = min(current.height, current.X.n_rows - first)
    cdef Block X = part_of_block(
        &current.X, net.n_features * <Py_ssize_t> sizeof(floating), first, n_rows
    )
    network_forward(net, params, &X)
    if y != NULL:
        logistic_loss(
            work + output.z + first, y + first, sample_weight + first, n_rows,
            current.scale, net.loss + first, delta + first
        )
    if dz_dX != NULL:
        dz_dX += first * net.n_features
        for i in range(first, first + n_rows):
            delta[i] = 1  # dz/dz
    if current.goes_back:
        network_backward(net, params, first, n_rows, dz_dX)


cdef void pass_weights(Network net) noexcept nogil:
    """Add to the gradient, or begin it with the penalty's, and step if there is a rule.

    The rows of net.current have passed.
    """
    cdef Py_ssize_t i
    if net.is_shared(net.current.X.n_rows):
        share_out(net.threads.team, weights_part, net, net.n_ranges)
    else:
        for i in range(net.n_ranges):
            weights_part(net, i, 0)


cdef void weights_part(Network net, Py_ssize_t part, Py_ssize_t thread) noexcept nogil:
    cdef char* copy = net.threads.copies
    if copy != NULL:
        copy += thread * COPY_BYTES
    if net.current.itemsize == sizeof(float):
        range_of_weights(net, &net.ranges[part], <float*> net.current.params, copy)
    else:
        range_of_weights(net, &net.ranges[part], <double*> net.current.params, copy)


cdef void range_of_weights(
    Network net, const Range* range_, floating* params, void* copy
) noexcept nogil:
    cdef const Pass* current = &net.current
    cdef const Layer* layer = &net.layers[range_.layer]
    cdef floating* grad = <floating*> current.grad
    cdef floating* moments = <floating*> current.moments
    cdef Py_ssize_t start = layer.W + range_.first * layer.n_out
    cdef Py_ssize_t stop = start + range_.n_rows * layer.n_out
    cdef const Block* a = &current.X
    cdef Block hidden
    if current.is_lazy and range_.layer == 0:  # see _lazy.pxi
        start = stop
    if current.is_first:
        penalty_gradient(net.alpha, params + start, grad + start, stop - start)
    if stop == layer.b:  # b lies behind the last row of W
        stop += layer.n_out
        if current.is_first:
            memset(grad + layer.b, 0, layer.n_out * sizeof(floating))
    if range_.layer > 0:
        hidden = hidden_output(net, layer - 1, <floating*> net.work, 0, a.n_rows)
        a = &hidden
    layer_gradient(net, layer, a, range_, grad, copy)
    if current.rule != NULL:
        step(
            current.rule, grad + start, moments + start, net.n_params, params + start,
            stop - start, <floating> current.rate
        )
