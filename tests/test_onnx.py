import importlib
import warnings
from datetime import date, timedelta
from decimal import Decimal
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from helpers import small
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import random as random_sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbinnet import BinaryMLPClassifier, PiecewiseLinearEncoder
from skbinnet._network import ACTIVATIONS

pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from skl2onnx import to_onnx  # noqa: E402
from skl2onnx.algebra import type_helper  # noqa: E402
from skl2onnx.common.data_types import DoubleTensorType  # noqa: E402

from skbinnet._onnx import as_number  # noqa: E402
from skbinnet.onnx import guess_initial_types, to_inputs  # noqa: E402

pytestmark = pytest.mark.unconverged
N_ROWS = 300
# Other converters would need an opset that an old onnxruntime does not know.
AROUND = {"options": {"zipmap": False}, "target_opset": 18}


def start(model, X, **options):
    """A session with the model, converted as its user would."""
    saved = to_onnx(model, X[:1], **options).SerializeToString()
    return onnxruntime.InferenceSession(saved, providers=["CPUExecutionProvider"])


def assert_same_predictions(model, session, rows, atol, fed=None):
    fed = rows if fed is None else fed
    labels, p = session.run(["label", "probabilities"], to_inputs(session, fed))
    assert_allclose(p, model.predict_proba(rows), rtol=0, atol=atol)
    assert labels.tolist() == model.predict(rows).tolist()
    return p


# ---- one network


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (10,), (64, 32), (9, 8, 7, 6)])
def test_a_pipeline_predicts_the_same(X, y, hidden, activation, dtype):
    X = (100 + 10 * X).astype(dtype)
    clf = BinaryMLPClassifier(hidden, activation, random_state=0)
    model = make_pipeline(StandardScaler(), clf).fit(X, y)
    atol = 1e-12 if dtype == np.float64 else 1e-5
    assert assert_same_predictions(model, start(model, X), X, atol).dtype == dtype


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ramps_are_the_same(X, y, dtype):
    X = np.column_stack([X, np.ones(len(X)), y]).astype(dtype)  # constant, two values
    model = make_pipeline(
        PiecewiseLinearEncoder(9), BinaryMLPClassifier(random_state=0)
    )
    atol = 1e-12 if dtype == np.float64 else 1e-5
    assert_same_predictions(model.fit(X, y), start(model, X), X, atol)


@pytest.mark.parametrize("names", [[False, True], [7, 3], [0.0, 2.0], ["ham", "spam"]])
def test_labels_are_integers_or_texts(X, y, names):
    model = BinaryMLPClassifier().fit(X, np.array(names)[y])
    labels, _ = start(model, X).run(None, {"X": X})
    expected = model.predict(X)
    assert labels.dtype == (object if expected.dtype.kind == "U" else np.int64)
    assert labels.tolist() == expected.tolist()


def test_columns_of_a_frame_are_joined_in_float64(X, y):
    frame = pd.DataFrame(X).rename(columns=lambda j: f"{j} m/s")
    frame["n"] = np.arange(len(X)) % 7
    model = BinaryMLPClassifier(random_state=0).fit(frame, y)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-12)


def test_integers_are_joined_in_float64(X, y):
    X = (10 * X).astype(np.int64)
    model = BinaryMLPClassifier(random_state=0).fit(X, y)
    p = assert_same_predictions(model, start(model, X), X, atol=1e-12)
    assert p.dtype == np.float64


def test_other_estimators_may_stand_around_it(X, y):
    frame = pd.DataFrame(X, columns=[*"abcde"]).assign(shop=np.array(["x", "z"])[y])
    encoder = make_column_transformer(
        (StandardScaler(), [*"abcde"]), (OneHotEncoder(), ["shop"])
    )
    clf = BinaryMLPClassifier(random_state=0)
    model = make_pipeline(encoder, clf).fit(frame, y)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-12)
    voting = VotingClassifier(
        [("a", clf), ("b", clf)], voting="soft", flatten_transform=False
    )
    X = X.astype(np.float32)
    for ensemble in (voting, CalibratedClassifierCV(clf, ensemble=False)):
        ensemble.fit(X, y)
        session = start(ensemble, X, **AROUND)
        _, p = session.run(None, {"X": X})
        assert_allclose(p, ensemble.predict_proba(X), atol=1e-5)


# ---- a table


def draw(rng, values, missing=None):
    """A column of some values, missing in a tenth of the rows but the first."""
    column = pd.Series(rng.choice(np.array(values, dtype=object), N_ROWS))
    column[rng.random(N_ROWS) < 0.1] = missing
    column[0] = values[0]
    return column


def days(rng, first, last):
    """A column of times between two days."""
    first, last = (pd.Timestamp(day).as_unit("us") for day in (first, last))
    return pd.Series(first + (last - first) * rng.random(N_ROWS))


def with_missing(column):
    return column.mask(np.arange(N_ROWS) % 9 == 4)


NOON = pd.Timestamp(2020, 1, 1, 12, tz="Asia/Kolkata")
COLUMNS = {
    "numbers": lambda rng: rng.normal(size=N_ROWS),
    "missing": lambda rng: with_missing(pd.Series(rng.normal(size=N_ROWS))),
    "float32": lambda rng: rng.normal(size=N_ROWS).astype(np.float32),
    "integers": lambda rng: rng.integers(-5, 60, N_ROWS),
    "booleans": lambda rng: rng.random(N_ROWS) < 0.5,
    "nullable": lambda rng: draw(rng, [1, 2, 5]).astype("Int64"),
    "decimals": lambda rng: draw(rng, [Decimal("1.5"), Decimal("-2"), Decimal("7")]),
    "huge": lambda rng: rng.normal(size=N_ROWS) * 1e307,
    "tiny": lambda rng: rng.normal(size=N_ROWS) * 1e-310,
    "constant": lambda rng: np.full(N_ROWS, 3.0),
    "empty": lambda rng: np.full(N_ROWS, np.nan),
    "texts": lambda rng: draw(rng, ["Rome", "Oslo", "None", "été", ""], np.nan),
    "many texts": lambda rng: draw(rng, [f"a{i}" for i in range(50)]).astype("str"),
    "others": lambda rng: draw(rng, [f"b{i}" for i in range(40)]).astype("category"),
    "categories": lambda rng: pd.Series(pd.Categorical(rng.integers(9, size=N_ROWS))),
    "shops": lambda rng: rng.integers(50, size=N_ROWS),
    "codes": lambda rng: with_missing(pd.Series(rng.integers(5, size=N_ROWS) / 4)),
    "mixed": lambda rng: draw(rng, [1, "two", 3.5, True, Decimal("2")]),
    "dates": lambda rng: with_missing(days(rng, "1599-02-27", "2401-03-02")),
    "leap days": lambda rng: days(rng, "1968-02-28", "1972-03-01").dt.floor("D"),
    "zones": lambda rng: days(rng, "2024-03-30", "2024-04-02").dt.tz_localize("UTC"),
    "date objects": lambda rng: draw(rng, [date(1950, 1, 1), date(2020, 2, 29)]),
    "holidays": lambda rng: days(rng, "2024-01-01", "2024-01-09").dt.floor("D"),
    "durations": lambda rng: with_missing(days(rng, "1970", "1971") - pd.Timestamp(0)),
    "hours": lambda rng: pd.Series(pd.to_timedelta(rng.integers(9, size=N_ROWS), "h")),
    "infinities": lambda rng: draw(rng, [-np.inf, 1.0, np.inf]).astype("category"),
    "weeks": lambda rng: draw(rng, [timedelta(7), timedelta(21)]).astype("category"),
    "noons": lambda rng: draw(rng, [NOON, NOON + timedelta(1)]).astype("category"),
    "dates or years": lambda rng: draw(rng, [date(1950, 1, 1), 1950, 2020.5]),
}  # fmt: skip
CHOSEN = {"shops", "codes", "holidays", "hours", "dates or years"}


def make_table(names):
    rng = np.random.default_rng(0)
    columns = {"x": COLUMNS["missing"](rng)} | {n: COLUMNS[n](rng) for n in names}
    frame = pd.DataFrame(columns)
    first = frame.iloc[:, -1].map(lambda value: crc32(str(value).encode()) % 2 == 0)
    y = np.where((frame["x"] > 0) ^ first, "yes", "no")
    return frame, y


def fit_table(X, y, **params):
    return small(**{"n_estimators": 6, "max_iter": 3} | params).fit(X, y)


@pytest.mark.parametrize("names", [*([name] for name in COLUMNS), [*COLUMNS]], ids=str)
def test_a_raw_table_predicts_the_same(names):
    frame, y = make_table(names)
    chosen = [name for name in names if name in CHOSEN]
    model = fit_table(frame[:200], y[:200], categorical_features=chosen)
    session = start(model, frame)
    assert_same_predictions(model, session, frame, atol=1e-6)
    assert_same_predictions(model, session, frame[-1:], atol=1e-6)


def test_microseconds_are_exact():
    # The hours 6, 12 and 18, and 12 where it is missing: z is so small that the least
    # error would make it differ from the frequent value.
    noon = np.datetime64("1750-07-02T12:00:00.123457")
    times = np.repeat(noon, 61) + np.repeat([0, -6, 6], [21, 20, 20]).astype("m8[h]")
    times[1:21] = np.datetime64("NaT", "us")
    frame = pd.DataFrame({"time": times, "age": times - np.datetime64("2020-01-01")})
    model = fit_table(frame, np.arange(61) % 3 == 0)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-6)


def test_a_view_may_have_no_networks():
    frame, y = make_table(["texts"])
    model = fit_table(frame, y)
    model.estimators_[1], model.view_weights_[1] = [], 0  # as after an interrupt
    assert_same_predictions(model, start(model, frame), frame, atol=1e-6)


@pytest.mark.parametrize(
    "names", [[0, 1, 2], [7, "a", ""], ["a b", "a-b", "a_b"], ["label", "label1", "p"]]
)
def test_columns_may_have_any_names(X, y, names):
    frame = pd.DataFrame(X[:, :3]).set_axis(names, axis=1)
    model = fit_table(frame, y)
    session = start(model, frame)
    assert_same_predictions(model, session, frame, atol=1e-6)
    with pytest.raises(ValueError, match="The model expects the columns"):
        to_inputs(session, frame.set_axis([*names[:2], "p_old"], axis=1))


def test_rows_may_be_lists():
    rows = [["a", 1], ["b", 2]] * 50  # NumPy would make texts of the numbers
    model = fit_table(rows, ["no", "yes"] * 50, categorical_features=[1])
    session = start(model, np.array(rows, dtype=object))
    assert_same_predictions(model, session, rows, atol=1e-6)


@pytest.mark.parametrize("fit", [BinaryMLPClassifier().fit, fit_table])
def test_columns_are_those_of_fit(X, y, fit):
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    model = fit(frame, y)
    for wrong in (frame[["b", "a", "c"]], frame.rename(columns={"a": "d"})):
        with pytest.raises(ValueError, match="The model expects the columns"):
            start(model, wrong)
    for wrong in (frame[["a", "b"]], X[:, :2], X[:, :4]):
        with pytest.raises(ValueError, match=r"features, but .* is expecting 3"):
            start(model, wrong)
    assert_same_predictions(model, start(model, X[:, :3]), frame, 1e-6, X[:, :3])


@pytest.mark.parametrize("shape", [[], [None, None]], ids=str)
def test_the_number_of_columns_need_not_be_declared(X, y, shape):
    model = fit_table(X, y)
    types = [("X", DoubleTensorType(shape))]
    saved = to_onnx(model, initial_types=types).SerializeToString()
    assert_same_predictions(model, onnxruntime.InferenceSession(saved), X, atol=1e-6)


def test_the_first_row_may_have_missing_values():
    frame, y = make_table(
        ["texts", "many texts", "others", "nullable", "mixed", "dates"]
    )
    frame.loc[0] = None
    model = fit_table(frame, y)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-6)


def test_what_was_not_seen_in_fit_predicts_the_same():
    names = ["integers", "booleans", "texts", "many texts", "others", "shops", "dates"]
    frame, y = make_table(names)
    model = fit_table(frame, y, categorical_features=["shops"])
    session = start(model, frame)
    missing = pd.DataFrame({name: [None] for name in frame})
    assert_same_predictions(model, session, missing, atol=1e-6)
    far = frame[:1].assign(
        integers=10**15, shops=3.5, texts="Bonn", others="c", dates=pd.Timestamp("2999")
    )
    assert_same_predictions(model, session, far, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_an_array_predicts_the_same(X, y, dtype):
    X = (5 * X).astype(dtype)
    for chosen in ("from_dtype", [1]):
        model = fit_table(X, y, categorical_features=chosen)
        assert_same_predictions(model, start(model, X), X, atol=1e-6)


def test_an_array_in_float32_may_be_calibrated(X, y):
    X = X.astype(np.float32)
    model = CalibratedClassifierCV(small(max_iter=3), cv=2).fit(X, y)
    session = start(model, X, **AROUND)
    p = session.run(None, {"X": X})[1]
    assert p.dtype == np.float32
    assert_allclose(p, model.predict_proba(X), rtol=0, atol=1e-5)


def test_an_array_of_objects_predicts_the_same():
    rows = np.array([["a", 1.0, True], ["b", None, False]] * 50, dtype=object)
    rows[::3, 1] = 2.5
    model = fit_table(rows, rows[:, 0])
    assert_same_predictions(model, start(model, rows), rows, atol=1e-6)


def test_sparse_rows_are_dense_in_onnx():
    X = random_sparse(N_ROWS, 40, 0.1, random_state=0, format="csr")
    dense = X.toarray()
    model = fit_table(X, dense[:, :20].sum(axis=1) > 1)
    session = start(model, dense)
    assert_same_predictions(model, session, X, atol=1e-6, fed=dense)


def test_float64_networks_stay_so():
    frame, y = make_table(["texts", "numbers"])
    network = BinaryMLPClassifier((8,), "tanh", max_iter=2)
    model = fit_table(frame, y, estimator=network)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-6)


def test_integers_that_float64_cannot_hold_are_refused_as_categories():
    frame, y = make_table(["numbers"])
    frame["id"] = 2**60 + np.arange(N_ROWS) % 3
    model = fit_table(frame, y, categorical_features=["id"])
    with pytest.raises(ValueError, match=r"Column 'id' holds 1152.*: for ONNX, make"):
        start(model, frame)
    frame["id"] = frame["id"].astype(str)
    model = fit_table(frame, y)
    assert_same_predictions(model, start(model, frame), frame, atol=1e-6)


@pytest.mark.parametrize(
    "twins",
    [
        ("nan", None), ("1.0", 1), ("True", "nan"),  # texts
        (date(1970, 1, 2), 86_400), (timedelta(seconds=7), 7),  # seconds
    ],
    ids=str,
)  # fmt: skip
def test_values_that_are_the_same_in_onnx_are_refused(twins):
    frame, y = make_table(["numbers"])
    other = 3 if as_number(twins[1]) == as_number(twins[1]) else "z"
    frame["shop"] = pd.Series([*twins, other] * 100, dtype=object)
    model = fit_table(frame, y, categorical_features=["shop"])
    with pytest.raises(ValueError, match=r"Column 'shop' holds .* in ONNX, as"):
        start(model, frame)


def test_times_must_be_numbers():
    rows = np.array([[date(2020, 1, 1), 1.0], [date(2021, 1, 1), 2.0]] * 50)
    model = fit_table(rows, ["no", "yes"] * 50)
    with pytest.raises(ValueError, match="Column 0 held dates in fit, but texts"):
        start(model, rows)


def test_inputs_are_checked(X, y):
    frame, y = make_table(["numbers", "texts"])
    session = start(fit_table(frame, y), frame)
    for wrong in (frame[["texts", "numbers", "x"]], frame[["x", "numbers"]]):
        with pytest.raises(ValueError, match="The model expects the columns"):
            to_inputs(session, wrong)
    with pytest.raises(ValueError, match="The model expects the columns"):
        to_inputs(session, frame.to_numpy())
    for other in ("new", [1]):
        with pytest.raises(ValueError, match="'x' must hold numbers, dates or durat"):
            to_inputs(session, frame.assign(x=pd.Series([other, 1.5] * 150)))
    with pytest.raises(ValueError, match="Column 'x' cannot be read"):
        to_inputs(session, frame.assign(x=1j))
    whole = pd.DataFrame({"a": [1, 2] * 20})
    session = start(BinaryMLPClassifier().fit(whole, whole["a"]), whole)
    for value in (np.nan, 1.5):
        with pytest.raises(ValueError, match="'a' must hold values of dtype int64"):
            to_inputs(session, whole.assign(a=value))


@pytest.mark.parametrize("name", COLUMNS)
def test_frames_that_skl2onnx_can_read_are_declared_as_ever(name):
    frame, _ = make_table([name])
    frame = frame[[name]]
    (declared,) = type_helper.guess_initial_types(frame)
    try:
        with warnings.catch_warnings(action="ignore"):
            (expected,) = guess_initial_types(frame)
    except NotImplementedError:
        assert declared[0] == name  # which we can read
    else:
        assert str(declared) == str(expected)


def test_the_module_may_be_loaded_again():
    importlib.reload(importlib.import_module("skbinnet.onnx"))
    test_a_raw_table_predicts_the_same(["dates"])


@pytest.mark.parametrize("zipmap", [True, False])
def test_probabilities_are_an_array(X, y, zipmap):
    model = BinaryMLPClassifier(random_state=0).fit(X, y)
    session = start(model, X, options={"zipmap": zipmap})
    assert_same_predictions(model, session, X, atol=1e-12)


@pytest.mark.parametrize("fit", [BinaryMLPClassifier().fit, fit_table])
def test_raw_scores_are_logits(X, y, fit):
    model = fit(X, y)
    _, z = start(model, X, options={"raw_scores": True}).run(None, {"X": X})
    expected = model.decision_function(X)
    assert_allclose(z, np.column_stack([-expected, expected]), rtol=1e-5, atol=1e-6)


def test_labels_may_be_numbered(X, y):
    model = BinaryMLPClassifier().fit(X, np.array(["ham", "spam"])[y])
    labels, _ = start(model, X, options={"nocl": True}).run(None, {"X": X})
    assert_array_equal(labels, model.predict(X) == "spam")


def test_inputs_are_arrays_that_other_programs_can_make():
    frame, y = make_table(["texts", "dates", "many texts"])
    session = start(fit_table(frame, y), frame)
    day = pd.Timestamp("2020-01-02 12:00")
    row = pd.DataFrame({"x": [1.5], "texts": [None], "dates": day, "many texts": "a1"})
    inputs = to_inputs(session, row)
    plain = {
        "x": np.array([[1.5]]),
        "texts": np.array([["nan"]], dtype=object),
        "dates": np.array([[day.timestamp()]]),
        "many_texts": np.array([["a1"]], dtype=object),
    }
    assert inputs.keys() == plain.keys()
    for name, array in plain.items():
        assert_array_equal(inputs[name], array, strict=True)
