"""
Text classification
===================

Is this paragraph from the documentation of scikit-learn or SciPy? TfidfVectorizer turns
it into a sparse row with a column for each word. The network trains on sparse rows.
"""

# %%
# The texts are paragraphs of the docstrings of installed classes and functions. All
# paragraphs of one docstring are used either for training or for testing.
import inspect
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy import linalg, optimize, signal, stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils.discovery import all_estimators, all_functions

from skbinnet import BinaryMLPClassifier

items = {
    "scikit-learn": [item for _, item in all_estimators() + all_functions()],
    "SciPy": [
        getattr(module, name)
        for module in (linalg, optimize, signal, stats)
        for name in module.__all__
    ],
}
paragraphs = [
    (text, package, f"{package} {number}")
    for package, documented in items.items()
    for number, item in enumerate(documented)
    for text in (inspect.getdoc(item) or "").split("\n\n")
    if len(text.split()) >= 12 and ">>>" not in text
]
texts, packages, groups = map(np.array, zip(*paragraphs, strict=True))
split = GroupShuffleSplit(test_size=0.3, random_state=0).split(texts, None, groups)
train, test = next(split)

# %%
# The cost of a plain SGD step depends on the number of words in its minibatch, not on
# the size of the vocabulary. Rows of norm 1 need a larger learning rate than scaled
# features.
clf = BinaryMLPClassifier(
    momentum=0, learning_rate_init=0.3, max_iter=10, random_state=0
)
vectorizer = TfidfVectorizer(min_df=2, stop_words="english")
model = make_pipeline(vectorizer, clf).fit(texts[train], packages[train])
X, y = model[0].transform(texts[test]), packages[test]
print(f"{len(train)} paragraphs to train on, {X.shape[1]} words, {len(test)} to test")
print(f"accuracy {clf.score(X, y):.3f}")
print(f"ROC AUC  {roc_auc_score(y, clf.decision_function(X)):.3f}")

# %%
# The contribution of a word to a logit is approximately its value times the gradient
# of the logit with respect to it. Plot the words with the largest mean over test rows.
contributions = X.multiply(clf.input_gradients(X)).mean(axis=0).A1
words, order = vectorizer.get_feature_names_out(), np.argsort(contributions)
figure, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained")
top = order[:15], order[:-16:-1]
for ax, package, columns in zip(axes, clf.classes_, top, strict=True):
    ax.barh(words[columns], np.abs(contributions[columns]), color="C0")
    ax.invert_yaxis()
    ax.set(title=package, xlabel="mean contribution to the logit")
figure.savefig("plot_text.png", dpi=150)
print("picture saved as plot_text.png")

# %%
# Dense copies of the same rows give the same network, but training is slower.
some = model[0].transform(texts[train][::8])
for kind, rows in {"sparse": some, "dense": some.toarray()}.items():
    start = time.perf_counter()
    clf.fit(rows, packages[train][::8])
    print(f"{kind}: {time.perf_counter() - start:.2f} s, {clf.predict_proba(X[0])}")
