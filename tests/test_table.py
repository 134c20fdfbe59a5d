import pickle
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skbinnet import _table
from skbinnet._table import Categories, TableReader, make_reader

MISSING = {
    "None": None,
    "NaN": np.nan,
    "NaT": pd.NaT,
    "NA": pd.NA,
    "datetime64": np.datetime64("NaT", "ns"),
    "timedelta64": np.timedelta64("NaT", "ns"),
    "Decimal": Decimal("nan"),
    "signaling": Decimal("snan"),
}
each_missing = pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)

TOKYO = timezone(timedelta(hours=9))
# They are 1 and 2.5 days after the first day of 1970.
TWO_DAYS = pd.Series(pd.to_datetime(["1970-01-02 00:00", "1970-01-03 12:00"]))
DATES = {
    "ns": TWO_DAYS,
    "s": TWO_DAYS.astype("datetime64[s]"),
    "zone": TWO_DAYS.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    "Timestamp": TWO_DAYS.astype(object),
    "datetime": [datetime(1970, 1, 2), datetime(1970, 1, 3, 12)],
    "with zones": [
        datetime(1970, 1, 2, 9, tzinfo=TOKYO), datetime(1970, 1, 3, 12, tzinfo=UTC),
    ],
    "date and time": [date(1970, 1, 2), datetime(1970, 1, 3, 12)],
    "numpy": [np.datetime64("1970-01-02"), np.datetime64("1970-01-03T12")],
}  # fmt: skip
DURATIONS = {
    "ns": pd.Series(pd.to_timedelta([24, 60], "h")),
    "s": pd.Series(pd.to_timedelta([24, 60], "h")).astype("timedelta64[s]"),
    "Timedelta": pd.Series(pd.to_timedelta([24, 60], "h")).astype(object),
    "timedelta": [timedelta(1), timedelta(2.5)],
    "numpy": [np.timedelta64(1, "D"), np.timedelta64(60, "h")],
}
CATEGORIES = {
    "texts": pd.Series(["b", "a", "b"], dtype=object),
    "str": pd.Series(["b", "a", "b"], dtype=str),
    "string": pd.Series(["b", "a", "b"], dtype="string[python]"),
    "bytes": [b"b", b"a", b"b"],
    "mixed": [1.5, "a", 1.5],
    "tuples": [(1, 2), "a", (1, 2)],
    "numpy texts": [np.str_("b"), "a", "b"],
    "category": pd.Categorical(["b", "a", "b"], categories=["a", "b", "unused"]),
    "ordered": pd.Categorical(["b", "a", "b"], ordered=True),
    "numbers": pd.Categorical([7, 5, 7]),
    "dates": pd.Categorical([TWO_DAYS[0], TWO_DAYS[1], TWO_DAYS[0]]),
    "periods": pd.PeriodIndex(["2020-01", "2020-02", "2020-01"], freq="M"),
    "intervals": pd.cut(pd.Series([9.0, 1.0, 9.0]), 2),
}


class Unhashable:
    """Like NumPy's durations without a unit."""

    def __hash__(self):
        raise ValueError("unhashable by decree")


def frame(values):
    """A table of one column, x; objects stay objects."""
    if isinstance(values, list):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        values = pd.Series(column, dtype=object)
    return pd.DataFrame({"x": values})


def read(X, *others, **params):
    """The kinds of columns, and the tables as a reader for the first reads them."""
    reader = make_reader(X, params.get("categorical_features", "from_dtype"))
    copy = pickle.loads(pickle.dumps(reader))
    return reader.kinds, *(copy.read(table, "Estimator") for table in (X, *others))


# ---- kinds of columns


@pytest.mark.parametrize("dtype", [
    "i1", "i8", "u1", "u8", "f2", "f4", "f8", "g", "?", "O", "Int8", "UInt64",
    "Float32", "boolean", "Sparse[float]", "Sparse[int]",
])  # fmt: skip
def test_numbers_of_any_dtype_are_floats(dtype):
    X = frame(pd.Series([1, 0, 1]).astype(dtype))
    kinds, table = read(X)
    assert kinds == ["number"]
    assert table.numbers.dtype == np.float64
    assert_array_equal(table.numbers, [[1], [0], [1]])


def test_objects_that_are_all_numbers_are_numbers():
    values = [1, 2.5, True, np.int8(3), np.float32(0.5), Decimal("1.25"), 10**30]
    kinds, table = read(frame(values))
    assert kinds == ["number"]
    assert_array_equal(table.numbers[:, 0], [1, 2.5, 1, 3, 0.5, 1.25, 1e30])


@pytest.mark.parametrize("values", DATES.values(), ids=DATES)
def test_dates_of_any_dtype_are_days_in_utc(values):
    kinds, table, later = read(frame(values), frame(TWO_DAYS))
    assert kinds == ["date"]
    assert_array_equal(table.numbers[:, 0], [1, 2.5])
    assert_array_equal(later.numbers, table.numbers)


def test_dates_are_read_as_day_month_weekday_and_hour():
    times = pd.Series(pd.to_datetime(["2024-02-29 06:00", "1969-12-31 18:00", None]))
    _, table = read(frame(times))
    day, month, weekday, hour = table.numbers.T
    expected = (pd.Timestamp("2024-02-29") - pd.Timestamp("1970-01-01")).days + 0.25
    assert_array_equal(day, [expected, -0.25, np.nan])
    assert_array_equal(month, [1, 11, np.nan])
    assert_array_equal(weekday, [3, 2, np.nan])  # Monday is 0
    assert_array_equal(hour, [6, 18, np.nan])


def test_a_tuple_is_a_category_also_where_numpy_would_take_it_apart():
    reader = make_reader([[(1, 2)], [(3, 4)]], "from_dtype")
    assert reader.read([[(3, 4)]], "A").codes.tolist() == [[1]]
    with pytest.raises(ValueError, match=r"Column 0 must hold .* 'list'"):
        make_reader([[[1, 2]], [[3, 4]]], "from_dtype")


@pytest.mark.parametrize(
    "values",
    [
        [date(2024, 1, 31), datetime(2024, 1, 31), np.datetime64("2024-01-31")],
        [timedelta(1), np.timedelta64(24, "h"), pd.Timedelta(1, "D")],
        [0.1, Decimal("0.1"), np.float64(0.1)],
    ],
)
def test_equal_values_of_different_libraries_are_one_category(values):
    categories = Categories("a", [values[0]])
    assert categories.encode(values).tolist() == [0, 0, 0]


def test_dates_of_the_first_year_and_the_last_are_read():
    _, table = read(frame([date.min, date.max]))
    assert_array_equal(table.numbers[:, 0], [-719162, 2932896])


@pytest.mark.parametrize("values", DURATIONS.values(), ids=DURATIONS)
def test_durations_of_any_dtype_are_days(values):
    kinds, table = read(frame(values))
    assert kinds == ["duration"]
    assert_array_equal(table.numbers, [[1], [2.5]])


@pytest.mark.parametrize("values", CATEGORIES.values(), ids=CATEGORIES)
def test_categories_get_codes_as_they_appear_and_others_the_last(values):
    others = frame(["neither", np.nan, 3.25])
    kinds, table, later = read(frame(values), others)
    assert kinds == ["category"]
    assert_array_equal(table.codes, [[0], [1], [0]])
    assert_array_equal(later.codes, [[2], [2], [2]])


@each_missing
def test_missing_values_of_any_sort_are_nan_or_one_category(missing):
    day = datetime(1970, 1, 3)
    for values, expected in (
        ([missing, 1, 2.5], [np.nan, 1, 2.5]),
        ([missing, day, day.date()], [np.nan, 2, 2]),
        ([missing, timedelta(4), timedelta(5)], [np.nan, 4, 5]),
    ):
        _, table = read(frame(values))
        assert_array_equal(table.numbers[:, 0], expected)
    _, table = read(frame(["a", missing, "b", None, "a"]))
    assert_array_equal(table.codes[:, 0], [0, 1, 2, 1, 0])


@each_missing
@pytest.mark.parametrize("values", [
    [1.0, 2.0], pd.array([1, 2], dtype="Int64"), [True, False], TWO_DAYS,
    TWO_DAYS.dt.tz_localize("UTC"), [timedelta(1), timedelta(2)], ["a", "b"],
    pd.Categorical(["a", "b"]),
])  # fmt: skip
def test_values_may_be_missing_in_prediction_only(values, missing):
    kinds, table, later = read(frame(values), frame([missing, missing]))
    if kinds == ["category"]:
        assert_array_equal(later.codes, [[2], [2]])
    else:
        assert later.numbers.shape == table.numbers.shape
        assert np.isnan(later.numbers).all()


@pytest.mark.parametrize("values", [
    *([missing] * 2 for missing in MISSING.values()), pd.Series([np.nan, np.nan]),
    pd.Series([pd.NaT, pd.NaT]), pd.array([None, None], dtype="Int64"),
])  # fmt: skip
def test_a_column_without_values_takes_any_in_prediction(values):
    for later in (["a", "b"], [1.0, 2.0], TWO_DAYS):
        kinds, table, other = read(frame(values), frame(later))
        assert kinds == ["category"]
        assert_array_equal(table.codes, [[0], [0]])
        assert_array_equal(other.codes, [[1], [1]])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "batch"])
@pytest.mark.parametrize(("values", "dtype", "kind", "expected"), [
    ([1, None, 2], "int8", "number", [1, np.nan, 2]),
    ([1.5, None, 2.5], "float32", "number", [1.5, np.nan, 2.5]),
    ([True, None, False], "bool_", "number", [1, np.nan, 0]),
    ([Decimal("1.5"), None, Decimal(2)], None, "number", [1.5, np.nan, 2]),
    ([date(1970, 1, 2), None, date(1970, 1, 3)], "date32", "date", [1, np.nan, 2]),
    ([datetime(1970, 1, 2), None, datetime(1970, 1, 3)], None, "date", [1, np.nan, 2]),
    ([datetime(1970, 1, 2, tzinfo=UTC), None, datetime(1970, 1, 3, tzinfo=UTC)], None,
     "date", [1, np.nan, 2]),
    ([timedelta(1), None, timedelta(2)], None, "duration", [1, np.nan, 2]),
    (["a", None, "b"], "string", "category", [0, 1, 2]),
    (["a", None, "b"], "large_string", "category", [0, 1, 2]),
    (["a", None, "b"], "dictionary", "category", [0, 1, 2]),
    ([None, None, None], "null", "category", [0, 0, 0]),
])  # fmt: skip
def test_columns_of_arrow_and_polars(library, values, dtype, kind, expected):
    pa = pytest.importorskip("pyarrow")
    if dtype == "dictionary":
        array = pa.array(values).dictionary_encode()
    else:
        array = pa.array(values, dtype and getattr(pa, dtype)())
    X = pa.table({"x": array})
    if library == "pandas":
        X = frame(pd.Series(array, dtype=pd.ArrowDtype(array.type)))
    elif library == "polars":
        X = pytest.importorskip("polars").from_arrow(X)
    elif library == "batch":
        X = pa.record_batch({"x": array})
    kinds, table = read(X)
    assert kinds == [kind]
    found = table.codes if kind == "category" else table.numbers
    assert_array_equal(found[:, 0], expected)


# ---- what cannot be read


@pytest.mark.parametrize(("values", "message"), [
    ([np.inf, 1.0], "contains infinity"),
    ([-np.inf, None], "contains infinity"),
    (pd.array([np.inf, None], dtype="Float64"), "contains infinity"),
    (np.array([1, 2], dtype="g") * np.finfo("f8").max, "contains infinity"),
    ([10**400, 1], "int too large"),
    (np.array([1j, 2]), "Complex data not supported"),
    ([1j, 2], "Complex data not supported"),
    (["a", np.complex64(2)], "Complex data not supported"),
    ([["a"], ["b"]], "must hold numbers, texts, .*: unhashable type: 'list'"),
    ([{}, {}], "must hold .*: unhashable type: 'dict'"),
    ([np.zeros(2), np.zeros(2)], "must hold .*: unhashable type: 'numpy.ndarray'"),
    ([("a", []), 1], "must hold .*: unhashable type: 'list'"),
    (["a", Unhashable()], "must hold .*: unhashable by decree"),
    ([datetime(1, 1, 1, tzinfo=TOKYO)] * 2, "cannot be read: date value out of range"),
])  # fmt: skip
@pytest.mark.parametrize("before", [[1.0, 2.0], ["a", "b"]])
def test_values_that_cannot_be_read_are_named(values, message, before):
    X, reader = frame(values), make_reader(frame(before), "from_dtype")
    with pytest.raises(ValueError, match=f"Column 'x' .*{message}"):
        make_reader(X, "from_dtype").read(X, "")
    is_category = before == ["a", "b"]
    if is_category and reader.kinds == ["category"] and "unhashable" not in message:
        return  # these are other categories
    with pytest.raises(ValueError, match="Column 'x' "):
        reader.read(X, "")


def test_want_of_memory_is_not_blamed_on_a_column(monkeypatch):
    monkeypatch.setattr(_table, "read_values", Mock(side_effect=MemoryError("no")))
    with pytest.raises(MemoryError):
        read(frame([1.0]))


def test_dates_beyond_microseconds_are_named():
    far = np.datetime64(2**60, "s")
    with suppress(OverflowError):
        far.astype("M8[us]")
        pytest.skip("this NumPy does not see the overflow")
    with pytest.raises(ValueError, match=r"Column 'x' cannot be read: .*verflow"):
        read(frame([far, date(2020, 1, 1)]))


@pytest.mark.parametrize(("before", "after", "message"), [
    ([1.0, 2.0], [3, "old"], "must hold numbers, as it did in fit, got 'old'"),
    ([1.0, 2.0], [None, "1"], "must hold numbers, as it did in fit, got '1'"),
    ([1.0, 2.0], TWO_DAYS, "must hold numbers, .* got .*1970-01-02"),
    ([1.0, 2.0], [timedelta(1)] * 2, "must hold numbers, .* got .*86400000000"),
    (TWO_DAYS, [1.0, 2.0], "must hold dates, as it did in fit, got .*1.0"),
    (TWO_DAYS, [None, "soon"], "must hold dates, .* got 'soon'. pandas.to_datetime"),
    (TWO_DAYS, [timedelta(1)] * 2, "must hold dates"),
    ([timedelta(1)] * 2, [1, 2], "must hold durations, as it did in fit, got .*1.0"),
    ([timedelta(1)] * 2, TWO_DAYS, "must hold durations"),
])  # fmt: skip
def test_values_of_another_kind_than_in_fit_are_named(before, after, message):
    with pytest.raises(ValueError, match=f"Column 'x' {message}"):
        read(frame(before), frame(after))


@pytest.mark.parametrize("values", [[{"a": 1}] * 2, [[1, 2]] * 2])
def test_a_nested_column_of_polars_is_named(values):
    pl = pytest.importorskip("polars")
    dtype = pl.Array(pl.Int64, 2) if isinstance(values[0], list) else None
    with pytest.raises(ValueError, match=r"Column 'x' cannot be read: .*shape \(\d,\)"):
        read(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}))


# ---- tables


@pytest.mark.parametrize("X", [
    [["a", 1], ["b", None], ["a", 3.5]],
    np.array([["a", 1], ["b", np.nan], ["a", 3.5]], dtype=object),
    pd.DataFrame({"x": ["a", "b", "a"], "y": [1, None, 3.5]}),
])  # fmt: skip
def test_arrays_and_lists_are_tables_too(X):
    kinds, table = read(X)
    assert kinds == ["category", "number"]
    assert_array_equal(table.codes, [[0], [1], [0]])
    assert_array_equal(table.numbers, [[1], [np.nan], [3.5]])


@pytest.mark.parametrize(("row", "kinds", "numbers"), [
    ([np.timedelta64(36, "h"), 5], ["duration", "number"], [1.5, 5]),
    ([np.timedelta64(36, "h"), 0.5], ["duration", "number"], [1.5, 0.5]),
    ([np.datetime64("1970-01-02"), 5], ["date", "number"], [1, 0, 4, 0, 5]),
    ([np.datetime64("1970-01-02"), np.timedelta64(2, "D")], ["date", "duration"],
     [1, 0, 4, 0, 2]),
])  # fmt: skip
def test_items_of_lists_have_a_kind_each(row, kinds, numbers):
    found, table, _ = read([row, row], [row])
    assert found == kinds
    assert_array_equal(table.numbers, [numbers] * 2)


LARGE = [2**53, 2**53 + 1, 2**53]  # as floats they are equal


@pytest.mark.parametrize("values", [
    pd.Series(LARGE), pd.Series([*LARGE, None], dtype="Int64"), pd.Categorical(LARGE),
    pd.Categorical([*LARGE, None]), pd.Series(LARGE, dtype=object), np.uint64(LARGE),
])  # fmt: skip
def test_large_integers_may_be_categories(values):
    _, table, later = read(frame(values), frame(LARGE[1:]), categorical_features=[0])
    assert_array_equal(table.codes[:3], [[0], [1], [0]])
    assert_array_equal(later.codes, [[1], [0]])


def test_large_integers_beside_floats_are_not_rounded():
    rows = [[number, 0.5] for number in LARGE]
    for X in (rows, np.array(LARGE)[:, None]):
        _, table, later = read(X, X[1:], categorical_features=[0])
        assert_array_equal(table.codes, [[0], [1], [0]])
        assert_array_equal(later.codes, [[1], [0]])


@pytest.mark.parametrize("dictionary", [False, True])
def test_large_integers_of_arrow_and_polars_may_be_categories(dictionary):
    pa = pytest.importorskip("pyarrow")
    array = pa.array([*LARGE, None])
    table = pa.table({"x": array.dictionary_encode() if dictionary else array})
    tables = [table]
    if not dictionary:
        tables.append(pytest.importorskip("polars").from_arrow(table))
    for table in tables:
        _, found = read(table, categorical_features=[0])
        assert_array_equal(found.codes, [[0], [1], [0], [2]])


def test_integers_of_128_bits_are_numbers():
    pl = pytest.importorskip("polars")
    values = pl.Series("x", [10**20, None, 1])
    assert str(values.dtype) == "Int128"
    kinds, table = read(values.to_frame())
    assert kinds == ["number"]
    assert_array_equal(table.numbers, [[1e20], [np.nan], [1]])


@pytest.mark.parametrize("dtype", ["U1", "S1", "T"])
def test_an_array_of_texts_holds_categories(dtype):
    if dtype == "T":
        dtypes = pytest.importorskip("numpy.dtypes", reason="NumPy before 2")
        dtype = dtypes.StringDType()
    kinds, table = read(np.array([["a", "b"], ["b", "b"]], dtype=dtype))
    assert kinds == ["category", "category"]
    assert_array_equal(table.codes, [[0, 0], [1, 0]])


@pytest.mark.parametrize(("X", "message"), [
    ([1, 2, 3], "Expected 2D array or a data frame, got 1D"),
    (pd.Series([1, 2]), "Expected 2D array or a data frame, got 1D"),
    (np.zeros((2, 2, 2)), "Expected 2D array or a data frame, got 3D"),
    ({"x": [1, 2]}, "Expected 2D array or a data frame, got 0D"),
    ([[1, 2], [3]], "Expected a data frame, or rows of the same length"),
    (np.zeros((2, 2)) * 1j, "Complex data not supported"),
    ([[1j, 2]] * 2, "Column 0 cannot be read: Complex data not supported"),
    (np.zeros((0, 2)), r"0 sample\(s\) \(shape=\(0, 2\)\)"),
    (pd.DataFrame(index=[1, 2]), r"0 feature\(s\) \(shape=\(2, 0\)\)"),
    (pd.DataFrame([[1, 2, 3]], columns=["b", "a", "a"]), r"\['a'\] occur several"),
])  # fmt: skip
def test_what_is_no_table_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        make_reader(X, "from_dtype")


def named(*names):
    """A table of one row with these names."""
    return pd.DataFrame([range(len(names))], columns=list(names))


@pytest.mark.parametrize(("before", "after"), [
    (named("a", "b"), [[0, 1]]),
    ([[0, 1]], named("a", "b")),
    (named("a", "b"), named(0, 1)),
    (named(("a", 1), None), named(("a", 1), None)),
    (named(7, "b"), named(7, "b")),
])  # fmt: skip
def test_columns_without_names_are_taken_in_their_order(before, after):
    _, table, later = read(before, after)
    assert_array_equal(later.numbers, table.numbers)


@pytest.mark.parametrize(("before", "after", "message"), [
    (named("a", "b"), named("b", "a"), "column 0 was 'a', got 'b'"),
    (named("a", "b"), named("a", "c"), "column 1 was 'b', got 'c'"),
    (named(7, 8), named(7, 9), "column 1 was 8, got 9"),
    (named(0, 1), named(1, 0), "column 0 was 0, got 1"),
    (named(7, "b"), named("b", 7), "column 0 was 7, got 'b'"),
    (named("a", "b"), named("a"), "X has 1 features, but Estimator is expecting 2 .*"
     r"Missing: \['b'\]; not expected: \[\]"),
    (named("a", "b"), named("y", "b", "a"), r"Missing: \[\]; not expected: \['y'\]"),
    (named("a"), [[0, 1]], "X has 2 features, but Estimator is expecting 1"),
])  # fmt: skip
def test_other_columns_than_in_fit_are_named(before, after, message):
    with pytest.raises(ValueError, match=message):
        read(before, after)


def test_errors_name_the_column_of_fit_where_there_are_no_names():
    with pytest.raises(ValueError, match="Column 'b' must hold numbers"):
        read(named("a", "b"), [[0, "x"]])
    _, table, _ = read(frame(["a", "b"]), [["b"], ["a"]])
    assert_array_equal(table.codes, [[0], [1]])


@pytest.mark.parametrize("chosen", [
    [False, True], np.array([False, True]), [1], ["b"], np.array(["b"]),
    pd.Index(["b"]), ["b", 1],
])  # fmt: skip
def test_numbers_may_be_told_to_be_categories(chosen):
    kinds, table, later = read(
        named("a", "b"), [[7, 1], [7, 3]], categorical_features=chosen
    )
    assert kinds == ["number", "category"]
    assert_array_equal(table.codes, [[0]])
    assert_array_equal(later.codes, [[0], [1]])


def test_no_column_needs_to_be_chosen():
    kinds, _ = read(named("a", "b"), categorical_features=[])
    assert kinds == ["number", "number"]


@pytest.mark.parametrize(("chosen", "message"), [
    (["c"], r"names \['c'\], but the columns are \['a', 'b'\]"),
    ([2], r"names \[2\]"),
    ([-1], r"names \[-1\]"),
    ([["b"]], r"names \[\['b'\]\]"),
    ([True], "must have 2 items, a boolean for each column, got 1"),
])  # fmt: skip
def test_chosen_columns_that_are_not_there_are_named(chosen, message):
    with pytest.raises(ValueError, match=f"categorical_features {message}"):
        TableReader(named("a", "b"), chosen)


# ---- sparse matrices

EYE = sparse.eye(3, 2, format="csr")


def test_a_table_is_held_once_while_it_is_read(peak_memory):
    X = np.ones((20_000, 50), np.float32)
    reader = make_reader(X, "from_dtype")
    assert peak_memory(reader.read, X, "") < 1.1 * X.size * np.dtype(float).itemsize


@pytest.mark.parametrize("X", [
    *(EYE.asformat(form) for form in ("csr", "csc", "coo", "lil", "dok", "bsr")),
    sparse.csr_array(EYE), EYE.astype(int), EYE.astype(bool),
    sparse.coo_matrix(([0.5, 0.5, 1, 0], ([0, 0, 1, 2], [0, 0, 1, 1])), shape=(3, 2)),
], ids=repr)  # fmt: skip
def test_sparse_matrices_of_any_format_are_read(X):
    table = make_reader(X, "from_dtype").read(X, "")
    assert isinstance(table.numbers, sparse.csr_matrix)
    assert table.numbers.dtype == np.float32
    assert_array_equal(table.numbers.toarray(), EYE.toarray())
    assert_array_equal(table.take([1]).numbers.toarray(), [[0, 1]])


@pytest.mark.parametrize(("X", "message"), [
    (EYE * np.nan, "contains NaN"),
    (EYE * np.inf, "contains infinity"),
    (EYE * 1e300, "infinity or a value too large"),
    (EYE * 1j, "Complex data not supported"),
    (EYE[:, :1], "X has 1 features, but Estimator is expecting 2"),
    (EYE[:0], r"0 sample\(s\)"),
])  # fmt: skip
def test_sparse_matrices_that_cannot_be_read_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        make_reader(EYE, "from_dtype").read(X, "Estimator")


def test_a_sparse_vector_is_refused():
    if not hasattr(sparse.coo_array([1.0]), "ndim") or sparse.coo_array([1.0]).ndim > 1:
        pytest.skip("SciPy has matrices only")
    with pytest.raises(ValueError, match="Expected 2D sparse matrix, got 1D"):
        make_reader(sparse.coo_array([1.0]), "from_dtype")


def test_after_a_dense_table_a_sparse_matrix_is_refused_but_not_the_reverse():
    with pytest.raises(TypeError, match=r"Sparse data was passed, but .* was dense"):
        make_reader(EYE.toarray(), "from_dtype").read(EYE, "")
    table = make_reader(EYE, "from_dtype").read(EYE.toarray(), "")
    assert_array_equal(table.numbers.toarray(), EYE.toarray())
