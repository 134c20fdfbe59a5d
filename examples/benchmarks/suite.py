"""The benchmarks: the cases that each compares, and the targets to meet."""

import inspect
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import peers
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbinnet import BinaryMLPClassifier

OURS, LOOP, MLP = "skbinnet", "skbinnet, loop", "MLPClassifier"
PRODUCTS, JAX = "matrix products alone", "JAX, one compiled scan"
COMPILER = ["Cython", "setuptools"]  # a C compiler is needed too


@dataclass
class Target:
    """A bound for the ratio of two medians, or for one median if `under` is None."""

    over: str
    under: str | None
    sign: str
    bound: float

    def value(self, medians):
        """Return the ratio or median, or None if a case was left out."""
        if self.over not in medians or self.under not in (None, *medians):
            return None
        return medians[self.over] / (medians[self.under] if self.under else 1)

    def is_met(self, value):
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self):
        return self.over if self.under is None else f"{self.over} / {self.under}"


@dataclass
class Benchmark:
    """Cases are functions to time; if a case returns a float, that is its result."""

    title: str
    cases: dict
    targets: list
    threads: int | None = 1  # number of BLAS threads; None is no limit
    unit: str = "s"
    left_out: list = field(default_factory=list)
    max_rounds: int = 7

    def add(self, name, packages, make, *arguments):
        """Add a case, or say that it is left out if packages are not installed."""
        missing = [p for p in packages if not peers.is_installed(p)]
        if missing:
            self.left_out.append(f"{name} (not installed: {', '.join(missing)})")
        else:
            self.cases[name] = make(*arguments)


def faster(slow, fast, times):
    return Target(slow, fast, ">=", times)


def at_most(over, under, times):
    return Target(over, under, "<=", times)


# ---- data and settings


def table(n_rows, n_features, dtype=np.float64, rng=0):
    """Make rows with a smooth, curved class boundary; one label in ten is wrong."""
    rng = np.random.default_rng(rng)
    X = rng.standard_normal((n_rows, n_features), dtype=dtype)
    z = X[:, :10].sum(axis=1) + X[:, 0] * X[:, 1] - X[:, 2] ** 2 + 1
    return X, ((z > 0) ^ (rng.random(n_rows) < 0.1)).astype(int)


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, train_size=0.8, random_state=0)
    return StandardScaler().fit_transform(X), y


def messages(n_rows=5574, n_words=20_000):
    """Make TF-IDF rows of texts as short as text messages, with rare words."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(10, n_words)
    words = rng.choice(n_words - 10, 20 * n_rows, p=frequency / frequency.sum())
    words = iter(words)
    lengths = rng.poisson(15, n_rows) + 1
    texts = [" ".join(f"word{next(words)}" for _ in range(n)) for n in lengths]
    X = TfidfVectorizer().fit_transform(texts)
    z = X @ rng.standard_normal(X.shape[1])
    return X, (z > np.quantile(z, 0.87)).astype(int)


PLAIN = {
    "hidden_layer_sizes": (10,),
    "batch_size": 10,
    "max_iter": 80,
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "momentum": 0,
    "alpha": 0,
    "random_state": 0,
    "n_iter_no_change": 1000,
}


def ours(**options):
    return BinaryMLPClassifier(**PLAIN | options)


def mlp(**options):
    return MLPClassifier(**PLAIN | {"solver": "sgd"} | options)


def fit(model, X, y):
    return lambda: model.fit(X, y)


# ---- the table


def lesson():
    X, y = breast_cancer()
    benchmark = Benchmark(
        "Lesson: 455 x 30, (10,), batch 10, 80 epochs",
        {
            OURS: fit(ours(init="normal"), X, y),
            LOOP: fit(ours(init="normal", backprop="loop"), X, y),
            MLP: fit(mlp(), X, y),
        },
        [
            faster(MLP, OURS, 150),
            faster(JAX, OURS, 3),
            faster(f"{JAX}, float32", OURS, 3),
            at_most(OURS, PRODUCTS, 2.5),
            faster(MLP, LOOP, 100),
        ],
    )
    sizes = 10, 10, 80  # units, rows in a minibatch, epochs
    double, single = (X, y, *sizes, "float64"), (X, y, *sizes, "float32")
    benchmark.add(PRODUCTS, COMPILER, peers.products_alone, [30, 10, 1], len(X), 10, 80)
    benchmark.add(JAX, ["jax"], peers.jax_scan, *double)
    benchmark.add(f"{JAX}, float32", ["jax"], peers.jax_scan, *single)
    benchmark.add("PyTorch", ["torch"], peers.torch_loop, X, y, [10], 10, 80, "float64")
    benchmark.add("skorch", ["torch", "skorch"], peers.skorch_fit, *single)
    return benchmark


def wide(batch_size, n_epochs, times_mlp, times_products):
    cases, targets = {}, []
    options = {
        "hidden_layer_sizes": (100,),
        "batch_size": batch_size,
        "learning_rate_init": 0.1,
        "max_iter": n_epochs,
    }
    benchmark = Benchmark(
        f"50,000 x 100, (100,), batch {batch_size}, {n_epochs} epochs",
        cases,
        targets,
    )
    for dtype in ("float64", "float32"):
        X, y = table(50_000, 100, dtype)
        cases[f"{OURS}, {dtype}"] = fit(ours(**options), X, y)
        cases[f"{MLP}, {dtype}"] = fit(mlp(**options), X, y)
        sizes = batch_size, n_epochs, dtype
        products = f"{PRODUCTS}, {dtype}"
        benchmark.add(
            products, COMPILER, peers.products_alone, [100, 100, 1], len(X), *sizes
        )
        benchmark.add(f"{JAX}, {dtype}", ["jax"], peers.jax_scan, X, y, 100, *sizes)
        targets += [
            faster(f"{MLP}, {dtype}", f"{OURS}, {dtype}", times_mlp),
            at_most(f"{OURS}, {dtype}", products, times_products),
        ]
    return benchmark


def wide_200():
    benchmark = wide(200, 3, 2, 1.25)
    benchmark.targets.append(faster(f"{OURS}, float64", f"{OURS}, float32", 1.7))
    return benchmark


def wide_20():
    return wide(20, 2, 8, 1.5)


def layers(n_units, batch_size, dtype, times_mlp, times_one):
    """Two layers of n_units, on one thread and on two."""
    X, y = table(12_000, 100, dtype)
    n_epochs = 3
    options = {
        "hidden_layer_sizes": (n_units, n_units),
        "batch_size": batch_size,
        "max_iter": n_epochs,
        "momentum": 0.9,
        "alpha": 1e-4,
    }

    def with_blas(n_threads):
        def run():
            with threadpool_limits(n_threads):
                mlp(**options).fit(X, y)

        return run

    one, two = f"{OURS}, one thread", f"{OURS}, two threads"
    mlp_one, mlp_two = f"{MLP}, one thread", f"{MLP}, two threads"
    benchmark = Benchmark(
        f"12,000 x 100, ({n_units}, {n_units}), batch {batch_size}, {n_epochs} epochs, "
        f"{dtype}",
        {
            one: fit(ours(**options), X, y),
            two: fit(ours(n_jobs=2, **options), X, y),
            mlp_one: with_blas(1),
            mlp_two: with_blas(2),
        },
        [
            faster(mlp_one, one, times_mlp),
            faster(one, two, times_one),
            faster(mlp_two, two, 1),
        ],
    )
    sizes = batch_size, n_epochs, dtype
    units = [n_units, n_units]
    for name, n_threads in (("one thread", 1), ("two threads", 2)):
        arguments = X, y, units, *sizes, n_threads
        benchmark.add(f"PyTorch, {name}", ["torch"], peers.torch_loop, *arguments)
    products = [100, *units, 1], len(X), *sizes
    benchmark.add(PRODUCTS, COMPILER, peers.products_alone, *products)
    return benchmark


def deep():
    X, y = table(20_000, 50)
    options = {
        "hidden_layer_sizes": (64, 32),
        "solver": "adam",
        "batch_size": 32,
        "learning_rate_init": 0.001,
        "alpha": 1e-4,
        "max_iter": 3,
    }
    benchmark = Benchmark(
        "20,000 x 50, (64, 32), adam, batch 32, 3 epochs",
        {OURS: fit(ours(**options), X, y), MLP: fit(mlp(**options), X, y)},
        [faster(MLP, OURS, 20), at_most(OURS, PRODUCTS, 3)],
    )
    benchmark.add(
        PRODUCTS, COMPILER, peers.products_alone, [50, 64, 32, 1], len(X), 32, 3
    )
    return benchmark


def text():
    X, y = messages()
    options = {"learning_rate_init": 0.1, "max_iter": 5}
    return Benchmark(
        f"Sparse text: {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz / X.shape[0]:.0f} words "
        "per row, (10,), batch 10, 5 epochs",
        {OURS: fit(ours(**options), X, y), MLP: fit(mlp(**options), X, y)},
        [faster(MLP, OURS, 100)],
        max_rounds=3,
    )


def defaults(n_rows, n_features):
    X, y = breast_cancer() if n_rows < 1000 else table(n_rows, n_features)
    return Benchmark(
        f"Defaults of each class: {len(X):,} x {n_features}",
        {
            OURS: fit(BinaryMLPClassifier(random_state=0), X, y),
            MLP: fit(MLPClassifier(random_state=0), X, y),
        },
        [faster(MLP, OURS, 20)],
        max_rounds=1 if n_rows > 100_000 else 3,
    )


def linear():
    fewest, most = "100,000 rows", "1,000,000 rows"
    sizes = {fewest: 100_000, "300,000 rows": 300_000, most: 1_000_000}
    X, y = table(1_000_000, 20)

    def per_row(n_rows):
        def run():
            model = BinaryMLPClassifier(max_iter=3, random_state=0)
            start = time.perf_counter()
            model.fit(X[:n_rows], y[:n_rows])
            return (time.perf_counter() - start) / n_rows

        return run

    return Benchmark(
        "Defaults, n x 20, 3 epochs: time per row",
        {name: per_row(n_rows) for name, n_rows in sizes.items()},
        [at_most(most, fewest, 1.15)],
    )


def predict(n_rows):
    X, y = table(100_000, 100)
    model = ours(hidden_layer_sizes=(100,), max_iter=1).fit(X[:5000], y[:5000])
    converted = model.to_sklearn()
    rows = X[:n_rows]
    times = 3 if n_rows == 1 else 1.5
    return Benchmark(
        f"predict_proba: {n_rows:,} x 100, (100,)",
        {
            OURS: lambda: model.predict_proba(rows),
            MLP: lambda: converted.predict_proba(rows),
        },
        [faster(MLP, OURS, times)],
        threads=None,
        max_rounds=15,
    )


def peak():
    """Return the peak of resident memory of this process so far, in MiB."""
    import resource  # Windows has no such module

    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss includes the peak of the parent process
        lines = dict(line.split(":") for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


MEMORY = f"""
import sys
from pathlib import Path
import numpy as np
from skbinnet import BinaryMLPClassifier

{inspect.getsource(peak)}
rng = np.random.default_rng(0)
X = np.empty((1_000_000, 100), dtype=np.float32)
rng.standard_normal(dtype=np.float32, out=X)
y = (X[:, 0] > 0).astype(int)
model = BinaryMLPClassifier((100,), max_iter=1).fit(X[:100], y[:100])
model.predict_proba(X[:100])
before = peak()
model.fit(X, y) if sys.argv[1] == "fit" else model.predict_proba(X)
print(peak() - before)
"""

IMPORT = """
import importlib, sys, time
for name in sys.argv[1:]:
    importlib.import_module(name)
start = time.perf_counter()
import skbinnet
print((time.perf_counter() - start) * 1000)
"""

IMPORTED = """
import sys
import skbinnet
print(*(name for name in sys.modules if name.startswith("sklearn")))
"""


def in_python(code, *arguments):
    """Run code in a new interpreter and return its output.

    The interpreter may write bytecode, so later imports are as fast as usual.
    """
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.check_output(command, text=True, env=environment)


def memory():
    names = ["fit", "predict_proba"]
    return Benchmark(
        "Peak memory beyond the data: 1,000,000 x 100 float32, (100,)",
        {name: lambda name=name: float(in_python(MEMORY, name)) for name in names},
        [Target(name, None, "<=", 64) for name in names],
        threads=None,
        unit="MiB",
        max_rounds=2,
    )


def search():
    X, y = load_breast_cancer(return_X_y=True)
    grid = {
        "alpha": np.logspace(-6, -1, 8),
        "learning_rate_init": np.logspace(-3, -1, 6),
    }
    C = {"C": np.logspace(-3, 3, 48)}
    small_grid = {name: values[::3] for name, values in grid.items()}  # 3 x 2 of 48

    def run(model, grid, factor=1):
        step = type(model).__name__.lower()
        grid = {f"{step}__{name}": values for name, values in grid.items()}
        model = make_pipeline(StandardScaler(), model)

        def run():
            start = time.perf_counter()
            GridSearchCV(model, grid, cv=5).fit(X, y)
            return (time.perf_counter() - start) * factor

        return run

    return Benchmark(
        "GridSearchCV, 48 x 5 fits (MLPClassifier: time of 6 x 5 fits, times 8)",
        {
            OURS: run(ours(init="normal"), grid),
            "LogisticRegression": run(LogisticRegression(), C),
            MLP: run(mlp(), small_grid, factor=8),
        },
        [at_most(OURS, "LogisticRegression", 2), faster(MLP, OURS, 40)],
        threads=None,
        max_rounds=3,
    )


def threads(batch_size, n_units):
    X, y = table(20_000, 100)
    model = ours(hidden_layer_sizes=(n_units,), batch_size=batch_size, max_iter=4)

    def run(backend, n_jobs):
        def run():
            with parallel_config(backend=backend, n_jobs=n_jobs):
                Parallel()(delayed(clone(model).fit)(X, y) for _ in range(2))

        run()  # starts the workers before the measurement
        return run

    one, two = "one after the other", "in two threads"
    return Benchmark(
        f"Two fits: 20,000 x 100, ({n_units},), batch {batch_size}, 4 epochs",
        {
            one: run("threading", 1),
            two: run("threading", 2),
            "in two processes": run("loky", 2),  # for comparison; it has no target
        },
        [faster(one, two, 1.7)],
        threads=None,
    )


def importing():
    names = in_python(IMPORTED).split()
    return Benchmark(
        "import skbinnet, after the parts of scikit-learn that it imports",
        {"import": lambda: float(in_python(IMPORT, *names))},
        [Target("import", None, "<=", 10)],
        threads=None,
        unit="ms",
    )


BENCHMARKS = {
    "1, 2": lesson,
    "3": wide_200,
    "4": wide_20,
    "5": deep,
    "6": text,
    "7a": lambda: defaults(455, 30),
    "7b": lambda: defaults(34_000, 100),
    "7c": lambda: defaults(1_000_000, 20),
    "7d": linear,
    "8a": lambda: predict(1),
    "8b": lambda: predict(100_000),
    "9": memory,
    "10": search,
    "11a": lambda: threads(32, 64),
    "11b": lambda: threads(200, 100),
    "12": importing,
    "13a": lambda: layers(256, 200, "float64", 1.5, 1.3),
    "13b": lambda: layers(256, 200, "float32", 1.8, 1.3),
    "13c": lambda: layers(512, 256, "float64", 1.2, 1.6),
    "13d": lambda: layers(512, 256, "float32", 1.4, 1.6),
    "13e": lambda: layers(1024, 512, "float64", 1.1, 1.6),
    "13f": lambda: layers(1024, 512, "float32", 1.1, 1.6),
}
