"""The package beside the notebook, scikit-learn and PyTorch, from the same weights."""

import numpy as np
import pytest
import reference
from helpers import draws_of
from scipy.sparse import csr_matrix
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

CASES = {"backprop": ["loop", "matrix"], "max_iter": [1, 6]}
NOTEBOOK = {"batch_size": 10, "learning_rate": "constant", "learning_rate_init": 0.01}
NOTEBOOK |= {"hidden_layer_sizes": (10,), "momentum": 0, "alpha": 0}
NOTEBOOK |= {"n_iter_no_change": 1000, "random_state": 0}


def fit_and_replay(X, y, backprop, **settings):
    """A fitted estimator, and what draws_of says about it."""
    clf = BinaryMLPClassifier(backprop=backprop, **settings).fit(X, y)
    return clf, *draws_of(clf, X.shape[0])


def assert_same_weights(clf, coefs, intercepts):
    actual = clf.coefs_ + clf.intercepts_
    for a, b in zip(actual, coefs + intercepts, strict=True):
        assert np.abs(a - b).max() < 1e-9 * np.abs(b).max()


@pytest.mark.unconverged
def test_80_epochs_equal_the_notebooks_exercises(breast_cancer, backprop):
    X, _, y, _ = breast_cancer
    settings = NOTEBOOK | {"init": "normal", "max_iter": 80}
    clf, coefs, intercepts, orders, _ = fit_and_replay(X, y, backprop, **settings)
    views = [coefs[0].T, intercepts[0][:, None], coefs[1].T, intercepts[1][:, None]]
    gradients = getattr(reference, f"notebook_gradients_{backprop}")
    reference.notebook_fit(gradients, X, y, views, orders)
    assert_same_weights(clf, coefs, intercepts)


DESCENTS = {
    "plain": {"momentum": 0},
    "momentum": {"momentum": 0.9, "nesterovs_momentum": False},
    "Nesterov": {"momentum": 0.9},
    "invscaling": {"learning_rate": "invscaling", "power_t": 0.25},
    # A tolerance that no epoch reaches: the rate is cut after every second one.
    "adaptive": {"learning_rate": "adaptive", "tol": 1, "n_iter_no_change": 1},
    "adam": {"solver": "adam", "learning_rate_init": 0.001},
}


@pytest.mark.unconverged
@pytest.mark.parametrize("form", ["dense", "CSR"])
@pytest.mark.parametrize("descent", DESCENTS)
def test_epochs_equal_those_of_scikit_learn(
    breast_cancer, descent, backprop, max_iter, form
):
    X, _, y, _ = breast_cancer
    X, y = np.where(X[:450] > 0, X[:450], 0), y[:450]  # 45 full minibatches
    X = csr_matrix(X) if form == "CSR" else X
    settings = NOTEBOOK | {"alpha": 0.01, "max_iter": max_iter, "shuffle": False}
    settings |= {"hidden_layer_sizes": (10, 5), "solver": "sgd"} | DESCENTS[descent]
    clf, coefs, intercepts, *_ = fit_and_replay(X, y, backprop, **settings)
    # MLPClassifier divides alpha by the rows of the minibatch.
    mlp = MLPClassifier(warm_start=True, **settings | {"alpha": 0.1, "max_iter": 1})
    mlp.fit(X, y)
    mlp.coefs_, mlp.intercepts_ = coefs, intercepts
    mlp.t_, mlp.best_loss_, mlp._no_improvement_count = 0, np.inf, 0
    mlp.set_params(max_iter=max_iter).fit(X, y)
    assert_same_weights(clf, mlp.coefs_, mlp.intercepts_)
    assert (clf.init, clf.n_iter_, mlp.n_iter_) == ("glorot", max_iter, max_iter)


# Parameters, and the constants of the rule that the reference follows.
RULES = {
    "SGD": ({"momentum": 0}, [0]),
    "MOMENTUM": ({"nesterovs_momentum": False}, [0.9]),
    "NESTEROV": ({}, [0.9]),
    "ADAM": ({"solver": "adam"}, [0, 0.9, 0.999, 1e-8]),
}


@pytest.mark.unconverged
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(7,), (7, 5, 3)])
def test_fits_with_dropout_and_smooth_labels_equal_the_numpy_reference(
    Xy, hidden, activation, rule, form, backprop
):
    (X, y), (params, constants) = Xy, RULES[rule]
    settings = NOTEBOOK | {"momentum": 0.9, "alpha": 0.01, "max_iter": 3} | params
    settings |= {"hidden_layer_sizes": hidden, "activation": activation, "dropout": 0.3}
    settings["label_smoothing"] = 0.2
    clf, *layers, orders, masks = fit_and_replay(form(X), y, backprop, **settings)
    batches = [batch for order in orders for batch in reference.minibatches(order)]
    masks = [np.concatenate(of_layer) for of_layer in zip(*masks, strict=True)]
    rates = np.full(len(batches), 0.01)
    if rule == "ADAM":
        steps = np.arange(1, len(batches) + 1)
        rates *= np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
    network = reference.Network(*layers, activation, alpha=0.01)
    step, y = (reference.STEPS[rule], *constants), 0.1 + 0.8 * y
    sums = network.epoch(step, X, y, np.ones(60), batches, rates, masks)
    assert_same_weights(clf, *layers)
    curves = clf.history_["loss"], clf.history_["accuracy"]
    assert 60 * np.sum(curves, axis=1) == pytest.approx(sums, rel=1e-9)


DATA_SETS = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "iris": lambda: (load_iris().data, load_iris().target == 1),
    "moons": lambda: make_moons(300, noise=0.2, random_state=0),
}
LBFGS = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": "lbfgs"}
LBFGS |= {"tol": 1e-7, "max_iter": 5000, "random_state": 0}


@pytest.fixture(scope="module", params=DATA_SETS)
def minimum(request):
    """X, y and the objective that MLPClassifier reaches with lbfgs."""
    X, y = DATA_SETS[request.param]()
    X = StandardScaler().fit_transform(X)
    return X, y, MLPClassifier(alpha=0.02 * len(y), **LBFGS).fit(X, y).loss_


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_lbfgs_ends_at_the_loss_of_scikit_learn(minimum, backprop, form):
    X, y, expected = minimum
    clf = BinaryMLPClassifier(alpha=0.02, backprop=backprop, **LBFGS).fit(form(X), y)
    assert clf.loss_and_gradients(X, y)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.unconverged
def test_one_epoch_equals_pytorch(breast_cancer, backprop):
    torch = pytest.importorskip("torch")
    X, _, y, _ = breast_cancer
    settings = NOTEBOOK | {"init": "normal", "max_iter": 1, "momentum": 0.9}
    clf, coefs, intercepts, (order,), _ = fit_and_replay(X, y, backprop, **settings)
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
    for batch in reference.minibatches(order):
        optimizer.zero_grad()
        z = network(torch.from_numpy(X[batch]))[:, 0]
        loss(z, torch.from_numpy(y[batch].astype(float))).backward()
        optimizer.step()
    coefs = [layer.weight.detach().numpy().T for layer in (first, last)]
    intercepts = [layer.bias.detach().numpy() for layer in (first, last)]
    assert_same_weights(clf, coefs, intercepts)
