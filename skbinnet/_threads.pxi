"""Threads: a team that shares out the parts of a pass through the network.

Each number is computed by one thread, in the way in which a single thread computes it:
no bit of a result depends on the number of threads.
"""


cdef extern from "_threads.h":
    """
    #define share_out(team, run, net, n) \\
        team_run(team, (void (*)(void *, ptrdiff_t, ptrdiff_t))(run), net, n)
    """
    ctypedef struct Team:
        Py_ssize_t n_threads
    Team* team_new(Py_ssize_t n_threads)
    void team_free(Team* team)
    void team_close(Team* team)
    void team_help(Team* team, Py_ssize_t thread) nogil
    void share_out(
        Team* team, void (*run)(Network, Py_ssize_t, Py_ssize_t) noexcept nogil,
        Network net, Py_ssize_t n_parts,
    ) noexcept nogil


# A pass of fewer multiplications, which takes about 10 us, is not shared out.
cdef double LEAST_SHARED = 5e5
# A thread gets so many parts of a pass, so that none waits for long. But each part
# reads all weights: more than one for each thread pays only if they have more rows.
cdef Py_ssize_t PARTS = 4
cdef Py_ssize_t LEAST_ROWS = 256


cdef class Threads:
    """The threads of a run: the one that calls and, until it is closed, its helpers."""

    cdef Team* team
    cdef char* copies  # of blocks of matrices, COPY_BYTES for each thread, or NULL
    cdef readonly Py_ssize_t n_parts  # that a pass is shared out in, 1 for one thread
    cdef readonly bint are_wanted  # a network has passes to share out, and says so here

    def __cinit__(self, Py_ssize_t n_threads):
        check_fit(0 < n_threads < 1 << 16)
        self.n_parts = PARTS * n_threads if n_threads > 1 else 1
        self.team = team_new(n_threads)
        if self.team == NULL:
            raise MemoryError

    def __dealloc__(self):
        team_free(self.team)
        free(self.copies)

    @property
    def n_threads(self):
        """The number of threads, the calling one included."""
        return self.team.n_threads

    cdef int provide_copies(self) except -1:
        """Take the memory for copies, if it is not there yet."""
        if self.copies == NULL:
            self.copies = <char*> malloc(self.team.n_threads * COPY_BYTES)
        if self.copies == NULL:
            raise MemoryError

    def help(self, Py_ssize_t thread):
        """Compute what the calling thread shares out, until close."""
        check_fit(0 < thread < self.team.n_threads)
        with nogil:
            team_help(self.team, thread)

    def close(self):
        """Tell the helpers to return; there can be no others later."""
        team_close(self.team)
