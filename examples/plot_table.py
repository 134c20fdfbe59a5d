"""
From a table to a decision
==========================

A table of customers holds numbers, texts, a date and gaps. One line learns from it who
will leave, and the probabilities say to whom it pays to make an offer.
"""

# %%
# The customers are invented. All columns affect the probability that a customer leaves.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, train_test_split

from skbinnet import TabularMLPClassifier

rng, n_rows = np.random.default_rng(0), 6000
days, town = rng.integers(2000, size=n_rows), rng.geometric(0.05, n_rows) % 80
X = pd.DataFrame(
    {
        "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
        "plan": rng.choice(["basic", "family", "student"], n_rows, p=[0.5, 0.3, 0.2]),
        "town": [f"town {number}" for number in town],
        "age": rng.normal(45, 14, n_rows).clip(18, 90).round(),
        "hours": rng.lognormal(2, 0.8, n_rows).round(1),
        "calls": rng.poisson(0.8, n_rows),
    }
)
X["fee"] = X["plan"].map({"basic": 15, "family": 25, "student": 8}) + 5.0 * (town % 2)
z = 2 * np.exp((days - 2000) / 200) + 0.6 * np.log(X["fee"] / X["hours"]) - 2.5
z += np.cos(X["age"] / 8) + (X["calls"] > 2) + (X["plan"] == "student")
z += rng.normal(size=80)[town]
left = rng.random(n_rows) < 1 / (1 + np.exp(-z))
X[["age", "hours"]] = X[["age", "hours"]].mask(rng.random((n_rows, 2)) < 0.15)
X_train, X_test, y_train, y_test = train_test_split(X, left, random_state=0)
print(X[:3].to_string(), f"{left.mean():.0%} leave", sep="\n")

# %%
# Fit. The rows that the networks held out give a first estimate of the log-loss.
model = TabularMLPClassifier(random_state=0).fit(X_train, y_train)
p = model.predict_proba(X_test)[:, 1]
print(f"log-loss {log_loss(y_test, p):.3f}, estimated {-model.validation_score_:.3f}")
print(f"ROC AUC  {roc_auc_score(y_test, p):.3f}")

# %%
# An offer costs 10, and saves 50 if the customer would have left. If the probabilities
# are right, it pays above 10 / 50, and no other threshold gains much more.
decide = FixedThresholdClassifier(FrozenEstimator(model), threshold=10 / 50)
offer = decide.fit(X_train, y_train).predict(X_test)
print(f"{offer.mean():.0%} get an offer, which gains {np.sum(50 * y_test[offer] - 10)}")
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
CalibrationDisplay.from_predictions(y_test, p, strategy="quantile", ax=axes[0])
axes[0].set(title="calibration", xlabel="mean probability", ylabel="share that left")
thresholds = np.linspace(0, 1, 101)
axes[1].plot(thresholds, [np.sum(50 * y_test[p > t] - 10) for t in thresholds])
axes[1].axvline(10 / 50, color="C1", label="cost / benefit")
axes[1].set(title="gain on the test rows", xlabel="threshold", ylabel="gain")
axes[1].legend()
figure.savefig("plot_table_decision.png", dpi=150)

# %%
# Which columns matter, and how? scikit-learn's tools take the table as it is, too.
importance = permutation_importance(
    model, X_test, y_test, scoring="neg_log_loss", random_state=0
).importances_mean
order = np.argsort(importance)
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
axes[0].barh(X.columns[order], importance[order])
axes[0].set(title="permutation importance", xlabel="rise of the log-loss")
PartialDependenceDisplay.from_estimator(
    model, X_test, ["age", "plan"], categorical_features=["plan"], ax=axes[1:]
)
plt.setp(axes[1:], title="partial dependence", ylabel="probability", ylim=(0, None))
figure.savefig("plot_table_inspection.png", dpi=150)
print("pictures saved as plot_table_*.png")
