"""Measure the seconds and the memory of fits, over the number of rows.

    python examples/benchmarks/scale.py [--rows 10000000] [--output FOLDER]
    python examples/benchmarks/scale.py --rows 100000 --models TabularMLPClassifier

The rows, of 30 numbers in float32, lie on disk (1.2 GB for ten million), and fits read
them from a memory map. A sparse matrix of a tenth as many rows has 100,000 columns, and
50 stored values in each row. Each number of rows is measured in a process of its own,
with one thread unless --jobs says otherwise. The seconds are the median of up to five
fits. The memory is the peak of what is resident beyond the rows, all of which have been
read before. The results are written to scale.json and scale.png.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from report import machine
from scipy.sparse import csr_matrix
from suite import peak, table

from skbinnet import BinaryMLPClassifier, TabularMLPClassifier

FEWEST = 1000  # rows of the first fit; each of the next has ten times as many
N_FEATURES = 30
N_COLUMNS, N_STORED = 100_000, 50  # of a sparse matrix, and of each of its rows
BLOCK_ROWS = 100_000  # rows that are made together
MAX_FITS, MIN_SECONDS = 5, 10  # a fit is repeated, but not after so many seconds


# ---- rows on disk


def dense_block(n_rows, rng):
    X, y = table(n_rows, N_FEATURES, np.float32, rng)
    return {"X": X, "y": y.astype(np.int8)}


def sparse_block(n_rows, rng):
    """Make values, their columns in ascending order, and labels."""
    width = N_COLUMNS // N_STORED
    within = rng.integers(width, size=(n_rows, N_STORED), dtype=np.int32)
    values = rng.exponential(size=(n_rows, N_STORED)).astype(np.float32)
    z = (values * np.where(within % 3 > 0, 1, -1)).sum(axis=1)
    columns = within + width * np.arange(N_STORED, dtype=np.int32)
    return {"values": values, "columns": columns, "y": (z > 17).astype(np.int8)}


def write(folder, make_block, n_rows):
    """Write rows to a file for each array of a block."""
    rng, files = np.random.default_rng(0), {}
    for start in range(0, n_rows, BLOCK_ROWS):
        block = make_block(min(BLOCK_ROWS, n_rows - start), rng)
        for name, part in block.items():
            if start == 0:
                path, shape = folder / f"{name}.npy", (n_rows, *part.shape[1:])
                files[name] = np.lib.format.open_memmap(path, "w+", part.dtype, shape)
            files[name][start : start + len(part)] = part


def read(folder, names, n_rows):
    """Map the first rows of files, and read them once, so that they are resident."""
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r")[:n_rows] for name in names]
    for array in arrays:
        array.max()
    return arrays


def dense_rows(folder, n_rows):
    return read(folder, ["X", "y"], n_rows)


def sparse_rows(folder, n_rows):
    values, columns, y = read(folder, ["values", "columns", "y"], n_rows)
    begins = np.arange(0, values.size + 1, N_STORED)
    parts = values.ravel(), columns.ravel(), begins
    return csr_matrix(parts, (n_rows, N_COLUMNS), copy=False), y


# ---- fits


class Case(NamedTuple):
    """What is fitted, to which of the numbers of rows."""

    estimator: object
    is_sparse: bool = False

    def sizes(self, most):
        """Return the numbers of rows, in ascending order."""
        if self.is_sparse:
            return [most // 10]
        powers = (FEWEST * 10**i for i in range(20))
        return [*(n_rows for n_rows in powers if n_rows < most), most]


CASES = {
    "BinaryMLPClassifier": Case(BinaryMLPClassifier(max_iter=3, random_state=0)),
    "TabularMLPClassifier": Case(TabularMLPClassifier(random_state=0)),
    "sparse": Case(BinaryMLPClassifier(momentum=0, random_state=0), is_sparse=True),
}


def measure(name, folder, n_rows, n_jobs):
    """Fit, in this process, which has done nothing else; return what was found."""
    warnings.simplefilter("ignore")  # some fits end before they converge, on purpose
    estimator, is_sparse = CASES[name]
    X, y = (sparse_rows if is_sparse else dense_rows)(folder, n_rows)
    estimator.set_params(n_jobs=n_jobs)
    estimator.fit(X[:100], y[:100])  # imports what it needs
    before, seconds = peak(), []
    while len(seconds) < MAX_FITS and sum(seconds) < MIN_SECONDS:
        start = time.perf_counter()
        estimator.fit(X, y)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    return {
        "seconds": median,
        "rows per second": n_rows / median,
        "epochs": estimator.n_iter_,
        "MiB": peak() - before,
    }


def results(names, most, n_jobs):
    """Measure each case, and yield what was found for each number of rows."""
    for is_sparse, make_block in ((False, dense_block), (True, sparse_block)):
        pairs = [
            (name, n_rows)
            for name in names
            for n_rows in CASES[name].sizes(most)
            if CASES[name].is_sparse == is_sparse
        ]
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), make_block, max((n for _, n in pairs), default=0))
            for name, n_rows in pairs:
                found = in_process(measure, name, Path(folder), n_rows, n_jobs)
                values = (f"{k} {v:.4g}" for k, v in found.items())
                print(f"{name}, {n_rows:,} rows: {', '.join(values)}", flush=True)
                yield {"estimator": name, "rows": n_rows} | found


def in_process(function, *arguments):
    """Call a function in a new process, and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# ---- the report


def picture(fits):
    """Plot seconds and memory over the number of rows."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    labels = {"seconds": "seconds of a fit", "MiB": "peak memory beyond the rows, MiB"}
    for ax, (what, label) in zip(axes, labels.items(), strict=True):
        for name in CASES:
            found = [fit for fit in fits if fit["estimator"] == name]
            rows, values = [f["rows"] for f in found], [f[what] for f in found]
            if found:
                ax.plot(rows, values, "o-", label=name)
        ax.set(xscale="log", yscale="log", xlabel="rows", ylabel=label)
        ax.grid(alpha=0.3)
    axes[0].legend()
    return fig


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="at most this many"
    )
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--jobs", type=int, default=1, help="n_jobs of the estimators")
    parser.add_argument("--output", type=Path, default=Path())
    options = parser.parse_args()
    fits = list(results(options.models, options.rows, options.jobs))
    options.output.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "n_jobs": options.jobs, "fits": fits}
    (options.output / "scale.json").write_text(json.dumps(report, indent=1) + "\n")
    picture(fits).savefig(options.output / "scale.png", dpi=150)


if __name__ == "__main__":
    main()
