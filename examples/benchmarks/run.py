"""Compare skbinnet with other libraries and with the matrix products alone.

    python examples/benchmarks/run.py [--only 3 8a] [--rounds 3] [--output FOLDER]

The extra "benchmark" installs all libraries that are compared. A library that is not
installed is left out, and the report says so. The results are written to benchmark.md,
benchmark.json and benchmark.png.
"""

import os

# XLA reads this variable when it starts.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import argparse
import statistics
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

from report import write
from suite import BENCHMARKS
from threadpoolctl import threadpool_limits

MIN_ROUND_SECONDS = 0.1  # in each round, a quick case is repeated for this long
MAX_SECONDS = 60  # after this time, a benchmark starts no further round


def sample(run):
    """Measure a case for one round, several times if it is quick."""
    values, start = [], time.perf_counter()
    while not values or time.perf_counter() - start < MIN_ROUND_SECONDS:
        begin = time.perf_counter()
        value = run()
        elapsed = time.perf_counter() - begin
        values.append(value if isinstance(value, float) else elapsed)
    return values


def measure(benchmark, max_rounds):
    """Measure all cases; every second round takes them in reverse order."""
    values = {name: [] for name in benchmark.cases}
    start = time.perf_counter()
    threads = benchmark.threads
    with nullcontext() if threads is None else threadpool_limits(threads):
        for i in range(min(max_rounds, benchmark.max_rounds)):
            for name in list(values)[:: 1 if i % 2 == 0 else -1]:
                values[name] += sample(benchmark.cases[name])
            if time.perf_counter() - start > MAX_SECONDS:
                break
    return values


def quartiles(values):
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def results(numbers, max_rounds):
    """Run the benchmarks and yield the entry of each for the report."""
    for number in numbers:
        benchmark = BENCHMARKS[number]()
        cases = {
            name: quartiles(values)
            for name, values in measure(benchmark, max_rounds).items()
        }
        medians = {name: median for name, (_, median, _) in cases.items()}
        targets = []
        for target in benchmark.targets:
            value = target.value(medians)
            if value is not None:
                entry = str(target), value, target.sign, target.bound
                targets.append((*entry, target.is_met(value)))
                print(
                    f"{number:5} {target}: {value:.3g} ({target.sign} {target.bound})"
                )
        for line in benchmark.left_out:
            print(f"{number:5} left out: {line}")
        yield {
            "number": number,
            "title": benchmark.title,
            "threads": benchmark.threads,
            "unit": benchmark.unit,
            "cases": cases,
            "targets": targets,
            "left_out": benchmark.left_out,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS)
    )
    parser.add_argument("--rounds", type=int, default=100, help="at most this many")
    parser.add_argument("--output", type=Path, default=Path())
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # some fits end before they converge, on purpose
    os.environ["PYTHONWARNINGS"] = "ignore"
    write(list(results(options.only, options.rounds)), options.output)


if __name__ == "__main__":
    main()
