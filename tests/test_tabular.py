import os
import pickle
import signal
from copy import deepcopy
from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers import acts_in_call, fit_warns, small
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import (
    TRUSTED_TYPES,
    BinaryMLPClassifier,
    TabularMLPClassifier,
    _encoding,
    _tabular,
)
from skbinnet._tabular import PRIOR, mixture_weights


@pytest.fixture
def table():
    """300 rows with every kind of column, and labels that depend on three of them."""
    rng = np.random.RandomState(0)
    n = 300
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "city": rng.choice(["Bonn", "Rome", "Oslo"], n),
            "member": rng.randint(2, size=n).astype(bool),
            "visits": pd.array(rng.poisson(3, n), dtype="Int64"),
            "grade": pd.Categorical(rng.choice(["a", "b", "c"], n)),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.rand(n), "D") * 900,
            "lasted": pd.to_timedelta(rng.rand(n), "D"),
            "mixed": np.array([1, "x", 2.5] * 100, dtype=object),
            "user": [f"u{i}" for i in rng.randint(60, size=n)],
            "constant": 1.0,
            "nothing": np.nan,
        }
    )
    z = (frame["age"] - 40) / 10 + 2 * (frame["city"] == "Rome") + frame["member"] - 1
    y = np.where(z + rng.normal(scale=0.5, size=n) > 0, "yes", "no")
    holes = rng.rand(n) < 0.1
    frame.loc[holes, ["age", "city", "visits", "since", "lasted", "mixed"]] = None
    return frame, y


def test_a_table_as_it_comes(table):
    X, X_test, y, y_test = train_test_split(*table, random_state=0)
    model = small().fit(X, y)
    assert model.score(X_test, y_test) > 0.8
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    p = model.predict_proba(X_test)
    assert_allclose(p.sum(axis=1), 1)
    assert_allclose(np.log(p), model.predict_log_proba(X_test))
    z = model.decision_function(X_test)
    assert_allclose(z, np.log(p[:, 1] / p[:, 0]))
    assert_array_equal(model.predict(X_test), model.classes_[(z > 0).astype(int)])
    assert [len(networks) for networks in model.estimators_] == [1, 1, 1]
    assert model.view_weights_.sum() == pytest.approx(1)
    assert -0.7 < model.validation_score_ < 0
    assert model.n_iter_ <= 12


@pytest.mark.parametrize(
    "column", ["age", "city", "visits", "grade", "since", "lasted", "mixed", "user"]
)
def test_each_kind_of_column_may_be_missing_in_prediction_only(table, column):
    X, y = table
    full = X[column].dropna()
    X = X[[column, "member"]].loc[full.index]
    model = small().fit(X, y[full.index])
    X = X.head(9).copy()
    X[column] = X[column].astype(object) if column == "user" else X[column]
    X.loc[X.index[:3], column] = None
    assert np.isfinite(model.predict_proba(X)).all()


def test_new_categories_are_predicted(table):
    X, y = table
    X = X[["city", "grade", "user"]]
    model = small().fit(X, y)
    new = pd.DataFrame({"city": ["Lima"], "grade": ["z"], "user": ["v1"]})
    assert np.isfinite(model.predict_proba(new)).all()


def test_numbers_may_be_told_to_be_categories():
    codes = np.random.RandomState(0).randint(10, size=(400, 1))
    y = np.isin(codes[:, 0], [1, 4, 6, 9])
    model = small(categorical_features=[0]).fit(codes, y)
    assert len(model.encoder_.one_hot) == 1
    assert model.score(codes, y) == 1


@pytest.mark.parametrize("n_rows", [40, 300])
def test_arrays_and_lists_are_tables_too(table, n_rows):
    X, y = table[0][["age", "city", "member"]].head(n_rows), table[1][:n_rows]
    p = small().fit(X, y).predict_proba(X)
    for same in (X.to_numpy(), X.to_numpy().tolist()):
        model = small().fit(same, y)
        assert_allclose(model.predict_proba(same), p, rtol=1e-5)
        assert not hasattr(model, "feature_names_in_")


def test_polars_and_pyarrow_tables(table):
    X, y = table[0][["age", "city", "member", "since"]], table[1]
    p = small().fit(X, y).predict_proba(X)
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(X)
    assert_allclose(small().fit(frame, y).predict_proba(frame), p, rtol=1e-4)
    arrow = frame.to_arrow()
    assert_allclose(small().fit(arrow, y).predict_proba(arrow), p, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(age=np.inf), "Column 'age' contains infinity"),
        (lambda X: X.assign(city=[["Rome"]] * len(X)), "Column 'city' must .*list"),
        (lambda X: X.assign(age=1j), "Column 'age' cannot be read: Complex"),
        (lambda X: X.set_axis([*X.columns[1:], "city"], axis=1), r"\['city'\] occur"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_fit_and_in_predict(
    table, change, message
):
    X, y = table
    with pytest.raises(ValueError, match=message):
        small().fit(change(X), y)
    with pytest.raises(ValueError, match=message):
        small().fit(X, y).predict(change(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(age="old"), "Column 'age' must hold numbers"),
        (lambda X: X.assign(since="soon"), "Column 'since' must hold dates"),
        (lambda X: X.assign(lasted="long"), "Column 'lasted' must hold durations"),
        (lambda X: X.drop(columns="age"), "X has 10 features, .* expecting 11"),
        (lambda X: X[X.columns[::-1]], "column 0 was 'age', got 'nothing'"),
        (lambda X: X.head(0), r"0 sample\(s\)"),
    ],
)
def test_a_table_that_differs_from_that_of_fit_is_named(table, change, message):
    model = small().fit(*table)
    with pytest.raises(ValueError, match=message):
        model.predict(change(table[0]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(300) % 3, "Only binary classification"),
        (np.zeros(300), "one class only"),
        (np.r_[np.nan, np.arange(299) % 2], "Input y contains NaN"),
        (["no", None, "yes"] * 100, "y holds missing labels"),
        (pd.Series(["no", np.nan, "yes"] * 100), "y holds missing labels"),
        (pd.array([pd.NA, "no", "yes"] * 100, "string"), "y holds missing labels"),
        (None, "requires y to be passed"),
        (np.r_[np.zeros(299), 1], "Each class needs at least 2 rows.*1.0 has 1"),
    ],
)
def test_bad_labels_are_named(table, y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(table[0], y)


def test_an_error_in_fit_leaves_the_estimator_as_it_was(table):
    X, y = table
    model = small().fit(X, y)
    before = vars(model).copy()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        model.set_params(hidden_layer_sizes=(0,)).fit(X[["age"]], y)
    model.set_params(hidden_layer_sizes=before["hidden_layer_sizes"])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


def test_the_result_does_not_depend_on_threads_processes_or_pickles(table):
    X, y = table
    model = small().fit(X, y)
    p = model.predict_proba(X)
    assert_array_equal(small(n_jobs=2).fit(X, y).predict_proba(X), p)
    with parallel_config("loky", n_jobs=2):
        assert_array_equal(small().fit(X, y).predict_proba(X), p)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), p)
    parts = [model.predict_proba(X[i : i + 7]) for i in range(0, len(X), 7)]
    assert_array_equal(np.concatenate(parts), p)


def test_threads_share_out_the_rows_of_a_prediction(table, monkeypatch):
    X, y = table
    model = small().fit(X, y)
    p = model.predict_proba(X)
    monkeypatch.setattr(_tabular, "BLOCK_ROWS", 70)
    for n_jobs in (None, 2, 3):
        assert_array_equal(model.set_params(n_jobs=n_jobs).predict_proba(X), p)


@pytest.mark.parametrize(("n_jobs", "n_within"), [(2, None), (3, None), (7, 2)])
def test_threads_that_are_left_over_help_within_networks(table, n_jobs, n_within):
    seen = []

    class Listener(BinaryMLPClassifier):
        def fit(self, *args, **kwargs):
            seen.append(self.n_jobs)
            return super().fit(*args, **kwargs)

    options = {"n_estimators": 3, "estimator": Listener(max_iter=2, random_state=0)}
    model = small(n_jobs=n_jobs, **options).fit(*table)
    assert seen == [n_within] * 3
    assert {net.n_jobs for nets in model.estimators_ for net in nets} == {None}
    p = small(**options).fit(*table).predict_proba(table[0])
    assert_array_equal(model.predict_proba(table[0]), p)


def test_skops_loads_a_fitted_table_estimator(table):
    sio = pytest.importorskip("skops.io")
    X, y = table
    X["mixed"] = np.array([None, True, False, 2.5, "2.5", "x"] * 50, dtype=object)
    model = small().fit(X, y)
    saved = sio.dumps(model)
    assert set(sio.get_untrusted_types(data=saved)) <= set(TRUSTED_TYPES)
    copy = sio.loads(saved, trusted=TRUSTED_TYPES)
    assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_weights_of_rows_and_classes(table):
    X, y = table
    heavy = np.where(y == "yes", 20, 1)
    by_row = small().fit(X, y, heavy)
    by_class = small(class_weight={"yes": 20}).fit(X, y)
    assert_allclose(by_row.predict_proba(X), by_class.predict_proba(X), rtol=1e-5)
    assert (by_row.predict(X) == "yes").mean() > (y == "yes").mean() + 0.1
    unused = np.arange(300) < 200  # rows without weight are not held out
    small(n_estimators=9).fit(X, y, unused)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        small().fit(X, y, -heavy)


def test_a_search_in_a_pipeline(table):
    X, y = table
    model = make_pipeline(small(n_estimators=1))
    search = GridSearchCV(model, {"tabularmlpclassifier__alpha": [1e-4, 1e-2]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.7


@pytest.fixture
def sums():
    """120 rows of a number and a text, whose sum decides."""
    rng = np.random.RandomState(0)
    X = pd.DataFrame(
        {"number": rng.normal(size=120), "text": rng.choice(list("abc"), 120)}
    )
    return X, (X["number"] + (X["text"] == "a") > 0.5).to_numpy().astype(int)


def sizes(model):
    """The number of networks of each view."""
    return [len(networks) for networks in model.estimators_]


def all_networks(model):
    return [network for networks in model.estimators_ for network in networks]


# ---- labels and weights


@pytest.mark.parametrize("labels", [
    [0, 1], [-1, 1], [False, True], ["no", "yes"], [1.0, 2.0],
    np.array(["no", "yes"], dtype=object), pd.Series(["no", "yes"], dtype="category"),
    pd.array([0, 1], dtype="Int64"), pd.array([False, True], dtype="boolean"),
], ids=repr)  # fmt: skip
def test_labels_may_be_numbers_booleans_or_texts(sums, labels):
    X, y = sums
    y_named = labels.take(y) if hasattr(labels, "take") else np.array(labels)[y]
    model = small().fit(X, y_named)
    assert model.classes_.tolist() == list(labels)
    assert_array_equal(model.predict_proba(X), small().fit(X, y).predict_proba(X))
    assert set(model.predict(X)) == set(labels)


def test_rows_without_weight_have_no_effect(sums):
    X, y = sums
    used = np.arange(120) % 4 < 3
    X_other, y_other = X.copy(), np.where(used, y, 1 - y)
    X_other.loc[~used, "number"] = 1e9
    model = small().fit(X_other, y_other, used.astype(float))
    expected = small().fit(X[used], y[used])
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_rows_that_all_have_weight_are_not_copied(peak_memory, monkeypatch):
    monkeypatch.setattr(_encoding, "SOME_ROWS", 500)
    X, y = np.random.RandomState(0).normal(size=(20_000, 50)), np.arange(20_000) % 2
    assert peak_memory(small()._read, X, y, None) < 1.75 * X.nbytes


def test_only_the_ratios_of_weights_count(sums):
    X, y = sums
    weight = 2.0 ** (np.arange(120) % 3)
    expected = small().fit(X, y, weight)
    for factor in (2.0**-1000, 2.0**1021):
        model = small().fit(X, y, weight * factor)
        assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        assert model.validation_score_ == expected.validation_score_


def test_weights_that_overflow_are_refused_in_silence(sums):
    X, y = sums
    for most, class_weight in ((1, "balanced"), (10, {1: 1e308})):
        with pytest.raises(ValueError, match="class_weight must be finite"):
            small(class_weight=class_weight).fit(X, y, np.where(y, most, 5e-324))


def test_a_category_that_only_rows_without_weight_have_is_predicted():
    users = pd.DataFrame({"user": np.arange(300) % 60}, dtype=str)
    weight = (users["user"] != "7").to_numpy().astype(float)
    model = small().fit(users, np.arange(300) % 2, weight)
    unknown = pd.DataFrame({"user": ["7", "new"]})
    assert np.ptp(model.decision_function(unknown)) == 0


@pytest.mark.parametrize("n_rows", [2, 3])
def test_two_rows_of_each_class_are_enough(sums, n_rows):
    X, y = sums
    rows = np.r_[np.nonzero(y == 0)[0][:2], np.nonzero(y == 1)[0][:n_rows]]
    model = small().fit(X.loc[rows], y[rows])
    assert np.isfinite(model.predict_proba(X)).all()


def test_arrays_are_not_written_to(sums):
    X, y = sums[0][["number"]].to_numpy(), sums[1]
    weight = np.ones(120)
    for array in (X, y, weight):
        array.setflags(write=False)
    small().fit(X, y, weight).predict(X)


@pytest.mark.parametrize("column", [
    np.r_[np.zeros(119), 1e-300], np.linspace(-1, 1, 120) * 1.7e308, np.zeros(120),
    np.full(120, np.nan),
])  # fmt: skip
def test_predictions_for_numbers_of_any_size_are_finite(column):
    model = small().fit(column[:, None], np.arange(120) % 2)
    beyond = [[1.7e308], [-1.7e308], [5e-324], [0], [np.nan]]
    assert np.isfinite(model.decision_function(beyond)).all()


# ---- sparse matrices


@pytest.fixture
def words():
    """A sparse matrix of 200 rows and 30 columns, the first of which decides."""
    X = sparse.random(200, 30, 0.2, "csr", np.float32, random_state=0)
    return X, (X[:, [0]].toarray()[:, 0] > 0).astype(int)


@pytest.mark.parametrize("form", ["csc", "coo", "lil"])
def test_a_sparse_matrix_stays_sparse_in_one_view(words, form):
    X, y = words
    model = small(max_iter=60).fit(X, y)
    assert model.score(X, y) > 0.95
    assert sizes(model) == [3]
    assert_array_equal(model.view_weights_, [1])
    p = model.predict_proba(X)
    same = small(max_iter=60).fit(X.asformat(form), y)
    assert_array_equal(same.predict_proba(X.asformat(form)), p)
    assert_array_equal(model.predict_proba(X.toarray()), p)
    assert_array_equal(np.vstack([model.predict_proba(X[i]) for i in range(9)]), p[:9])
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), p)


def test_another_sparse_matrix_than_in_fit_is_named(words):
    X, y = words
    model = small().fit(X, y)
    with pytest.raises(ValueError, match=r"X has 29 features, .* expecting 30"):
        model.predict(X[:, :29])
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(X * np.nan)
    with pytest.raises(TypeError, match="the table in fit was dense"):
        small().fit(X.toarray(), y).predict(X)


# ---- networks


def test_networks_are_copies_of_the_estimator(sums):
    network = BinaryMLPClassifier(7, solver="adam", alpha=0.5, max_iter=4)
    before = vars(network).copy()
    model = small(estimator=network, hidden_layer_sizes=99, max_iter=99).fit(*sums)
    assert vars(network) == before
    for copy in all_networks(model):
        params = copy.get_params()
        assert params["early_stopping"]
        changed = {"early_stopping", "max_time", "random_state"}
        for name in before.keys() - changed:
            assert params[name] == before[name]
        assert copy.coefs_[0].shape[1] == 7
    assert len({copy.random_state for copy in all_networks(model)}) == 3


@pytest.mark.parametrize("estimator", [TabularMLPClassifier(), BinaryMLPClassifier])
def test_an_estimator_of_another_class_is_refused(sums, estimator):
    with pytest.raises(
        ValueError, match=r"'estimator' parameter .* must be an instance"
    ):
        small(estimator=estimator).fit(*sums)


def test_a_named_score_ends_the_training_of_networks(sums):
    for network in all_networks(small(scoring="roc_auc").fit(*sums)):
        curve = network.history_["val_roc_auc"]
        assert network.best_validation_score_ == max(curve)


def test_a_callable_scores_encoded_rows_with_labels_false_and_true(sums):
    seen = []

    def score(network, X, y):
        seen.append((X.dtype, set(y)))
        return roc_auc_score(y, network.decision_function(X))

    by_name = small(scoring="roc_auc").fit(*sums)
    by_callable = small(scoring=score).fit(*sums)
    assert_array_equal(
        by_callable.predict_proba(sums[0]), by_name.predict_proba(sums[0])
    )
    assert seen[0] == (np.float32, {False, True})


@pytest.mark.parametrize("scoring", ["nothing", roc_auc_score])
def test_a_bad_score_is_named(sums, scoring):
    with pytest.raises(ValueError, match=r"not a valid scoring|rather than a scorer"):
        small(scoring=scoring).fit(*sums)


def test_rows_of_large_tables_are_limited(sums, monkeypatch):
    def rows_seen(model):
        return {network.t_ / network.n_iter_ for network in all_networks(model)}

    assert rows_seen(small().fit(*sums)) == {120 - 12}
    monkeypatch.setattr(_tabular, "MAX_HELD_OUT", 8)
    assert rows_seen(small().fit(*sums)) == {120 - 8}
    n_numbers = small().fit(*sums).estimators_[0][0].n_features_in_
    monkeypatch.setattr(_tabular, "MAX_NUMBERS", 50 * n_numbers)
    assert rows_seen(small().fit(*sums)) == {50}
    monkeypatch.setattr(_tabular, "MAX_NUMBERS", 5 * n_numbers)
    n_held_out = []
    small(scoring=lambda network, X, y: n_held_out.append(len(X)) or 0).fit(*sums)
    assert set(n_held_out) == {5}


# ---- warm_start, max_time and Ctrl-C


@pytest.fixture
def nine(sums):
    """Nine networks, fitted at once."""
    return small(n_estimators=9).fit(*sums)


def assert_same(model, expected, X):
    assert sizes(model) == sizes(expected)
    assert_array_equal(model.view_weights_, expected.view_weights_)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.validation_score_ == expected.validation_score_


@pytest.mark.parametrize("n_before", [1, 2, 4, 6, 9])
def test_networks_added_later_are_those_of_a_fit_at_once(sums, nine, n_before):
    model = small(n_estimators=n_before, warm_start=True).fit(*sums)
    kept = all_networks(model)
    model = pickle.loads(pickle.dumps(model)).set_params(n_estimators=9).fit(*sums)
    assert_same(model, nine, sums[0])
    assert_array_equal(all_networks(model)[0].coefs_[0], kept[0].coefs_[0])


def test_without_warm_start_a_fit_begins_anew(sums, nine):
    model = small(n_estimators=9).fit(sums[0][::2], sums[1][::2])
    assert_same(model.fit(*sums), nine, sums[0])


@pytest.mark.parametrize(("change", "message"), [
    (lambda X, y: (X[["number"]], y), "X has 1 features, .* expecting 2"),
    (lambda X, y: (X[["text", "number"]], y), "column 0 was 'number', got 'text'"),
    (lambda X, y: (X.assign(number="a"), y), "Column 'number' must hold numbers"),
    (lambda X, y: (X[:90], y[:90]), "warm_start=True needs the same rows"),
    (lambda X, y: (X, 1 - y), "warm_start=True needs the same rows"),
    (lambda X, y: (X, y, y + 1), "warm_start=True needs the same rows"),
    (lambda X, y: (X, y + 1), "y must hold the classes"),
])  # fmt: skip
def test_a_warm_start_refuses_other_data(sums, change, message):
    model = small(warm_start=True).fit(*sums)
    before = deepcopy(model)
    with pytest.raises(ValueError, match=message):
        model.set_params(n_estimators=6).fit(*change(*sums))
    assert_same(model, before, sums[0])


def test_a_warm_start_refuses_to_hold_out_rows_that_were_learned(sums):
    model = small(warm_start=True).fit(*sums)
    with pytest.raises(ValueError, match="needs the same rows and validation_fraction"):
        model.set_params(n_estimators=6, validation_fraction=0.2).fit(*sums)


def test_a_warm_start_keeps_all_networks(sums):
    model = small(n_estimators=6, warm_start=True).fit(*sums)
    with pytest.raises(
        ValueError, match=r"n_estimators must be at least 6, .* makes 3"
    ):
        model.set_params(n_estimators=3).fit(*sums)
    kept = all_networks(model)
    model.set_params(n_estimators=7).fit(*sums)
    assert sizes(model) == [3, 2, 2]
    assert model.feature_names_in_.tolist() == ["number", "text"]
    assert {id(network) for network in kept} < set(map(id, all_networks(model)))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_fit_out_of_time_has_a_short_network_for_each_view(sums, n_jobs):
    model = small(n_estimators=30, max_time=1e-9, n_jobs=n_jobs).fit(*sums)
    assert sizes(model) == [1, 1, 1]
    assert all(network.max_time <= 1e-3 for network in all_networks(model))
    assert model.predict_proba(sums[0]).shape == (120, 2)


def test_time_that_is_enough_changes_nothing(sums, nine):
    assert_same(small(n_estimators=9, max_time=1e6).fit(*sums), nine, sums[0])


@pytest.mark.usefixtures("default_handler")
@pytest.mark.parametrize(("n_done", "expected"), [
    (1, [1, 0, 0]), (2, [1, 1, 0]), (5, [2, 2, 1]),
])  # fmt: skip
def test_ctrl_c_keeps_the_networks_that_are_done(sums, n_done, expected):
    interrupt = partial(os.kill, os.getpid(), signal.SIGINT)
    scoring = acts_in_call(n_done, interrupt)  # a call in each network, of one epoch
    params = {"n_estimators": 9, "max_iter": 1}
    model = small(scoring=scoring, warm_start=True, **params)
    fit_warns(f"interrupted after {n_done} of 9 networks", model, *sums)
    assert sizes(model) == expected
    assert_array_equal(model.view_weights_ > 0, np.array(expected) > 0)
    assert np.isfinite(model.predict_proba(sums[0])).all()
    at_once = small(scoring=acts_in_call(-1, interrupt), **params).fit(*sums)
    assert_same(model.fit(*sums), at_once, sums[0])  # it goes on


@pytest.mark.usefixtures("default_handler")
def test_ctrl_c_before_the_first_network_leaves_one(sums, monkeypatch):
    begin = _tabular.Progress.begin

    def interrupted(progress, *args):
        os.kill(os.getpid(), signal.SIGINT)
        begin(progress, *args)

    monkeypatch.setattr(_tabular.Progress, "begin", interrupted)
    model = small()
    fit_warns("interrupted after 1 of 3 networks", model, *sums)
    assert sizes(model) == [1, 0, 0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_that_a_network_catches_ends_the_fit(sums, n_jobs):
    def interrupt():  # as a handler of the user's own does
        raise KeyboardInterrupt

    scoring = acts_in_call(4, interrupt)  # in the first epoch of a network
    model = small(n_estimators=9, max_iter=3, n_jobs=n_jobs, scoring=scoring)
    fit_warns("interrupted after [123] of 9 networks", model, *sums)
    assert np.isfinite(model.predict_proba(sums[0])).all()


@pytest.mark.usefixtures("default_handler")
def test_a_second_ctrl_c_leaves_the_estimator_as_it_was(sums):
    model = small().fit(*sums)
    before = vars(model).copy()

    def interrupt_twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.set_params(scoring=acts_in_call(2, interrupt_twice)).fit(*sums)
    assert vars(model) == before | {"scoring": model.scoring}


# ---- with the rest of scikit-learn


def test_a_grid_reaches_the_parameters_of_the_network(sums):
    model = small(estimator=BinaryMLPClassifier(4, max_iter=3))
    grid = {
        "estimator__alpha": [1e-4, 10],
        "estimator__hidden_layer_sizes": [3, (2, 2)],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*sums)
    best = search.best_params_
    for network in all_networks(search.best_estimator_):
        assert network.alpha == best["estimator__alpha"]
        assert network.hidden_layer_sizes == best["estimator__hidden_layer_sizes"]


def test_weights_are_routed_through_a_pipeline_and_a_search(sums):
    X, y = sums
    weight = np.where(y == 1, 9.0, 1.0)
    expected = small().fit(X, y, weight).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        routed = small().set_fit_request(sample_weight=True)
        routed.set_score_request(sample_weight=False)
        pipeline = make_pipeline(routed).fit(X, y, sample_weight=weight)
        search = GridSearchCV(routed, {"alpha": [3e-4]}, cv=2)
        search.fit(X, y, sample_weight=weight)
        with pytest.raises(ValueError, match=r"sample_weight.* not explicitly set"):
            make_pipeline(small()).fit(X, y, sample_weight=weight)
    assert_array_equal(pipeline.predict_proba(X), expected)
    assert_array_equal(search.predict_proba(X), expected)


def test_a_raw_data_frame_can_be_inspected(sums):
    X, y = sums
    model = small().fit(X, y)
    importances = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    assert importances.importances_mean[0] > 0.1
    by_number = partial_dependence(model, X, ["number"], kind="average")["average"]
    assert (np.diff(by_number[0]) > 0).mean() > 0.9
    by_text = partial_dependence(model, X, ["text"], categorical_features=["text"])
    assert by_text["average"].shape == (1, 3)
    assert by_text["average"][0].argmax() == 0


def test_its_probabilities_can_be_calibrated(sums):
    model = CalibratedClassifierCV(small(), cv=2).fit(*sums)
    assert model.score(*sums) > 0.8


def test_a_data_frame_of_a_transformer_is_a_table(sums):
    X, y = sums
    scale = make_column_transformer(
        (StandardScaler(), ["number"]), remainder="passthrough"
    )
    model = make_pipeline(scale.set_output(transform="pandas"), small()).fit(X, y)
    names = ["standardscaler__number", "remainder__text"]
    assert model[-1].feature_names_in_.tolist() == names
    p = small().fit(X, y).predict_proba(X)
    assert_allclose(model.predict_proba(X), p, rtol=1e-4)


def test_a_clone_has_the_parameters_and_nothing_else(sums):
    model = small(class_weight={0: 3}, categorical_features=["text"]).fit(*sums)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == copy.get_params(deep=False).keys()
    assert "class_weight={0: 3}" in repr(copy)
    assert_array_equal(
        deepcopy(model).predict_proba(sums[0]), model.predict_proba(sums[0])
    )


def test_verbose_prints_a_line_per_network(table, capsys):
    small(verbose=True).fit(*table)
    titles = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert titles == [f"Network {i} of 3" for i in (1, 2, 3)]


def test_large_tables_get_fewer_networks_and_then_fewer_epochs(monkeypatch, table):
    X, y = table
    for n_shown, n_networks, n_epochs in (
        (7 * 60, 7, 60),
        (3 * 60, 3, 60),
        (3 * 20, 3, 20),
        (3, 3, 12),
    ):
        monkeypatch.setattr(_tabular, "LEAST_SHOWN", n_shown * len(X))
        networks = TabularMLPClassifier(random_state=0).fit(X, y).estimators_
        assert sum(map(len, networks)) == n_networks
        assert networks[0][0].max_iter == n_epochs


def test_weights_of_the_mixture_are_squares_of_the_most_likely():
    rng = np.random.RandomState(0)
    likelihoods = rng.uniform(0.2, 1, (2, 500))
    row_weights = rng.uniform(0.5, 2, 500)

    def loss(w):
        log_likelihoods = np.log(w * likelihoods[0] + (1 - w) * likelihoods[1])
        return -row_weights @ log_likelihoods - PRIOR * np.log(w * (1 - w))

    w = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    expected = np.array([w, 1 - w]) ** 2
    found = mixture_weights(likelihoods, row_weights, n_iter=10_000)
    assert_allclose(found, expected / expected.sum(), rtol=1e-4)
    even = mixture_weights(likelihoods[[0, 0]], row_weights)
    assert_allclose(even, 0.5)


def test_a_view_that_is_worse_has_little_weight():
    rng = np.random.RandomState(0)
    good, bad = rng.uniform(0.5, 1, 500), rng.uniform(0, 0.6, 500)
    assert mixture_weights(np.array([good, bad]), np.ones(500))[0] > 0.95


def test_the_kinds_of_the_columns_and_their_categories_are_known():
    frame = pd.DataFrame({"x": [1, 2] * 20, "city": ["a", None] * 20, 3: [0.5, 1] * 20})
    frame["day"] = pd.Timestamp("2024-01-31")
    frame["time"] = frame["day"] - pd.Timestamp("2024-01-30")
    model = small(max_iter=1, categorical_features=[3]).fit(frame, frame["x"])
    kinds = ["number", "category", "category", "date", "duration"]
    assert model.column_kinds_ == dict(zip(frame, kinds, strict=True))
    assert model.categories_ == {"city": ["a", None], 3: [0.5, 1]}


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["2024-01-31 12:00", None], "dates"),
        (["1.12.2023", "31.1.2024"], "dates"),
        (["1,200.50", "-950"], "numbers"),
        (["1.200,5", "3"], "numbers"),
    ],
)
def test_texts_that_look_like_others_warn_at_the_line_of_the_user(texts, kind):
    frame = pd.DataFrame({"x": range(60), "a": texts * 30, "city": ["a", "b"] * 30})
    model = small(max_iter=1)
    with pytest.warns(
        UserWarning, match=rf"columns \['a'\] look like {kind}"
    ) as warned:
        model.fit(frame, frame["city"])
    assert warned[0].filename == __file__


def test_other_texts_and_chosen_categories_do_not_warn():
    for text in ("2024-01-31", "1.5"):
        for other in ("2024-01-311", "1.5.1", "soon", 3):
            frame = pd.DataFrame({"a": [other, *[text] * 59]})
            small(max_iter=1).fit(frame, [0, 1] * 30)
        chosen = small(max_iter=1, categorical_features=["a"])
        chosen.fit(pd.DataFrame({"a": [text] * 60}), [0, 1] * 30)
    postcodes = pd.DataFrame({"a": ["53113", "0150"] * 30})
    small(max_iter=1).fit(postcodes, [0, 1] * 30)


def test_networks_that_learn_nothing_do_not_warn_the_user_of_a_table():
    X, y = np.zeros((400, 5)), np.arange(400) % 2
    model = small().fit(X, y)  # warnings are errors
    fit_warns("learned nothing", model.estimators_[0][0], X, y)
