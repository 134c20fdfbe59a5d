"""Mathematics: exp and log of numbers in a loop, and the largest magnitude.

exp and log have no branches or calls, so that loops over them vectorise; their relative
error is below 4e-16. Compared with libm, an epoch took 0.35 to 0.5 times as long with
tanh units, and 0.91 times as long in the notebook's network.
"""


cdef union Bits:
    double number
    unsigned long long word


cdef double LEAST = -708  # variables: of constants GCC makes branches
cdef double ZERO = 0


cdef inline double exp_parts(double x, double* power) noexcept nogil:
    """p and power with exp(x) = power (1 + p), power = 2^n, for x <= 0.

    x = n log 2 + r, |r| <= log(2) / 2, with log 2 in two parts (Cody and Waite, 1980);
    p = exp(r) - 1 by its Taylor series. Below -708, exp(x) is taken as 0.
    """
    cdef double magic = 6755399441055744.0  # 1.5 2^52: a sum has n in its last bits
    cdef double n, r, p
    cdef Bits bits
    cdef double least = LEAST if x < LEAST else x
    bits.number = 1.4426950408889634 * least + magic
    n = bits.number - magic
    r = least - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6
    p = 1.0 / 479001600 + r * (1.0 / 6227020800.0)
    p = 1.0 / 39916800 + r * p
    p = 1.0 / 3628800 + r * p
    p = 1.0 / 362880 + r * p
    p = 1.0 / 40320 + r * p
    p = 1.0 / 5040 + r * p
    p = 1.0 / 720 + r * p
    p = 1.0 / 120 + r * p
    p = 1.0 / 24 + r * p
    p = 1.0 / 6 + r * p
    p = r + r * r * (0.5 + r * p)
    bits.word = (bits.word + 1023) << 52
    power[0] = ZERO if x < LEAST else bits.number
    return p


cdef inline double exp_neg(double x) noexcept nogil:
    """exp(-|x|)."""
    cdef double p, power
    p = exp_parts(-fabs(x), &power)
    return power + power * p


cdef inline double log1p_unit(double x) noexcept nogil:
    """log(1 + x) for 0 <= x <= 1, the series of 2 artanh(x / (2 + x))."""
    cdef double w = x / (2 + x), square = w * w, sum
    sum = 1.0 / 31 + square * (1.0 / 33)
    sum = 1.0 / 29 + square * sum
    sum = 1.0 / 27 + square * sum
    sum = 1.0 / 25 + square * sum
    sum = 1.0 / 23 + square * sum
    sum = 1.0 / 21 + square * sum
    sum = 1.0 / 19 + square * sum
    sum = 1.0 / 17 + square * sum
    sum = 1.0 / 15 + square * sum
    sum = 1.0 / 13 + square * sum
    sum = 1.0 / 11 + square * sum
    sum = 1.0 / 9 + square * sum
    sum = 1.0 / 7 + square * sum
    sum = 1.0 / 5 + square * sum
    sum = 1.0 / 3 + square * sum
    return 2 * (w + w * square * sum)


cdef cloned fold_magnitudes(
    const floating* values,
    Py_ssize_t n,
    floating* restrict zeros,
    floating* restrict maxima,
) noexcept nogil:
    """Add 0 x to one of 8 sums and fold |x| into one of 8 maxima, for each value x."""
    cdef Py_ssize_t i, j
    cdef floating x
    for i in range(0, n - 7, 8):
        for j in range(8):
            x = <floating> fabs(values[i + j])
            zeros[j] += 0 * x
            maxima[j] = x if x > maxima[j] else maxima[j]
    for i in range(n - n % 8, n):
        x = <floating> fabs(values[i])
        zeros[0] += 0 * x
        maxima[0] = x if x > maxima[0] else maxima[0]


cdef floating magnitude(const floating* values, Py_ssize_t n) noexcept nogil:
    """max |x|, or NaN if any value is NaN or infinite, since 0 x is NaN for those."""
    cdef floating[8] zeros
    cdef floating[8] maxima
    cdef floating zero = 0, maximum = 0
    cdef Py_ssize_t j
    memset(zeros, 0, sizeof(zeros))
    memset(maxima, 0, sizeof(maxima))
    fold_magnitudes(values, n, zeros, maxima)
    for j in range(8):
        zero += zeros[j]
        maximum = max(maximum, maxima[j])
    return maximum + zero
