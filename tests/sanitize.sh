#!/bin/sh
# Builds the compiled core with the sanitizers of GCC and runs its tests:
#     sh tests/sanitize.sh [arguments of pytest]    # by default all that run the core
#     MOST=256 sh tests/sanitize.sh     # with the matrix products for AVX2; 128 for SSE2
#     THREADS=1 sh tests/sanitize.sh    # the tests of threads with ThreadSanitizer
# It works on a copy of the package in a temporary folder. libasan's quarantine is small,
# because it would fill the memory.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cp -r "$here/skbinnet" "$here/tests" "$here/pyproject.toml" "$build"
cd "$build"
rm -f skbinnet/_core.*.so
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
"$python" -m cython skbinnet/_core.pyx -o core.c
if [ "${THREADS:-}" ]; then
    flags=-fsanitize=thread libraries=libtsan.so names=threads
else
    # All that run the core, except test_scale.py, whose arrays of gigabytes a sanitizer
    # doubles, and those of documentation, deployment, clusters and kills.
    names="core network training solvers oracles loading threads classifier inputs
        validation callbacks conversion encoding tabular properties random_fits odd_tables
        errors_midway display estimator_checks"
    flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    libraries="libasan.so libubsan.so libstdc++.so"
fi
# shellcheck disable=SC2086  # flags and libraries are lists
gcc -shared -fPIC -g -O1 -fno-omit-frame-pointer -fno-math-errno $flags \
    -DPy_LIMITED_API=0x030B0000 "-DMOST=${MOST:-512}" -I"$include" -Iskbinnet core.c \
    -o skbinnet/_core.abi3.so -lm
if [ $# = 0 ]; then
    # shellcheck disable=SC2086  # names is a list
    set -- $(printf 'tests/test_%s.py ' $names)
fi
# libstdc++: libasan looks for __cxa_throw when it starts, long before scipy brings it.
# --capture=sys leaves the report of a sanitizer on the screen.
preload=$(for library in $libraries; do gcc -print-file-name="$library"; done)
LD_PRELOAD=$(echo $preload) \
    ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=64 TSAN_OPTIONS=halt_on_error=1 \
    UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc PYTHONPATH="$build" \
    "$python" -m pytest -q -p no:cacheprovider -p no:faulthandler --capture=sys "$@"
