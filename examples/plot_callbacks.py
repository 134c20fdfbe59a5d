"""
Watch the training with callbacks
=================================

scikit-learn's callbacks (1.9 or newer) are called in each epoch. ProgressBar shows the
progress of a fit or a search; a custom callback keeps the networks of some epochs.
"""

# %%
# The rows lie on two spirals, which take some epochs to separate. ProgressBar needs the
# package rich.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.callback import ProgressBar
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

rng = np.random.RandomState(0)
y = np.arange(1000) % 2
angle = 3 * np.pi * np.sqrt(rng.uniform(0.02, 1, size=1000))
X = np.column_stack([np.cos(angle + np.pi * y), np.sin(angle + np.pi * y)])
X = X * angle[:, None] + rng.normal(scale=0.2, size=(1000, 2))

# %%
# A search shows a bar for each task; the bar of a fit advances epoch by epoch.
clf = BinaryMLPClassifier((64, 64), solver="adam", max_iter=100, random_state=0)
search = GridSearchCV(
    make_pipeline(StandardScaler(), clf),
    {"binarymlpclassifier__learning_rate_init": [0.001, 0.01]},
    cv=2,
)
search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
print(f"accuracy {search.best_score_:.3f} with {search.best_params_}")

# %%
# A callback has four methods. This one keeps copies of the estimator after some epochs.
# If `on_fit_task_end` returned True, the fit would stop.


class Snapshots:
    """Keep the estimator as it is after each of the given epochs."""

    def __init__(self, epochs):
        self.epochs, self.by_epoch = epochs, {}

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        epoch = context.task_id + 1
        if context.task_name == "epoch" and epoch in self.epochs:
            self.by_epoch[epoch] = fitted_estimator

    def teardown(self, estimator, context):
        pass


# %%
# Plot the same network after 1, 5, 20 and 100 epochs.
snapshots = Snapshots([1, 5, 20, 100])
X = StandardScaler().fit_transform(X)
clf.set_callbacks(snapshots).fit(X, y)
figure, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
for ax, (epoch, fitted) in zip(axes.flat, snapshots.by_epoch.items(), strict=True):
    style = {"response_method": "predict_proba", "cmap": "RdBu_r", "alpha": 0.6}
    DecisionBoundaryDisplay.from_estimator(fitted, X, ax=ax, **style)
    ax.scatter(*X.T, c=y, cmap="RdBu_r", s=4)
    ax.set(title=f"epoch {epoch}: accuracy {fitted.score(X, y):.3f}")
figure.savefig("plot_callbacks.png", dpi=150)
print("picture saved as plot_callbacks.png")
