import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from skbinnet import TRUSTED_TYPES, TabularMLPClassifier, _tabular
from skbinnet._table import TableReader
from skbinnet._tabular import mixture_weights


def small(**params):
    return TabularMLPClassifier(
        **{"n_estimators": 3, "max_iter": 12, "random_state": 0} | params
    )


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
    rng = np.random.RandomState(0)
    codes = rng.randint(10, size=(400, 1)).astype(float)
    y = np.isin(codes[:, 0], [1, 4, 6, 9])
    X = pd.DataFrame(codes, columns=["code"])
    for chosen in ([True], [0], ["code"]):
        model = small(categorical_features=chosen).fit(X, y)
        assert len(model.encoder_.one_hot) == 1
        assert model.score(X, y) == 1
    with pytest.raises(ValueError, match=r"categorical_features names \['cod'\]"):
        small(categorical_features=["cod"]).fit(X, y)
    with pytest.raises(ValueError, match="must have 1 items, a boolean for each"):
        small(categorical_features=[True, False]).fit(X, y)


def test_dates_are_read_as_day_month_weekday_and_hour():
    times = pd.Series(pd.to_datetime(["2024-02-29 06:00", "1969-12-31 18:00", None]))
    frame = times.to_frame("when")
    table = TableReader(frame, "from_dtype").read(frame, "")
    day, month, weekday, hour = table.numbers.T
    expected = (pd.Timestamp("2024-02-29") - pd.Timestamp("1970-01-01")).days + 0.25
    assert_array_equal(day, [expected, -0.25, np.nan])
    assert_array_equal(month, [1, 11, np.nan])
    assert_array_equal(weekday, [3, 2, np.nan])  # Monday is 0
    assert_array_equal(hour, [6, 18, np.nan])
    zoned = times.dt.tz_localize("Asia/Tokyo")
    model = small().fit(zoned.sample(60, replace=True, random_state=0).to_frame(),
                        np.arange(60) % 2)  # fmt: skip
    assert np.isfinite(model.predict_proba(zoned.to_frame())).all()


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
        (lambda X: X.assign(age="old"), "Column 'age' must hold numbers"),
        (lambda X: X.drop(columns="age"), "X has 10 features, .* expecting 11"),
        (
            lambda X: X[X.columns[::-1]],
            r"should match .* column 0 was 'age', got 'nothing'",
        ),
        (lambda X: X.head(0), r"0 sample\(s\)"),
        (lambda X: X.assign(since="soon"), "Column 'since' must hold dates"),
        (lambda X: X.assign(lasted="long"), "Column 'lasted' must hold durations"),
        (
            lambda X: X.assign(city=[["Rome"]] * len(X)),
            "Column 'city' must hold .*list",
        ),
        (lambda X: X.set_axis([*X.columns[1:], "city"], axis=1), r"\['city'\] occur"),
    ],
)
def test_a_table_that_differs_is_named(table, change, message):
    X, y = table
    model = small().fit(X, y)
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict(change(X))
    if "infinity" in message:
        with pytest.raises(ValueError, match=message):
            small().fit(change(X), y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(300) % 3, "Only binary classification"),
        (np.zeros(300), "one class only"),
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
        monkeypatch.setattr(_tabular, "MAX_SHOWN", n_shown * len(X))
        networks = TabularMLPClassifier(random_state=0).fit(X, y).estimators_
        assert sum(map(len, networks)) == n_networks
        assert networks[0][0].max_iter == n_epochs


def test_weights_of_the_mixture_maximise_its_likelihood():
    rng = np.random.RandomState(0)
    good, bad = rng.uniform(0.5, 1, 500), rng.uniform(0, 0.6, 500)
    even = mixture_weights(np.array([good, good]), np.ones(500))
    assert_allclose(even, 0.5)
    uneven = mixture_weights(np.array([good, bad]), np.ones(500))
    assert uneven[0] > 0.95
    assert uneven.sum() == pytest.approx(1)
