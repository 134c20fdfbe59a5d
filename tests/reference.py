"""NumPy references: the notebook's two exercises, and one epoch of any network.

They are written to be read beside a formula, not to be fast. All take the orders of
the rows from outside, so that they can replay a run of the package.
"""

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
    n = X.shape[1]
    n_hidden, n_features = w_1.shape
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
    return [
        delta_1 @ X.T,
        delta_1.sum(axis=1, keepdims=True),
        delta_2 @ a_z.T,
        delta_2.sum(axis=1, keepdims=True),
    ]


def notebook_fit(gradients, X, y, weights, orders, batch_size=10, lr=0.01):
    """The notebook's training loop over given orders, from w_1, u_1, w_2, u_2."""
    weights = [part.copy() for part in weights]
    for order in orders:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            grads = gradients(X[batch].T, y[batch].reshape(1, -1), *weights)
            for part, grad in zip(weights, grads, strict=True):
                part -= lr * grad
    return weights


# ---- any network: rows are samples

ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "logistic": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z >= 0, 1.0, 0.0)),
}


def forward(coefs, intercepts, activation, X):
    """Pre-activations z of every layer, and the inputs a of every layer."""
    f, _ = ACTIVATIONS[activation]
    zs, inputs = [], [X]
    for W, b in zip(coefs, intercepts, strict=True):
        zs.append(inputs[-1] @ W + b)
        inputs.append(f(zs[-1]))
    return zs, inputs[:-1]


def losses(y, z):
    """Binary cross-entropy of each row, from its logit."""
    return np.logaddexp(0, z) - y * z


def gradients(coefs, intercepts, activation, alpha, X, y, row_weights):
    """Gradient of sum(row_weights * losses) + alpha / 2 ||W||^2."""
    _, derivative = ACTIVATIONS[activation]
    zs, inputs = forward(coefs, intercepts, activation, X)
    delta = (row_weights * (sigmoid(zs[-1][:, 0]) - y))[:, None]
    coef_grads, intercept_grads = [], []
    for layer in reversed(range(len(coefs))):
        coef_grads.insert(0, inputs[layer].T @ delta + alpha * coefs[layer])
        intercept_grads.insert(0, delta.sum(axis=0))
        if layer > 0:
            delta = (delta @ coefs[layer].T) * derivative(zs[layer - 1])
    return coef_grads, intercept_grads


class SGD:
    """Plain, or with momentum, or with Nesterov's."""

    def __init__(self, momentum=0, nesterov=False):
        self.momentum, self.nesterov, self.velocities = momentum, nesterov, {}

    def __call__(self, name, part, grad, rate):
        velocity = self.momentum * self.velocities.get(name, 0) - rate * grad
        self.velocities[name] = velocity
        ahead = self.momentum * velocity - rate * grad
        part += ahead if self.nesterov else velocity


class Adam:
    """Kingma and Ba (2015); the rate holds the correction of the bias."""

    def __init__(self, _, beta_1, beta_2, epsilon):
        self.betas, self.epsilon, self.moments = (beta_1, beta_2), epsilon, {}

    def __call__(self, name, part, grad, rate):
        (beta_1, beta_2), (m, v) = self.betas, self.moments.get(name, (0, 0))
        m, v = beta_1 * m + (1 - beta_1) * grad, beta_2 * v + (1 - beta_2) * grad**2
        self.moments[name] = m, v
        part -= rate * m / (np.sqrt(v) + self.epsilon)


STEPS = {
    "SGD": SGD,
    "MOMENTUM": SGD,
    "NESTEROV": lambda momentum: SGD(momentum, nesterov=True),
    "ADAM": Adam,
}


def epoch(
    coefs, intercepts, step, activation, alpha, X, y, sample_weight, batches, rates
):
    """One epoch in place; returns weighted sums of loss and of correct predictions."""
    loss = correct = 0
    for batch, rate in zip(batches, rates, strict=True):
        w = sample_weight[batch]
        z = forward(coefs, intercepts, activation, X[batch])[0][-1][:, 0]
        loss += w @ losses(y[batch], z)
        correct += w @ ((z > 0) == y[batch])
        grads = gradients(
            coefs, intercepts, activation, alpha, X[batch], y[batch], w / len(batch)
        )
        parts = zip([*coefs, *intercepts], grads[0] + grads[1], strict=True)
        for name, (part, grad) in enumerate(parts):
            step(name, part, grad, rate)
    return loss, correct
