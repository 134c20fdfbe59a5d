"""
Breast cancer: one network, two backward passes
===============================================

A small network learns to tell benign from malignant tumours, once with each backward
pass, and is compared with the defaults. Validation data are scored after each epoch.
"""

# %%
# Train on 80 % of the rows, use 20 % for validation and testing; scale all features.
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier, TrainingCurvesDisplay

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.8, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

# %%
# Ten relu units are trained by plain gradient descent, from weights and biases drawn
# from N(0, 1), for 80 epochs whether or not the loss still improves.
warnings.simplefilter("ignore", ConvergenceWarning)
lesson = {
    "hidden_layer_sizes": (10,),
    "init": "normal",
    "batch_size": 10,
    "max_iter": 80,
    "n_iter_no_change": np.inf,
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "momentum": 0,
    "alpha": 0,
}
models = {
    "loop": BinaryMLPClassifier(backprop="loop", random_state=0, **lesson),
    "matrix": BinaryMLPClassifier(backprop="matrix", random_state=0, **lesson),
    "defaults": BinaryMLPClassifier(random_state=0),
}

# %%
# Train and test each model.
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    milliseconds = 1000 * (time.perf_counter() - start)

    y_pred, p = model.predict(X_test), model.predict_proba(X_test)[:, 1]
    print(f"{name}: {model.n_iter_} epochs in {milliseconds:.1f} ms")
    print(f"  test accuracy     {accuracy_score(y_test, y_pred):.4f}")
    print(f"  ROC AUC           {roc_auc_score(y_test, p):.4f}")
    print(f"  confusion matrix  {confusion_matrix(y_test, y_pred).tolist()}")

# %%
# Both backward passes take the same steps, so their weights differ only by rounding.
loop, matrix = (
    models[name].coefs_ + models[name].intercepts_ for name in ("loop", "matrix")
)
difference = max(np.abs(a - b).max() for a, b in zip(loop, matrix, strict=True))
print(f"largest difference between the weights of loop and matrix: {difference:.1e}")

# %%
# Plot the loss and the accuracy of each epoch.
display = TrainingCurvesDisplay.from_estimator(models["matrix"], name="lesson")
TrainingCurvesDisplay.from_estimator(
    models["defaults"], name="defaults", ax=display.ax_
)
display.figure_.savefig("plot_breast_cancer.png", dpi=150)
print("picture saved as plot_breast_cancer.png")
