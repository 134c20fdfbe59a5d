"""
Text
====

Who wrote this paragraph, scikit-learn or SciPy? TfidfVectorizer makes a sparse row of
each, with a column for each word, and the network trains on such rows as they are.
"""

# %%
# The texts come with what is installed: paragraphs of the documentation of classes and
# functions. Those of one function stay together, to train or to test.
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
    (text, author, f"{author} {number}")
    for author, documented in items.items()
    for number, item in enumerate(documented)
    for text in (inspect.getdoc(item) or "").split("\n\n")
    if len(text.split()) >= 12 and ">>>" not in text
]
texts, authors, groups = map(np.array, zip(*paragraphs, strict=True))
split = GroupShuffleSplit(test_size=0.3, random_state=0).split(texts, None, groups)
train, test = next(split)

# %%
# Plain SGD takes steps that cost what the words of a minibatch cost, not what the
# dictionary does. Rows of length one want a larger learning rate than scaled features.
clf = BinaryMLPClassifier(
    momentum=0, learning_rate_init=0.3, max_iter=10, random_state=0
)
vectorizer = TfidfVectorizer(min_df=2, stop_words="english")
model = make_pipeline(vectorizer, clf).fit(texts[train], authors[train])
X, y = model[0].transform(texts[test]), authors[test]
print(f"{len(train)} paragraphs to train on, {X.shape[1]} words, {len(test)} to test")
print(f"accuracy {clf.score(X, y):.3f}")
print(f"ROC AUC  {roc_auc_score(y, clf.decision_function(X)):.3f}")

# %%
# A word's share in a logit is about its value in the row times the slope of the logit
# along it. The means over the test rows show which words tell.
shares = X.multiply(clf.input_gradients(X)).mean(axis=0).A1
words, order = vectorizer.get_feature_names_out(), np.argsort(shares)
figure, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained")
for ax, author, telling in zip(
    axes, clf.classes_, (order[:15], order[:-16:-1]), strict=True
):
    ax.barh(words[telling], np.abs(shares[telling]), color="C0")
    ax.invert_yaxis()
    ax.set(title=author, xlabel="mean share in the logit")
figure.savefig("plot_text.png", dpi=150)
print("picture saved as plot_text.png")

# %%
# Made dense, the same rows give the same network, more slowly.
some = model[0].transform(texts[train][::8])
for kind, rows in {"sparse": some, "dense": some.toarray()}.items():
    begin = time.perf_counter()
    clf.fit(rows, authors[train][::8])
    print(f"{kind}: {time.perf_counter() - begin:.2f} s, {clf.predict_proba(X[0])}")
