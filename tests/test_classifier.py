import pickle
from inspect import signature
from types import SimpleNamespace

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
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier, _network
from skbinnet._network import init_params, unflatten


def assert_equal_weights(a, b):
    parts_a, parts_b = a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_
    for part_a, part_b in zip(parts_a, parts_b, strict=True):
        assert_array_equal(part_a, part_b)


def spy(monkeypatch, name):
    """The list of the arguments of each later call of a function of _network."""
    calls, function = [], getattr(_network, name)
    monkeypatch.setattr(_network, name, lambda *args: calls.append(args) or function(*args))
    return calls


# ---- parameters, attributes and predictions


def test_signatures_keep_the_order_of_mlp_classifier():
    ours, theirs = BinaryMLPClassifier, MLPClassifier
    for function, model in ((ours, theirs), (ours.fit, theirs.fit)):
        names, expected = list(signature(function).parameters), signature(model).parameters
        assert [n for n in names if n in expected] == [n for n in expected if n in names]
    names = "self X y sample_weight classes X_val y_val sample_weight_val"
    assert " ".join(signature(ours.partial_fit).parameters) == names


def test_fitted_attributes_are_those_of_mlp_classifier(fitted, Xy):
    with pytest.warns(UserWarning, match="Maximum iterations"):
        mlp = MLPClassifier((64,), max_iter=5).fit(*Xy)
    public = {name for name in vars(mlp) if name.endswith("_")}
    assert public <= set(vars(fitted))
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(fitted, name) == getattr(mlp, name)
    assert [W.shape for W in fitted.coefs_] == [W.shape for W in mlp.coefs_]
    assert [b.shape for b in fitted.intercepts_] == [b.shape for b in mlp.intercepts_]
    assert len(fitted.loss_curve_) == 5
    assert fitted.loss_curve_ is fitted.history_["loss"]
    assert fitted.loss_ == fitted.loss_curve_[-1]
    assert fitted.best_loss_ == min(fitted.loss_curve_)


def test_predictions_agree_with_each_other(fitted, Xy):
    X, y = Xy
    z = fitted.decision_function(X)
    p = fitted.predict_proba(X)
    assert z.shape == (60,)
    assert_allclose(p[:, 1], expit(z), rtol=1e-12)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(fitted.predict_log_proba(X), np.log(p), rtol=1e-9)
    assert_array_equal(fitted.predict(X), fitted.classes_[(z > 0).astype(int)])
    assert fitted.score(X, y) == np.mean(fitted.predict(X) == y)


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


def test_a_logit_of_zero_is_the_first_class(fitted, Xy):
    fitted.coefs_ = [0 * W for W in fitted.coefs_]
    fitted.intercepts_ = [0 * b for b in fitted.intercepts_]
    assert_array_equal(fitted.predict(Xy[0]), 0)


def test_no_hidden_layer_is_logistic_regression(breast_cancer):
    X, _, y, _ = breast_cancer
    clf = BinaryMLPClassifier(
        (), alpha=0.01, max_iter=2000, batch_size=455, learning_rate_init=0.5
    ).fit(X, y)
    exact = sklearn.linear_model.LogisticRegression(C=1 / (0.01 * len(y)), tol=1e-8)
    exact.fit(X, y)
    assert_allclose(clf.coefs_[0].ravel(), exact.coef_.ravel(), atol=1e-3)


@pytest.mark.parametrize(
    "labels", [[0, 1], [-1, 1], [False, True], ["benign", "malignant"], [7, 3]]
)
def test_any_two_labels_give_the_same_network(fitted, Xy, labels):
    X, y = Xy
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

    settings = {"learning_rate": "constant", "random_state": 0, "max_iter": 3} | numbers
    python = settings | {name: plain(value) for name, value in numbers.items()}
    clf = BinaryMLPClassifier(**settings).fit(*Xy).partial_fit(*Xy)
    same = BinaryMLPClassifier(**python).fit(*Xy).partial_fit(*Xy)
    assert_equal_weights(clf, same)
    assert (clf.n_iter_, clf.t_) == (same.n_iter_, same.t_)


def test_auto_batch_size_is_200_or_all_rows(Xy):
    settings = {"max_iter": 2, "random_state": 0}
    X, y = np.vstack([Xy[0]] * 5), np.tile(Xy[1], 5)
    for n in (60, 300):
        auto = BinaryMLPClassifier(batch_size="auto", **settings).fit(X[:n], y[:n])
        same = BinaryMLPClassifier(batch_size=min(200, n), **settings).fit(X[:n], y[:n])
        assert_equal_weights(auto, same)


# ---- weights


def test_scale_of_sample_weight_does_not_matter(Xy):
    X, y = Xy
    sample_weight = np.random.RandomState(1).uniform(0, 3, len(y))
    a, b = (
        BinaryMLPClassifier(random_state=0).fit(X, y, scale * sample_weight)
        for scale in (1, 1000)
    )
    assert_allclose(a.decision_function(X), b.decision_function(X), rtol=1e-9)


def test_weight_equals_repetition_where_one_batch_holds_all_rows(Xy):
    X, y = Xy
    times = np.random.RandomState(1).randint(4, size=len(y))
    settings = {"batch_size": 1000, "random_state": 0}
    weighted = BinaryMLPClassifier(**settings).fit(X, y, times)
    repeated = BinaryMLPClassifier(**settings).fit(X.repeat(times, 0), y.repeat(times))
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-9
    )


def test_sample_weight_acts_at_batch_size_1(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(batch_size=1, learning_rate_init=0.003, random_state=0)
    weights = [np.where(y == 1, weight, 1) for weight in (0.02, 1, 50)]
    rates = [clf.fit(X, y, weight).predict(X).mean() for weight in weights]
    assert rates[0] < 0.2 < rates[1] < 0.8 < rates[2]


def test_class_weight_equals_sample_weight(Xy):
    X, y = Xy
    by_class = BinaryMLPClassifier(class_weight={0: 1, 1: 5}, random_state=0).fit(X, y)
    by_sample = BinaryMLPClassifier(random_state=0).fit(X, y, np.where(y == 1, 5, 1))
    assert_allclose(by_class.coefs_[0], by_sample.coefs_[0], rtol=1e-9)


@pytest.mark.unconverged
def test_class_weight_holds_for_validation_data_too(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(
        max_iter=1, batch_size=60, learning_rate_init=1e-12, class_weight={0: 1, 1: 5}
    ).fit(X, y, X_val=X, y_val=y)
    assert clf.history_["val_loss"] == pytest.approx(clf.history_["loss"])


def test_partial_fit_takes_weights_as_they_are(Xy):
    X, y = Xy
    settings = {"alpha": 0, "momentum": 0, "random_state": 0}
    slow = BinaryMLPClassifier(learning_rate_init=0.01, **settings)
    fast = BinaryMLPClassifier(learning_rate_init=0.05, **settings)
    slow.partial_fit(X, y, sample_weight=np.full(60, 5.0), classes=[0, 1])
    fast.partial_fit(X, y, classes=[0, 1])
    assert_allclose(slow.coefs_[0], fast.coefs_[0], rtol=1e-9)


# ---- validation data


@pytest.mark.unconverged
@pytest.mark.parametrize("scale", [1e-46, 1e39, 1.7e308])
def test_scale_of_validation_weights_does_not_matter(Xy, scale):
    X, y = Xy[0].astype(np.float32), Xy[1]
    clf = BinaryMLPClassifier(max_iter=2, random_state=0)
    clf.fit(X, y, X_val=X, y_val=y)
    expected = clf.history_
    clf.fit(X, y, X_val=X, y_val=y, sample_weight_val=np.full(60, scale))
    assert clf.history_ == expected


def test_validation_data_are_watched_and_not_trained_on(fitted, Xy):
    X, y = Xy
    watched = clone(fitted).fit(X, y, X_val=X[:10], y_val=y[:10])
    assert_equal_weights(watched, fitted)
    assert watched.history_["val_accuracy"][-1] == watched.score(X[:10], y[:10])
    assert watched.history_["val_loss"][-1] == pytest.approx(
        log_loss(y[:10], watched.predict_proba(X[:10])), rel=1e-9
    )


@pytest.fixture
def scaling_model():
    """A Pipeline that scales X_val like X, where scikit-learn routes metadata."""
    steps = [("scale", StandardScaler()), ("clf", BinaryMLPClassifier(random_state=0))]
    with sklearn.config_context(enable_metadata_routing=True):
        yield Pipeline(steps, transform_input=["X_val"])


def test_pipeline_transforms_validation_data(Xy, scaling_model):
    X, y = 100 + 10 * Xy[0], Xy[1]
    scaling_model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    accuracy = scaling_model["clf"].history_["val_accuracy"][-1]
    assert accuracy == scaling_model.score(X[40:], y[40:])


@pytest.mark.unconverged
def test_grid_search_routes_validation_data_through_the_pipeline(Xy, scaling_model):
    X, y = Xy
    model = scaling_model.set_params(clf__max_iter=2)
    search = GridSearchCV(model, {"clf__alpha": [0, 0.1]}, cv=2, error_score="raise")
    search.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert len(search.best_estimator_["clf"].history_["val_loss"]) == 2


# ---- data frames, searches, copies


def test_data_frame_with_string_labels(fitted, Xy):
    X, y = Xy
    frame = pd.DataFrame(X, columns=list("abcde"))
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
    search.fit(*Xy)
    assert search.best_score_ > 0.6


def test_cross_val_score(Xy):
    assert cross_val_score(BinaryMLPClassifier(random_state=0), *Xy, cv=3).mean() > 0.6


def test_clone_has_the_parameters_and_no_fit(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coefs_")


def test_pickle_predicts_and_goes_on_as_before(fitted, Xy):
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.decision_function(Xy[0]), fitted.decision_function(Xy[0]))
    assert_equal_weights(copy.partial_fit(*Xy), fitted.partial_fit(*Xy))


def test_set_output_of_a_pipeline_reaches_the_classifier(Xy):
    frame, y = pd.DataFrame(Xy[0], columns=list("abcde")), Xy[1]
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier())
    model.set_output(transform="pandas").fit(frame, y)
    assert model[-1].feature_names_in_.tolist() == list("abcde")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_memory_map_is_not_copied(tmp_path, Xy, dtype, monkeypatch):
    X, y = Xy[0].astype(dtype), Xy[1]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    calls = spy(monkeypatch, "dense_rows")
    clf = BinaryMLPClassifier(random_state=0).fit(mapped, y)
    assert np.shares_memory(calls[0][0], mapped)
    monkeypatch.undo()
    assert_equal_weights(clf.fit(mapped, y), clone(clf).fit(X, y))


def test_dtype_of_first_data_is_kept(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(max_iter=2).fit(X.astype(np.float32), y)
    assert all(part.dtype == np.float32 for part in clf.coefs_ + clf.intercepts_)
    assert clf.predict_proba(X).dtype == np.float32
    assert clf.partial_fit(X, y).coefs_[0].dtype == np.float32


def test_form_of_X_and_y_does_not_matter(fitted, Xy):
    # Arrays that need no conversion take a shorter way.
    X, y = Xy
    wide = np.zeros((120, 10))
    wide[::2, ::2] = X
    for same in (np.asfortranarray(X), wide[::2, ::2], X.astype(">f8"), X.tolist()):
        for labels in (y, y.tolist()):
            assert_equal_weights(clone(fitted).fit(same, labels), fitted)
        assert_array_equal(fitted.predict_proba(same), fitted.predict_proba(X))
    X = X * 1e200  # finite, but its squares are not
    assert_array_equal(fitted.predict(X), fitted.predict(X.tolist()), strict=True)


def test_a_fit_on_arrays_forgets_the_names_of_a_data_frame(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(random_state=0)
    clf.fit(pd.DataFrame(X, columns=list("abcde")), y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        clf.predict(X)
    clf.fit(np.ascontiguousarray(X[:, :2]), y)
    assert not hasattr(clf, "feature_names_in_")
    assert clf.n_features_in_ == 2


# ---- seeds, partial_fit


def test_same_seed_same_result(fitted, Xy):
    assert_equal_weights(clone(fitted).fit(*Xy), fitted)
    assert_equal_weights(fitted.fit(*Xy), clone(fitted).fit(*Xy))


def test_random_state_instance_goes_on_from_fit_to_fit(Xy):
    shared, lone = np.random.RandomState(0), np.random.RandomState(0)
    first, second, alone = (
        BinaryMLPClassifier(max_iter=1, random_state=random_state).fit(*Xy)
        for random_state in (shared, shared, lone)
    )
    assert_equal_weights(first, alone)
    assert (first.coefs_[0] != second.coefs_[0]).all()
    # Each estimator goes on with its own stream, whatever others have drawn since.
    assert_equal_weights(first.partial_fit(*Xy), alone.partial_fit(*Xy))


def test_partial_fit_does_not_draw_from_the_global_stream(Xy):
    first, second = BinaryMLPClassifier().fit(*Xy), clone(BinaryMLPClassifier())
    copy = pickle.loads(pickle.dumps(first))
    second.fit(*Xy)  # draws from the global stream
    assert_equal_weights(first.partial_fit(*Xy), copy.partial_fit(*Xy))


def test_partial_fit_stays_at_the_first_learning_rate(Xy):
    default = BinaryMLPClassifier(learning_rate="cosine", random_state=0)
    constant = clone(default).set_params(learning_rate="constant")
    for _ in range(2):
        default.partial_fit(*Xy, classes=[0, 1])
        constant.partial_fit(*Xy, classes=[0, 1])
    assert_equal_weights(default, constant)


def test_later_calls_keep_the_labels_as_they_were(fitted, Xy):
    X, y = Xy
    fitted.partial_fit(X, y.astype(bool), classes=[0.0, 1.0])
    assert fitted.classes_.dtype == y.dtype


def test_partial_fit_goes_on_from_fit_with_one_class(fitted, Xy):
    X, y = Xy
    fitted.partial_fit(X[y == 1], y[y == 1])
    assert (fitted.n_iter_, fitted.t_) == (6, 330)
    assert_array_equal(fitted.classes_, [0, 1])


# ---- given weights, which a user sets before training


SIZES = [5, 3, 1]


def given_weights(dtype=np.float64):
    params = init_params(SIZES, "normal", np.random.RandomState(1), dtype)
    return unflatten(params, SIZES)


def with_given_weights(dtype=np.float64, **settings):
    clf = BinaryMLPClassifier((3,), warm_start=True, **settings)
    clf.coefs_, clf.intercepts_ = given_weights(dtype)
    return clf


@pytest.mark.unconverged
@pytest.mark.parametrize("was_fitted", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_starts_from_given_weights(Xy, method, was_fitted):
    clf = with_given_weights(max_iter=1, learning_rate_init=1e-300)
    if was_fitted:
        clf = clone(clf).fit(*Xy)
        clf.coefs_, clf.intercepts_ = given_weights()
    getattr(clf, method)(*Xy, **({"classes": [0, 1]} if method == "partial_fit" else {}))
    assert_equal_weights(clf, with_given_weights())
    assert clf.n_iter_ == (2 if was_fitted and method == "partial_fit" else 1)
    assert_array_equal(clf.classes_, [0, 1])
    assert clf.n_features_in_ == 5


@pytest.mark.unconverged
def test_given_weights_train_like_drawn_ones(Xy):
    settings = {"max_iter": 3, "shuffle": False, "init": "normal", "random_state": 1}
    drawn = BinaryMLPClassifier((3,), **settings).fit(*Xy)
    assert_equal_weights(with_given_weights(**settings).fit(*Xy), drawn)


@pytest.mark.unconverged
def test_given_weights_bring_their_dtype(Xy):
    X, y = Xy
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
    clf = BinaryMLPClassifier((3,), solver=solver, warm_start=True, max_iter=3)
    clf.fit(*Xy)
    clf.coefs_, clf.intercepts_ = given_weights()
    clf.set_params(max_iter=1, learning_rate_init=1e-12).fit(*Xy)
    assert_allclose(clf.coefs_[0], given_weights()[0][0], rtol=1e-9, atol=1e-9)


def test_given_coefs_need_intercepts(Xy):
    clf = with_given_weights()
    del clf.intercepts_
    with pytest.raises(NotFittedError):
        clf.fit(*Xy)


def test_given_arrays_are_not_changed_in_place(Xy):
    clf, same = with_given_weights(), with_given_weights()
    given = SimpleNamespace(coefs_=clf.coefs_, intercepts_=clf.intercepts_)
    clf.fit(*Xy)
    assert_equal_weights(given, same)


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
def test_given_weights_that_make_no_network_are_an_error(Xy, change, message):
    X, y = Xy
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
def test_loss_and_gradients_match_finite_differences(Xy, backprop, form):
    X, y = Xy
    labels = np.array(["no", "yes"])[y]
    weight = np.random.RandomState(1).uniform(0, 3, 60)
    clf = BinaryMLPClassifier(
        (4, 3), "tanh", backprop=backprop, alpha=0.1, class_weight={"yes": 3}
    ).fit(X, labels)
    loss, *gradients = clf.loss_and_gradients(form(X), labels, weight)
    row_weight = weight * np.where(y == 1, 3, 1)
    expected = log_loss(labels, clf.predict_proba(X), sample_weight=row_weight)
    expected += 0.05 * sum(np.sum(W**2) for W in clf.coefs_)
    assert loss == pytest.approx(expected, rel=1e-9)

    def loss_after(step):
        part[i] += step
        return clf.loss_and_gradients(X, labels, weight)[0]

    parts, gradients = clf.coefs_ + clf.intercepts_, gradients[0] + gradients[1]
    step = 1e-6
    for part, gradient in zip(parts, gradients, strict=True):
        assert part.shape == gradient.shape
        for i in np.ndindex(part.shape):
            rise = loss_after(step) - loss_after(-2 * step)
            part[i] += step
            assert gradient[i] == pytest.approx(rise / (2 * step), abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("backprop", ["loop", "matrix"])
def test_input_gradients_match_finite_differences(Xy, backprop, form, dtype):
    X, y = Xy
    clf = BinaryMLPClassifier((4, 3), "tanh", backprop=backprop, random_state=0)
    gradients = clf.fit(X.astype(dtype), y).input_gradients(form(X))
    assert gradients.dtype == dtype
    clf.coefs_ = [W.astype(np.float64) for W in clf.coefs_]
    clf.intercepts_ = [b.astype(np.float64) for b in clf.intercepts_]
    for j, step in enumerate(1e-6 * np.eye(5)):
        ahead, behind = clf.decision_function(X + step), clf.decision_function(X - step)
        assert_allclose(gradients[:, j], (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "method", ["predict", "decision_function", "input_gradients", "loss_and_gradients"]
)
def test_unfitted_estimators_say_so(Xy, method):
    arguments = Xy if method == "loss_and_gradients" else Xy[:1]
    with pytest.raises(NotFittedError):
        getattr(BinaryMLPClassifier(), method)(*arguments)


# ---- sparse rows


@pytest.fixture
def half_zero(Xy):
    return np.maximum(Xy[0], 0), Xy[1]


def fit_both(X, sparse, y, **settings):
    """The same network, fitted to dense rows and to sparse ones."""
    dense = BinaryMLPClassifier((4,), random_state=0, **settings).fit(X, y)
    return dense, clone(dense).fit(sparse, y)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [csr_matrix, csr_array, coo_matrix, csc_array])
def test_sparse_forms_and_types(half_zero, form, dtype, index, monkeypatch):
    X, y = half_zero[0].astype(dtype), half_zero[1]
    sparse, calls = form(X), spy(monkeypatch, "csr_rows")
    if is_csr := sparse.format == "csr":
        sparse.indices = sparse.indices.astype(index)
        sparse.indptr = sparse.indptr.astype(index)
    dense, clf = fit_both(X, sparse, y)
    if is_csr:  # used where they lie
        values, columns, *_ = calls[0]
        assert np.shares_memory(values, sparse.data)
        assert np.shares_memory(columns, sparse.indices)
        assert columns.dtype == index
    assert clf.coefs_[0].dtype == dtype
    rtol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(clf.predict_proba(sparse), dense.predict_proba(X), rtol=rtol)


@pytest.mark.parametrize("settings", [{"momentum": 0, "alpha": 0.1}, {"solver": "adam"}])
def test_stored_zeros_and_double_and_unsorted_columns(half_zero, settings):
    X, y = half_zero
    # Each row stores its values halved and twice, backwards, and a zero.
    columns = np.tile([4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 2], 60)
    values = np.c_[X[:, ::-1] / 2, X / 2, np.zeros(60)].ravel()
    messy = csr_matrix((values, columns, np.arange(0, 661, 11)), shape=X.shape)
    dense, clf = fit_both(X, messy, y, **settings)
    assert_allclose(clf.coefs_[0], dense.coefs_[0], rtol=1e-9, atol=1e-12)
    assert_allclose(clf.predict_proba(messy), dense.predict_proba(X), rtol=1e-9)


def test_rows_without_values_are_rows(half_zero):
    X, y = half_zero
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


# ---- sample weights and class weights, in practice


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
