"""Measure skbinnet beside other libraries and beside the matrix products alone.

    python examples/benchmarks/run.py [--only 3 8a] [--rounds 3] [--output FOLDER]

Needs the extra "benchmark" for all subjects; whoever is not installed is left out, with
a line that says so. Writes benchmark.md, benchmark.json and benchmark.png.
"""

import os

# XLA reads these when it starts.
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
from threadpoolctl import threadpool_limits
from works import WORKS

SHORT = 0.1  # seconds that a quick subject is repeated for in each round
LONG = 60  # seconds after which no further round begins


def sample(run):
    """Figures of one round: several of a subject that is quick."""
    figures, start = [], time.perf_counter()
    while not figures or time.perf_counter() - start < SHORT:
        begin = time.perf_counter()
        figure = run()
        elapsed = time.perf_counter() - begin
        figures.append(figure if isinstance(figure, float) else elapsed)
    return figures


def measure(work, max_rounds):
    """Figures by subject; the subjects take turns, forwards and backwards."""
    figures = {name: [] for name in work.subjects}
    start = time.perf_counter()
    limits = nullcontext() if work.threads is None else threadpool_limits(work.threads)
    with limits:
        for i in range(min(max_rounds, work.max_rounds)):
            for name in list(figures)[:: 1 if i % 2 == 0 else -1]:
                figures[name] += sample(work.subjects[name])
            if time.perf_counter() - start > LONG:
                break
    return figures


def quartiles(figures):
    """Lower quartile, median and upper quartile."""
    if len(figures) == 1:
        return figures * 3
    return statistics.quantiles(figures, n=4, method="inclusive")


def results(numbers, max_rounds):
    """Run the works; yields what the report needs of each."""
    for number in numbers:
        work = WORKS[number]()
        figures = measure(work, max_rounds)
        figures = {name: quartiles(some) for name, some in figures.items()}
        medians = {name: median for name, (_, median, _) in figures.items()}
        targets = []
        for target in work.targets:
            value = target.value(medians)
            if value is not None:
                row = str(target), value, target.sign, target.bound
                targets.append((*row, target.is_met(value)))
                print(
                    f"{number:5} {target}: {value:.3g} ({target.sign} {target.bound})"
                )
        for line in work.absent:
            print(f"{number:5} left out: {line}")
        yield {
            "number": number,
            "title": work.title,
            "threads": work.threads,
            "unit": work.unit,
            "figures": figures,
            "targets": targets,
            "absent": work.absent,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--rounds", type=int, default=100, help="at most so many")
    parser.add_argument("--output", type=Path, default=Path())
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # runs that end early are meant to
    os.environ["PYTHONWARNINGS"] = "ignore"
    write(list(results(options.only, options.rounds)), options.output)


if __name__ == "__main__":
    main()
