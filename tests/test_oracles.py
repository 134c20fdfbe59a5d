"""The package beside the notebook, scikit-learn and PyTorch, from the same weights."""

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose
from sklearn.neural_network import MLPClassifier

from skbinnet import BinaryMLPClassifier
from skbinnet._network import init_params, unflatten

NOTEBOOK = {
    "hidden_layer_sizes": (10,),
    "batch_size": 10,
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "momentum": 0,
    "alpha": 0,
    "init": "normal",
    "random_state": 0,
}


def replay(settings, n_features, n_samples):
    """Initial coefs and intercepts of a run, and its orders."""
    random_state = np.random.RandomState(settings["random_state"])
    sizes = [n_features, *settings["hidden_layer_sizes"], 1]
    params = init_params(sizes, settings["init"], random_state, np.float64)
    orders = []
    for _ in range(settings["max_iter"]):
        orders.append(np.arange(n_samples))
        random_state.shuffle(orders[-1])
    return *unflatten(params, sizes), orders


def assert_same_weights(actual, expected, rtol):
    for a, b in zip(actual, expected, strict=True):
        assert np.abs(a - b).max() < rtol * np.abs(b).max()


@pytest.mark.parametrize("backprop", ["loop", "matrix"])
def test_80_epochs_equal_the_notebooks_exercises(breast_cancer, backprop):
    X, _, y, _ = breast_cancer
    settings = NOTEBOOK | {"max_iter": 80}
    clf = BinaryMLPClassifier(backprop=backprop, **settings).fit(X, y)

    coefs, intercepts, orders = replay(settings, X.shape[1], len(X))
    start = [coefs[0].T, intercepts[0][:, None], coefs[1].T, intercepts[1][:, None]]
    gradients = getattr(reference, f"notebook_gradients_{backprop}")
    w_1, u_1, w_2, u_2 = reference.notebook_fit(gradients, X, y, start, orders)
    assert_same_weights(clf.coefs_, [w_1.T, w_2.T], 1e-9)
    assert_same_weights(clf.intercepts_, [u_1[:, 0], u_2[:, 0]], 1e-9)


@pytest.mark.parametrize("backprop", ["loop", "matrix"])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0, 0.9])
def test_one_epoch_equals_scikit_learn(breast_cancer, momentum, nesterov, backprop):
    X, _, y, _ = breast_cancer
    settings = NOTEBOOK | {
        "hidden_layer_sizes": (10, 5),
        "init": "glorot",
        "max_iter": 1,
        "momentum": momentum,
        "nesterovs_momentum": nesterov,
        "shuffle": False,
    }
    clf = BinaryMLPClassifier(backprop=backprop, **settings).fit(X, y)

    del settings["init"]
    mlp = MLPClassifier(solver="sgd", warm_start=True, **settings)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp.fit(X, y)
    coefs, intercepts, _ = replay(settings | {"init": "glorot"}, X.shape[1], len(X))
    mlp.coefs_, mlp.intercepts_ = coefs, intercepts
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp.fit(X, y)
    assert_same_weights(clf.coefs_, mlp.coefs_, 1e-9)
    assert_same_weights(clf.intercepts_, mlp.intercepts_, 1e-9)
    assert_allclose(clf.loss_, mlp.loss_, rtol=1e-9)


@pytest.mark.parametrize("backprop", ["loop", "matrix"])
def test_one_epoch_equals_pytorch(breast_cancer, backprop):
    torch = pytest.importorskip("torch")
    X, _, y, _ = breast_cancer
    settings = NOTEBOOK | {"max_iter": 1, "momentum": 0.9}
    clf = BinaryMLPClassifier(backprop=backprop, **settings).fit(X, y)

    coefs, intercepts, (order,) = replay(settings, X.shape[1], len(X))
    first, last = torch.nn.Linear(30, 10), torch.nn.Linear(10, 1)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), last).double()
    with torch.no_grad():
        for layer, W, b in zip((first, last), coefs, intercepts, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, nesterov=True
    )
    loss = torch.nn.BCEWithLogitsLoss()
    for start in range(0, len(order), 10):
        batch = order[start : start + 10]
        optimizer.zero_grad()
        z = network(torch.from_numpy(X[batch]))[:, 0]
        loss(z, torch.from_numpy(y[batch].astype(float))).backward()
        optimizer.step()
    weights = [layer.weight.detach().numpy().T for layer in (first, last)]
    biases = [layer.bias.detach().numpy() for layer in (first, last)]
    assert_same_weights(clf.coefs_, weights, 1e-9)
    assert_same_weights(clf.intercepts_, biases, 1e-9)
