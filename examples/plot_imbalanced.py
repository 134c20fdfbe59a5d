"""
Imbalanced classes
==================

One row in twenty-five is positive. Class weights or a tuned threshold find more of
these rows, at the cost of false alarms. Weighting distorts the probabilities, and
calibration nearly restores them.
"""

# %%
# The data have few positive rows and some wrong labels.
import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

X, y = make_classification(
    20_000, n_informative=8, weights=[0.97], flip_y=0.02, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Compare four models: the plain network; the network with class weights that give both
# classes the same total weight; the plain network with the threshold, in place of 0.5,
# that has the best balanced accuracy in cross-validation; and the weighted network with
# probabilities that are calibrated to the observed frequencies.
plain = make_pipeline(StandardScaler(), BinaryMLPClassifier(random_state=0))
weighted = make_pipeline(
    StandardScaler(), BinaryMLPClassifier(class_weight="balanced", random_state=0)
)
models = {
    "plain": plain,
    "class_weight": weighted,
    "threshold": TunedThresholdClassifierCV(plain),
    "calibrated": CalibratedClassifierCV(weighted, method="isotonic", ensemble=False),
}
results = {}
for name, model in models.items():
    model.fit(X_train, y_train)
    y_pred, p = model.predict(X_test), model.predict_proba(X_test)[:, 1]
    recall, precision = recall_score(y_test, y_pred), precision_score(y_test, y_pred)
    results[name] = recall, precision, p
    print(
        f"{name:12}  precision {precision:.2f}"
        f"  recall {recall:.2f}"
        f"  balanced accuracy {balanced_accuracy_score(y_test, y_pred):.3f}"
        f"  log-loss {log_loss(y_test, p):.3f}"
    )
print(f"tuned threshold: {models['threshold'].best_threshold_:.3f}")

# %%
# On the left, a dot marks the precision and recall of each model. On the right, the
# probabilities of the weighted network are too high; after calibration they are not.
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for number, (name, (recall, precision, p)) in enumerate(results.items()):
    style = {"color": f"C{number}"}
    axes[0].plot(recall, precision, "o", label=name, **style)
    if name != "threshold":  # it has the same probabilities as "plain"
        precisions, recalls, _ = precision_recall_curve(y_test, p)
        axes[0].plot(recalls, precisions, linewidth=1, **style)
        CalibrationDisplay.from_predictions(
            y_test, p, n_bins=6, ax=axes[1], name=name, **style
        )
axes[0].set(title="precision and recall", xlabel="recall", ylabel="precision")
axes[1].set(title="calibration", xlabel="mean probability", ylabel="share of positives")
axes[0].legend()
axes[1].legend(loc="upper left")
figure.savefig("plot_imbalanced.png", dpi=150)
print("picture saved as plot_imbalanced.png")
