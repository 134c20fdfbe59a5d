"""
Input gradients
===============

The gradient of the logit with respect to the features of a row shows in which direction
and how strongly each feature changes the prediction. With two features it is plotted as
an arrow; with thirty it is compared with permutation importance.
"""

# %%
# For two moons, plot the probability (red for class 1), the decision boundary and the
# gradients of some rows.
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
gradients = clf.input_gradients(some)
ax.quiver(*some.T, *gradients.T, angles="xy", width=0.003)
ax.set(title="decision boundary and input gradients", aspect="equal")
figure.savefig("plot_input_gradients_moons.png", dpi=150)
print(f"largest norm of a gradient: {np.linalg.norm(gradients, axis=1).max():.1f}")

# %%
# For breast cancer, compute the mean absolute gradient of each feature and its
# permutation importance: how much the log-loss rises when the feature is shuffled. The
# gradient shows what the network reacts to, permutation importance what the score
# depends on. It is small if another feature carries the same information, and negative
# if shuffling happened to improve the score.
data = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
clf = BinaryMLPClassifier(random_state=0).fit(X_train, y_train)
gradients = np.abs(clf.input_gradients(X_test)).mean(axis=0)
importances = permutation_importance(
    clf, X_test, y_test, scoring="neg_log_loss", n_repeats=30, random_state=0
).importances_mean

# %%
# Plot both for the ten features with the largest gradients, relative to the maximum.
order = np.argsort(gradients)[-10:]
positions = np.arange(len(order))
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.barh(positions + 0.2, gradients[order] / gradients.max(), 0.4, label="gradient")
ax.barh(
    positions - 0.2, importances[order] / importances.max(), 0.4, label="permutation"
)
ax.set_yticks(positions, data.feature_names[order])
ax.set(title="breast cancer: feature importance", xlabel="relative to the maximum")
ax.legend(loc="lower right")
figure.savefig("plot_input_gradients_cancer.png", dpi=150)
print("pictures saved as plot_input_gradients_*.png")
