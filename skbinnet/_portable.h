/* What differs between compilers, C libraries and versions of Python. */

#include <float.h>

#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address)
#endif

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 2
#error "exp_parts needs doubles that are rounded: compile with -mfpmath=sse"
#endif

/* A void function that is compiled with and without AVX2; which of the two runs is
   decided when the module is loaded. An epoch took 0.80 to 0.95 times as long. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) \
    && defined(__GLIBC__)
#define CLONED __attribute__((target_clones("avx2", "default"))) void
#else
#define CLONED void
#endif

/* Python 3.11 counts references to True, False and None, but the headers of Python 3.12
   and later return them uncounted, even for the stable ABI of 3.11. */
#undef Py_RETURN_TRUE
#undef Py_RETURN_FALSE
#undef Py_RETURN_NONE
#define Py_RETURN_TRUE return Py_NewRef(Py_True)
#define Py_RETURN_FALSE return Py_NewRef(Py_False)
#define Py_RETURN_NONE return Py_NewRef(Py_None)
