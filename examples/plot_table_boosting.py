"""
Networks or boosted trees?
==========================

TabularMLPClassifier and HistGradientBoostingClassifier both take a data frame as it is.
Networks are better where the probability changes smoothly or along oblique lines, trees
where it jumps at thresholds of single columns.
"""

# %%
# One table is made for networks and one for trees; the third is real. In the first two,
# only x, y and group matter, and one number in twenty is missing.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedShuffleSplit, cross_validate
from threadpoolctl import threadpool_limits

from skbinnet import TabularMLPClassifier


def waves(X):
    return 0.5 + 0.45 * np.sin(X["x"] + X["y"].where(X["group"] == "A", -X["y"]))


def steps(X):
    is_high = np.where(X["y"] > 0, np.floor(X["x"]) % 2 == 1, X["x"] > 1)
    return np.where(is_high == (X["group"] == "A"), 0.95, 0.05)


def make_table(probability):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-3, 3, (1500, 4)), columns=["x", "y", "u", "v"])
    group = pd.Categorical(rng.choice(["A", "B"], 1500))
    labels = rng.random(1500) < probability(X.assign(group=group))
    return X.mask(rng.random(X.shape) < 0.05).assign(group=group), labels


tables = {"waves": make_table(waves), "steps": make_table(steps)}
tables["breast cancer"] = load_breast_cancer(return_X_y=True, as_frame=True)

# %%
# Compare the mean log-loss on test rows and the mean seconds of a fit, with one thread.
# To be fair, boosting stops early too, which is not its default for so few rows.
boosting = HistGradientBoostingClassifier(random_state=0)
models = {
    "networks": TabularMLPClassifier(random_state=0),
    "boosting": boosting,
    "boosting, stopped early": clone(boosting).set_params(early_stopping=True),
}
splits, fitted = StratifiedShuffleSplit(3, test_size=0.3, random_state=0), {}
how = {"cv": splits, "scoring": "neg_log_loss", "return_estimator": True}
with threadpool_limits(1):
    for table, (X, y) in tables.items():
        for name, model in models.items():
            scores = cross_validate(model, X, y, **how)
            fitted[table, name] = scores["estimator"][0]
            loss, seconds = -scores["test_score"].mean(), scores["fit_time"].mean()
            print(f"{table:14} {name:24} log-loss {loss:.3f}  {seconds:.2f} s")

# %%
# Plot the true and the predicted probabilities of group A, where u and v are 0.
x, y = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-3, 3, 120)] * 2))
plane = pd.DataFrame({"x": x, "y": y, "u": 0.0, "v": 0.0, "group": "A"})
figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
style = {"extent": [-3, 3, -3, 3], "origin": "lower", "cmap": "RdBu_r"}
for row, truth in zip(axes, (waves, steps), strict=True):
    table = truth.__name__
    pictures = {f"{table}: the truth": np.asarray(truth(plane))}
    for name in ("networks", "boosting"):
        pictures[name] = fitted[table, name].predict_proba(plane)[:, 1]
    for ax, (title, p) in zip(row, pictures.items(), strict=True):
        image = ax.imshow(p.reshape(120, 120), vmin=0, vmax=1, **style)
        ax.set(title=title, xlabel="x", ylabel="y")
figure.colorbar(image, ax=axes, label="probability")
figure.savefig("plot_table_boosting.png", dpi=150)
print("picture saved as plot_table_boosting.png")
