"""NumPy references: the notebook's two exercises, and one epoch of any network.

They are written to be read beside a formula, not to be fast. All take the orders of
the rows from outside, so that they can replay a run of the package.
"""

from functools import partial
from itertools import chain

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---- the notebook's network: 10 relu units, one sigmoid output, columns are samples


def notebook_forward(X, w_1, u_1, w_2, u_2):
    a = w_1 @ X + u_1
    a_z = np.maximum(a, 0)
    b = w_2 @ a_z + u_2
    return a, a_z, b


def notebook_gradients_loop(X, Y, w_1, u_1, w_2, u_2):
    """First exercise: sample by sample, weight by weight, a name for every factor."""
    grads = [np.zeros(part.shape) for part in (w_1, u_1, w_2, u_2)]
    w_grad_1, u_grad_1, w_grad_2, u_grad_2 = grads
    (n_hidden, n_features), n = w_1.shape, X.shape[1]
    a, a_z, b = notebook_forward(X, w_1, u_1, w_2, u_2)
    for i in range(n):
        y, b_z, not_b_z = Y[0, i], sigmoid(b[0, i]), sigmoid(-b[0, i])
        dL_dbz = -y / b_z + (1 - y) / not_b_z
        dbz_db = b_z * not_b_z
        for k in range(n_hidden):
            db_dw2 = a_z[k, i]
            w_grad_2[0, k] += dL_dbz * dbz_db * db_dw2 / n
            db_daz = w_2[0, k]
            daz_da = 1 if a[k, i] >= 0 else 0
            for j in range(n_features):
                da_dw1 = X[j, i]
                w_grad_1[k, j] += dL_dbz * dbz_db * db_daz * daz_da * da_dw1 / n
            u_grad_1[k, 0] += dL_dbz * dbz_db * db_daz * daz_da / n
        u_grad_2[0, 0] += dL_dbz * dbz_db / n
    return grads


def notebook_gradients_matrix(X, Y, w_1, u_1, w_2, u_2):
    """Second exercise: the deltas of a layer at once, gradients as matrix products."""
    a, a_z, b = notebook_forward(X, w_1, u_1, w_2, u_2)
    delta_2 = (sigmoid(b) - Y) / X.shape[1]
    delta_1 = (w_2.T @ delta_2) * (a >= 0)
    u_grad_1, u_grad_2 = delta_1.sum(axis=1)[:, None], delta_2.sum(axis=1)[:, None]
    return [delta_1 @ X.T, u_grad_1, delta_2 @ a_z.T, u_grad_2]


def minibatches(order):
    """The order in parts of 10 rows; the last may be smaller."""
    return np.split(order, range(10, len(order), 10))


def notebook_fit(gradients, X, y, weights, orders):
    """The notebook's training loop; changes w_1, u_1, w_2, u_2 in place."""
    for order in orders:
        for batch in minibatches(order):
            grads = gradients(X[batch].T, y[batch].reshape(1, -1), *weights)
            for part, grad in zip(weights, grads, strict=True):
                part -= 0.01 * grad


# ---- any network: rows are samples

ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "logistic": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z >= 0, 1.0, 0.0)),
}


def losses(y, z):
    """Binary cross-entropy of each row, from its logit."""
    return np.logaddexp(0, z) - y * z


def splitmix64(seed, first, n_words):
    """Words of SplitMix64 (Steele, Lea and Flood, 2014), from word number first on."""
    word = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.arange(
        first + 1, first + n_words + 1, dtype=np.uint64
    )
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def draw_masks(seed, dropout, n_rows, hidden):
    """0 or 1 / (1 - dropout) for the rows of an epoch and the units of each layer."""
    masks = []
    for layer, n_units in enumerate(hidden):
        n_draws = n_rows * n_units
        draws = splitmix64(seed, layer << 48, -(-n_draws // 2)).view(np.uint32)
        is_dropped = draws[:n_draws].reshape(n_rows, n_units) < int(2**32 * dropout)
        masks.append(np.where(is_dropped, 0, 1 / (1 - dropout)))
    return masks


class Network:
    """Any network, with J = sum(sample_weight losses) / total + alpha / 2 ||W||^2."""

    def __init__(self, coefs, intercepts, activation, alpha):
        self.coefs, self.intercepts, self.alpha = coefs, intercepts, alpha
        self.f, self.derivative = ACTIVATIONS[activation]
        self.no_masks = [1] * (len(coefs) - 1)

    def forward(self, X, masks=None):
        """Pre-activations z of every layer, and the inputs a of every layer.

        masks, if given, multiply the a of each hidden layer.
        """
        zs, inputs = [], [X]
        for W, b, mask in zip(
            self.coefs, self.intercepts, [*(masks or self.no_masks), 1], strict=True
        ):
            zs.append(inputs[-1] @ W + b)
            inputs.append(self.f(zs[-1]) * mask)
        return zs, inputs[:-1]

    def sums(self, X, y, sample_weight, masks=None):
        """Weighted sums of the losses and of the correct predictions."""
        z = self.forward(X, masks)[0][-1][:, 0]
        return sample_weight @ losses(y, z), sample_weight @ ((z > 0) == (y > 0.5))

    def gradients(self, X, y, sample_weight, masks=None, total=None):
        """dJ/dW and dJ/db of every layer; total is by default that of the weights."""
        zs, inputs = self.forward(X, masks)
        masks = masks or self.no_masks
        total = total or sample_weight.sum(dtype=np.float64)
        delta = (sample_weight / total * (sigmoid(zs[-1][:, 0]) - y))[:, None]
        coef_grads, intercept_grads = [], []
        for layer in reversed(range(len(self.coefs))):
            W = self.coefs[layer]
            coef_grads.insert(0, inputs[layer].T @ delta + self.alpha * W)
            intercept_grads.insert(0, delta.sum(axis=0))
            if layer > 0:
                slope = self.derivative(zs[layer - 1])
                delta = (delta @ W.T) * masks[layer - 1] * slope
        return coef_grads, intercept_grads

    def epoch(self, step, X, y, sample_weight, batches, rates, masks=()):
        """Train with one of STEPS and its constants; returns the sums of the epoch.

        masks, if given, are those of draw_masks; their rows follow the batches.
        """
        parts, sums, (take_step, *constants) = [*self.coefs, *self.intercepts], 0, step
        moments = [np.zeros((2, *part.shape)) for part in parts]
        ends = np.cumsum([len(batch) for batch in batches])
        for batch, rate, end in zip(batches, rates, ends, strict=True):
            of_batch = [mask[end - len(batch) : end] for mask in masks]
            samples = X[batch], y[batch], sample_weight[batch], of_batch
            sums += np.array(self.sums(*samples))
            grads = chain(*self.gradients(*samples, total=len(batch)))
            for part, grad, part_moments in zip(parts, grads, moments, strict=True):
                take_step(part, grad, rate, part_moments, *constants)
        return sums


def sgd(part, grad, rate, moments, momentum=0, nesterov=False):
    """Plain, or with momentum, or with Nesterov's."""
    velocity = moments[0] = momentum * moments[0] - rate * grad
    part += momentum * velocity - rate * grad if nesterov else velocity


def adam(part, grad, rate, moments, _, beta_1, beta_2, epsilon):
    """Kingma and Ba (2015); the rate holds the correction of the bias."""
    moments[0] = beta_1 * moments[0] + (1 - beta_1) * grad
    moments[1] = beta_2 * moments[1] + (1 - beta_2) * grad**2
    part -= rate * moments[0] / (np.sqrt(moments[1]) + epsilon)


nesterov = partial(sgd, nesterov=True)
STEPS = {"SGD": sgd, "MOMENTUM": sgd, "NESTEROV": nesterov, "ADAM": adam}
