import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.utils.validation import NotFittedError

from skbinnet import BinaryMLPClassifier
from skbinnet._network import ACTIVATIONS


@pytest.mark.unconverged
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (10,), (64, 32)])
def test_probabilities_are_the_same_both_ways(hidden, activation, dtype, form):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(700, 30)).astype(dtype)
    y = rng.randint(2, size=700)
    clf = BinaryMLPClassifier(hidden, activation, max_iter=2, random_state=0)
    mlp = clf.fit(form(X), y).to_sklearn()
    back = BinaryMLPClassifier.from_sklearn(mlp)
    assert type(mlp) is MLPClassifier
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    for n in (1, 2, 7, 699, 700):
        rows = form(X[:n])
        p = clf.predict_proba(rows)
        assert_allclose(mlp.predict_proba(rows), p, rtol=rtol)
        assert_array_equal(mlp.predict(rows), clf.predict(rows))
        assert_array_equal(back.predict_proba(rows), p)


def test_names_labels_and_attributes_come_along(frame, y):
    labels = np.array(["ham", "spam"])[y]
    clf = BinaryMLPClassifier((4,), random_state=0).fit(frame, labels)
    mlp = clf.to_sklearn()
    with pytest.warns(UserWarning, match="Maximum iterations"):
        reference = MLPClassifier((4,), max_iter=1).fit(frame, labels)
    assert {name for name in vars(reference) if name.endswith("_")} <= set(vars(mlp))
    assert mlp.feature_names_in_.tolist() == list("abcde")
    assert set(mlp.predict(frame)) == {"ham", "spam"}
    assert (mlp.n_iter_, mlp.t_, mlp.n_layers_) == (30, 30 * 60, 3)
    assert mlp.loss_curve_ == clf.loss_curve_
    assert mlp.loss_curve_ is not clf.loss_curve_


def test_parameters_come_along(Xy):
    params = {"alpha": 0.01, "batch_size": 20, "beta_1": 0.8, "random_state": 0}
    mlp = BinaryMLPClassifier((4,), "tanh", **params).fit(*Xy).to_sklearn()
    assert (mlp.learning_rate, mlp.learning_rate_init) == ("constant", 0.03)
    assert (mlp.hidden_layer_sizes, mlp.activation, mlp.beta_1) == ((4,), "tanh", 0.8)
    assert BinaryMLPClassifier.from_sklearn(mlp).scoring == "accuracy"
    assert clone(mlp).set_params(max_iter=2000).fit(*Xy).score(*Xy) > 0.5


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fitted_mlp_classifier_becomes_ours_and_trains_on(X, y, solver, early_stopping):
    stream = np.random.RandomState(0)
    mlp = MLPClassifier((4,), solver=solver, max_iter=2000, random_state=stream)
    mlp.set_params(early_stopping=early_stopping, learning_rate_init=0.01)
    clf = BinaryMLPClassifier.from_sklearn(mlp.fit(X, y))
    assert_allclose(clf.predict_proba(X), mlp.predict_proba(X), rtol=1e-12)
    assert_array_equal(clf.decision_function(X) > 0, mlp.predict(X) == 1)
    assert (clf.n_iter_, clf.loss_) == (mlp.n_iter_, mlp.loss_)
    n_rows = 54 if early_stopping else 60  # fewer than MLPClassifier's 200
    assert clf.alpha == (mlp.alpha if solver == "lbfgs" else mlp.alpha / n_rows)
    # Neither the random stream nor the weights are shared.
    assert clf.random_state is not stream
    clf.coefs_[0][:] += 1
    assert (clf.coefs_[0] != mlp.coefs_[0]).all()
    clf.coefs_[0][:] -= 1
    if solver != "lbfgs":
        clf.partial_fit(X, y)
        assert clf.n_iter_ == mlp.n_iter_ + 1
        assert len(clf.loss_curve_) == len(mlp.loss_curve_) + 1
    clf.set_params(warm_start=True).fit(X, y)


def test_training_the_mlp_classifier_does_not_change_ours(fitted, X, y):
    mlp = fitted.to_sklearn()
    before, ours = mlp.predict_proba(X), fitted.predict_proba(X)
    mlp.partial_fit(X, y).partial_fit(X, y)
    assert (mlp.predict_proba(X) != before).any()
    assert_array_equal(fitted.predict_proba(X), ours)


@pytest.mark.unconverged
@pytest.mark.parametrize(
    ("batch_size", "solver", "n_rows"),
    [(20, "sgd", 20), (1000, "sgd", 60), ("auto", "sgd", 60), ("auto", "lbfgs", 60)],
)
def test_alpha_means_the_same(Xy, batch_size, solver, n_rows):
    clf = BinaryMLPClassifier((4,), solver=solver, alpha=0.01, batch_size=batch_size)
    mlp = clf.fit(*Xy).to_sklearn()
    assert mlp.alpha == pytest.approx(0.01 * n_rows)
    assert BinaryMLPClassifier.from_sklearn(mlp).alpha == pytest.approx(0.01)


def test_given_weights_become_an_mlp_classifier(fitted, X):
    clf = BinaryMLPClassifier((64,))
    clf.coefs_, clf.intercepts_ = fitted.coefs_, fitted.intercepts_
    clf.classes_, clf.n_features_in_ = fitted.classes_, 5
    p = clf.to_sklearn().predict_proba(X)
    assert_allclose(p, fitted.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("scoring", ["loss", "roc_auc", "accuracy"])
def test_validation_scores_become_accuracies(Xy, scoring):
    clf = BinaryMLPClassifier(early_stopping=True, scoring=scoring, random_state=0)
    mlp = clf.fit(*Xy).to_sklearn()
    assert mlp.validation_scores_ == clf.history_["val_accuracy"]
    assert mlp.best_validation_score_ == max(mlp.validation_scores_)
    back = BinaryMLPClassifier.from_sklearn(mlp)
    assert back.history_["val_accuracy"] == clf.history_["val_accuracy"]


def test_only_fitted_mlp_classifiers_for_two_classes_can_be_taken(X, y):
    with pytest.raises(TypeError, match="got LogisticRegression"):
        BinaryMLPClassifier.from_sklearn(LogisticRegression().fit(X, y))
    with pytest.raises(NotFittedError):
        BinaryMLPClassifier.from_sklearn(MLPClassifier())
    with pytest.raises(NotFittedError):
        BinaryMLPClassifier().to_sklearn()
    for labels in (np.arange(60) % 3, np.c_[y, 1 - y]):
        mlp = MLPClassifier((2,), max_iter=2000, tol=0.1).fit(X, labels)
        with pytest.raises(ValueError, match="Only binary classification is supported"):
            BinaryMLPClassifier.from_sklearn(mlp)


def test_epochs_without_validation_data_do_not_hide_the_best_score(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(early_stopping=True, scoring="accuracy", random_state=0)
    clf.partial_fit(X, y, classes=[0, 1])
    clf.set_params(warm_start=True).fit(X, y, X_val=X, y_val=y)
    best = clf.to_sklearn().best_validation_score_
    assert best == clf.best_validation_score_ == np.nanmax(clf.validation_scores_)


def test_an_activation_that_mlp_classifier_lacks_is_refused(fitted, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "softplus", ACTIVATIONS["relu"])
    constraints = {**BinaryMLPClassifier._parameter_constraints, "activation": [str]}
    monkeypatch.setattr(BinaryMLPClassifier, "_parameter_constraints", constraints)
    with pytest.raises(ValueError, match="'activation' parameter of MLPClassifier"):
        fitted.set_params(activation="softplus").to_sklearn()
