# cython: language_level=3, boundscheck=False, wraparound=False
# cython: cdivision=True
"""The matrix products of a fit alone, computed with SciPy's BLAS."""

from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, sgemm


cdef inline void gemm(
    char* op_a, char* op_b, int m, int n, int k,
    floating* a, int lda, floating* b, int ldb, floating* c,
) noexcept nogil:
    cdef floating one = 1, zero = 0
    if floating is float:
        sgemm(op_a, op_b, &m, &n, &k, &one, a, &lda, b, &ldb, &zero, c, &m)
    else:
        dgemm(op_a, op_b, &m, &n, &k, &one, a, &lda, b, &ldb, &zero, c, &m)


def layer_products(
    floating[:, ::1] a,
    floating[:, ::1] W,
    floating[:, ::1] z,
    floating[:, ::1] grad,
    bint is_first,
    Py_ssize_t n_times,
):
    """Compute z = a W, grad = a' z and, except in the first layer, a = z W'.

    The computation is repeated n_times.
    """
    cdef int n_rows = a.shape[0], n_in = a.shape[1], n_out = W.shape[1]
    with nogil:
        for _ in range(n_times):
            gemm(
                b"N", b"N", n_out, n_rows, n_in,
                &W[0, 0], n_out, &a[0, 0], n_in, &z[0, 0],
            )
            gemm(
                b"N", b"T", n_out, n_in, n_rows,
                &z[0, 0], n_out, &a[0, 0], n_in, &grad[0, 0],
            )
            if not is_first:
                gemm(
                    b"T", b"N", n_in, n_rows, n_out,
                    &W[0, 0], n_out, &z[0, 0], n_out, &a[0, 0],
                )
