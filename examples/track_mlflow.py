"""Track a fit with MLflow, then load the model that it keeps and serve it.

    python examples/track_mlflow.py                  # in a temporary folder
    python examples/track_mlflow.py --folder runs    # keeps it, for mlflow ui

A callback of scikit-learn (1.9 or newer) logs the loss of each network after each of
its epochs. The model is kept as a skops file, which is not a pickle, with its
parameters and its columns. It is loaded again, and `mlflow models serve` answers over
HTTP; each time the probabilities are the same.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from skbinnet import TRUSTED_TYPES, TabularMLPClassifier

N_ROWS = 2000


class LogLoss:
    """A callback that logs the loss on the training rows after each epoch."""

    max_propagation_depth = None  # reaches the networks of a TabularMLPClassifier

    def __init__(self, run_id):
        self.run_id, self.client = run_id, mlflow.MlflowClient()

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if context.task_name == "epoch":
            loss = log_loss(y, fitted_estimator.predict_proba(X))
            name = f"loss of network {context.parent.task_id}"
            self.client.log_metric(self.run_id, name, loss, step=context.task_id)

    def teardown(self, estimator, context):
        pass


def make_table(rng):
    """Customers with gaps, and whether they leave."""
    days = rng.integers(2000, size=N_ROWS)
    X = pd.DataFrame(
        {
            "age": rng.normal(45, 14, N_ROWS).round(),
            "city": rng.choice(["Bonn", "Oslo", "Rome"], N_ROWS),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"),
        }
    )
    z = np.cos(X["age"] / 8) + 2 * (X["city"] == "Rome") + days / 1000 - 2
    X = X.mask(rng.random(X.shape) < 0.05)
    return X, np.where(rng.random(N_ROWS) < 1 / (1 + np.exp(-2 * z)), "leaves", "stays")


def track(X, y, run_id):
    """Fit a model; log its parameters, losses and scores, and the model itself."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = TabularMLPClassifier(n_estimators=6, max_iter=20, random_state=0)
    mlflow.log_params(model.get_params())
    model.set_callbacks(LogLoss(run_id)).fit(X_train, y_train)
    model.set_callbacks()  # they are no part of the model
    p = model.predict_proba(X_test)
    mlflow.log_metric("test log-loss", log_loss(y_test, p))
    mlflow.log_metric("test ROC AUC", roc_auc_score(y_test, p[:, 1]))
    kept = mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
        skops_trusted_types=TRUSTED_TYPES,
        pyfunc_predict_fn="predict_proba",
        input_example=X_train[:3],
        pip_requirements=["skbinnet", "pandas", "skops"],
    )
    return kept.model_uri, X_test, p


@contextmanager
def served(model_uri):
    """Serve a model with the command of MLflow; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model_uri]
    command += ["--env-manager", "local", "--port", port]
    print("served by: mlflow", *command[3:], flush=True)
    # MLflow looks for the command uvicorn, which is beside this Python.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | {"PATH": path}, **quiet)
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        process.terminate()
        process.wait()


def wait_for(address, process):
    """Return when an address answers; raise RuntimeError if its server has ended."""
    while process.poll() is None:
        try:
            return urlopen(address).close()
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The server has ended with status {process.returncode}.")


def ask(address, rows):
    """The probabilities that a server of MLflow answers for rows."""
    records = json.loads(rows.to_json(orient="records", date_format="iso"))
    body = json.dumps({"dataframe_records": records}).encode()
    request = Request(address, body, {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return np.array(json.load(answer)["predictions"])


def main(folder):
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name("customers") is None:
        mlflow.create_experiment("customers", (folder / "models").as_uri())
    mlflow.set_experiment("customers")
    with mlflow.start_run() as run:
        model_uri, X, p = track(*make_table(np.random.default_rng(0)), run.info.run_id)
    run = mlflow.get_run(run.info.run_id)
    for name, value in sorted(run.data.metrics.items()):
        n_values = len(mlflow.MlflowClient().get_metric_history(run.info.run_id, name))
        print(f"{name:17} {value:.4f}, logged {n_values} times")
    loaded = mlflow.sklearn.load_model(model_uri)
    np.testing.assert_array_equal(loaded.predict_proba(X), p)
    print("loaded: the same probabilities")
    with served(model_uri) as address:
        answered = ask(address, X)
    np.testing.assert_array_equal(answered, p)
    print("over HTTP: the same probabilities")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where runs and models are kept")
    folder = parser.parse_args().folder
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        main(folder.resolve())
        print(
            f"to see the run: mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db"
        )
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
