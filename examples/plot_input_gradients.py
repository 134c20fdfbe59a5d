"""
Where the network looks
=======================

The gradient of the logit with respect to a row says which way, and how hard, each
feature pushes the prediction. In two dimensions it is an arrow across the boundary;
in thirty it is compared with permutation importance.
"""

# %%
# Two moons: the probability as a map, red for class 1, the boundary, and the gradients
# of some rows.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

X, y = make_moons(400, noise=0.2, random_state=0)
clf = BinaryMLPClassifier(max_iter=100, alpha=0, random_state=0).fit(X, y)
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
draw = DecisionBoundaryDisplay.from_estimator
style = {"response_method": "predict_proba", "ax": ax, "grid_resolution": 200}
draw(clf, X, cmap="RdBu_r", alpha=0.6, levels=20, **style)
draw(clf, X, plot_method="contour", levels=[0.5], colors="k", **style)
ax.scatter(*X.T, c=y, cmap="RdBu_r", s=8)
some = X[:60]
pushes = clf.input_gradients(some)
ax.quiver(*some.T, *pushes.T, angles="xy", width=0.003)
ax.set(title="boundary, and which way to class 1", aspect="equal")
figure.savefig("plot_input_gradients_moons.png", dpi=150)
print(f"the longest arrow: {np.linalg.norm(pushes, axis=1).max():.1f}")

# %%
# Breast cancer: the mean size of each feature's gradient, and what shuffling the
# feature costs in log-loss. The former shows what the network does, the latter what the
# score loses: little, where another feature says the same; below 0, shuffling helped.
data = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
clf = BinaryMLPClassifier(random_state=0).fit(X_train, y_train)
gradients = np.abs(clf.input_gradients(X_test)).mean(axis=0)
drops = permutation_importance(
    clf, X_test, y_test, scoring="neg_log_loss", n_repeats=30, random_state=0
).importances_mean

# %%
# Both as shares of their largest, the ten features with the largest gradients.
order = np.argsort(gradients)[-10:]
places = np.arange(len(order))
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.barh(places + 0.2, gradients[order] / gradients.max(), 0.4, label="gradient")
ax.barh(places - 0.2, drops[order] / drops.max(), 0.4, label="permutation")
ax.set_yticks(places, data.feature_names[order])
ax.set(title="breast cancer: what counts", xlabel="share of the largest")
ax.legend(loc="lower right")
figure.savefig("plot_input_gradients_cancer.png", dpi=150)
print("pictures saved as plot_input_gradients_*.png")
