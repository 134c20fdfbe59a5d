"""Data with a seed, and the settings of the run."""

import os
import signal
import tracemalloc

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's array API checks need it
os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

UNCONVERGED = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("unconverged"):
            item.add_marker(UNCONVERGED)


def pytest_generate_tests(metafunc):
    """Run a test with all values of its arguments that its module lists in CASES."""
    for name, values in getattr(metafunc.module, "CASES", {}).items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values)


@pytest.fixture(autouse=True)
def global_seed():
    """random_state=None draws from NumPy's global stream."""
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture(autouse=True)
def no_interrupt_before(monkeypatch):
    """A Ctrl-C soon after that of another test is not the second of two."""
    monkeypatch.setattr("skbinnet._training.last_interrupt", -np.inf)


@pytest.fixture(scope="session")
def breast_cancer():
    """X_train, X_test, y_train, y_test: scaled, 80 % and 20 %."""
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=0.8, random_state=0
    )
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


@pytest.fixture
def train(breast_cancer):
    """X_train and y_train."""
    return breast_cancer[0], breast_cancer[2]


@pytest.fixture
def Xy():
    """Two overlapping clouds of 60 rows and 5 features; labels 0 and 1."""
    rng = np.random.RandomState(0)
    y = np.arange(60) % 2
    return rng.normal(size=(60, 5)) + 0.7 * y[:, None], y


@pytest.fixture
def X(Xy):
    return Xy[0]


@pytest.fixture
def y(Xy):
    return Xy[1]


@pytest.fixture
def frame(X):
    return pd.DataFrame(X, columns=list("abcde"))


@pytest.fixture
def fitted(Xy):
    return BinaryMLPClassifier(max_iter=5, random_state=0).fit(*Xy)


@pytest.fixture
def default_handler():
    """Python's own handler of Ctrl-C, even where the tests run in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture
def peak_memory():
    """A function that returns the most bytes that a call held at once."""

    def measure(function, *args):
        tracemalloc.start()
        function(*args)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    return measure
