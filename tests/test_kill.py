"""Runs that are killed go on from their checkpoint; Ctrl-C at any moment is harmless.

The test of errors at every line raises in Python's lines. Here the signals come from
outside, also while the core computes and while threads are started or joined.
"""

import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import mlp, small, weights

from skbinnet import _training

EXAMPLE = Path(__file__).parents[1] / "examples" / "plot_memory_map.py"
LONG = "SKBINNET_LONG" in os.environ
N_KILLS = 1000 if LONG else 20
N_INTERRUPTS = 50 if LONG else 3  # of each kind of fit


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The names that the example leaves, with a 50th of its rows."""
    pytest.importorskip("matplotlib")
    code, n = re.subn("= 500_000, 40, 10_000", "= 10_000, 40, 200", EXAMPLE.read_text())
    assert n == 1
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, EXAMPLE, "exec"), names)
    return names


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(),
    reason="the processes share the rows of the example",
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_run_that_is_killed_goes_on_with_the_same_bits(example, tmp_path):
    train, checkpoint = example["train"], tmp_path / "killed.joblib"
    began = time.perf_counter()
    train(tmp_path / "whole.joblib")
    seconds = time.perf_counter() - began
    expected = joblib.hash(example["whole"])
    rng = np.random.RandomState()  # other moments in every run
    fork, n_kills = multiprocessing.get_context("fork"), 0
    while n_kills < N_KILLS or checkpoint.exists():
        process = fork.Process(target=train, args=(checkpoint,))
        process.start()
        process.join(rng.uniform(0, seconds / 4))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        n_kills += process.exitcode == -signal.SIGKILL
        if process.exitcode == 0:
            assert joblib.hash(train(checkpoint)) == expected
            checkpoint.unlink()


# ---- Ctrl-C

CONSTANT = {"learning_rate": "constant", "n_iter_no_change": np.inf, "max_iter": 60}
WIDE = {"hidden_layer_sizes": (150, 140), "n_jobs": 2, "batch_size": 200}
KINDS = {
    "sgd": lambda: mlp(**CONSTANT),
    "adam": lambda: mlp(**CONSTANT | {"solver": "adam", "backprop": "loop"}),
    "lbfgs": lambda: mlp(solver="lbfgs", tol=0, max_iter=40),
    "two threads": lambda: mlp(**CONSTANT | WIDE | {"max_iter": 12}),
    "table": lambda: small(n_estimators=9),
    "table, two threads": lambda: small(n_estimators=9, n_jobs=2),
    "table, threads within": lambda: small(
        n_estimators=1, n_jobs=2, hidden_layer_sizes=(150, 140)
    ),
}


def fit_and_interrupt(model, X, y, moments):
    """Fit, with a Ctrl-C after so many seconds; returns whether it was raised.

    Thread.join would return too early in Python 3.11, once it has been interrupted.
    """
    main, begins, ended = threading.get_ident(), threading.Event(), threading.Event()

    def interrupt():
        begins.wait()
        for seconds in moments:
            time.sleep(seconds)
            signal.pthread_kill(main, signal.SIGINT)
        ended.set()

    threading.Thread(target=interrupt).start()
    try:  # each of two signals may be raised, the second while the first is caught
        try:
            begins.set()
            model.fit(X, y)
            ended.wait()
        except KeyboardInterrupt:
            ended.wait()
            return True
    except KeyboardInterrupt:
        ended.wait()
        return True
    return False


def parts_of(model):
    """What grows in a fit: the epochs of a network, or the networks of a table."""
    if hasattr(model, "coefs_"):
        return model.history_["loss"]
    return [[weights(net).tobytes() for net in nets] for nets in model.estimators_]


def is_begin_of(part, whole):
    """Whether a fit is one that ended earlier."""
    if part and isinstance(part[0], list):
        return all(p == w[: len(p)] for p, w in zip(part, whole, strict=True))
    return part == whole[: len(part)]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
@pytest.mark.unconverged
@pytest.mark.usefixtures("default_handler")
@pytest.mark.parametrize("n_signals", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_at_any_moment_leaves_the_old_model_or_whole_parts(kind, n_signals):
    rng = np.random.RandomState()  # other moments in every run
    X = rng.normal(size=(1500, 10))
    y = (X[:, 0] + rng.normal(size=1500) > 0).astype(int)
    whole, old = KINDS[kind](), KINDS[kind]().fit(X[:100], y[:100])
    began = time.perf_counter()
    whole.fit(X, y)
    seconds = time.perf_counter() - began
    for _ in range(N_INTERRUPTS):
        _training.last_interrupt = -np.inf  # the last Ctrl-C was another fit's
        model = pickle.loads(pickle.dumps(old))
        before = pickle.dumps(model)
        moments = rng.uniform(0, 1.1 * seconds / n_signals, n_signals)
        was_raised = fit_and_interrupt(model, X, y, moments)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        for thread in threading.enumerate():
            # joblib's stay, idle, where its clearing up was interrupted.
            if thread.name.startswith("skbinnet"):
                thread.join(60)  # after a second Ctrl-C it ends by itself
                assert not thread.is_alive()
        assert np.isfinite(model.predict_proba(X)).all()
        if pickle.dumps(model) == before:
            assert was_raised
        else:
            assert is_begin_of(parts_of(model), parts_of(whole))
