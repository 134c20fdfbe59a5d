/* The matrix product C = start + A B, for sizes as small as minibatches and layers are.

   BLAS takes longer to get ready for a product of ten rows than to compute it:
   10 x 30 x 10 took 0.7 us there and takes 0.2 us here, 200 x 100 x 100 took 130 us and
   takes 95 us (OpenBLAS; one core, AVX2, float64). Nor are threads started here, and
   each number of C is one sum in the order of k, so that no bit of it depends on the
   number of cores, on how rows are cut into blocks, or on which BLAS there is.

   A is (m, k) and B is (k, n), k > 0, with any strides; C is (m, n), row-major. start
   is laid out like C, but for the stride of its rows: 0 makes one row the start of
   all. NULL is zero.

   C is cut into tiles of 6 rows and 2 vectors of columns, or of 12 and 1: their sums
   stay in registers while k runs (Goto and van de Geijn, 2008, Anatomy of
   high-performance matrix multiplication).

   This file includes itself, once for each instruction set and type. */

#ifndef SET

#include <stddef.h>

#ifndef MOST
#define MOST 512 /* bits of a vector; fewer, for tests of what other processors do */
#endif
#define DEPTH 256 /* k is cut into parts, so that a panel of B stays in the cache */
#define MANY 64   /* from this many rows of A on it pays to copy a panel of B first */

#define JOIN_(name, real, set) name##_##real##_##set
#define JOIN(name, real, set) JOIN_(name, real, set)
#define NAME(name) JOIN(name, REAL, SET)

#ifdef __GNUC__ /* clang too */
#define INLINE inline __attribute__((always_inline))
#define VECTOR(bytes) \
    __attribute__((vector_size(bytes), aligned(sizeof(REAL)), may_alias))
#else /* a vector is one number */
#define INLINE inline
#define VECTOR(bytes)
#endif

#define PARAMETERS                                                                     \
    ptrdiff_t k, const REAL *start, ptrdiff_t start_row,                               \
    const REAL *A, ptrdiff_t A_row, ptrdiff_t A_col,                                   \
    const REAL *B, ptrdiff_t B_row, REAL *C, ptrdiff_t C_row
#define ARGUMENTS k, start, start_row, A, A_row, A_col, B, B_row, C, C_row

#define SET generic
#define TARGET
#define BYTES 16
#include "_product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#define BYTES 32
#include "_product.h"

#define SET avx512
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define BYTES 64
#include "_product.h"

#define HAS(set) __builtin_cpu_supports(set)
#define BEST(name)                                                                     \
    (HAS("avx512f") && HAS("fma") && MOST >= 512 ? name##_avx512                       \
        : HAS("avx2") && HAS("fma") && MOST >= 256 ? name##_avx2 : name##_generic)
#else
#define BEST(name) name##_generic
#endif

#define product_float BEST(product_float)
#define product_double BEST(product_double)

#elif !defined(REAL)

#define REAL float
#include "_product.h"
#define REAL double
#include "_product.h"
#undef SET
#undef TARGET
#undef BYTES

#else

typedef REAL NAME(vector) VECTOR(BYTES);
typedef REAL NAME(short_vector) VECTOR(16);

#define CASE(n_rows, tile, n_vectors)                                                  \
    case n_rows: if (n_rows <= 12 / n_vectors) tile(n_rows, ARGUMENTS); break;

/* Defines columns(): as many columns of C as n_vectors vectors hold, tile by tile. */
#define COLUMNS(columns, tile, vector, n_vectors)                                      \
    TARGET static INLINE void tile(int n_rows, PARAMETERS)                             \
    {                                                                                  \
        vector sum[12 / n_vectors][n_vectors];                                         \
        for (int i = 0; i < n_rows; i++)                                               \
            for (int v = 0; v < n_vectors; v++)                                        \
                sum[i][v] = start ? ((const vector *)(start + i * start_row))[v]       \
                                  : (vector){0};                                       \
        for (; k > 0; k--, A += A_col, B += B_row)                                     \
            for (int i = 0; i < n_rows; i++)                                           \
                for (int v = 0; v < n_vectors; v++)                                    \
                    sum[i][v] += A[i * A_row] * ((const vector *)B)[v];                \
        for (int i = 0; i < n_rows; i++)                                               \
            for (int v = 0; v < n_vectors; v++)                                        \
                ((vector *)(C + i * C_row))[v] = sum[i][v];                            \
    }                                                                                  \
                                                                                       \
    TARGET static void columns(ptrdiff_t m, PARAMETERS)                                \
    {                                                                                  \
        while (m > 0) {                                                                \
            ptrdiff_t most = 12 / n_vectors; /* as many sums as registers hold */      \
            ptrdiff_t n_rows = m >= 2 * most ? most : m > most ? (m + 1) / 2 : m;      \
            switch (n_rows) { /* a constant for each, so that loops unroll */          \
            CASE(1, tile, n_vectors) CASE(2, tile, n_vectors)                          \
            CASE(3, tile, n_vectors) CASE(4, tile, n_vectors)                          \
            CASE(5, tile, n_vectors) CASE(6, tile, n_vectors)                          \
            CASE(7, tile, n_vectors) CASE(8, tile, n_vectors)                          \
            CASE(9, tile, n_vectors) CASE(10, tile, n_vectors)                         \
            CASE(11, tile, n_vectors) CASE(12, tile, n_vectors)                        \
            }                                                                          \
            if (start)                                                                 \
                start += n_rows * start_row;                                           \
            A += n_rows * A_row;                                                       \
            C += n_rows * C_row;                                                       \
            m -= n_rows;                                                               \
        }                                                                              \
    }

COLUMNS(NAME(two_vectors), NAME(two_vectors_tile), NAME(vector), 2)
COLUMNS(NAME(one_vector), NAME(one_vector_tile), NAME(vector), 1)
COLUMNS(NAME(one_short), NAME(one_short_tile), NAME(short_vector), 1)
COLUMNS(NAME(one_number), NAME(one_number_tile), REAL, 1)

TARGET static INLINE void NAME(copy_panel)(ptrdiff_t k, ptrdiff_t width,
    const REAL *B, ptrdiff_t B_row, ptrdiff_t B_col, REAL *panel)
{
    for (ptrdiff_t p = 0; p < k; p++)
        for (ptrdiff_t j = 0; j < width; j++)
            panel[p * width + j] = B[p * B_row + j * B_col];
}

TARGET static void NAME(product)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const REAL *start, ptrdiff_t start_row,
    const REAL *A, ptrdiff_t A_row, ptrdiff_t A_col,
    const REAL *B, ptrdiff_t B_row, ptrdiff_t B_col, REAL *C)
{
    enum { SHORT = sizeof(NAME(short_vector)) / sizeof(REAL) };
    enum { LONG = sizeof(NAME(vector)) / sizeof(REAL) };
    REAL panel[DEPTH * 2 * LONG];
    if (n == 1 && A_row == 1 && start_row == 1) {
        /* A column of C as its only row, C' = start' + B' A', so that A is read in
           vectors: an epoch took 0.93 to 1.00 x. */
        NAME(product)(1, m, k, start, 0, B, 0, B_row, A, A_col, 1, C);
        return;
    }
    for (; k > 0; k -= DEPTH, A += DEPTH * A_col, B += DEPTH * B_row) {
        ptrdiff_t depth = k < DEPTH ? k : DEPTH;
        for (ptrdiff_t j = 0, width; j < n; j += width) {
            void (*columns)(ptrdiff_t m, PARAMETERS);
            const REAL *b = B + j * B_col;
            ptrdiff_t b_row = B_row, left = n - j;
            if (left >= 2 * LONG)
                columns = NAME(two_vectors), width = 2 * LONG;
            else if (left >= LONG)
                columns = NAME(one_vector), width = LONG;
            else if (left >= SHORT)
                columns = NAME(one_short), width = SHORT;
            else
                columns = NAME(one_number), width = 1;
            if (B_col != 1 || m >= MANY) {
                if (B_col == 1 && width == 2 * LONG) /* constants, for speed */
                    NAME(copy_panel)(depth, 2 * LONG, b, B_row, 1, panel);
                else
                    NAME(copy_panel)(depth, width, b, B_row, B_col, panel);
                b = panel;
                b_row = width;
            }
            columns(m, depth, start ? start + j : NULL, start_row, A, A_row, A_col, b,
                b_row, C + j, n);
        }
        start = C;
        start_row = n;
    }
}

#undef COLUMNS
#undef CASE
#undef REAL

#endif
