"""Passes: a block of rows forwards and backwards, then its gradient and the step.

First each row of the block gets its z, a and delta of every layer, for which it needs
no other row. When all have theirs, each weight gets its gradient and takes its step,
for which it needs no other weight. So the threads share out parts of the rows, and then
ranges of the weights. No sum is cut.
"""


cdef void pass_rows(Network net) noexcept nogil:
    """z, a and, if wanted, loss and delta of the rows of net.task."""
    cdef Py_ssize_t n_rows = net.task.X.n_rows, n_threads = net.threads.team.n_threads
    cdef Py_ssize_t n_parts
    if not net.is_shared(n_rows):
        net.task.height = n_rows
        rows_part(net, 0, 0)
        return
    n_parts = ceil_div(min(n_rows // LEAST_ROWS, PARTS * n_threads), n_threads)
    net.task.height = ceil_div(n_rows, max(1, n_parts) * n_threads)
    share_out(
        net.threads.team, rows_part, net, ceil_div(n_rows, net.task.height)
    )


cdef void rows_part(Network net, Py_ssize_t part, Py_ssize_t thread) noexcept nogil:
    if net.task.itemsize == sizeof(float):
        part_of_rows(net, part, <float*> net.work)
    else:
        part_of_rows(net, part, <double*> net.work)


cdef void part_of_rows(
    Network net, Py_ssize_t part, floating* work
) noexcept nogil:
    cdef const Pass* task = &net.task
    cdef const Layer* output = &net.layers[net.n_layers - 1]
    cdef const floating* params = <const floating*> task.params
    cdef const floating* y = <const floating*> task.y
    cdef const floating* sample_weight = <const floating*> task.sample_weight
    cdef floating* delta = work + output.delta
    cdef floating* dz_dX = <floating*> task.dz_dX
    cdef Py_ssize_t i, first = part * task.height
    cdef Py_ssize_t n_rows = min(task.height, task.X.n_rows - first)
    cdef Block X = part_of_block(
        &task.X, net.n_features * <Py_ssize_t> sizeof(floating), first, n_rows
    )
    network_forward(net, params, &X)
    if y != NULL:
        logistic_loss(
            work + output.z + first, y + first, sample_weight + first, n_rows,
            task.scale, net.loss + first, delta + first
        )
    if dz_dX != NULL:
        dz_dX += first * net.n_features
        for i in range(first, first + n_rows):
            delta[i] = 1  # dz/dz
    if task.goes_back:
        network_backward(net, params, first, n_rows, dz_dX)


cdef void pass_weights(Network net) noexcept nogil:
    """Add to the gradient, or begin it with the penalty's, and step if there is a rule.

    The rows of net.task have passed.
    """
    cdef Py_ssize_t i
    if net.is_shared(net.task.X.n_rows):
        share_out(net.threads.team, weights_part, net, net.n_ranges)
    else:
        for i in range(net.n_ranges):
            weights_part(net, i, 0)


cdef void weights_part(Network net, Py_ssize_t part, Py_ssize_t thread) noexcept nogil:
    cdef char* copy = net.threads.copies
    if copy != NULL:
        copy += thread * BLOCK
    if net.task.itemsize == sizeof(float):
        range_of_weights(net, &net.ranges[part], <float*> net.task.params, copy)
    else:
        range_of_weights(net, &net.ranges[part], <double*> net.task.params, copy)


cdef void range_of_weights(
    Network net, const Range* some, floating* params, void* copy
) noexcept nogil:
    cdef const Pass* task = &net.task
    cdef const Layer* layer = &net.layers[some.layer]
    cdef floating* grad = <floating*> task.grad
    cdef floating* moments = <floating*> task.moments
    cdef Py_ssize_t start = layer.W + some.first * layer.n_out
    cdef Py_ssize_t stop = start + some.n_rows * layer.n_out
    cdef Block a
    if task.is_lazy and some.layer == 0:  # see _lazy.pxi
        start = stop
    if task.is_first:
        penalty_gradient(net.alpha, params + start, grad + start, stop - start)
    if stop == layer.b:  # b lies behind the last row of W
        stop += layer.n_out
        if task.is_first:
            memset(grad + layer.b, 0, layer.n_out * sizeof(floating))
    a = task.X
    if some.layer > 0:
        a = hidden_output(net, layer - 1, <floating*> net.work, 0, a.n_rows)
    layer_gradient(net, layer, &a, some, grad, copy)
    if task.rule != NULL:
        step(
            task.rule, grad + start, moments + start, net.n_params, params + start,
            stop - start, <floating> task.rate
        )
