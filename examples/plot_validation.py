"""
Validation data through a pipeline
==================================

Training stops when the ROC AUC of the validation rows no longer improves, and the best
weights are restored. The Pipeline scales these rows like the training rows.
"""

# %%
# The features have different scales and some labels are wrong. The rows are split into
# training, validation and test rows.
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
# ``transform_input`` names further inputs that the steps before the last transform; it
# needs metadata routing. The classifier requests ``X_val`` and ``y_val`` by default.
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
print(f"stopped after epoch {clf.n_iter_}, kept the weights of epoch {best}")

# %%
# Without early stopping, 100 epochs overfit. A common mistake is to pass
# ``step__X_val`` without routing: the validation rows reach the classifier unscaled.
warnings.simplefilter("ignore", ConvergenceWarning)  # training ends at max_iter
watching = clone(clf).set_params(early_stopping=False, n_iter_no_change=np.inf)
watching.set_params(max_iter=100)
long = make_pipeline(StandardScaler(), clone(watching), transform_input=["X_val"])
long.fit(X_train, y_train, X_val=X_val, y_val=y_val)

sklearn.set_config(enable_metadata_routing=False)
mistaken = make_pipeline(StandardScaler(), clone(watching)).fit(
    X_train, y_train, binarymlpclassifier__X_val=X_val, binarymlpclassifier__y_val=y_val
)
for name, pipeline in {"stopped": model, "100 epochs": long}.items():
    p = pipeline.predict_proba(X_test)[:, 1]
    print(f"{name}: test ROC AUC {roc_auc_score(y_test, p):.3f}")

# %%
# Plot the validation score of all three.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
epochs = range(1, 101)
ax.plot(epochs, long[-1].history_["val_roc_auc"], "C0:", label="not stopped")
ax.plot(epochs[: len(scores)], scores, "C0", label="stopped early")
ax.plot(best, scores[best - 1], "ko", label="weights kept")
curve = mistaken[-1].history_["val_roc_auc"]
ax.plot(epochs, curve, "C3", label="mistake: X_val not scaled")
ax.set(title="validation score", xlabel="epoch", ylabel="ROC AUC")
ax.legend()
figure.savefig("plot_validation.png", dpi=150)
print("picture saved as plot_validation.png")
