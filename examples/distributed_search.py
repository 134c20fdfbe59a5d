"""
Grid search on a cluster
========================

One search, first in this process, then in those of Dask or Ray, which joblib reaches
through its backends. Each fit is a task of its own, and the scores are the same.
"""

# %%
# A search with two scorers: the log-loss, and the process in which a fit is scored.
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
    """What a scorer said of each fit: one row per fold."""
    folds = range(search.n_splits_)
    return np.array([search.cv_results_[f"split{i}_test_{name}"] for i in folds])


# %%
# The engines. Each starts two processes and ends them, unless Dask gets an address.
def search_on_dask(X, y, scheduler=None):
    from distributed import Client

    here = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    client = Client(scheduler) if scheduler else Client(**here)
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
# The comparison. On other CPUs than this one the last bits may differ.
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--scheduler", help="address of a running Dask scheduler")
    parser.add_argument("--ray", action="store_true", help="Ray instead of Dask")
    args = parser.parse_args()
    data = load_breast_cancer(return_X_y=True)
    local = search(*data)
    far = search_on_ray(*data) if args.ray else search_on_dask(*data, args.scheduler)
    processes = {int(process) for process in per_fit(far, "process").flat}
    print(f"fits in the processes {sorted(processes)}, asked for in {os.getpid()}")
    print(f"best parameters as here: {far.best_params_ == local.best_params_}")
    same = np.array_equal(per_fit(far, "log_loss"), per_fit(local, "log_loss"))
    print(f"score of every fit as here, bit for bit: {same}")
