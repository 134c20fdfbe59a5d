"""The examples that work in several processes, with real workers."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Imports an example, as the workers can too; it may leave no files behind."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.setenv("PYTHONPATH", str(EXAMPLES), prepend=os.pathsep)
        monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # Ray's token
        monkeypatch.chdir(folder)
        yield importlib.import_module
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def client(example):
    workers = {"n_workers": 2, "threads_per_worker": 1}
    with distributed.Client(dashboard_address="127.0.0.1:0", **workers) as client:
        yield client


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_search_in_other_processes_gives_the_same(engine, example, breast_cancer):
    pytest.importorskip(engine)
    X, X_test, y, _ = breast_cancer
    module = example("distributed_search")
    near, far = module.search(X, y), getattr(module, f"search_on_{engine}")(X, y)
    assert far.best_params_ == near.best_params_
    losses = [module.per_fit(search, "log_loss") for search in (near, far)]
    assert_array_equal(*losses)
    assert_array_equal(far.predict_proba(X_test), near.predict_proba(X_test))
    processes = np.unique(module.per_fit(far, "process"))
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_a_stream_gives_the_same_weights_as_its_blocks(example, client, capsys):
    module = example("distributed_stream")
    far, processes, mean, std = module.learn_from(client)
    blocks = [module.draw((i, 0)) for i in range(module.N_BLOCKS)]
    near, _ = module.learn(module.scale(block, mean, std) for block in blocks)
    for layer in range(far.n_layers_ - 1):
        assert_array_equal(far.coefs_[layer], near.coefs_[layer])
        assert_array_equal(far.intercepts_[layer], near.intercepts_[layer])
    assert far.t_ == module.N_BLOCKS * module.N_ROWS
    X = np.concatenate(blocks)[:, :-1]
    assert_allclose([mean, std], [X.mean(axis=0), X.std(axis=0)], rtol=1e-12)
    assert processes == set(client.run(os.getpid).values())
    assert os.getpid() not in processes
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_a_stream_asks_only_for_the_blocks_of_its_window(example, client):
    module = example("distributed_stream")
    table = module.array.ones((30, 3), chunks=(1, 3))
    blocks = module.stream(client, table, np.zeros(2), np.ones(2), window=3)
    n_asked = [len(client.futures) for _ in blocks]
    assert 3 <= max(n_asked) <= 3 + 1


@pytest.mark.parametrize("name", ["distributed_search", "distributed_stream"])
def test_the_example_runs_on_the_cluster_at_an_address(name, client):
    script = [EXAMPLES / f"{name}.py", "--scheduler", client.scheduler.address]
    command = [sys.executable, "-W", "error", *script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout.endswith("bit for bit: True\n")
    processes = re.search(r"processes \[(\d+), (\d+)\]", run.stdout).groups()
    assert set(map(int, processes)) == set(client.run(os.getpid).values())
