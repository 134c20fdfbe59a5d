r"""
Exercise: backpropagation by hand
=================================

Write the forward pass of a small network, then its gradients: first factor by factor
with loops, then with matrices. At the end your two functions train the network beside
`BinaryMLPClassifier`, and all weights must agree after every epoch.

Replace each ``...`` by your answer and run the file, or the cell, again. The check
below it says whether the answer is right, or which usual slip it looks like. The lesson
plot_backpropagation.py explains every formula. The file exercise_checks.py must be
beside this one, but do not read it yet: it tells the answers.

To make a notebook of this file, install sphinx-gallery and run
``sphinx_gallery_py2jupyter exercise_backpropagation.py``.
"""

# %%
# The network
# -----------
# It has 30 inputs, ten hidden units with relu, and one output with the sigmoid:
#
# .. math::
#    X \xrightarrow{W_1,\ b_1} z_1 \xrightarrow{\mathrm{relu}} a_1
#    \xrightarrow{W_2,\ b_2} z_2 \xrightarrow{\ \sigma\ } p \xrightarrow{\ y\ } L
#
# Rows are samples: X has the shape (n, 30), :math:`W_1` (30, 10), :math:`b_1` (10,),
# :math:`W_2` (10, 1), :math:`b_2` (1,), and y (n,) with labels 0 and 1. So z1 and a1
# have the shape (n, 10), and z2 and p have the shape (n, 1).
#
# You may know these values by other names, with samples as columns: a, a_z, b and b_z
# are z1, a1, z2 and p here, the weights w are W, the biases u are b. Then dL/db_z is
# dL_dp here, db_z/db is dp_dz2, and so on.
import exercise_checks as checks
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def relu(z):
    return np.maximum(z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# %%
# Part 1: the forward pass
# ------------------------
# Compute z1, a1, z2 and p, each from the one before. The same code must work for a
# matrix X and for a single row of shape (30,).


def forward(X, W1, b1, W2, b2):
    z1 = ...
    a1 = ...
    z2 = ...
    p = ...
    return z1, a1, z2, p


checks.check(forward)

# %%
# Part 2: one row, factor by factor
# ---------------------------------
# A path leads back from the loss L to each weight, and each step along it is a factor
# of the chain rule. For one row, each factor is a single number. Here y, z2 and p are
# numbers; x, z1 and a1 are vectors; k counts the hidden units and j the inputs. A
# function may be given more than it needs.
#
# The first factor is the derivative of the cross-entropy
# :math:`L = -y \log p - (1 - y) \log(1 - p)` with respect to p.


def dL_dp(y, p):
    return ...


checks.check(dL_dp)

# %%
# The derivative of the sigmoid, :math:`p = \sigma(z_2)`.


def dp_dz2(z2, p):
    return ...


checks.check(dp_dz2)

# %%
# The derivative of z2 with respect to the weight ``W2[k, 0]``.


def dz2_dW2(k, z1, a1, W2):
    return ...


checks.check(dz2_dW2)

# %%
# The derivative of z2 with respect to ``a1[k]``.


def dz2_da1(k, a1, W2):
    return ...


checks.check(dz2_da1)

# %%
# The derivative of relu, of ``a1[k]`` with respect to ``z1[k]``. At 0, where relu has a
# corner, we take 1.


def da1_dz1(k, z1, a1):
    return ...


checks.check(da1_dz1)

# %%
# The derivative of ``z1[k]`` with respect to the weight ``W1[j, k]``.


def dz1_dW1(j, k, x, W1):
    return ...


checks.check(dz1_dW1)

# %%
# Now multiply the factors along each path, and add up the products over the rows. The
# first three factors of a path to layer 1 are those of a path to layer 2, so keep what
# they share: dL_dz2 and, for each hidden unit, dL_dz1.


def sums_by_loops(X, y, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros(np.shape(array)) for array in (W1, b1, W2, b2))
    for x, label in zip(X, y, strict=True):
        z1, a1, z2, p = forward(x, W1, b1, W2, b2)
        dL_dz2 = ...
        db2[0] += ...
        for k in range(len(a1)):
            dW2[k, 0] += ...
            dL_dz1 = ...
            db1[k] += ...
            for j in range(len(x)):
                dW1[j, k] += ...
    return dW1, db1, dW2, db2


checks.check(sums_by_loops)

# %%
# The loss of several rows is the mean of their losses. Make its gradients of the sums.


def gradients_by_loops(X, y, W1, b1, W2, b2):
    return [... for gradient in sums_by_loops(X, y, W1, b1, W2, b2)]


checks.check(gradients_by_loops)

# %%
# Part 3: all rows at once
# ------------------------
# Let delta2 and delta1 be the derivatives of the *mean* loss with respect to z2 and z1.
# They have the shapes of z2 and z1. Compute them without loops; delta1 follows from
# delta2. Most factors of delta2 cancel.


def deltas(y, z1, a1, z2, p, W2):
    delta2 = ...
    delta1 = ...
    return delta1, delta2


checks.check(deltas)

# %%
# Compute the four gradients from the deltas, again without loops. Each has the shape of
# its weights.


def gradients_by_matrices(X, y, W1, b1, W2, b2):
    z1, a1, z2, p = forward(X, W1, b1, W2, b2)
    delta1, delta2 = deltas(y, z1, a1, z2, p, W2)
    db2 = ...
    dW2 = ...
    db1 = ...
    dW1 = ...
    return dW1, db1, dW2, db2


checks.check(gradients_by_matrices)

# %%
# Part 4: training
# ----------------
# Nothing is left to fill in. Your gradients now train the network to tell malignant
# from benign tumours, in minibatches of ten rows, and so does `BinaryMLPClassifier`,
# with each of its two backward passes. Both start from the same weights and see the
# rows in the same orders. The weights are small at the start, so that no p is rounded
# to 0 or 1, where dL_dp would divide by 0.
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.8, random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

rng = np.random.RandomState(0)
shapes = (30, 10), (10,), (10, 1), (1,)  # of W1, b1, W2 and b2
first_weights = [rng.normal(scale=0.3, size=shape) for shape in shapes]
orders = [rng.permutation(len(X_train)) for _ in range(10)]


def train_epoch(gradients, X, y, weights, rate=0.01):
    for start in range(0, len(X), 10):
        rows = slice(start, start + 10)
        steps = gradients(X[rows], y[rows], *weights)
        for array, gradient in zip(weights, steps, strict=True):
            array -= rate * gradient


for gradients, backprop in (
    (gradients_by_loops, "loop"),
    (gradients_by_matrices, "matrix"),
):
    weights = [array.copy() for array in first_weights]
    clf = checks.make_classifier(backprop, first_weights)
    print(f'{gradients.__name__} and BinaryMLPClassifier(backprop="{backprop}")')
    for epoch, order in enumerate(orders, start=1):
        train_epoch(gradients, X_train[order], y_train[order], weights)
        clf.partial_fit(X_train[order], y_train[order], classes=[0, 1])
        p = forward(X_train, *weights)[-1]
        checks.compare(epoch, weights, p, clf, X_train, y_train)
    p = forward(X_test, *weights)[-1][:, 0]
    print(f"test accuracy: {np.mean((p > 0.5) == y_test):.3f}")
