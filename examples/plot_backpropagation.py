r"""
How backpropagation works
=========================

Gradient descent needs the derivative of a network's loss with respect to each of its
weights. This example computes these derivatives first weight by weight, then as matrix
products. You need to know derivatives and NumPy; every formula is checked numerically.
"""

# %%
# The chain rule
# --------------
# The derivative of a composition of two functions is the product of their derivatives:
#
# .. math:: h(x) = f(g(x)), \qquad h'(x) = f'(g(x)) \cdot g'(x)
#
# With :math:`f(u) = u^2` and :math:`g(x) = 2x + 5` this gives
# :math:`h'(x) = 2(2x + 5) \cdot 2 = 8x + 20`. We can check this numerically, with the
# slope between two points, one on each side of x.
import textwrap
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier


def numerical_derivative(f, x, step=1e-5):
    """Approximate the derivative of f at x by a central difference."""
    return (f(x + step) - f(x - step)) / (2 * step)


def check(what, expected, actual):
    """Print the largest difference of two results; it must be close to 0."""
    difference = np.max(np.abs(np.asarray(expected) - actual))
    print(f"{what}: largest difference {difference:.0e}")
    assert difference < 1e-6


x = np.linspace(-3, 3, 12)
numerical = numerical_derivative(lambda x: (2 * x + 5) ** 2, x)
check("8 x + 20 and the numerical derivative", 8 * x + 20, numerical)

# %%
# A function is a graph
# ---------------------
# Split :math:`f(x) = x^2 + 5x^3` into steps: :math:`h = x^2`, :math:`q = x^3`,
# :math:`s = 5q` and :math:`f = h + s`. Each value is a node. An edge leads from a value
# to each value that is computed from it, and carries the derivative of the second with
# respect to the first. Two paths lead from x to f, and f changes along both of them:
#
# .. math::
#    \frac{df}{dx} = \frac{\partial f}{\partial h} \frac{dh}{dx}
#    + \frac{\partial f}{\partial s} \frac{ds}{dq} \frac{dq}{dx}
#    = 1 \cdot 2x + 1 \cdot 5 \cdot 3x^2
#
# So *the derivative of the result with respect to a node is a sum over all paths from
# the node to the result; each path contributes the product of its edges*.


def edges_at(x):
    """Map each node to the nodes computed from it, with the derivative."""
    return {
        "x": {"h": 2 * x, "q": 3 * x**2},
        "q": {"s": 5},
        "h": {"f": 1},
        "s": {"f": 1},
    }


def path_sum(edges, node):
    """Compute df / d node: sum the products of the edges over all paths to f."""
    if node == "f":
        return 1
    return sum(edge * path_sum(edges, after) for after, edge in edges[node].items())


by_paths = path_sum(edges_at(x), "x")
check("sum over paths and 2 x + 15 x^2", by_paths, 2 * x + 15 * x**2)
numerical = numerical_derivative(lambda x: x**2 + 5 * x**3, x)
check("sum over paths and the numerical derivative", by_paths, numerical)

positions = {"x": (0, 0.5), "h": (1.5, 1), "q": (0.8, 0), "s": (2.2, 0), "f": (3, 0.5)}
formulas = {
    "x": "x = 2",
    "h": "h = x² = 4",
    "q": "q = x³ = 8",
    "s": "s = 5 q = 40",
    "f": "f = h + s = 44",
}
figure, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
text = {"ha": "center", "va": "center", "fontsize": 15}
box = {"boxstyle": "round,pad=0.6", "facecolor": "#d8e8f6", "edgecolor": "C0"}
circle = {"boxstyle": "circle", "facecolor": "white", "edgecolor": "C3"}
boxes = {
    node: ax.text(*position, formulas[node], bbox=box, **text).get_bbox_patch()
    for node, position in positions.items()
}
for node in ("x", "q", "h", "s"):
    for after, edge in edges_at(2)[node].items():
        start, end = np.array(positions[node]), np.array(positions[after])
        arrow = {"arrowstyle": "-|>", "color": "C3", "linewidth": 2}
        arrow |= {"patchA": boxes[node], "patchB": boxes[after], "mutation_scale": 20}
        ax.annotate("", xy=end, xytext=start, arrowprops=arrow)
        ax.text(*(start + end) / 2, f"{edge}", color="C3", bbox=circle, **text)
ax.set(xlim=(-0.3, 3.5), ylim=(-0.2, 1.2))
ax.set_title("df/dx at x = 2:  4 · 1 + 12 · 5 · 1 = 64", fontsize=17)
ax.axis("off")
figure.savefig("plot_backpropagation_graph.png", dpi=150)

# %%
# Where many paths share nodes, their number explodes. But the derivative with respect
# to a node needs only those with respect to the nodes right after it. So go backwards
# from the result and compute the derivative of each node once, from the derivatives
# that are already known: this is **backpropagation**.
edges, derivatives = edges_at(2), {"f": 1}
for node in ("s", "h", "q", "x"):
    derivatives[node] = sum(
        edge * derivatives[after] for after, edge in edges[node].items()
    )
check("backpropagation and all paths", derivatives["x"], path_sum(edges, "x"))

# %%
# Three functions and their derivatives
# -------------------------------------
# A network consists of **units**. Each unit multiplies its inputs by **weights**, adds
# up the products and a **bias** to a number z, and applies a nonlinear function to z.
# Without such functions the whole network would be linear. Hidden units, whose results
# are the inputs of the output unit, apply **relu**. It has no derivative at 0, where
# any number from 0 to 1 would do; we take 1. The output unit applies the **sigmoid**,
# which turns any number into a probability p of label 1. **Cross-entropy** measures how
# bad p is: it is minus the logarithm of the probability that p gives to the true label
# y, which is 0 or 1.
#
# .. math::
#    \mathrm{relu}(z) &= \max(z, 0), &
#    \mathrm{relu}'(z) &= 1 \text{ if } z \ge 0, \text{ else } 0 \\
#    \sigma(z) &= \frac{1}{1 + e^{-z}}, &
#    \sigma'(z) &= \sigma(z) (1 - \sigma(z)) \\
#    L(y, p) &= -y \log p - (1 - y) \log(1 - p), &
#    \frac{\partial L}{\partial p} &= -\frac{y}{p} + \frac{1 - y}{1 - p}


def relu(z):
    return np.maximum(z, 0)


def relu_derivative(z):
    return np.where(z >= 0, 1.0, 0.0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_derivative(z):
    return sigmoid(z) * (1 - sigmoid(z))


def cross_entropy(y, p):
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def cross_entropy_derivative(y, p):
    return -y / p + (1 - y) / (1 - p)


z, p = np.linspace(-4, 4, 200), np.linspace(0.05, 0.95, 200)  # z is never 0
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
pairs = (relu, relu_derivative), (sigmoid, sigmoid_derivative)
for ax, (f, derivative) in zip(axes[:2], pairs, strict=True):
    check(derivative.__name__, derivative(z), numerical_derivative(f, z))
    ax.plot(z, f(z), label=f.__name__)
    ax.plot(z, derivative(z), "--", label="derivative")
    ax.set(title=f.__name__, xlabel="z")
    ax.legend()
for y in (0, 1):
    exact = cross_entropy_derivative(y, p)
    numerical = numerical_derivative(lambda p, y=y: cross_entropy(y, p), p)
    check(f"cross_entropy_derivative for y = {y}", exact, numerical)
    axes[2].plot(p, cross_entropy(y, p), f"C{y}", label=f"y = {y}")
    axes[2].plot(p, exact, f"C{y}--", label="derivative")
axes[2].set(title="cross-entropy", xlabel="p", ylim=(-9, 6))
axes[2].legend()
figure.savefig("plot_backpropagation_functions.png", dpi=150)

# %%
# Cross-entropy follows the sigmoid, so their derivatives multiply, and most factors
# cancel:
#
# .. math::
#    \frac{\partial L}{\partial z} = \frac{\partial L}{\partial p} \sigma'(z)
#    = \left(-\frac{y}{p} + \frac{1 - y}{1 - p}\right) p (1 - p)
#    = -y (1 - p) + (1 - y) p = p - y
#
# The z of the output unit is called the **logit**. The loss can be computed from it as
# :math:`L = \log(1 + e^z) - y z`, which avoids the logarithm of a p that was rounded to
# 0; ``np.logaddexp(0, z)`` is :math:`\log(e^0 + e^z)`.
for y in (0, 1):
    p = sigmoid(z)
    product = cross_entropy_derivative(y, p) * sigmoid_derivative(z)
    check("p - y and the product of the derivatives", p - y, product)
    from_logit = np.logaddexp(0, z) - y * z
    check("loss from the logit and from p", from_logit, cross_entropy(y, p))

# %%
# The network
# -----------
# A row x of 30 numbers describes a tumour; y says whether it is benign (1) or malignant
# (0). These numbers are the inputs of ten hidden units, whose results are the inputs of
# the output unit. For number j of the row and hidden unit k, the network computes
#
# .. math::
#    z_{1,k} = \sum_j x_j W_{1,jk} + b_{1,k}, \quad
#    a_{1,k} = \mathrm{relu}(z_{1,k}), \quad
#    z_2 = \sum_k a_{1,k} W_{2,k} + b_2, \quad p = \sigma(z_2)
#
# and for the n rows of a matrix X at once
#
# .. math::
#    z_1 = X W_1 + b_1, \quad a_1 = \mathrm{relu}(z_1), \quad
#    z_2 = a_1 W_2 + b_2, \quad p = \sigma(z_2)
#
# .. math::
#    X \xrightarrow{W_1,\ b_1} z_1 \xrightarrow{\mathrm{relu}} a_1
#    \xrightarrow{W_2,\ b_2} z_2 \xrightarrow{\ \sigma\ } p \xrightarrow{\ y\ } L
#
# with :math:`W_1` of shape (30, 10), :math:`W_2` of shape (10, 1), and the biases
# :math:`b_1`, :math:`b_2` of shapes (10,) and (1,). The loss is the mean of
# :math:`L(y, p)` over the rows. Training starts from random weights, since units with
# equal weights would stay equal.
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.8, random_state=0
)
unscaled = X_train
scaler = StandardScaler().fit(X_train)  # mean 0, standard deviation 1
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)


def forward(X, W1, b1, W2, b2):
    z1 = X @ W1 + b1
    a1 = relu(z1)
    z2 = a1 @ W2 + b2
    return z1, a1, z2, sigmoid(z2)


def mean_loss(X, y, *weights):
    z2 = forward(X, *weights)[2].ravel()
    return np.mean(np.logaddexp(0, z2) - y * z2)


def random_weights(seed, n_inputs=30, n_hidden=10):
    draw = np.random.RandomState(seed).normal
    return (
        draw(size=(n_inputs, n_hidden)),
        draw(size=n_hidden),
        draw(size=(n_hidden, 1)),
        draw(size=1),
    )


# %%
# Four gradients with loops
# -------------------------
# A single path leads back from the loss of one row to each weight. (With more layers
# there are several.) The derivatives of the weighted sums along it are
#
# .. math::
#    \frac{\partial z_2}{\partial W_{2,k}} = a_{1,k}, \quad
#    \frac{\partial z_2}{\partial b_2} = 1, \quad
#    \frac{\partial z_2}{\partial a_{1,k}} = W_{2,k}, \quad
#    \frac{\partial z_{1,k}}{\partial W_{1,jk}} = x_j, \quad
#    \frac{\partial z_{1,k}}{\partial b_{1,k}} = 1
#
# All paths start with the same two edges; the paths to layer 1 continue through unit k:
#
# .. math::
#    \frac{\partial L}{\partial W_{2,k}} &=
#    \frac{\partial L}{\partial p} \frac{\partial p}{\partial z_2} \, a_{1,k} \\
#    \frac{\partial L}{\partial b_2} &=
#    \frac{\partial L}{\partial p} \frac{\partial p}{\partial z_2} \\
#    \frac{\partial L}{\partial W_{1,jk}} &=
#    \frac{\partial L}{\partial p} \frac{\partial p}{\partial z_2} \,
#    W_{2,k} \, \mathrm{relu}'(z_{1,k}) \, x_j \\
#    \frac{\partial L}{\partial b_{1,k}} &=
#    \frac{\partial L}{\partial p} \frac{\partial p}{\partial z_2} \,
#    W_{2,k} \, \mathrm{relu}'(z_{1,k})
#
# The gradient of the mean loss is the mean of these over the rows.


def gradients_by_loops(X, y, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros_like(weights) for weights in (W1, b1, W2, b2))
    for x, label in zip(X, y, strict=True):
        z1, a1, z2, p = forward(x, W1, b1, W2, b2)
        dL_dp = cross_entropy_derivative(label, p[0])
        dp_dz2 = sigmoid_derivative(z2[0])
        db2[0] += dL_dp * dp_dz2
        for k in range(len(a1)):
            dW2[k, 0] += dL_dp * dp_dz2 * a1[k]
            dz2_da1 = W2[k, 0]
            da1_dz1 = relu_derivative(z1[k])
            db1[k] += dL_dp * dp_dz2 * dz2_da1 * da1_dz1
            for j in range(len(x)):
                dW1[j, k] += dL_dp * dp_dz2 * dz2_da1 * da1_dz1 * x[j]
    return [gradient / len(X) for gradient in (dW1, db1, dW2, db2)]


# %%
# The same gradients with matrices
# --------------------------------
# Name what the paths share: :math:`\delta_2` and :math:`\delta_1` are the derivatives
# of the mean loss with respect to :math:`z_2` and :math:`z_1`; they have a row for each
# row of X. The sums over the rows become matrix products or plain sums:
# :math:`(X^T \delta_1)_{jk} = \sum_i x_{ij} \delta_{1,ik}` is what the loops above add
# up row by row. (:math:`\odot` is the element-wise product.)
#
# .. math::
#    \delta_2 &= (p - y) / n, &
#    \quad \frac{\partial L}{\partial W_2} &= a_1^T \delta_2, &
#    \quad \frac{\partial L}{\partial b_2} &= \textstyle\sum_\text{rows} \delta_2 \\
#    \delta_1 &= (\delta_2 W_2^T) \odot \mathrm{relu}'(z_1), &
#    \quad \frac{\partial L}{\partial W_1} &= X^T \delta_1, &
#    \quad \frac{\partial L}{\partial b_1} &= \textstyle\sum_\text{rows} \delta_1


def gradients_by_matrices(X, y, W1, b1, W2, b2):
    z1, a1, _, p = forward(X, W1, b1, W2, b2)
    delta2 = (p - y[:, None]) / len(X)
    delta1 = delta2 @ W2.T * relu_derivative(z1)
    return [X.T @ delta1, delta1.sum(axis=0), a1.T @ delta2, delta2.sum(axis=0)]


# %%
# Now compute the same gradients in four ways: with loops, with matrices, numerically,
# which takes two forward passes for each of the 321 weights, and with the estimator of
# this package. (Its ``alpha`` is a penalty on large weights; we set it to 0.)


def numerical_gradients(X, y, *weights, step=1e-5):
    gradients = [np.empty_like(array) for array in weights]
    for array, gradient in zip(weights, gradients, strict=True):
        for index, weight in np.ndenumerate(array):
            array[index] = weight + step
            above = mean_loss(X, y, *weights)
            array[index] = weight - step
            below = mean_loss(X, y, *weights)
            array[index] = weight
            gradient[index] = (above - below) / (2 * step)
    return gradients


def check_all(what, expected, actual):
    names = "W1", "b1", "W2", "b2"
    for name, *arrays in zip(names, expected, actual, strict=True):
        check(f"{name}, {what}", *arrays)


clf = BinaryMLPClassifier((10,), alpha=0, max_iter=1, random_state=0)
clf.fit(X_train, y_train)
weights = clf.coefs_[0], clf.intercepts_[0], clf.coefs_[1], clf.intercepts_[1]
loss, (dW1, dW2), (db1, db2) = clf.loss_and_gradients(X_train, y_train)
check("mean loss", mean_loss(X_train, y_train, *weights), loss)
loops = gradients_by_loops(X_train, y_train, *weights)
others = {
    "matrices": gradients_by_matrices(X_train, y_train, *weights),
    "numerical gradients": numerical_gradients(X_train, y_train, *weights),
    "estimator": [dW1, db1, dW2, db2],
}
for name, gradients in others.items():
    check_all(f"loops and {name}", loops, gradients)

# %%
# Training
# --------
# Shuffle the rows, take ten at a time (a minibatch), compute the gradients of their
# mean loss, and move each weight against its gradient. The learning rate sets how far:
#
# .. math:: w \leftarrow w - \text{rate} \cdot \frac{\partial L}{\partial w}
#
# One pass over all rows is an epoch; we train for eighty.


def train(data, weights, n_epochs=40, rate=0.01, shuffle=True):
    """Update the weights in place; return the two losses after each epoch."""
    X, y, X_test, y_test = data
    rng, curves = np.random.RandomState(1), []
    for _ in range(n_epochs):
        order = rng.permutation(len(X)) if shuffle else np.arange(len(X))
        for start in range(0, len(X), 10):
            batch = order[start : start + 10]
            gradients = gradients_by_matrices(X[batch], y[batch], *weights)
            for array, gradient in zip(weights, gradients, strict=True):
                array -= rate * gradient
        sets = (X, y), (X_test, y_test)
        curves.append([mean_loss(*rows, *weights) for rows in sets])
    return np.array(curves)


tumours = X_train, y_train, X_test, y_test
weights = random_weights(0)
curves = train(tumours, weights, n_epochs=80)
p = forward(X_test, *weights)[-1].ravel()
print(f"test accuracy: {np.mean((p > 0.5) == y_test):.3f}")
print(f"test ROC AUC: {roc_auc_score(y_test, p):.3f}")
print(f"confusion matrix: {confusion_matrix(y_test, p > 0.5).tolist()}")

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(range(1, 81), curves, label=["training", "test"])
ax.set(title="the network learns", xlabel="epoch", ylabel="loss", ylim=(0, None))
ax.legend()
figure.savefig("plot_backpropagation_training.png", dpi=150)

# %%
# `BinaryMLPClassifier` takes exactly these steps in compiled code. If it starts from
# the same weights and does not shuffle the rows, it has our weights after five epochs,
# with either backward pass.
ours = random_weights(0)
train(tumours, ours, n_epochs=5, shuffle=False)
for backprop in ("loop", "matrix"):
    clf = BinaryMLPClassifier(
        (10,),
        backprop=backprop,
        alpha=0,
        batch_size=10,
        learning_rate="constant",
        learning_rate_init=0.01,
        momentum=0,
        shuffle=False,
    )
    W1, b1, W2, b2 = random_weights(0)
    clf.coefs_, clf.intercepts_ = [W1, W2], [b1, b2]
    for _ in range(5):
        clf.partial_fit(X_train, y_train, classes=[0, 1])
    (W1, W2), (b1, b2) = clf.coefs_, clf.intercepts_
    check_all(f'ours and backprop="{backprop}"', ours, [W1, b1, W2, b2])

# %%
# What can go wrong
# -----------------
# The gradient describes the loss only near the current weights. Four things can go
# wrong:
#
# - *Unscaled data*: features in the hundreds lead to logits of about a hundred. The
#   first steps are so long that every hidden unit is 0 for all rows from then on, and
#   the loss stays at that of a constant p.
# - *Too large a learning rate*: the steps overshoot the minimum. At rate 3 the loss
#   soon reaches :math:`10^{75}`, far outside the plot. It falls again only because the
#   weights have become so large that every hidden unit is 0 for many rows, and it stays
#   worse than at rate 0.03. With too small a rate, training takes forever.
# - *A dead unit*: where z is negative for every row, relu is flat, so all gradients of
#   the unit are 0 and no step can change it again. Here it is the only hidden unit.
# - *Too many units for too few rows*: fifty units memorise sixty noisy rows. The
#   training loss keeps falling, while the test loss rises after a while.
figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")


def draw_losses(ax, losses, label):
    ax.plot(range(1, len(losses) + 1), losses, label=label, linewidth=1)


with np.errstate(over="ignore"):  # some of these runs are meant to diverge
    for name, rows in {"scaled": X_train, "unscaled": unscaled}.items():
        losses = train((rows, *tumours[1:]), random_weights(0))
        draw_losses(axes[0], losses[:, 0], name)
    for rate in (0.0003, 0.03, 3):
        losses = train(tumours, random_weights(0), rate=rate)
        draw_losses(axes[1], losses[:, 0], f"{rate}")

for name, bias in {"alive": 0.0, "dead": -100.0}.items():
    W1, b1, W2, b2 = random_weights(0, n_hidden=1)
    b1[:] = bias
    losses = train(tumours, [W1, b1, W2, b2])
    draw_losses(axes[2], losses[:, 0], name)
dW1, db1, dW2, _ = gradients_by_matrices(X_train, y_train, W1, b1, W2, b2)
for gradient in (dW1, db1, dW2):
    check("gradient of the dead unit and 0", gradient, 0)

X, y = make_moons(1060, noise=0.35, random_state=0)
moons = X[:60], y[:60], X[60:], y[60:]
losses = train(moons, random_weights(0, 2, 50), n_epochs=1000, rate=0.1)
draw_losses(axes[3], losses[:, 0], "training")
draw_losses(axes[3], losses[:, 1], "test")

titles = ["unscaled data", "learning rate", "one unit", "fifty units, sixty rows"]
for ax, title in zip(axes, titles, strict=True):
    ax.set(title=title, xlabel="epoch", ylim=(0, 2) if ax is not axes[3] else None)
    ax.legend()
axes[0].set_ylabel("training loss")
axes[3].set_ylabel("loss")
figure.savefig("plot_backpropagation_limits.png", dpi=150)

# %%
# The estimator warns or raises an error where it can: here for unscaled data and for a
# learning rate of 100.
clf = BinaryMLPClassifier((10,), init="normal", momentum=0, random_state=0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    clf.fit(unscaled, y_train)
print(*(textwrap.fill(str(warning.message)) for warning in caught))
try:
    clf.set_params(learning_rate_init=100).fit(X_train, y_train)
except ValueError as error:
    print(textwrap.fill(str(error)))
print("pictures saved as plot_backpropagation_*.png")
