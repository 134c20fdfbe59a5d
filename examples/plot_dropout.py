"""
Dropout
=======

In training, each row is shown to a network without half of its hidden units. They
cannot learn wrong labels by heart together, so the network overfits less.
"""

# %%
# There are few rows for two layers of 128 units, and every tenth label is drawn anew.
import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

X, y = make_classification(
    6000, 30, n_informative=8, n_clusters_per_class=4, flip_y=0.1, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2000, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

# %%
# The test rows are watched, but do not stop the training.
networks = {}
for dropout in (0.0, 0.2, 0.5):
    clf = BinaryMLPClassifier((128, 128), max_iter=60, dropout=dropout, random_state=0)
    clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    networks[dropout] = clf
    p = clf.predict_proba(X_test)[:, 1]
    print(
        f"dropout {dropout}  log-loss {log_loss(y_test, p):.3f}"
        f"  ROC AUC {roc_auc_score(y_test, p):.3f}"
    )

# %%
# Plot the losses. That of the training rows is the loss with dropout, so at first it is
# above that of the test rows, for which no unit is dropped.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for number, (dropout, clf) in enumerate(networks.items()):
    ax.plot(clf.history_["val_loss"], f"C{number}", label=f"dropout={dropout}")
    ax.plot(clf.history_["loss"], f"C{number}:")
ax.set(title="test loss, and training loss (dotted)", xlabel="epoch", ylabel="loss")
ax.legend()
figure.savefig("plot_dropout.png", dpi=150)
print("picture saved as plot_dropout.png")
