"""The example that serves a model: what is answered, and what is refused."""

import importlib
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest
from helpers import small
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skbinnet import BinaryMLPClassifier, TabularMLPClassifier

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
skops_io = pytest.importorskip("skops.io")

EXAMPLES = Path(__file__).parents[1] / "examples"
N_ROWS = 80


@pytest.fixture(scope="module")
def serve_model():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("serve_model")


@pytest.fixture(scope="module")
def served(serve_model):
    """Serves a model from a thread, as long as the context lasts; gives its address."""

    @contextmanager
    def serve(model):
        app = serve_model.make_app(model)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        thread = Thread(target=server.run)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()

    return serve


def ask(address, payload=None):
    """The status and the content of an answer; rows are sent as JSON, bytes as such."""
    body = json.dumps(payload).encode() if isinstance(payload, dict | list) else payload
    try:
        with urlopen(Request(address, body), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def fit(X):
    """A small model for a table, in which every third row is labelled no."""
    y = np.where(np.arange(len(X)) % 3 > 0, "yes", "no")
    return small(max_iter=3).fit(X, y)


def probabilities(answers):
    return [list(answer["probabilities"].values()) for answer in answers]


# ---- a table with every kind of column


def make_table():
    rng = np.random.default_rng(0)
    some = rng.random(N_ROWS) < 0.9
    return pd.DataFrame(
        {
            "age": pd.Series(rng.normal(40, 9, N_ROWS).round(2)).where(some),
            "member": rng.random(N_ROWS) < 0.5,
            "city": rng.choice(["Oslo", "Rome"], N_ROWS),
            "joined": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(900, size=N_ROWS), "D"),
            "waited": pd.to_timedelta(rng.integers(90, size=N_ROWS), "min"),
            "shop": pd.Categorical(rng.integers(4, size=N_ROWS)),
            "code": rng.choice(np.array(["a", 7], dtype=object), N_ROWS),
            "empty": [None] * N_ROWS,
        }
    )


KINDS = {
    "age": "number",
    "member": "number",
    "city": "text",
    "joined": "date",
    "waited": "duration",
    "shop": "number",
    "code": "number or text",
    "empty": "number or text",
}
ROW = {
    "age": 41.25,
    "member": True,
    "city": "Rome",
    "joined": "2020-05-01",
    "waited": "PT30M",
    "shop": 2,
    "code": "a",
    "empty": None,
}


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def model(table):
    return fit(table)


@pytest.fixture(scope="module")
def address(served, model):
    with served(model) as address:
        yield address


@pytest.fixture(scope="module")
def records(table):
    """The rows of the table as JSON."""
    dates = table["joined"].dt.strftime("%Y-%m-%d")
    durations = [f"PT{waited.seconds}S" for waited in table["waited"]]
    as_texts = table.assign(joined=dates, waited=durations)
    return json.loads(as_texts.to_json(orient="records"))


def test_the_server_is_up(address):
    assert ask(f"{address}/health") == (200, {"status": "ok"})


def test_the_columns_are_those_of_the_fit(address):
    assert ask(f"{address}/columns") == (200, KINDS)


def test_rows_get_the_labels_and_probabilities_of_the_model(
    address, model, table, records
):
    status, answers = ask(f"{address}/predict", records)
    assert status == 200
    assert_array_equal(probabilities(answers), model.predict_proba(table))
    assert [answer["label"] for answer in answers] == model.predict(table).tolist()
    assert list(answers[0]["probabilities"]) == ["no", "yes"]


def test_a_row_gets_the_answer_that_it_gets_in_a_batch(address, records):
    _, answers = ask(f"{address}/predict", records[:3])
    alone = [ask(f"{address}/predict", record) for record in records[:3]]
    assert alone == [(200, answer) for answer in answers]


@pytest.mark.parametrize("name", ROW)
def test_null_is_a_missing_value(address, model, table, records, name):
    _, answer = ask(f"{address}/predict", records[0] | {name: None})
    missing = table[:1].astype({name: object})
    missing[name] = [None]
    assert_array_equal(probabilities([answer]), model.predict_proba(missing))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-05-01T12:00", "2020-05-01 12:00"),
        ("2020-05-01T12:00:30.5Z", "2020-05-01 12:00:30.5"),
        ("2020-05-01T01:00+02:00", "2020-04-30 23:00"),
        ("20200501", "2020-05-01"),
    ],
)
def test_dates_are_texts_of_iso_8601(address, model, table, records, text, day):
    _, answer = ask(f"{address}/predict", records[0] | {"joined": text})
    expected = model.predict_proba(table[:1].assign(joined=pd.Timestamp(day)))
    assert_array_equal(probabilities([answer]), expected)


# ---- payloads that are refused

NEEDS = {
    "number": "must be a finite number, true, false or null, got ",
    "text": "must be a text or null, got ",
    "date": "must be a date or time, such as 2024-05-31T18:30 or null, got ",
    "duration": "must be a duration, such as P3D or PT4H or null, got ",
    "number or text": "must be a finite number or a text or null, got ",
}
WRONG = {
    "age": ["old", "12", [1], {}, 1e999, -1e999, np.nan],
    "member": ["yes", "true"],
    "city": [5, True, ["Rome"]],
    "joined": [20200501, "soon", "2020-02-30", "", "0001-01-01T00:00+14:00"],
    "waited": [30, "half an hour"],
    "shop": ["2"],
    "code": [[7], 1e999],
    "empty": [{}],
}


@pytest.mark.parametrize("one", [True, False], ids=["a row", "a batch"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]]
)
def test_a_value_of_a_wrong_kind_is_refused_with_row_and_column(
    address, name, value, one
):
    wrong = ROW | {name: value}
    status, content = ask(f"{address}/predict", wrong if one else [ROW, ROW, wrong])
    (error,) = content["detail"]
    assert (status, error["row"], error["column"]) == (422, 0 if one else 2, name)
    assert error["message"].startswith(NEEDS[KINDS[name]])


@pytest.mark.parametrize("one", [True, False], ids=["a row", "a batch"])
@pytest.mark.parametrize("name", ROW)
def test_a_column_that_is_missing_is_named(address, name, one):
    less = {other: value for other, value in ROW.items() if other != name}
    answer = ask(f"{address}/predict", less if one else [ROW, less])
    message = "is missing: send null if it is not known"
    error = {"row": 0 if one else 1, "column": name, "message": message}
    assert answer == (422, {"detail": [error]})


def test_a_column_that_is_not_expected_is_named(address):
    answer = ask(f"{address}/predict", [ROW, ROW | {"Age": 3}])
    error = {"row": 1, "column": "Age", "message": "is not a column of the model"}
    assert answer == (422, {"detail": [error]})


def test_all_that_is_wrong_is_listed_up_to_a_limit(address, serve_model):
    wrong = ROW | {"age": "old", "city": 3}
    _, content = ask(f"{address}/predict", [wrong] * 3)
    places = [(error["row"], error["column"]) for error in content["detail"]]
    assert places == [(row, name) for row in range(3) for name in ("age", "city")]
    _, content = ask(f"{address}/predict", [wrong] * 99)
    assert len(content["detail"]) == serve_model.MOST_ERRORS


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid JSON"),
        (b"age=3", "Invalid JSON"),
        (b'{"age": 3', "Invalid JSON"),
        (b'{"city": "\xff"}', "Invalid JSON"),
        (b'{"city": "\\ud800"}', "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b'{"age": 1' + b"0" * 5000 + b"}", "Invalid JSON"),
        (b"[]", "at least 1 item"),
        (b"3", "an object"),
        (b"null", "an object"),
        (b'"text"', "an object"),
        (b"[3]", "an object"),
        (b"[[1, 2]]", "an object"),
    ],
)
def test_what_is_not_rows_is_refused(address, body, message):
    status, content = ask(f"{address}/predict", body)
    assert status == 422
    assert message in content["detail"][0]["message"]


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
RIGHT = {
    "number": NUMBERS,
    "text": st.none() | st.text(max_size=9),
    "date": st.none() | st.datetimes(timezones=st.none() | st.timezones()).map(str),
    "duration": st.none() | st.integers(-(10**9), 10**9).map("PT{}S".format),
    "number or text": NUMBERS | st.text(max_size=9),
}
FITTING = st.fixed_dictionaries({name: RIGHT[kind] for name, kind in KINDS.items()})
ANYTHING = st.recursive(
    VALUES | FITTING | st.fixed_dictionaries(dict.fromkeys(KINDS, VALUES)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(FITTING | st.lists(FITTING) | ANYTHING)
def test_whatever_is_sent_is_answered_or_refused(address, payload):
    status, content = ask(f"{address}/predict", json.dumps(payload).encode())
    if status == 200:
        answers = content if isinstance(payload, list) else [content]
        assert np.isfinite(probabilities(answers)).all()
    else:
        assert (status, *content) == (422, "detail")
        assert content["detail"]


# ---- several requests at once


def test_requests_at_once_get_the_answers_that_they_get_alone(address, records):
    parts = [records[i : i + 1 + i % 7] for i in range(60)]
    alone = [ask(f"{address}/predict", part) for part in parts]
    with ThreadPoolExecutor(12) as threads:
        at_once = threads.map(ask, [f"{address}/predict"] * len(parts), parts)
    assert list(at_once) == alone
    assert len({json.dumps(answer) for _, answer in alone}) == len(parts)


# ---- other tables and models


def test_names_of_columns_may_be_any_text(served):
    names = ["copy", "class", "a b", "__init__", "größe", "", "row"]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 7)), columns=names)
    model = fit(X)
    with served(model) as address:
        _, answer = ask(f"{address}/predict", X.loc[0].to_dict())
    assert_array_equal(probabilities([answer]), model.predict_proba(X[:1]))


def test_columns_without_names_have_their_numbers(served, X):
    model = fit(X)
    with served(model) as address:
        row = {str(i): value for i, value in enumerate(X[0])}
        _, answer = ask(f"{address}/predict", row)
    assert_array_equal(probabilities([answer]), model.predict_proba(X[:1]))


def test_labels_keep_their_type(served, X):
    y = np.arange(60) % 2 == 0
    model = small(max_iter=3).fit(X, y)
    with served(model) as address:
        _, answer = ask(f"{address}/predict", {str(i): 0.5 for i in range(5)})
    assert answer["label"] in (True, False)
    assert list(answer["probabilities"]) == ["False", "True"]


def encode(numbers, texts):
    z_scores = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore")
    return make_column_transformer((z_scores, numbers), (one_hot, texts))


def codes(numbers, texts):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    mask = [False] * len(numbers) + [True] * len(texts)
    return make_column_transformer((encoder, mask), remainder="passthrough")


OF_NUMBERS, OF_TEXTS = ["age", "member", "shop"], ["city"]
PIPELINES = {
    "BinaryMLPClassifier": (encode, BinaryMLPClassifier(random_state=0)),
    "MLPClassifier": (encode, MLPClassifier(max_iter=5, random_state=0)),
    "HistGradientBoosting": (codes, HistGradientBoostingClassifier(max_iter=9)),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_is_served_too(served, table, records, name):
    prepare, classifier = PIPELINES[name]
    X = table[OF_NUMBERS + OF_TEXTS].astype({"shop": float})
    X["city"] = X["city"].where(X["age"].notna(), np.nan)
    model = make_pipeline(prepare(OF_NUMBERS, OF_TEXTS), classifier)
    model.fit(X, np.arange(N_ROWS) % 2)
    rows = json.loads(X.to_json(orient="records"))
    with served(model) as address:
        kinds = dict.fromkeys(OF_NUMBERS, "number") | {"city": "text"}
        assert ask(f"{address}/columns") == (200, kinds)
        _, answers = ask(f"{address}/predict", rows)
        alone = [ask(f"{address}/predict", row)[1] for row in rows]
        status, content = ask(f"{address}/predict", [rows[0], rows[1] | {"city": 3}])
    assert any(None in row.values() for row in rows)
    assert_array_equal(probabilities(answers), model.predict_proba(X))
    # The last bits of a product of BLAS depend on the number of rows.
    assert_allclose(probabilities(alone), model.predict_proba(X), rtol=1e-12)
    assert (status, content["detail"][0]["column"]) == (422, "city")


def test_a_value_that_the_model_itself_refuses_is_refused(served, X, y):
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier()).fit(X, y)
    with served(model) as address:
        row = {str(i): 0.5 for i in range(5)}
        status, content = ask(f"{address}/predict", row | {"3": None})
    assert status == 422
    assert "NaN" in content["detail"][0]["message"]


def test_a_model_of_sparse_rows_takes_all_numbers(served, X, y):
    model = TabularMLPClassifier(n_estimators=1, max_iter=2)
    model.fit(csr_matrix(X), y)
    with served(model) as address:
        row = dict(zip("01234", X[0].tolist(), strict=True))
        status, answer = ask(f"{address}/predict", row)
    assert status == 200
    assert (
        list(answer["probabilities"].values()) == model.predict_proba(X[:1])[0].tolist()
    )


def test_categories_that_json_cannot_express_are_named(serve_model, table):
    model = fit(table[["age"]].assign(day=table["joined"].astype("category")))
    with pytest.raises(ValueError, match="Column 'day' has categories"):
        serve_model.make_app(model)


# ---- documentation, and the command


def test_the_documentation_shows_the_columns(address):
    _, schema = ask(f"{address}/openapi.json")
    body = schema["paths"]["/predict"]["post"]["requestBody"]
    row, rows = body["content"]["application/json"]["schema"]["anyOf"]
    assert rows["items"] == row
    assert list(row["properties"]) == row["required"] == list(KINDS)
    types = {
        name: [(part["type"], part.get("format")) for part in column["anyOf"]]
        for name, column in row["properties"].items()
    }
    assert types["age"] == [("boolean", None), ("number", None), ("null", None)]
    assert types["city"] == [("string", None), ("null", None)]
    assert types["joined"] == [("string", "date-time"), ("null", None)]
    assert types["waited"] == [("string", "duration"), ("null", None)]


def test_the_command_serves_a_file(model, table, records, tmp_path):
    skops_io.dump(model, tmp_path / "model.skops")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = [EXAMPLES / "serve_model.py", tmp_path / "model.skops", "--port", port]
    process = subprocess.Popen([sys.executable, "-W", "error", *script])
    try:
        answers = None
        while answers is None:
            assert process.poll() is None
            with suppress(OSError):  # until the server is up
                _, answers = ask(f"http://127.0.0.1:{port}/predict", records)
    finally:
        process.terminate()
        process.wait()
    assert_array_equal(probabilities(answers), model.predict_proba(table))
