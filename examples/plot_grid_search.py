"""
Grid search over a Pipeline
===========================

Each candidate is a Pipeline of a StandardScaler and a network, so in each fold the
scaler sees only the training rows. A fit takes about ten milliseconds, the whole search
a few seconds.
"""

# %%
# Search over the hidden layers, the strength of the penalty and the learning rate.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

X, y = load_breast_cancer(return_X_y=True)
layers = [(), (10,), (64,), (32, 16)]
alphas = [0, 1e-4, 1e-3, 1e-2, 1e-1]
rates = [0.003, 0.01, 0.03, 0.1, 0.2]
search = GridSearchCV(
    make_pipeline(StandardScaler(), BinaryMLPClassifier(random_state=0)),
    {
        "binarymlpclassifier__hidden_layer_sizes": layers,
        "binarymlpclassifier__alpha": alphas,
        "binarymlpclassifier__learning_rate_init": rates,
    },
    scoring="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
).fit(X, y)
print(f"{len(search.cv_results_['params'])} candidates, 5 folds each")
print(f"mean fit time: {1000 * search.cv_results_['mean_fit_time'].mean():.1f} ms")
print(f"best log-loss: {-search.best_score_:.4f} with")
for name, value in search.best_params_.items():
    print(f"  {name.split('__')[1]} = {value}")

# %%
# A notebook shows each part of the search with its parameters, its fitted attributes
# and links to the documentation.
search

# %%
# Plot the log-loss of every candidate, with one panel for each choice of layers.
scores = -search.cv_results_["mean_test_score"]
results = {
    tuple(params.values()): score
    for params, score in zip(search.cv_results_["params"], scores, strict=True)
}
figure, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained")
for ax, sizes in zip(axes.flat, layers, strict=True):
    panel = [[results[alpha, sizes, rate] for rate in rates] for alpha in alphas]
    image = ax.imshow(panel, cmap="viridis_r", vmin=scores.min(), vmax=0.2)
    ax.set(title=f"layers {sizes}", xlabel="learning_rate_init", ylabel="alpha")
    ax.set_xticks(range(len(rates)), rates, rotation=60)
    ax.set_yticks(range(len(alphas)), alphas)
figure.colorbar(image, ax=axes, label="log-loss", extend="max")
figure.savefig("plot_grid_search.png", dpi=150)
print("picture saved as plot_grid_search.png")
