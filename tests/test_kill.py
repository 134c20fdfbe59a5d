"""The example that trains from a file may be killed at any moment, and goes on."""

import multiprocessing
import os
import re
import signal
import time
from pathlib import Path

import joblib
import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "plot_memory_map.py"
N_KILLS = 200 if "SKBINNET_LONG" in os.environ else 20


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
