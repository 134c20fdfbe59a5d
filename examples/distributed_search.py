"""
Grid search on a cluster
========================

The same search runs first in this process, then in worker processes of Dask or Ray,
through a joblib backend. Each fit is a separate task, and the scores are the same.
"""

# %%
# The search has two scorers: the log-loss, and the id of the process that scores a fit.
import argparse
import os

import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier


def process_id(estimator, X, y):
    return os.getpid()


def search(X, y):
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier(random_state=0))
    grid = {
        "binarymlpclassifier__hidden_layer_sizes": [(10,), (64,), (32, 16)],
        "binarymlpclassifier__alpha": [1e-4, 1e-3, 1e-2, 1e-1],
    }
    scoring = {"log_loss": "neg_log_loss", "process": process_id}
    return GridSearchCV(model, grid, scoring=scoring, refit="log_loss").fit(X, y)


def per_fit(search, name):
    """Return the results of one scorer for every fit, with one row per fold."""
    folds = range(search.n_splits_)
    return np.array([search.cv_results_[f"split{i}_test_{name}"] for i in folds])


# %%
# Each backend starts and stops two worker processes, unless Dask is given an address.
def search_on_dask(X, y, scheduler=None):
    from distributed import Client

    opts = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    client = Client(scheduler) if scheduler else Client(**opts)
    with client, parallel_config("dask", n_jobs=-1):
        return search(X, y)


def search_on_ray(X, y):
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    cluster = ray.init(num_cpus=2, include_dashboard=False)
    with cluster, parallel_config("ray", n_jobs=-1):
        return search(X, y)


# %%
# Compare both searches. If the workers have another CPU, the last bits may differ.
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--scheduler", help="address of a running Dask scheduler")
    parser.add_argument("--ray", action="store_true", help="use Ray instead of Dask")
    args = parser.parse_args()
    data = load_breast_cancer(return_X_y=True)
    local = search(*data)
    remote = search_on_ray(*data) if args.ray else search_on_dask(*data, args.scheduler)
    processes = {int(process) for process in per_fit(remote, "process").flat}
    print(f"search in process {os.getpid()}, fits in processes {sorted(processes)}")
    print(f"same best parameters: {remote.best_params_ == local.best_params_}")
    same = np.array_equal(per_fit(remote, "log_loss"), per_fit(local, "log_loss"))
    print(f"same score of every fit, bit for bit: {same}")
