r"""
How backpropagation works
=========================

A network learns by going downhill: it needs the derivative of its loss with respect to
each of its weights. Here these are found, first weight by weight, then as matrix
products. You need to know derivatives and NumPy; numbers check every formula.
"""

# %%
# The chain rule
# --------------
# Put one function into another, and their derivatives multiply:
#
# .. math:: h(x) = f(g(x)), \qquad h'(x) = f'(g(x)) \cdot g'(x)
#
# With :math:`f(u) = u^2` and :math:`g(x) = 2x + 5` this gives
# :math:`h'(x) = 2(2x + 5) \cdot 2 = 8x + 20`. Nobody has to believe that: the slope
# between two points, one on each side of x, tells the same.
import textwrap
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier


def slope(f, x, step=1e-5):
    """The derivative of f at x, measured."""
    return (f(x + step) - f(x - step)) / (2 * step)


def check(what, claimed, found):
    """Print by how much two results differ, and stop if that is more than noise."""
    difference = np.max(np.abs(np.asarray(claimed) - found))
    print(f"{what}: differ by {difference:.0e}")
    assert difference < 1e-6


x = np.linspace(-3, 3, 12)
check("8 x + 20 and the slope", 8 * x + 20, slope(lambda x: (2 * x + 5) ** 2, x))

# %%
# A function is a graph
# ---------------------
# Take :math:`f(x) = x^2 + 5x^3` apart: :math:`h = x^2`, :math:`q = x^3`,
# :math:`s = 5q` and :math:`f = h + s`. Each value is a node; an edge leads from a value
# to each that is made of it, and carries the derivative of the second with respect to
# the first. Two paths lead from x to f, and f changes along both of them:
#
# .. math::
#    \frac{df}{dx} = \frac{\partial f}{\partial h} \frac{dh}{dx}
#    + \frac{\partial f}{\partial s} \frac{ds}{dq} \frac{dq}{dx}
#    = 1 \cdot 2x + 1 \cdot 5 \cdot 3x^2
#
# So *the derivative of the end with respect to a node is the sum, over all paths from
# the node to the end, of the products of the edges*.


def edges_at(x):
    """From each node to the nodes made of it, with the derivative."""
    return {
        "x": {"h": 2 * x, "q": 3 * x**2},
        "q": {"s": 5},
        "h": {"f": 1},
        "s": {"f": 1},
    }


def path_sum(edges, node):
    """df / d node: over all paths to f, the sum of the products of the edges."""
    if node == "f":
        return 1
    return sum(rate * path_sum(edges, after) for after, rate in edges[node].items())


by_paths = path_sum(edges_at(x), "x")
check("paths and 2 x + 15 x^2", by_paths, 2 * x + 15 * x**2)
check("paths and the slope", by_paths, slope(lambda x: x**2 + 5 * x**3, x))

places = {"x": (0, 0.5), "h": (1.5, 1), "q": (1, 0), "s": (2, 0), "f": (3, 0.5)}
formulas = {
    "x": "x = 2",
    "h": "h = x² = 4",
    "q": "q = x³ = 8",
    "s": "s = 5 q = 40",
    "f": "f = h + s = 44",
}
figure, ax = plt.subplots(figsize=(10, 3), layout="constrained")
for node, (left, up) in places.items():
    style = {"boxstyle": "round,pad=0.5", "facecolor": "white"}
    ax.text(left, up, formulas[node], ha="center", va="center", bbox=style, zorder=3)
    for after, rate in edges_at(2).get(node, {}).items():
        arrow = {"arrowstyle": "->", "shrinkA": 40, "shrinkB": 45}
        ax.annotate("", xy=places[after], xytext=(left, up), arrowprops=arrow)
        to_left, to_up = places[after]
        middle = (left + to_left) / 2, (up + to_up) / 2 + 0.09
        ax.text(*middle, f"{rate}", color="C3", ha="center")
ax.set(
    xlim=(-0.3, 3.4), ylim=(-0.2, 1.2), title="df/dx at x = 2:  4 · 1 + 12 · 5 · 1 = 64"
)
ax.axis("off")
figure.savefig("plot_backpropagation_graph.png", dpi=150)

# %%
# Where many paths share nodes, their number explodes. But a node's sum needs only the
# sums of the nodes right after it. So go from the end to the start, and find each
# node's derivative once, from those that are known: that is **backpropagation**.
edges, derivatives = edges_at(2), {"f": 1}
for node in ("s", "h", "q", "x"):
    derivatives[node] = sum(
        rate * derivatives[after] for after, rate in edges[node].items()
    )
check("node by node, and all paths", derivatives["x"], path_sum(edges, "x"))

# %%
# Three functions, and their derivatives
# --------------------------------------
# A network is made of **units**. Each multiplies its inputs by **weights**, adds them
# and a **bias** to a number z, and bends z by a function, without which all units
# together could only draw a straight line. The hidden units, which feed the last one,
# bend by **relu**; it has no derivative at 0, where any number from 0 to 1 would do,
# and we take 1. The last one bends by the **sigmoid**, which turns any number into a
# probability p of label 1. **Cross-entropy** says how bad p is: it is minus the
# logarithm of the probability that the true label y, 0 or 1, was given.
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


def relu_slope(z):
    return np.where(z >= 0, 1.0, 0.0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_slope(z):
    return sigmoid(z) * (1 - sigmoid(z))


def cross_entropy(y, p):
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def cross_entropy_slope(y, p):
    return -y / p + (1 - y) / (1 - p)


z, p = np.linspace(-4, 4, 200), np.linspace(0.05, 0.95, 200)  # z is never 0
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
pairs = (relu, relu_slope), (sigmoid, sigmoid_slope)
for ax, (f, f_slope) in zip(axes[:2], pairs, strict=True):
    check(f"{f_slope.__name__} and the slope", f_slope(z), slope(f, z))
    ax.plot(z, f(z), label=f.__name__)
    ax.plot(z, f_slope(z), "--", label="its derivative")
    ax.set(title=f.__name__, xlabel="z")
    ax.legend()
for y in (0, 1):
    measured = slope(lambda p, y=y: cross_entropy(y, p), p)
    check(f"cross_entropy_slope for y = {y}", cross_entropy_slope(y, p), measured)
    axes[2].plot(p, cross_entropy(y, p), f"C{y}", label=f"y = {y}")
    axes[2].plot(p, cross_entropy_slope(y, p), f"C{y}--", label="its derivative")
axes[2].set(title="cross-entropy", xlabel="p", ylim=(-9, 6))
axes[2].legend()
figure.savefig("plot_backpropagation_functions.png", dpi=150)

# %%
# Sigmoid and cross-entropy stand in a row, so their derivatives multiply, and nearly
# all of it cancels:
#
# .. math::
#    \frac{\partial L}{\partial z} = \frac{\partial L}{\partial p} \sigma'(z)
#    = \left(-\frac{y}{p} + \frac{1 - y}{1 - p}\right) p (1 - p)
#    = -y (1 - p) + (1 - y) p = p - y
#
# The z before the last sigmoid is the **logit**. From it the loss can be had without
# the logarithm of a p that was rounded to 0, for :math:`L = \log(1 + e^z) - y z`;
# ``np.logaddexp(0, z)`` is :math:`\log(e^0 + e^z)`.
for y in (0, 1):
    p = sigmoid(z)
    check("p - y", p - y, cross_entropy_slope(y, p) * sigmoid_slope(z))
    check("the loss from the logit", np.logaddexp(0, z) - y * z, cross_entropy(y, p))

# %%
# The network
# -----------
# A row x of 30 numbers describes a tumour; y tells whether it is benign (1) or
# malignant (0). Ten hidden units take these numbers, and one more, the output, takes
# what the ten say. With j for a number of the row and k for a hidden unit, a row makes
#
# .. math::
#    z_{1,k} = \sum_j x_j W_{1,jk} + b_{1,k}, \quad
#    a_{1,k} = \mathrm{relu}(z_{1,k}), \quad
#    z_2 = \sum_k a_{1,k} W_{2,k} + b_2, \quad p = \sigma(z_2)
#
# and n rows at once, as the rows of a matrix X,
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
# :math:`L(y, p)` over the rows. The weights begin as random numbers, since units that
# are equal would stay so.
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.8, random_state=0
)
unscaled = X_train
scaler = StandardScaler().fit(X_train)  # each feature to mean 0 and deviation 1
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
# Four gradients, as loops
# ------------------------
# From one row's loss a single path leads back to each weight. (With more layers there
# are many.) The last edge of it is the derivative of a sum with respect to one of its
# terms' factors:
#
# .. math::
#    \frac{\partial z_2}{\partial W_{2,k}} = a_{1,k}, \quad
#    \frac{\partial z_2}{\partial b_2} = 1, \quad
#    \frac{\partial z_2}{\partial a_{1,k}} = W_{2,k}, \quad
#    \frac{\partial z_{1,k}}{\partial W_{1,jk}} = x_j, \quad
#    \frac{\partial z_{1,k}}{\partial b_{1,k}} = 1
#
# All paths begin with the same two edges; those to layer 1 go on through unit k:
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
# The gradient of the mean is the mean over the rows.


def gradients_by_loops(X, y, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros_like(weights) for weights in (W1, b1, W2, b2))
    for x, label in zip(X, y, strict=True):
        z1, a1, z2, p = forward(x, W1, b1, W2, b2)
        dL_dp = cross_entropy_slope(label, p[0])
        dp_dz2 = sigmoid_slope(z2[0])
        db2[0] += dL_dp * dp_dz2
        for k in range(len(a1)):
            dW2[k, 0] += dL_dp * dp_dz2 * a1[k]
            dz2_da1 = W2[k, 0]
            da1_dz1 = relu_slope(z1[k])
            db1[k] += dL_dp * dp_dz2 * dz2_da1 * da1_dz1
            for j in range(len(x)):
                dW1[j, k] += dL_dp * dp_dz2 * dz2_da1 * da1_dz1 * x[j]
    return [gradient / len(X) for gradient in (dW1, db1, dW2, db2)]


# %%
# The same, as matrices
# ---------------------
# What the paths share is worth a name: :math:`\delta_2` and :math:`\delta_1` are the
# derivatives of the mean loss with respect to :math:`z_2` and :math:`z_1`, one row for
# each row of X. The sums over the rows become matrix products or plain sums:
# :math:`(X^T \delta_1)_{jk} = \sum_i x_{ij} \delta_{1,ik}` is what the loops above add
# up, row by row. (:math:`\odot` multiplies number by number.)
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
    delta1 = delta2 @ W2.T * relu_slope(z1)
    return [X.T @ delta1, delta1.sum(axis=0), a1.T @ delta2, delta2.sum(axis=0)]


# %%
# Four ways to the same gradients: loops, matrices, the slope along each of the 321
# weights, which takes two passes through the network for every one of them, and the
# estimator that this package is about. (Its ``alpha`` is a penalty on large weights,
# which we leave out.)


def measured_gradients(X, y, *weights, step=1e-5):
    gradients = [np.empty_like(array) for array in weights]
    for array, gradient in zip(weights, gradients, strict=True):
        for place, weight in np.ndenumerate(array):
            array[place] = weight + step
            above = mean_loss(X, y, *weights)
            array[place] = weight - step
            below = mean_loss(X, y, *weights)
            array[place] = weight
            gradient[place] = (above - below) / (2 * step)
    return gradients


def check_all(what, claimed, found):
    for name, ours, theirs in zip(
        ("W1", "b1", "W2", "b2"), claimed, found, strict=True
    ):
        check(f"{name}: {what}", ours, theirs)


clf = BinaryMLPClassifier((10,), alpha=0, max_iter=1, random_state=0)
clf.fit(X_train, y_train)
weights = clf.coefs_[0], clf.intercepts_[0], clf.coefs_[1], clf.intercepts_[1]
loss, (dW1, dW2), (db1, db2) = clf.loss_and_gradients(X_train, y_train)
check("the mean loss", mean_loss(X_train, y_train, *weights), loss)
loops = gradients_by_loops(X_train, y_train, *weights)
others = {
    "matrices": gradients_by_matrices(X_train, y_train, *weights),
    "the slopes": measured_gradients(X_train, y_train, *weights),
    "the estimator": [dW1, db1, dW2, db2],
}
for name, gradients in others.items():
    check_all(f"loops and {name}", loops, gradients)

# %%
# Training
# --------
# Walk downhill: shuffle the rows, take ten at a time, find the gradients of their loss,
# and move each weight against its gradient, as far as the learning rate says:
#
# .. math:: w \leftarrow w - \text{rate} \cdot \frac{\partial L}{\partial w}
#
# Once over all rows is an epoch; we take eighty.


def train(data, weights, n_epochs=40, rate=0.01, shuffle=True):
    """Change the weights; return the training and test loss after each epoch."""
    X, y, X_test, y_test = data
    draw, curves = np.random.RandomState(1), []
    for _ in range(n_epochs):
        order = draw.permutation(len(X)) if shuffle else np.arange(len(X))
        for start in range(0, len(X), 10):
            batch = order[start : start + 10]
            gradients = gradients_by_matrices(X[batch], y[batch], *weights)
            for array, gradient in zip(weights, gradients, strict=True):
                array -= rate * gradient
        pairs = (X, y), (X_test, y_test)
        curves.append([mean_loss(*pair, *weights) for pair in pairs])
    return np.array(curves)


tumours = X_train, y_train, X_test, y_test
weights = random_weights(0)
curves = train(tumours, weights, n_epochs=80)
p = forward(X_test, *weights)[-1].ravel()
print(f"right on the test rows: {np.mean((p > 0.5) == y_test):.3f}")
print(f"a benign one gets the higher p, of two: {roc_auc_score(y_test, p):.3f}")
print(f"by label, p below and above 0.5: {confusion_matrix(y_test, p > 0.5).tolist()}")

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(range(1, 81), curves, label=["training", "test"])
ax.set(title="the network learns", xlabel="epoch", ylabel="loss", ylim=(0, None))
ax.legend()
figure.savefig("plot_backpropagation_training.png", dpi=150)

# %%
# `BinaryMLPClassifier` takes these very steps, compiled. Give it the same weights to
# begin with and leave the rows in their order, and after five epochs its weights are
# ours, by either backward pass.
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
    check_all(f"ours and its by {backprop}", ours, [W1, b1, W2, b2])

# %%
# What can go wrong
# -----------------
# The slope tells the way down from here, and no more. Four ways to be led astray:
#
# - *Unscaled data*: features in the hundreds make logits of a hundred. The first steps
#   are so long that they switch all units off for good, and the loss stays at that of
#   a constant p.
# - *A rate too large* steps across the valley and up the other side. At rate 3 the loss
#   is soon off the chart, at :math:`10^{75}`. It comes back only because the weights
#   are so large by then that every unit is off for many rows, and stays worse than at
#   0.03. A rate too small takes for ever.
# - *A unit that died*: where z is negative for every row, relu is flat, all the unit's
#   gradients are 0, and no step will ever wake it. Here it is the only unit.
# - *Too many units, too few rows*: fifty units learn sixty noisy rows by heart. The
#   training loss goes on falling while the test loss, after a while, rises.
figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")


def draw_losses(ax, losses, label):
    ax.plot(range(1, len(losses) + 1), losses, label=label, linewidth=1)


with np.errstate(over="ignore"):  # of losses that are meant to go wrong
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
    check("a gradient of the dead unit and 0", gradient, 0)

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
# The estimator says so where it can. Here are unscaled data, and a rate of 100.
clf = BinaryMLPClassifier((10,), init="normal", momentum=0, random_state=0)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    clf.fit(unscaled, y_train)
print(*(textwrap.fill(str(warning.message)) for warning in warned))
try:
    clf.set_params(learning_rate_init=100).fit(X_train, y_train)
except ValueError as error:
    print(textwrap.fill(str(error)))
print("pictures saved as plot_backpropagation_*.png")
