"""Search for parameters with Optuna, which ends poor fits after some epochs.

    python examples/search_optuna.py [--trials 60]

A callback of scikit-learn (1.9 or newer) reports the validation loss of each epoch. If
it is worse than the median of earlier trials at the same epoch, it raises TrialPruned,
which ends the fit. Rows that the search has not seen tell whether the best parameters
beat the defaults.
"""

import argparse
import time

import optuna
from optuna.trial import TrialState
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier


class Prune:
    """A callback that reports each epoch to a trial, and ends the fit if it is poor."""

    def __init__(self, trial, X_val, y_val):
        self.trial, self.X_val, self.y_val = trial, X_val, y_val

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "epoch":
            loss = log_loss(self.y_val, fitted_estimator.predict_proba(self.X_val))
            self.trial.report(loss, context.task_id)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def teardown(self, estimator, context):
        pass


def suggest(trial):
    """The parameters of a trial."""
    n_layers = trial.suggest_int("n_layers", 1, 3)
    n_units = trial.suggest_categorical("n_units", [16, 32, 64, 128])
    return {
        "hidden_layer_sizes": (n_units,) * n_layers,
        "alpha": trial.suggest_float("alpha", 1e-5, 1e-1, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64, 128]),
        "dropout": trial.suggest_float("dropout", 0, 0.5),
        "learning_rate_init": trial.suggest_float("learning_rate", 1e-3, 0.3, log=True),
    }


def split_rows():
    """Scaled rows to train on, to validate with and to test with, and their labels."""
    X, y = make_classification(
        6000, 20, n_informative=8, n_clusters_per_class=8, flip_y=0.05, random_state=0
    )
    X, X_test, y, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=1 / 4, random_state=0)
    scaler = StandardScaler().fit(X)
    return *map(scaler.transform, (X, X_val, X_test)), y, y_val, y_test


def search(n_trials, X, X_val, y, y_val):
    """An Optuna study of n_trials fits."""

    def objective(trial):
        clf = BinaryMLPClassifier(**suggest(trial), random_state=0)
        trial.set_user_attr("params", clf.get_params())
        clf.set_callbacks(Prune(trial, X_val, y_val)).fit(X, y)
        return log_loss(y_val, clf.predict_proba(X_val))

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=10, n_warmup_steps=3),
    )
    study.optimize(objective, n_trials, catch=ValueError)  # if training diverges
    return study


def report(study, seconds):
    """Print what the trials of a study came to."""
    n_trials = len(study.trials)
    pruned, failed = (
        len(study.get_trials(states=[state]))
        for state in (TrialState.PRUNED, TrialState.FAIL)
    )
    n_epochs = sum(len(trial.intermediate_values) for trial in study.trials)
    most = n_trials * BinaryMLPClassifier().max_iter
    print(f"{pruned} of {n_trials} trials pruned, {failed} diverged")
    print(f"{n_epochs} of {most} epochs in {seconds:.1f} s")
    print("best:", study.best_params)


def main(n_trials):
    X, X_val, X_test, y, y_val, y_test = split_rows()
    began = time.perf_counter()
    study = search(n_trials, X, X_val, y, y_val)
    report(study, time.perf_counter() - began)
    losses = {}
    best = study.best_trial.user_attrs["params"]
    for name, params in {"default": {"random_state": 0}, "best": best}.items():
        clf = BinaryMLPClassifier(**params).fit(X, y)
        losses[name] = log_loss(y_test, clf.predict_proba(X_test))
        print(f"{name:7} test log-loss {losses[name]:.4f}")
    beats = "beats" if losses["best"] < losses["default"] else "does not beat"
    print(f"The best {beats} the default.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    main(parser.parse_args().trials)
