"""Layers: z = a W + b forwards; dL/dW = a' delta, dL/db = 1' delta, dL/da = delta W'.

A dense layer goes backwards in either of two ways, which differ by rounding alone.
"""


cpdef enum Backprop:  # in lower case, these names are the values of `backprop`
    LOOP
    MATRIX


# ---- a dense layer ------------------------------------------------------------------

cdef extern from "_product.h":  # C (m, n) = start + A (m, k) B (k, n)
    Py_ssize_t COPY_BYTES  # bytes that copy has room for, if it is not NULL
    void product_float(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
        const float* start, Py_ssize_t start_row,
        const float* A, Py_ssize_t A_row, Py_ssize_t A_col,
        const float* B, Py_ssize_t B_row, Py_ssize_t B_col,
        float* C, void* copy,
    ) noexcept nogil
    void product_double(
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
        const double* start, Py_ssize_t start_row,
        const double* A, Py_ssize_t A_row, Py_ssize_t A_col,
        const double* B, Py_ssize_t B_row, Py_ssize_t B_col,
        double* C, void* copy,
    ) noexcept nogil


cdef inline void product(
    Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
    const floating* start, Py_ssize_t start_row,
    const floating* A, Py_ssize_t A_row, Py_ssize_t A_col,
    const floating* B, Py_ssize_t B_row, Py_ssize_t B_col,
    floating* C, void* copy,
) noexcept nogil:
    if floating is float:
        product_float(
            m, n, k, start, start_row, A, A_row, A_col, B, B_row, B_col, C, copy
        )
    else:
        product_double(
            m, n, k, start, start_row, A, A_row, A_col, B, B_row, B_col, C, copy
        )


cdef void dense_forward(
    const floating* a, const floating* W, const floating* b, floating* z,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """z = a W + b."""
    product(n_rows, n_out, n_in, b, 0, a, n_in, 1, W, n_out, 1, z, NULL)


cdef cloned dense_gradient_loop(
    const floating* a, const floating* delta, floating* restrict grad_W,
    floating* restrict grad_b, Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dL/dW_jk += delta_k a_j and dL/db_k += delta_k, sample by sample."""
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
    const floating* W, const floating* delta, floating* restrict dL_da,
    Py_ssize_t n_rows, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dL/da_j = sum_k delta_k W_jk, the sum over all paths from a_j to the loss."""
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
    const floating* a, const floating* delta, floating* grad_W, Py_ssize_t n_rows,
    Py_ssize_t n_in, Py_ssize_t n_some, Py_ssize_t n_out, void* copy
) noexcept nogil:
    """dL/dW += a' delta, for n_some of the n_in rows of W."""
    product(
        n_some, n_out, n_rows, grad_W, n_out, a, 1, n_in, delta, n_out, 1, grad_W, copy
    )


cdef cloned add_rows(
    const floating* delta, floating* restrict grad_b, Py_ssize_t n_rows,
    Py_ssize_t n_out
) noexcept nogil:
    """dL/db += 1' delta."""
    cdef Py_ssize_t k
    for _ in range(n_rows):
        for k in range(n_out):
            grad_b[k] += delta[k]
        delta += n_out


cdef void dense_backward_matrix(
    const floating* W, const floating* delta, floating* dL_da, Py_ssize_t n_rows,
    Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dL/da = delta W'."""
    product(
        n_rows, n_in, n_out, <floating*> NULL, 0, delta, n_out, 1, W, 1, n_out, dL_da,
        NULL
    )


# ---- the first layer where X is CSR: one way backwards, for LOOP and MATRIX alike ----

cdef void sparse_forward(
    const floating* values, const index* columns, const Py_ssize_t* begin,
    const Py_ssize_t* end, const floating* W, const floating* b, floating* z,
    Py_ssize_t n_rows, Py_ssize_t n_out, double scale
) noexcept nogil:
    """z = scale a W + b, where a is CSR."""
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
    const floating* values, const index* columns, const Py_ssize_t* begin,
    const Py_ssize_t* end, const floating* delta, floating* grad_W, floating* grad_b,
    Py_ssize_t n_rows, Py_ssize_t n_out
) noexcept nogil:
    """dL/dW += a' delta and dL/db += 1' delta, where a is CSR."""
    cdef Py_ssize_t i, k, p
    cdef floating* grad_W_j
    add_rows(delta, grad_b, n_rows, n_out)
    for i in range(n_rows):
        for p in range(begin[i], end[i]):
            grad_W_j = grad_W + columns[p] * n_out
            for k in range(n_out):
                grad_W_j[k] += values[p] * delta[k]
        delta += n_out


# ---- any layer ---------------------------------------------------------------------

cdef void layer_forward(
    Network net, const Layer* layer, const floating* params, const Block* a
) noexcept nogil:
    cdef const floating* values = <const floating*> a.values
    cdef const floating* W = params + layer.W
    cdef const floating* b = params + layer.b
    cdef Py_ssize_t n_in = layer.n_in, n_out = layer.n_out
    cdef floating* z = <floating*> net.work + layer.z + a.first * n_out
    if a.wide != NULL:
        sparse_forward(
            values, a.wide, a.begin, a.end, W, b, z, a.n_rows, n_out, net.scale
        )
    elif a.begin != NULL:  # CSR; narrow may be NULL where no value is stored
        sparse_forward(
            values, a.narrow, a.begin, a.end, W, b, z, a.n_rows, n_out, net.scale
        )
    else:
        dense_forward(values, W, b, z, a.n_rows, n_in, n_out)


cdef void layer_gradient(
    Network net, const Layer* layer, const Block* a, const Range* range_,
    floating* grad, void* copy
) noexcept nogil:
    """Add dL/dW and dL/db of some rows of W, the last with b, to grad."""
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
        dense_gradient_matrix(
            values + range_.first, delta, dW + range_.first * n_out, a.n_rows, n_in,
            range_.n_rows, n_out, copy
        )
        if range_.first + range_.n_rows == n_in:
            add_rows(delta, db, a.n_rows, n_out)


cdef void layer_backward(
    Network net, const Layer* layer, const floating* params, Py_ssize_t first,
    Py_ssize_t n_rows, floating* dL_da
) noexcept nogil:
    cdef const floating* W = params + layer.W
    cdef const floating* delta = <floating*> net.work + layer.delta
    delta += first * layer.n_out
    if net.backprop == LOOP:
        dense_backward_loop(W, delta, dL_da, n_rows, layer.n_in, layer.n_out)
    else:
        dense_backward_matrix(W, delta, dL_da, n_rows, layer.n_in, layer.n_out)
