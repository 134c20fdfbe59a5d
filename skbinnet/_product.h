/* The matrix product C = start + A B, for minibatches and layers, small and wide.

   A is (m, k) and B is (k, n), k > 0, with any strides; C is (m, n), row-major. start
   is laid out like C, but for the stride of its rows: 0 makes one row the start of
   all. NULL is zero.

   Each number of C is one sum in the order of k. So no bit of it depends on how rows are
   cut into blocks, on the number of threads, on which of the ways below is taken, on
   whether AVX2 or AVX-512 computes it, or on which BLAS there is.

   C is cut into tiles of 6 rows and 2 vectors of columns, or of 12 and 1: their sums
   stay in registers while k runs (Goto and van de Geijn, 2008, Anatomy of
   high-performance matrix multiplication). Small matrices are read where they lie: BLAS
   takes longer to get ready for a product of ten rows than to compute it (10 x 30 x 10
   took 0.7 us there and takes 0.2 us here). Of large ones, parts that fit the caches are
   copied first, in the order in which the tiles read them.

   This file includes itself, once for each instruction set and type. */

#ifndef SET

#include <stddef.h>

#ifndef MOST
#define MOST 512 /* bits of a vector; fewer, for tests of what other processors do */
#endif

/* A tile reads all k of a panel, two vectors wide, of B. k is cut into parts of DEPTH,
   so that the panel, of 16 KiB with AVX2, stays in the L1 cache, of 32 KiB or more. The
   same DEPTH columns of a block of A are read again for each panel: COPY_BYTES, which
   stay in or near the L2 cache, of 512 KiB or more. A copy of the panel pays from MANY
   rows on, and from half of that if the rows of B are far apart. A copy of the block
   pays for A = a', whose rows are the columns of the layer's input a, and only if the
   rows of a are more than FAR_APART bytes apart: they then share few sets of the cache
   and drive each other out (1024 x 512 x 1024 took 0.7 of the time). Blocks of half the
   size took 1.02 to 1.09 of the time. */
#define DEPTH 256
#define COPY_BYTES (512 << 10)
#define MANY 48
#define FAR_APART 1024
#define SOME 8 /* rows of a that are copied together; 256 took 1.03 of the time */

#define JOIN_(name, real, set) name##_##real##_##set
#define JOIN(name, real, set) JOIN_(name, real, set)
#define NAME(name) JOIN(name, REAL, SET)

#ifdef __GNUC__ /* clang too */
#define INLINE inline __attribute__((always_inline))
#define APART __attribute__((noinline)) /* rare, so that it takes no registers */
#define VECTOR(bytes) \
    __attribute__((vector_size(bytes), aligned(sizeof(REAL)), may_alias))
#else /* a vector is one number */
#define INLINE inline
#define APART
#define VECTOR(bytes)
#endif

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAS_SHUFFLE
#endif
#endif

#define PARAMETERS                                                                     \
    ptrdiff_t k, const REAL *start, ptrdiff_t start_row,                               \
    const REAL *A, ptrdiff_t A_row, ptrdiff_t A_col,                                   \
    const REAL *B, ptrdiff_t B_row, REAL *C, ptrdiff_t C_row
#define ARGUMENTS k, start, start_row, A, A_row, A_col, B, B_row, C, C_row

/* The first of the tiles that cut m rows has so many, at most `most`. */
static inline ptrdiff_t rows_of_tile(ptrdiff_t m, ptrdiff_t most)
{
    return m >= 2 * most ? most : m > most ? (m + 1) / 2 : m;
}

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
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define UPPER(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#include "_product.h"
#define REAL double
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 2)
#define UPPER(a, b) __builtin_shufflevector(a, b, 1, 3)
#include "_product.h"
#undef SET
#undef TARGET
#undef BYTES

#else

typedef REAL NAME(vector) VECTOR(BYTES);
typedef REAL NAME(half_vector) VECTOR(BYTES > 32 ? 32 : 16);
typedef REAL NAME(short_vector) VECTOR(16);

enum {
    NAME(LONG) = sizeof(NAME(vector)) / sizeof(REAL),
    NAME(HALF) = sizeof(NAME(half_vector)) / sizeof(REAL),
    NAME(SHORT) = sizeof(NAME(short_vector)) / sizeof(REAL),
    NAME(WIDTH) = 2 * NAME(LONG), /* of a panel */
    NAME(LINE) = 64 / sizeof(REAL) /* of the cache */
};

#define CASE(n_rows, tile, n_vectors)                                                  \
    case n_rows: if (n_rows <= 12 / n_vectors) tile(n_rows, ARGUMENTS); break;

/* Defines columns(): as many columns of C as n_vectors vectors hold, tile by tile. A is
   a block's copy if is_block. */
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
    TARGET static void columns(ptrdiff_t m, int is_block, PARAMETERS)                  \
    {                                                                                  \
        while (m > 0) {                                                                \
            ptrdiff_t n_rows = rows_of_tile(m, 12 / n_vectors);                        \
            if (is_block)                                                              \
                A_col = n_rows;                                                        \
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
            A += n_rows * (is_block ? k : A_row);                                      \
            C += n_rows * C_row;                                                       \
            m -= n_rows;                                                               \
        }                                                                              \
    }

COLUMNS(NAME(two_vectors), NAME(two_vectors_tile), NAME(vector), 2)
COLUMNS(NAME(one_vector), NAME(one_vector_tile), NAME(vector), 1)
COLUMNS(NAME(one_half), NAME(one_half_tile), NAME(half_vector), 1)
COLUMNS(NAME(one_short), NAME(one_short_tile), NAME(short_vector), 1)
COLUMNS(NAME(one_number), NAME(one_number_tile), REAL, 1)

TARGET static INLINE void NAME(copy_panel)(ptrdiff_t k, ptrdiff_t width,
    const REAL *B, ptrdiff_t B_row, ptrdiff_t B_col, REAL *panel)
{
    for (ptrdiff_t p = 0; p < k; p++)
        for (ptrdiff_t j = 0; j < width; j++)
            panel[p * width + j] = B[p * B_row + j * B_col];
}

/* Copies k columns of A, whose numbers of a column lie side by side, tile by tile. */
TARGET static APART void NAME(copy_block)(
    ptrdiff_t m, ptrdiff_t k, const REAL *A, ptrdiff_t A_col, REAL *block)
{
    for (ptrdiff_t p = 0, n_cols; p < k; p += n_cols) {
        n_cols = k - p < SOME ? k - p : SOME;
        for (ptrdiff_t i = 0, n_rows; i < m; i += n_rows) {
            const REAL *from = A + i + p * A_col;
            REAL *to = block + i * k;
            n_rows = rows_of_tile(m - i, 6);
            to += p * n_rows;
            if (n_rows == 6) /* a constant, for speed */
                NAME(copy_panel)(n_cols, 6, from, A_col, 1, to);
            else
                NAME(copy_panel)(n_cols, n_rows, from, A_col, 1, to);
        }
    }
}

#ifdef HAS_SHUFFLE
/* to[j * to_row + i] = from[i * from_row + j] of a square as wide as a short vector. */
TARGET static INLINE void NAME(transpose)(
    const REAL *from, ptrdiff_t from_row, REAL *to, ptrdiff_t to_row)
{
    enum { SIZE = NAME(SHORT), MIDDLE = SIZE / 2 };
    NAME(short_vector) rows[SIZE], mixed[SIZE];
    for (int i = 0; i < SIZE; i++)
        rows[i] = *(const NAME(short_vector) *)(from + i * from_row);
    for (int done = 1; done < SIZE; done *= 2) {
        for (int i = 0; i < MIDDLE; i++) {
            mixed[2 * i] = LOWER(rows[i], rows[i + MIDDLE]);
            mixed[2 * i + 1] = UPPER(rows[i], rows[i + MIDDLE]);
        }
        for (int i = 0; i < SIZE; i++)
            rows[i] = mixed[i];
    }
    for (int i = 0; i < SIZE; i++)
        *(NAME(short_vector) *)(to + i * to_row) = rows[i];
}
#endif

/* Copies a panel of B = W', whose columns are the rows of W. */
TARGET static APART void NAME(copy_transposed)(
    ptrdiff_t k, ptrdiff_t width, const REAL *B, ptrdiff_t B_col, REAL *panel)
{
    ptrdiff_t p = 0;
#ifdef HAS_SHUFFLE
    if (width % NAME(SHORT) == 0) /* each line of the cache is read only once */
        for (; p <= k - NAME(LINE); p += NAME(LINE))
            for (ptrdiff_t j = 0; j < width; j += NAME(SHORT))
                for (ptrdiff_t q = p; q < p + NAME(LINE); q += NAME(SHORT))
                    NAME(transpose)(
                        B + q + j * B_col, B_col, panel + q * width + j, width);
#endif
    NAME(copy_panel)(k - p, width, B + p, 1, B_col, panel + p * width);
}

/* The product for k <= DEPTH and a block of A; copy has room for it, or is NULL. */
TARGET static INLINE void NAME(block_product)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const REAL *start, ptrdiff_t start_row, const REAL *A, ptrdiff_t A_row,
    ptrdiff_t A_col, const REAL *B, ptrdiff_t B_row, ptrdiff_t B_col, REAL *C,
    REAL *copy)
{
    REAL panel[DEPTH * NAME(WIDTH)];
    int is_far = B_row * (ptrdiff_t)sizeof(REAL) > 2 * FAR_APART;
    if (copy)
        NAME(copy_block)(m, k, A, A_col, copy);
    for (ptrdiff_t j = 0, width; j < n; j += width) {
        void (*columns)(ptrdiff_t m, int is_block, PARAMETERS);
        const REAL *b = B + j * B_col, *from = start ? start + j : NULL;
        ptrdiff_t b_row = B_row, left = n - j;
        if (left >= NAME(WIDTH))
            columns = NAME(two_vectors), width = NAME(WIDTH);
        else if (left >= NAME(LONG))
            columns = NAME(one_vector), width = NAME(LONG);
        else if (left >= NAME(HALF))
            columns = NAME(one_half), width = NAME(HALF);
        else if (left >= NAME(SHORT))
            columns = NAME(one_short), width = NAME(SHORT);
        else
            columns = NAME(one_number), width = 1;
        if (B_col != 1 || m >= MANY || (m >= MANY / 2 && is_far)) {
            if (B_col == 1 && width == NAME(WIDTH)) /* constants, for speed */
                NAME(copy_panel)(k, NAME(WIDTH), b, B_row, 1, panel);
            else if (B_row == 1)
                NAME(copy_transposed)(k, width, b, B_col, panel);
            else
                NAME(copy_panel)(k, width, b, B_row, B_col, panel);
            b = panel;
            b_row = width;
        }
        if (copy && width == NAME(WIDTH)) /* others are cut into other tiles */
            columns(m, 1, k, from, start_row, copy, 1, 6, b, b_row, C + j, n);
        else
            columns(m, 0, k, from, start_row, A, A_row, A_col, b, b_row, C + j, n);
    }
}

/* copy has room for COPY_BYTES bytes; if it is NULL, no block is copied. */
TARGET static void NAME(product)(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const REAL *start, ptrdiff_t start_row,
    const REAL *A, ptrdiff_t A_row, ptrdiff_t A_col,
    const REAL *B, ptrdiff_t B_row, ptrdiff_t B_col,
    REAL *C, void *copy)
{
    ptrdiff_t most = COPY_BYTES / (DEPTH * sizeof(REAL)) / 12 * 12; /* whole tiles */
    if (n == 1 && A_row == 1 && start_row == 1) {
        /* A column of C as its only row, C' = start' + B' A', so that A is read in
           vectors: an epoch took 0.93 to 1.00 x. */
        NAME(product)(1, m, k, start, 0, B, 0, B_row, A, A_col, 1, C, NULL);
        return;
    }
    if (A_row != 1 || A_col * (ptrdiff_t)sizeof(REAL) <= FAR_APART || m < MANY || n < 128)
        copy = NULL;
    for (; k > 0; k -= DEPTH, A += DEPTH * A_col, B += DEPTH * B_row) {
        ptrdiff_t depth = k < DEPTH ? k : DEPTH;
        for (ptrdiff_t top = 0, height; top < m; top += height) {
            height = rows_of_tile(m - top, most);
            NAME(block_product)(height, n, depth,
                start ? start + top * start_row : NULL, start_row, A + top * A_row,
                A_row, A_col, B, B_row, B_col, C + top * n, copy);
        }
        start = C;
        start_row = n;
    }
}

#undef COLUMNS
#undef CASE
#undef LOWER
#undef UPPER
#undef REAL

#endif
