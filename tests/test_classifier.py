import pickle
from inspect import signature
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_matrix, csc_array, csr_array, csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import validate_parameter_constraints

from skbinnet import BinaryMLPClassifier, _network
from skbinnet._classifier import DEFAULTS


def assert_equal_weights(a, b):
    parts_a, parts_b = a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_
    for part_a, part_b in zip(parts_a, parts_b, strict=True):
        assert_array_equal(part_a, part_b)


# ---- parameters, attributes and predictions


def test_signatures_keep_the_order_of_mlp_classifier():
    for method in ("__init__", "fit"):
        ours = signature(getattr(BinaryMLPClassifier, method)).parameters
        theirs = signature(getattr(MLPClassifier, method)).parameters
        assert [n for n in ours if n in theirs] == [n for n in theirs if n in ours]
    names = "self X y sample_weight classes X_val y_val sample_weight_val"
    assert " ".join(signature(BinaryMLPClassifier.partial_fit).parameters) == names


def test_fitted_attributes_are_those_of_mlp_classifier(fitted, X, y):
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp = MLPClassifier((64,), max_iter=5).fit(X, y)
    assert {name for name in vars(mlp) if name.endswith("_")} <= set(vars(fitted))
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(fitted, name) == getattr(mlp, name)
    assert [W.shape for W in fitted.coefs_] == [W.shape for W in mlp.coefs_]
    assert [b.shape for b in fitted.intercepts_] == [b.shape for b in mlp.intercepts_]
    assert len(fitted.loss_curve_) == 5
    assert fitted.loss_curve_ is fitted.history_["loss"]
    assert fitted.loss_ == fitted.loss_curve_[-1]
    assert fitted.best_loss_ == min(fitted.loss_curve_)


def test_predictions_agree_with_each_other(fitted, X, y):
    z = fitted.decision_function(X)
    p = fitted.predict_proba(X)
    assert z.shape == (60,)
    assert_allclose(p[:, 1], expit(z), rtol=1e-12)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(fitted.predict_log_proba(X), np.log(p), rtol=1e-9)
    assert_array_equal(fitted.predict(X), fitted.classes_[(z > 0).astype(int)])
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)


def test_defaults_which_are_not_checked_satisfy_the_constraints():
    clf = BinaryMLPClassifier()
    assert clf.get_params() == DEFAULTS
    validate_parameter_constraints(clf._parameter_constraints, DEFAULTS, "clf")


def test_log_probabilities_are_finite_where_probabilities_saturate(fitted):
    far = 1e6 * np.random.RandomState(0).normal(size=(20, 5))
    assert (fitted.predict_proba(far) == 0).any()
    assert np.isfinite(fitted.predict_log_proba(far)).all()


def test_default_model_learns(breast_cancer):
    X_train, X_test, y_train, y_test = breast_cancer
    clf = BinaryMLPClassifier(random_state=0).fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.95
    assert log_loss(y_test, clf.predict_proba(X_test)) < 0.15
    assert clf.loss_curve_[-1] < 0.2 * clf.loss_curve_[0]


def test_a_logit_of_zero_is_the_first_class(fitted, X):
    fitted.coefs_ = [0 * W for W in fitted.coefs_]
    fitted.intercepts_ = [0 * b for b in fitted.intercepts_]
    assert_array_equal(fitted.predict(X), 0)


def test_no_hidden_layer_is_logistic_regression(breast_cancer):
    X, _, y, _ = breast_cancer
    clf = BinaryMLPClassifier((), alpha=0.01, max_iter=2000, batch_size=455)
    clf.set_params(learning_rate_init=0.5).fit(X, y)
    exact = LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-8).fit(X, y)
    assert_allclose(clf.coefs_[0].ravel(), exact.coef_.ravel(), atol=1e-3)


@pytest.mark.parametrize(
    "labels", [[0, 1], [-1, 1], [False, True], ["benign", "malignant"], [7, 3]]
)
def test_any_two_labels_give_the_same_network(fitted, X, y, labels):
    labels = np.sort(labels)
    clf = clone(fitted).fit(X, labels[y])
    assert_array_equal(clf.classes_, labels)
    assert_equal_weights(clf, fitted)
    assert_array_equal(clf.predict(X), labels[fitted.predict(X)])


@pytest.mark.unconverged
@pytest.mark.parametrize("hidden", [8, [8], (8,), np.array([8]), (np.int64(8),)])
def test_hidden_layer_sizes_in_any_form(Xy, hidden):
    clf = BinaryMLPClassifier(hidden, max_iter=1).fit(*Xy)
    assert [W.shape for W in clf.coefs_] == [(5, 8), (8, 1)]


@pytest.mark.unconverged
@pytest.mark.parametrize(
    "numbers",
    [
        {"learning_rate_init": 1, "alpha": 0, "momentum": 0},
        {"learning_rate_init": np.float32(0.5), "momentum": np.float32(0.5)},
        {"max_iter": np.uint8(100), "batch_size": np.uint8(7)},
        {"batch_size": np.uint64(16), "hidden_layer_sizes": np.uint8([200])},
    ],
)
def test_numbers_of_any_type(Xy, numbers):
    def plain(value):
        return value.tolist() if hasattr(value, "tolist") else float(value)

    clf = BinaryMLPClassifier(learning_rate="constant", max_iter=3, random_state=0)
    same = clone(clf).set_params(**{name: plain(numbers[name]) for name in numbers})
    clf.set_params(**numbers).fit(*Xy).partial_fit(*Xy)
    same.fit(*Xy).partial_fit(*Xy)
    assert_equal_weights(clf, same)
    assert (clf.n_iter_, clf.t_) == (same.n_iter_, same.t_)


@pytest.mark.parametrize("n_rows", [60, 300])
def test_auto_batch_size_is_200_or_all_rows(X, y, n_rows):
    X, y = np.tile(X, (5, 1))[:n_rows], np.tile(y, 5)[:n_rows]
    auto = BinaryMLPClassifier(batch_size="auto", max_iter=2, random_state=0)
    same = clone(auto).set_params(batch_size=min(200, n_rows))
    assert_equal_weights(auto.fit(X, y), same.fit(X, y))


# ---- weights of rows and of classes, and validation data


def test_scale_of_sample_weight_does_not_matter(X, y):
    weight = np.random.RandomState(1).uniform(0, 3, 60)
    clf = BinaryMLPClassifier(random_state=0)
    z = clf.fit(X, y, weight).decision_function(X)
    assert_allclose(clf.fit(X, y, 1000 * weight).decision_function(X), z, rtol=1e-9)


def test_weight_equals_repetition_where_one_batch_holds_all_rows(X, y):
    times = np.random.RandomState(1).randint(4, size=60)
    clf = BinaryMLPClassifier(batch_size=1000, random_state=0)
    z = clf.fit(X, y, times).decision_function(X)
    clf.fit(X.repeat(times, 0), y.repeat(times))
    assert_allclose(clf.decision_function(X), z, rtol=1e-9)


def test_sample_weight_acts_at_batch_size_1(X, y):
    clf = BinaryMLPClassifier(batch_size=1, learning_rate_init=0.003, random_state=0)
    weights = [np.where(y == 1, weight, 1) for weight in (0.02, 1, 50)]
    rates = [clf.fit(X, y, weight).predict(X).mean() for weight in weights]
    assert rates[0] < 0.2 < rates[1] < 0.8 < rates[2]


def test_class_weight_equals_sample_weight(X, y):
    by_class = BinaryMLPClassifier(class_weight={0: 1, 1: 5}, random_state=0).fit(X, y)
    by_sample = BinaryMLPClassifier(random_state=0).fit(X, y, np.where(y == 1, 5, 1))
    assert_allclose(by_class.coefs_[0], by_sample.coefs_[0], rtol=1e-9)


@pytest.mark.unconverged
def test_class_weight_holds_for_validation_data_too(X, y):
    clf = BinaryMLPClassifier(max_iter=1, batch_size=60, class_weight={0: 1, 1: 5})
    clf.set_params(learning_rate_init=1e-12).fit(X, y, X_val=X, y_val=y)
    assert clf.history_["val_loss"] == pytest.approx(clf.history_["loss"])


def test_partial_fit_takes_weights_as_they_are(X, y):
    slow = BinaryMLPClassifier(alpha=0, momentum=0, random_state=0)
    fast = clone(slow).set_params(learning_rate_init=0.05)
    slow.set_params(learning_rate_init=0.01)
    slow.partial_fit(X, y, sample_weight=np.full(60, 5.0), classes=[0, 1])
    fast.partial_fit(X, y, classes=[0, 1])
    assert_allclose(slow.coefs_[0], fast.coefs_[0], rtol=1e-9)


def test_bagging_with_small_minibatches(breast_cancer):
    X, X_test, y, y_test = breast_cancer
    clf = BinaryMLPClassifier((4,), batch_size=4, max_iter=5)
    bagging = BaggingClassifier(clf, n_estimators=5, random_state=0).fit(X, y)
    assert bagging.score(X_test, y_test) > 0.9


def test_balanced_classes_raise_the_recall_of_the_rare_one():
    X, y = make_classification(
        2000, weights=[0.95], flip_y=0.05, class_sep=0.3, random_state=0
    )
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    recalls = []
    for class_weight in (None, "balanced"):
        clf = BinaryMLPClassifier(class_weight=class_weight, random_state=0).fit(X, y)
        recalls.append(recall_score(y_test, clf.predict(X_test)))
    assert recalls[1] > recalls[0] + 0.1


@pytest.mark.unconverged
@pytest.mark.parametrize("scale", [1e-46, 1e39, 1.7e308])
def test_scale_of_validation_weights_does_not_matter(X, y, scale):
    X = X.astype(np.float32)
    clf = BinaryMLPClassifier(max_iter=2, random_state=0)
    expected = clf.fit(X, y, X_val=X, y_val=y).history_
    clf.fit(X, y, X_val=X, y_val=y, sample_weight_val=np.full(60, scale))
    assert clf.history_ == expected


def test_validation_data_are_not_trained_on(fitted, X, y):
    assert_equal_weights(clone(fitted).fit(X, y, X_val=X[:10], y_val=y[:10]), fitted)


def test_pipeline_transforms_validation_data(X, y):
    X = 100 + 10 * X
    steps = [("scale", StandardScaler()), ("clf", BinaryMLPClassifier(random_state=0))]
    with sklearn.config_context(enable_metadata_routing=True):
        model = Pipeline(steps, transform_input=["X_val"])
        model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert model["clf"].history_["val_accuracy"][-1] == model.score(X[40:], y[40:])


# ---- data frames, searches, copies


def test_data_frame_with_string_labels(fitted, frame, y):
    target = pd.Series(np.where(y == 1, "spam", "ham"), name="kind")
    clf = clone(fitted).fit(frame, target, X_val=frame, y_val=target)
    assert clf.feature_names_in_.tolist() == list("abcde")
    assert_equal_weights(clf, fitted)
    assert set(clf.predict(frame)) == {"ham", "spam"}


@pytest.mark.unconverged
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_a_pipeline(Xy, n_jobs):
    clf = BinaryMLPClassifier(max_iter=3, random_state=0)
    grid = {
        "binarymlpclassifier__hidden_layer_sizes": [(), (4,), (4, 3)],
        "binarymlpclassifier__backprop": ["loop", "matrix"],
    }
    model = make_pipeline(StandardScaler(), clf)
    search = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, error_score="raise")
    assert search.fit(*Xy).best_score_ > 0.6


def test_cross_val_score(Xy):
    assert cross_val_score(BinaryMLPClassifier(random_state=0), *Xy, cv=3).mean() > 0.6


def test_a_clone_is_not_fitted_and_fits_alike(fitted, Xy):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coefs_")
    assert_equal_weights(fitted.fit(*Xy), copy.fit(*Xy))


def test_set_output_of_a_pipeline_reaches_the_classifier(frame, y):
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier())
    model.set_output(transform="pandas").fit(frame, y)
    assert model[-1].feature_names_in_.tolist() == list("abcde")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_memory_map_is_not_copied(tmp_path, X, y, dtype):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    with patch.object(_network, "dense_rows", wraps=_network.dense_rows) as spy:
        clf = BinaryMLPClassifier(random_state=0).fit(mapped, y)
    assert np.shares_memory(spy.call_args_list[0].args[0], mapped)
    assert_equal_weights(clf, clone(clf).fit(X.astype(dtype), y))


def test_dtype_of_first_data_is_kept(X, y):
    clf = BinaryMLPClassifier(max_iter=2).fit(X.astype(np.float32), y)
    assert clf.predict_proba(X).dtype == np.float32
    assert clf.partial_fit(X, y).coefs_[0].dtype == np.float32


def test_form_of_X_and_y_does_not_matter(fitted, X, y):
    # Arrays that need no conversion take a shorter way.
    wide = np.zeros((120, 10))
    wide[::2, ::2] = X
    for same in (np.asfortranarray(X), wide[::2, ::2], X.astype(">f8"), X.tolist()):
        for labels in (y, y.tolist()):
            assert_equal_weights(clone(fitted).fit(same, labels), fitted)
        assert_array_equal(fitted.predict_proba(same), fitted.predict_proba(X))
    X = X * 1e200  # finite, but its squares are not
    assert_array_equal(fitted.predict(X), fitted.predict(X.tolist()), strict=True)


def test_a_fit_on_arrays_forgets_the_names_of_a_data_frame(frame, X, y):
    clf = BinaryMLPClassifier(random_state=0).fit(frame, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        clf.predict(X)
    clf.fit(np.ascontiguousarray(X[:, :2]), y)
    assert not hasattr(clf, "feature_names_in_")
    assert clf.n_features_in_ == 2


# ---- random streams, partial_fit


def test_random_state_instance_goes_on_from_fit_to_fit(Xy):
    shared, own = np.random.RandomState(0), np.random.RandomState(0)
    first, second, alone = (
        BinaryMLPClassifier(max_iter=1, random_state=random_state).fit(*Xy)
        for random_state in (shared, shared, own)
    )
    assert_equal_weights(first, alone)
    assert (first.coefs_[0] != second.coefs_[0]).all()
    # Each estimator goes on with its own stream, whatever others have drawn since.
    assert_equal_weights(first.partial_fit(*Xy), alone.partial_fit(*Xy))


def test_partial_fit_does_not_draw_from_the_global_stream(Xy):
    clf = BinaryMLPClassifier().fit(*Xy)
    copy = pickle.loads(pickle.dumps(clf)).partial_fit(*Xy)
    BinaryMLPClassifier().fit(*Xy)  # draws from it
    assert_equal_weights(clf.partial_fit(*Xy), copy)


def test_partial_fit_stays_at_the_first_learning_rate(Xy):
    default = BinaryMLPClassifier(learning_rate="cosine", random_state=0)
    constant = clone(default).set_params(learning_rate="constant")
    for clf in (default, constant):
        clf.partial_fit(*Xy, classes=[0, 1]).partial_fit(*Xy)
    assert_equal_weights(default, constant)


def test_partial_fit_goes_on_with_the_classes_of_fit(fitted, X, y):
    fitted.partial_fit(X[y == 1], y[y == 1])
    assert (fitted.n_iter_, fitted.t_) == (6, 330)
    fitted.partial_fit(X, y.astype(bool), classes=[0.0, 1.0])
    assert_array_equal(fitted.classes_, [0, 1])
    assert fitted.classes_.dtype == y.dtype


# ---- given weights, which a user sets before training


def given_weights(dtype=np.float64):
    sizes, random_state = [5, 3, 1], np.random.RandomState(1)
    params = _network.init_params(sizes, "normal", random_state, dtype)
    return _network.unflatten(params, sizes)


def with_given_weights(dtype=np.float64, **settings):
    clf = BinaryMLPClassifier((3,), warm_start=True, **settings)
    clf.coefs_, clf.intercepts_ = given_weights(dtype)
    return clf


@pytest.mark.unconverged
@pytest.mark.parametrize("was_fitted", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_starts_from_given_weights(X, y, method, was_fitted):
    clf = with_given_weights(max_iter=1, learning_rate_init=1e-300)
    if was_fitted:
        clf = clone(clf).fit(X, y)
        clf.coefs_, clf.intercepts_ = given_weights()
    arguments = (X, y) if method == "fit" else (X, y, None, [0, 1])
    getattr(clf, method)(*arguments)
    assert_equal_weights(clf, with_given_weights())
    assert clf.n_iter_ == (2 if was_fitted and method == "partial_fit" else 1)
    assert_array_equal(clf.classes_, [0, 1])
    assert clf.n_features_in_ == 5


@pytest.mark.unconverged
def test_given_weights_train_like_drawn_ones_in_a_copy(Xy):
    settings = {"max_iter": 3, "shuffle": False, "init": "normal", "random_state": 1}
    drawn, clf = BinaryMLPClassifier((3,), **settings), with_given_weights(**settings)
    given = SimpleNamespace(coefs_=clf.coefs_, intercepts_=clf.intercepts_)
    assert_equal_weights(clf.fit(*Xy), drawn.fit(*Xy))
    assert_equal_weights(given, with_given_weights())


@pytest.mark.unconverged
def test_given_weights_bring_their_dtype(X, y):
    for dtype in (np.float32, np.float64):
        clf = with_given_weights(dtype, max_iter=1)
        assert clf.fit(X.astype(np.float32), y).coefs_[0].dtype == dtype
        _, clf.intercepts_ = given_weights(np.float64)
        assert clf.partial_fit(X, y).coefs_[0].dtype == np.float64
    clf.coefs_ = [np.ones((5, 3), int).tolist(), np.ones((3, 1), int)]
    assert clf.partial_fit(X, y).predict_proba(X).dtype == np.float64


@pytest.mark.unconverged
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_given_weights_are_not_moved_by_earlier_momentum(Xy, solver):
    clf = BinaryMLPClassifier((3,), solver=solver, warm_start=True, max_iter=3).fit(*Xy)
    clf.coefs_, clf.intercepts_ = given_weights()
    clf.set_params(max_iter=1, learning_rate_init=1e-12).fit(*Xy)
    assert_allclose(clf.coefs_[0], given_weights()[0][0], rtol=1e-9, atol=1e-9)


def test_given_coefs_need_intercepts(Xy):
    clf = with_given_weights()
    del clf.intercepts_
    with pytest.raises(NotFittedError):
        clf.fit(*Xy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefs_": []}, "shapes"),
        ({"coefs_": [np.ones((5, 1))]}, "shapes"),
        ({"coefs_": [np.ones((4, 3)), np.ones((3, 1))]}, "from 5 features"),
        ({"coefs_": [np.ones((5, 3)), np.ones((2, 1))]}, "shapes"),
        ({"coefs_": [np.ones((5, 3)), np.ones((3, 2))]}, "shapes"),
        ({"coefs_": [np.ones(15), np.ones(3)]}, "shapes"),
        ({"coefs_": [1.0, 2.0]}, "shapes"),
        ({"intercepts_": [np.ones(2), np.ones(2)]}, "shapes"),
        ({"intercepts_": [np.ones(3)]}, "shapes"),
        ({"intercepts_": [np.full(3, np.nan), np.ones(1)]}, "must be finite"),
    ],
)
def test_given_weights_that_make_no_network_are_an_error(X, y, change, message):
    clf = BinaryMLPClassifier((3,), warm_start=True, random_state=0).fit(X, y)
    vars(clf).update(change)
    before = pickle.dumps(clf)
    calls = [(clf.to_sklearn, [])]
    calls += [(f, [X]) for f in (clf.predict, clf.predict_proba, clf.input_gradients)]
    calls += [(f, [X, y]) for f in (clf.fit, clf.partial_fit, clf.loss_and_gradients)]
    for call, arguments in calls:
        with pytest.raises(ValueError, match=message):
            call(*arguments)
    assert pickle.dumps(clf) == before


# ---- gradients


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("backprop", ["loop", "matrix"])
def test_loss_and_gradients_match_finite_differences(X, y, backprop, form):
    labels = np.array(["no", "yes"])[y]
    weight = np.random.RandomState(1).uniform(0, 3, 60)
    clf = BinaryMLPClassifier((4, 3), "tanh", backprop=backprop, alpha=0.1)
    clf.set_params(class_weight={"yes": 3}).fit(X, labels)
    loss, *gradients = clf.loss_and_gradients(form(X), labels, weight)
    row_weight = weight * np.where(y == 1, 3, 1)
    expected = log_loss(labels, clf.predict_proba(X), sample_weight=row_weight)
    expected += 0.05 * sum(np.sum(W**2) for W in clf.coefs_)
    assert loss == pytest.approx(expected, rel=1e-9)
    parts = clf.coefs_ + clf.intercepts_, gradients[0] + gradients[1]
    for part, gradient in zip(*parts, strict=True):
        assert part.shape == gradient.shape
        for i in np.ndindex(part.shape):
            value, losses = part[i], []
            for moved in (value - 1e-6, value + 1e-6):
                part[i] = moved
                losses.append(clf.loss_and_gradients(X, labels, weight)[0])
            part[i] = value
            assert gradient[i] == pytest.approx(np.diff(losses)[0] / 2e-6, abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("backprop", ["loop", "matrix"])
def test_input_gradients_match_finite_differences(X, y, backprop, form, dtype):
    clf = BinaryMLPClassifier((4, 3), "tanh", backprop=backprop, random_state=0)
    gradients = clf.fit(X.astype(dtype), y).input_gradients(form(X))
    assert gradients.dtype == dtype
    clf.coefs_ = [W.astype(np.float64) for W in clf.coefs_]
    clf.intercepts_ = [b.astype(np.float64) for b in clf.intercepts_]
    for j, step in enumerate(1e-6 * np.eye(5)):
        ahead, behind = clf.decision_function(X + step), clf.decision_function(X - step)
        assert_allclose(gradients[:, j], (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-5)


def test_gradients_need_a_fitted_estimator(X, y):
    clf = BinaryMLPClassifier()
    for look in (clf.input_gradients, lambda X: clf.loss_and_gradients(X, y)):
        with pytest.raises(NotFittedError):
            look(X)


# ---- sparse rows


def fit_both(X, sparse, y, **settings):
    """The same network, fitted to dense rows and to sparse ones."""
    dense = BinaryMLPClassifier((4,), random_state=0, **settings).fit(X, y)
    return dense, clone(dense).fit(sparse, y)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [csr_matrix, csr_array, coo_matrix, csc_array])
def test_sparse_forms_and_types(X, y, form, dtype, index):
    X = np.maximum(X, 0).astype(dtype)
    sparse = form(X)
    if is_csr := sparse.format == "csr":
        sparse.indices = sparse.indices.astype(index)
        sparse.indptr = sparse.indptr.astype(index)
    with patch.object(_network, "csr_rows", wraps=_network.csr_rows) as spy:
        dense, clf = fit_both(X, sparse, y)
    if is_csr:  # used where they lie
        values, columns, *_ = spy.call_args_list[0].args
        assert np.shares_memory(values, sparse.data)
        assert np.shares_memory(columns, sparse.indices)
        assert columns.dtype == index
    assert clf.coefs_[0].dtype == dtype
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(clf.predict_proba(sparse), dense.predict_proba(X), rtol=rtol)


@pytest.mark.parametrize("params", [{"momentum": 0, "alpha": 0.1}, {"solver": "adam"}])
def test_stored_zeros_and_double_and_unsorted_columns(X, y, params):
    X = np.maximum(X, 0)
    # Each row stores its values halved and twice, backwards, and a zero.
    columns = np.tile([4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 2], 60)
    values = np.c_[X[:, ::-1] / 2, X / 2, np.zeros(60)].ravel()
    messy = csr_matrix((values, columns, np.arange(0, 661, 11)), shape=X.shape)
    dense, clf = fit_both(X, messy, y, **params)
    assert_allclose(clf.coefs_[0], dense.coefs_[0], rtol=1e-9, atol=1e-12)
    assert_allclose(clf.predict_proba(messy), dense.predict_proba(X), rtol=1e-9)


def test_rows_without_values_are_rows(X, y):
    X = np.maximum(X, 0)
    X[:20] = 0
    dense, clf = fit_both(X, csr_matrix(X), y)
    assert_allclose(clf.predict_proba(csr_matrix(X)), dense.predict_proba(X), rtol=1e-9)


@pytest.mark.unconverged
@pytest.mark.parametrize("settings", [{"momentum": 0}, {}, {"solver": "lbfgs"}])
def test_rows_may_all_be_without_values(Xy, settings):
    dense, clf = fit_both(np.zeros((60, 5)), csr_matrix((60, 5)), Xy[1], **settings)
    assert_allclose(clf.coefs_[0], dense.coefs_[0], rtol=1e-9)


def test_text_through_a_pipeline():
    words = ["cheap", "pills", "now", "meeting", "agenda", "lunch", "hello", "money"]
    rng = np.random.RandomState(0)
    y = np.arange(200) % 2
    shares = np.array([[1, 1, 1, 3, 3, 3, 3, 1], [3, 3, 3, 1, 1, 1, 1, 3]]) / 16
    texts = [" ".join(rng.choice(words, 5, p=shares[label])) for label in y]
    clf = BinaryMLPClassifier((4,), momentum=0, learning_rate_init=0.5, random_state=0)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), clf)
    assert cross_val_score(model, texts, y, cv=3).mean() > 0.7
