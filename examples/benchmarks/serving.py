"""Measure what a server answers per second, and how long an answer takes.

    python examples/benchmarks/serving.py [--seconds 5] [--connections 1 16]

Each model is fitted to the same table, of ten columns of numbers and five of texts with
missing values, and served by examples/serve_model.py in a process of its own, with one
worker. This process sends it requests over some connections at once, each of which
waits for its answer before it sends the next, and checks that each answer has the
status 200. BLAS and OpenMP have one thread. "alone" is the median time of predict_proba
in this process, given a data frame. No model answers the requests of the first lines.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skbinnet import TRUSTED_TYPES, BinaryMLPClassifier, TabularMLPClassifier

SERVER = Path(__file__).parents[1] / "serve_model.py"
N_ROWS, N_NUMBERS, N_TEXTS = 2000, 10, 5
BATCHES = [1, 100]  # rows of a request
TITLES = ["model", "rows", "connections", "requests/s", "rows/s"]
TITLES += ["50 % ms", "99 % ms", "alone, ms"]
ONE_THREAD = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]


# ---- models


def make_table(rng):
    """A table, and labels that depend on all of its columns."""
    numbers = rng.normal(size=(N_ROWS, N_NUMBERS))
    codes = rng.integers(8, size=(N_ROWS, N_TEXTS))
    z = np.sin(2 * numbers).sum(axis=1) + (codes % 3 - 1).sum(axis=1)
    labels = np.where(z + rng.logistic(size=N_ROWS) > 0, "yes", "no")
    X = pd.DataFrame(
        numbers.round(3), columns=[f"number {i}" for i in range(N_NUMBERS)]
    )
    for i, column in enumerate(codes.T):
        X[f"text {i}"] = [f"value {code}" for code in column]
    return X.mask(rng.random(X.shape) < 0.05), labels


def make_models(X):
    """Models that take the table, by name."""
    numbers, texts = list(X.columns[:N_NUMBERS]), list(X.columns[N_NUMBERS:])

    def encode():
        z_scores = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        one_hot = OneHotEncoder(handle_unknown="ignore")
        return make_column_transformer((z_scores, numbers), (one_hot, texts))

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingClassifier(
        categorical_features=range(N_TEXTS), random_state=0
    )
    return {
        "TabularMLPClassifier": TabularMLPClassifier(random_state=0),
        "BinaryMLPClassifier": make_pipeline(
            encode(), BinaryMLPClassifier(random_state=0)
        ),
        "MLPClassifier": make_pipeline(
            encode(), MLPClassifier(max_iter=500, random_state=0)
        ),
        "HistGradientBoosting": make_pipeline(
            make_column_transformer((codes, texts), remainder="passthrough"), trees
        ),
    }


def median_seconds(function, rows):
    """The median time of a call, repeated for a second."""
    function(rows)
    times, end = [], time.perf_counter() + 1
    while (began := time.perf_counter()) < end:
        function(rows)
        times.append(time.perf_counter() - began)
    return np.median(times)


# ---- server and load


@contextmanager
def served(model, folder):
    """Serve a model in another process; give its port."""
    path = folder / "model.skops"
    skops.io.dump(model, path)
    others = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, SERVER, path, "--port", str(port)]
    if others:  # the file is our own, so all its types can be trusted
        command += ["--trust", *others]
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for(port, process):
    """Return when the server is up; raise RuntimeError if it has ended."""
    while process.poll() is None:
        try:
            return urlopen(f"http://127.0.0.1:{port}/health").close()
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server has ended with status {process.returncode}.")


def request(method, path, body=b""):
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body


async def ask(reader, writer, message):
    """Send a request and read its answer; raises RuntimeError if it is not 200."""
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"content-length:")
    answer = await reader.readexactly(int(length.split(b"\r\n")[0]))
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer.decode())


async def load(port, message, n_connections, seconds):
    """The times of all answers, from requests over several connections."""
    connect = [asyncio.open_connection("127.0.0.1", port) for _ in range(n_connections)]
    connections, times = await asyncio.gather(*connect), []

    async def client(reader, writer, end, times):
        while (began := time.perf_counter()) < end:
            await ask(reader, writer, message)
            times.append(time.perf_counter() - began)

    async def clients(seconds, times):
        end = time.perf_counter() + seconds
        await asyncio.gather(*(client(*pair, end, times) for pair in connections))

    await clients(seconds / 5, [])  # warms up
    await clients(seconds, times)
    for _, writer in connections:
        writer.close()
    return np.array(times)


def measure(name, batch, alone, port, message, args):
    """Print a line for each number of connections."""
    for n_connections in args.connections:
        times = asyncio.run(load(port, message, n_connections, args.seconds))
        per_second = len(times) / args.seconds
        median, slow = 1e3 * np.percentile(times, [50, 99])
        print(
            f"| {name} | {batch or ''} | {n_connections} | {per_second:.0f} "
            f"| {batch * per_second:.0f} | {median:.2f} | {slow:.2f} | {alone} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    args = parser.parse_args()
    X, y = make_table(np.random.default_rng(0))
    records = json.loads(X.to_json(orient="records"))
    print(f"| {' | '.join(TITLES)} |")
    print("|---" * len(TITLES) + "|")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        for i, (name, model) in enumerate(make_models(X).items()):
            model.fit(X, y)
            with served(model, Path(folder)) as port:
                if i == 0:
                    measure("none", 0, "", port, request("GET", "/health"), args)
                for batch in BATCHES:
                    seconds = median_seconds(model.predict_proba, X[:batch])
                    body = json.dumps(records[0] if batch == 1 else records[:batch])
                    message = request("POST", "/predict", body.encode())
                    alone = f"{1e3 * seconds:.2f}"
                    measure(name, batch, alone, port, message, args)


if __name__ == "__main__":
    main()
