"""
Solvers and early stopping
==========================

Each solver trains the same network on few rows, so that it eventually overfits. Early
stopping ends training when the ROC AUC of held-out rows no longer improves.
"""

# %%
# The data are two noisy moons with eight uninformative features added.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skbinnet import BinaryMLPClassifier

X, y = make_moons(2000, noise=0.35, random_state=0)
X = np.hstack([X, np.random.RandomState(0).normal(size=(2000, 8))])
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=400, random_state=0
)

# %%
# Train with each solver, once without and once with early stopping. L-BFGS uses all
# rows in each iteration, which counts as an epoch. The left plot shows the ROC AUC of
# the test rows after each epoch, the right plot that of the held-out rows until
# training stopped. A dot marks the epoch whose weights were kept.
solvers = {
    "sgd": {"learning_rate_init": 0.05},
    "adam": {"learning_rate_init": 0.01},
    "lbfgs": {"tol": 1e-3, "max_iter": 400},
}
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained", sharey=True)
for name, options in solvers.items():
    settings = {"alpha": 0, "max_iter": 200, "random_state": 0, "scoring": "roc_auc"}
    model = BinaryMLPClassifier((50,), solver=name, **settings | options)
    model.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    curve = model.history_["val_roc_auc"]
    axes[0].plot(range(1, len(curve) + 1), curve, label=name)

    stopped = BinaryMLPClassifier((50,), solver=name, **settings | options)
    stopped.set_params(early_stopping=True, validation_fraction=0.25, tol=1e-3)
    stopped.fit(X_train, y_train)
    curve = stopped.validation_scores_
    axes[1].plot(range(1, len(curve) + 1), curve, label=name)
    best = 1 + int(np.argmax(curve))
    axes[1].plot(best, stopped.best_validation_score_, "k.")

    for kind, clf in (("without", model), ("with", stopped)):
        auc = roc_auc_score(y_test, clf.decision_function(X_test))
        print(f"{name} {kind} early stopping: {clf.n_iter_} epochs, ROC AUC {auc:.3f}")

axes[0].set(title="test rows, without early stopping", xscale="log", ylabel="ROC AUC")
axes[1].set(title="held-out rows, with early stopping")
axes[1].xaxis.get_major_locator().set_params(integer=True)
for ax in axes:
    ax.set_xlabel("epoch")
    ax.legend()
figure.savefig("plot_solvers.png", dpi=150)
print("picture saved as plot_solvers.png")
