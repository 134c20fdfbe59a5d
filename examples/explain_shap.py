"""Explain a TabularMLPClassifier on the raw table, with SHAP and with scikit-learn.

    python examples/explain_shap.py

SHAP values divide the logit of a row among its columns: with the mean logit of the
background rows they add up to it. The explainers of shap take numbers only, therefore
they get codes for the values, and the model gets the values. permutation_importance
and PartialDependenceDisplay of scikit-learn take the table as it is. The upper row of
explain_shap.png is made with SHAP, the lower with scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import train_test_split

from skbinnet import TabularMLPClassifier

N_ROWS, N_BACKGROUND, N_EXPLAINED = 3000, 30, 150
N_ORDERS = 10  # of the columns, in which they take their values from the background


def make_table(rng):
    """Customers with gaps, and whether they leave; the column noise has no effect."""
    days = rng.integers(2000, size=N_ROWS)
    X = pd.DataFrame(
        {
            "age": rng.normal(45, 14, N_ROWS).round(),
            "plan": rng.choice(["basic", "family", "student"], N_ROWS),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"),
            "hours": rng.lognormal(2, 0.8, N_ROWS).round(1),
            "noise": rng.choice(["a", "b", "c"], N_ROWS),
        }
    )
    z = 2 * np.cos(X["age"] / 8) + 2 * (X["plan"] == "student") - np.log(X["hours"])
    z += days / 1000
    X = X.mask(rng.random(X.shape) < 0.05)
    return X, rng.random(N_ROWS) < 1 / (1 + np.exp(-z))


class Codes:
    """The cells of a table as codes, and tables from codes."""

    def __init__(self, X):
        pairs = [pd.factorize(X[name], use_na_sentinel=False) for name in X]
        self.values = {name: values for name, (_, values) in zip(X, pairs, strict=True)}
        self.codes = np.column_stack([codes for codes, _ in pairs]).astype(float)

    def table(self, codes):
        """The table whose cells have these codes."""
        columns = zip(self.values.items(), codes.T.astype(int), strict=True)
        return pd.DataFrame(
            {name: values.take(part) for (name, values), part in columns}
        )


def explain(model, X):
    """SHAP values of the logits of some rows, of which the last are the background."""
    coded = Codes(X)

    def logits(codes):
        return model.decision_function(coded.table(codes))

    background = coded.codes[-N_BACKGROUND:]
    explainer = shap.PermutationExplainer(
        logits, background, feature_names=list(X.columns), seed=0
    )
    n_calls = N_ORDERS * (2 * X.shape[1] + 1)
    return explainer(coded.codes[:-N_BACKGROUND], max_evals=n_calls, silent=True)


def bars(ax, names, values, title, label):
    order = np.argsort(values)
    ax.barh(np.array(names)[order], values[order])
    ax.set(title=title, xlabel=label)


def draw(model, X, y, values):
    """Draw both rows of pictures."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    above, below = axes
    rows = X[: len(values)]
    bars(above[0], X.columns, np.abs(values).mean(axis=0), "SHAP", "mean |SHAP value|")
    above[1].scatter(rows["age"], values[:, 0], s=8)
    above[1].set(xlabel="age", title="SHAP values of age")
    plans = rows["plan"].fillna("missing")
    names = sorted(plans.unique())
    above[2].boxplot([values[plans == name, 1] for name in names], tick_labels=names)
    above[2].set(xlabel="plan", title="SHAP values of plan")
    plt.setp(above[1:], ylabel="change of the logit")
    importance = permutation_importance(
        model, X, y, scoring="neg_log_loss", random_state=0
    ).importances_mean
    bars(
        below[0],
        X.columns,
        importance,
        "permutation importance",
        "rise of the log-loss",
    )
    known = X[X["plan"].notna()]  # scikit-learn cannot sort missing texts
    PartialDependenceDisplay.from_estimator(
        model, known, ["age", "plan"], categorical_features=["plan"], ax=below[1:]
    )
    plt.setp(below[1:], title="partial dependence", ylabel="probability", ylim=(0, 1))
    figure.savefig("explain_shap.png", dpi=150)
    return importance


def main():
    X, y = make_table(np.random.default_rng(0))
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = TabularMLPClassifier(random_state=0).fit(X_train, y_train)
    explained = X_test[: N_EXPLAINED + N_BACKGROUND]
    found = explain(model, explained)
    sums = found.values.sum(axis=1) + found.base_values
    logits = model.decision_function(explained[:N_EXPLAINED])
    np.testing.assert_allclose(sums, logits, rtol=0, atol=1e-9)
    print(f"the SHAP values of {len(sums)} rows add up to their logits")
    importance = draw(model, X_test, y_test, found.values)
    table = {
        "mean |SHAP|": np.abs(found.values).mean(axis=0),
        "permutation": importance,
    }
    print(pd.DataFrame(table, index=X.columns).round(3).to_string())
    print("picture saved as explain_shap.png")


if __name__ == "__main__":
    main()
