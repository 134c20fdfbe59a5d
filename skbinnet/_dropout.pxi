"""Dropout: a' = m a and dL/da = m dL/da', m = 0 with probability p, else 1 / (1 - p).

    word_i = mix(seed + (i + 1) gamma)

is the stream of SplitMix64 (Steele, Lea and Flood, 2014, Fast splittable pseudorandom
number generators). Each word is two draws, one for each hidden unit of a row: m is 0
where the draw is below 2^32 p. The words of a layer begin with i = 2^48 times the
number of the layer, and follow the order of the rows in the epoch. So m depends on the
seed of the epoch, the place of the row in the order, the layer and the unit, but not on
how rows are cut into blocks (Srivastava et al., 2014, Dropout: a simple way to prevent
neural networks from overfitting).
"""


cdef inline uint64_t mix(uint64_t word) noexcept nogil:
    word = (word ^ (word >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9ULL
    word = (word ^ (word >> 27)) * <uint64_t> 0x94D049BB133111EBULL
    return word ^ (word >> 31)


cdef cloned draw_words(
    uint64_t seed, uint64_t first, uint32_t* restrict draws, Py_ssize_t n_words
) noexcept nogil:
    """Write n_words words, from word_first on, to draws, two in each word."""
    cdef uint64_t gamma = 0x9E3779B97F4A7C15ULL
    cdef uint64_t state = seed + first * gamma, word
    cdef Py_ssize_t i
    for i in range(n_words):
        state += gamma
        word = mix(state)
        memcpy(draws + 2 * i, &word, sizeof(word))


cdef cloned multiply_forward(
    const uint32_t* draws, uint32_t limit, floating scale, const floating* a,
    floating* restrict thinned, Py_ssize_t n
) noexcept nogil:
    """a' = m a, where m is 0 if its draw is below the limit, else scale."""
    cdef Py_ssize_t i
    for i in range(n):
        thinned[i] = (0 if draws[i] < limit else scale) * a[i]


cdef cloned multiply_backward(
    const uint32_t* draws, uint32_t limit, floating scale, floating* restrict delta,
    Py_ssize_t n
) noexcept nogil:
    """delta holds dL/da' before and dL/da after."""
    cdef Py_ssize_t i
    for i in range(n):
        delta[i] = (0 if draws[i] < limit else scale) * delta[i]


cdef void dropout_forward(
    Network net, const Layer* layer, const floating* a, floating* thinned,
    Py_ssize_t first_row, Py_ssize_t n_rows
) noexcept nogil:
    """Draw the masks of some rows of the block, and write a' to thinned."""
    cdef Py_ssize_t n = n_rows * layer.n_out
    cdef uint64_t first = (net.place + first_row) * layer.n_out  # number of a draw
    cdef uint64_t first_word = <uint64_t> (layer - net.layers) << 48
    cdef uint32_t* draws = net.draws + layer.draws + first_row * (layer.n_out + 2)
    first_word += first // 2
    draw_words(net.seed, first_word, draws, (n + 2) // 2)
    multiply_forward(
        draws + first % 2, drop_limit(net), <floating> drop_scale(net), a, thinned, n
    )


cdef void dropout_backward(
    Network net, const Layer* layer, floating* delta, Py_ssize_t first_row,
    Py_ssize_t n_rows
) noexcept nogil:
    """Multiply delta by the masks that were drawn on the way forwards."""
    cdef uint64_t first = (net.place + first_row) * layer.n_out
    cdef uint32_t* draws = net.draws + layer.draws + first_row * (layer.n_out + 2)
    multiply_backward(
        draws + first % 2, drop_limit(net), <floating> drop_scale(net), delta,
        n_rows * layer.n_out
    )


cdef inline uint32_t drop_limit(Network net) noexcept nogil:
    return <uint32_t> (4294967296.0 * net.dropout)  # 2^32 p


cdef inline double drop_scale(Network net) noexcept nogil:
    return 1 / (1 - net.dropout)
