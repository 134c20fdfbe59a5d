"""
Validation data through a pipeline
==================================

Training ends when the ROC AUC of validation rows no longer rises, and the best weights
come back. The Pipeline scales these rows as it scales the others.
"""

# %%
# Features in units of all sorts, labels of which some are wrong; rows to train on, to
# watch, and to test.
import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

X, y = make_classification(
    4000, n_informative=6, n_clusters_per_class=4, flip_y=0.1, random_state=0
)
X = X * np.logspace(-1, 2, X.shape[1]) + 100
X_train, X_val, X_test = X[:1000], X[1000:2000], X[2000:]
y_train, y_val, y_test = y[:1000], y[1000:2000], y[2000:]

# %%
# ``transform_input`` names what the steps before the last have to transform as well; it
# needs metadata routing. The classifier asks for ``X_val`` and ``y_val`` by itself.
sklearn.set_config(enable_metadata_routing=True)
clf = BinaryMLPClassifier(
    solver="adam",
    learning_rate="constant",
    max_iter=300,
    early_stopping=True,
    scoring="roc_auc",
    random_state=0,
)
model = make_pipeline(StandardScaler(), clf, transform_input=["X_val"])
model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
scores = clf.validation_scores_
best = 1 + int(np.argmax(scores))
print(f"ended after epoch {clf.n_iter_}, weights of epoch {best} kept")

# %%
# Watched for 100 epochs, and not stopped, the network shows what it was spared. And
# this is the trap: without routing, ``step__X_val`` reaches the classifier unscaled.
warnings.simplefilter("ignore", ConvergenceWarning)  # of runs that end at max_iter
watching = clone(clf).set_params(early_stopping=False, n_iter_no_change=np.inf)
watching.set_params(max_iter=100)
long = make_pipeline(StandardScaler(), clone(watching), transform_input=["X_val"])
long.fit(X_train, y_train, X_val=X_val, y_val=y_val)

sklearn.set_config(enable_metadata_routing=False)
trapped = make_pipeline(StandardScaler(), clone(watching)).fit(
    X_train, y_train, binarymlpclassifier__X_val=X_val, binarymlpclassifier__y_val=y_val
)
for name, pipeline in {"stopped": model, "100 epochs": long}.items():
    p = pipeline.predict_proba(X_test)[:, 1]
    print(f"{name}: ROC AUC of the test {roc_auc_score(y_test, p):.3f}")

# %%
# What each of them saw.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
epochs = range(1, 101)
ax.plot(epochs, long[-1].history_["val_roc_auc"], "C0:", label="not stopped")
ax.plot(epochs[: len(scores)], scores, "C0", label="stopped early")
ax.plot(best, scores[best - 1], "ko", label="weights kept")
curve = trapped[-1].history_["val_roc_auc"]
ax.plot(epochs, curve, "C3", label="the trap: X_val not scaled")
ax.set(title="X_val, watched", xlabel="epoch", ylabel="ROC AUC")
ax.legend()
figure.savefig("plot_validation.png", dpi=150)
print("picture saved as plot_validation.png")
