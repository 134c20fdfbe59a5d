"""Rows of X, dense or CSR, where they lie in memory, and blocks of such rows."""


ctypedef fused index:  # the columns of a CSR matrix come in two widths
    int
    long long


cdef class Network  # see _network.pxi


cdef struct Block:  # rows that pass through the network together, or a layer's inputs
    const void* values  # dense: the first row; CSR: the stored values of all rows
    const int* narrow  # CSR: their columns, in one of two widths
    const long long* wide
    const Py_ssize_t* begin  # CSR: where the values of each row begin and end
    const Py_ssize_t* end
    Py_ssize_t n_rows
    Py_ssize_t first  # place of the first row in the work memory


# A row is fetched into the cache while the row this many places before it is copied.
# Where the data exceed the cache, an epoch took 0.91 to 0.98 times as long.
cdef Py_ssize_t AHEAD = 12


cdef int check_fit(bint fits) except -1:
    """Raise ValueError unless it fits; the functions below it do not check lengths."""
    if not fits:
        raise ValueError("The arrays or sizes do not fit the network or each other.")


cdef class Rows:
    """The rows of X, dense or CSR, where they lie in memory."""

    cdef public object X  # the array or CSR matrix
    cdef readonly Py_ssize_t n_rows, n_features
    cdef readonly bint sparse
    cdef readonly double magnitude  # the largest |x|, or NaN if any x is not finite
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
    with nogil:
        rows.magnitude = magnitude(&X[0, 0], rows.n_rows * rows.n_features)
    return rows


def csr_rows(
    const floating[::1] values, const index[::1] columns, const Py_ssize_t[::1] indptr,
    Py_ssize_t n_features
):
    """Rows of a CSR matrix; a row's columns may be unsorted and may repeat."""
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
    with nogil:
        rows.magnitude = magnitude(&values[0], values.shape[0])
    return rows


cdef inline Block dense_block(
    const void* values, Py_ssize_t n_rows, Py_ssize_t first
) noexcept nogil:
    return Block(values, NULL, NULL, NULL, NULL, n_rows, first)


cdef inline Block part_of_block(
    const Block* X, Py_ssize_t row_size, Py_ssize_t start, Py_ssize_t n_rows
) noexcept nogil:
    """n_rows rows of a block from start on; a dense row has row_size bytes."""
    if X.begin == NULL:
        return dense_block(<const char*> X.values + start * row_size, n_rows, start)
    return Block(
        X.values, X.narrow, X.wide, X.begin + start, X.end + start, n_rows, start
    )


cdef Block slice_rows(Network net, Rows X, Py_ssize_t start) noexcept nogil:
    """The next block: at most max_rows rows from start on, where they lie."""
    cdef const char* values = <const char*> X.values
    cdef const Py_ssize_t* begin = X.indptr
    cdef Py_ssize_t n_rows = min(net.max_rows, X.n_rows - start)
    if X.sparse:
        begin += start
        return Block(values, X.narrow, X.wide, begin, begin + 1, n_rows, 0)
    return dense_block(values + start * X.n_features * X.itemsize, n_rows, 0)


cdef void gather_rows(
    Network net, Rows X, const Py_ssize_t* order, Py_ssize_t n_order, Block* rows
) noexcept nogil:
    """Make rows the next block: at most max_rows of the rows that order lists.

    Dense rows are copied into the work memory.
    """
    cdef Py_ssize_t i, j, n_rows = min(net.max_rows, n_order)
    cdef Py_ssize_t size = X.n_features * X.itemsize
    cdef const char* values = <const char*> X.values
    cdef char* row = <char*> net.work
    if X.sparse:
        for i in range(n_rows):
            net.bounds[i] = X.indptr[order[i]]
            net.bounds[net.max_rows + i] = X.indptr[order[i] + 1]
        rows[0] = Block(
            values, X.narrow, X.wide, net.bounds, net.bounds + net.max_rows, n_rows, 0
        )
        return
    for i in range(n_rows):
        if i + AHEAD < n_rows:
            for j in range(0, size, 64):
                prefetch(values + order[i + AHEAD] * size + j)
        memcpy(row, values + order[i] * size, size)
        row += size
    rows[0] = dense_block(net.work, n_rows, 0)
