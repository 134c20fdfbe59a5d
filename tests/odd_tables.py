"""Odd tables: columns of every kind, and what may be wrong with them.

A draw comes from a RandomState. `SOUND` kinds of columns must be taken, `UNSOUND` ones
may be refused. A spoiler changes a column of the table to predict, or all of the table.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from importlib.util import find_spec
from uuid import UUID

import numpy as np
import pandas as pd

HAS_POLARS, HAS_ARROW = (bool(find_spec(name)) for name in ("polars", "pyarrow"))
DAY = timedelta(days=1)
EAST = timezone(timedelta(hours=14))


class Colour(Enum):
    RED, BLUE = 1, 2


# ---- columns: functions of a RandomState and the number of rows


def of_objects(*values):
    """A column of Python objects, drawn from some of these."""

    def draw(rng, n):
        found = np.empty(n, object)
        for i, j in enumerate(rng.randint(len(values), size=n)):
            found[i] = values[j]
        return pd.Series(found, dtype=object)

    return draw


def of_dtype(dtype, draw):
    """A pandas column of this dtype."""
    return lambda rng, n: pd.Series(draw(rng, n)).astype(dtype)


def normal(rng, n):
    return rng.normal(size=n) * 10.0 ** rng.randint(-3, 4)


def few(rng, n):
    return rng.randint(3, size=n)


def many(rng, n):
    return rng.randint(100, size=n)


def bits(rng, n):
    return rng.randint(2, size=n)


def words(rng, n):
    """Texts, of which there are few or many."""
    return np.array(
        [f"w{i}" for i in rng.randint(rng.choice([2, 5, 200]), size=n)], object
    )


def moments(rng, n):
    return np.datetime64("2020-01-01", "s") + rng.randint(10**8, size=n)


def spans(rng, n):
    return rng.randint(-(10**6), 10**6, size=n).astype("m8[s]")


def extremes(*values, dtype=np.float64):
    """Numbers of which most are ordinary, and some are these."""

    def draw(rng, n):
        some = rng.choice(np.array(values, dtype), n)
        return pd.Series(
            np.where(rng.rand(n) < 0.3, some, normal(rng, n).astype(dtype))
        )

    return draw


INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
NULLABLE = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
SOUND = {
    **{dtype: of_dtype(dtype, many) for dtype in INTEGERS + NULLABLE},
    **{dtype: of_dtype(dtype, normal) for dtype in ("f4", "f8", "Float32", "Float64")},
    "f2": of_dtype("f2", lambda rng, n: rng.normal(size=n)),
    "g": of_dtype("g", normal),
    "bool": of_dtype(bool, bits),
    "boolean": of_dtype("boolean", bits),
    "constant": lambda rng, n: pd.Series(np.full(n, rng.choice([0, 1.0, -1e9, 1e300]))),
    "huge": extremes(1e308, -1.7e308, 1e154),
    "denormal": extremes(5e-324, -1e-310, 0.0, -0.0),
    "int64 limits": extremes(-(2**63), 2**63 - 1, 2**53 + 1, dtype=np.int64),
    "uint64 limit": extremes(2**64 - 1, 2**53 + 1, dtype=np.uint64),
    "float32 limits": extremes(3.4e38, -3.4e38, 1e-45, dtype=np.float32),
    "sparse": of_dtype(pd.SparseDtype(float, 0.0), few),
    "Python numbers": of_objects(1, 2.5, True, np.int8(3), np.float32(0.5)),
    "large integers": of_objects(10**20, -(10**30), 7),
    "Decimal": of_objects(Decimal("0.1"), Decimal("1e20"), Decimal("-3")),
    "texts": lambda rng, n: pd.Series(words(rng, n)),
    "str": of_dtype("str", words),
    "string": of_dtype("string", words),
    "odd texts": of_objects("", " ", "\0", "\ud800", "nan", "None", "é", "e\u0301"),
    "numpy texts": of_objects(np.str_("a"), "a", np.str_("b")),
    "bytes": of_objects(b"a", b"", "a", np.bytes_("b")),
    "category": of_dtype("category", words),
    "category of numbers": of_dtype("category", few),
    "category of dates": of_dtype("category", moments),
    "ordered": lambda rng, n: pd.Series(
        pd.Categorical.from_codes(few(rng, n) - 1, list("abcz"), ordered=True)
    ),
    "intervals": lambda rng, n: pd.Series(
        pd.IntervalIndex.from_breaks([0, 1, 2, 5]).take(few(rng, n))
    ),
    "periods": lambda rng, n: pd.Series(
        pd.PeriodIndex(moments(rng, n).astype("M8[M]"), freq="M")
    ),
    **{
        f"M8[{unit}]": of_dtype(f"M8[{unit}]", moments)
        for unit in ("s", "ms", "us", "ns")
    },
    "time zone": lambda rng, n: pd.Series(moments(rng, n)).dt.tz_localize(
        rng.choice(["UTC", "+05:30"])
    ),
    "Timestamps": of_objects(pd.Timestamp("2020-02-29"), pd.Timestamp(0, tz="UTC")),
    "datetimes": of_objects(
        datetime(2020, 1, 1),
        datetime(2021, 5, 5, tzinfo=UTC),
        datetime.min,
        datetime.max,
    ),
    "Python dates": of_objects(date(2020, 2, 29), date.min, date.max),
    "far dates": of_objects(
        np.datetime64("9999-12-31"), np.datetime64("0001-01-01", "s")
    ),
    **{
        f"m8[{unit}]": of_dtype(f"m8[{unit}]", spans)
        for unit in ("s", "ms", "us", "ns")
    },
    "timedeltas": of_objects(
        DAY, -DAY, timedelta.max, timedelta.min, pd.Timedelta("1h")
    ),
    "numpy durations": of_objects(np.timedelta64(1, "D"), np.timedelta64(5, "ns")),
    "times": of_objects(time(12), time(0), time(23, 59, 59)),
    "mixed": of_objects(
        1, "1", 2.5, b"1", date(2020, 1, 1), DAY, None, Decimal(1), True
    ),
    "mixed dates": of_objects(date(2020, 1, 1), DAY, 3),
    "rare objects": of_objects(Colour.RED, Fraction(1, 3), UUID(int=1), frozenset({1})),
    "classes": of_objects(int, len, Ellipsis),
    "nothing": of_objects(None),
    "nothing but NaN": of_objects(np.nan),
    "nothing but NA": of_objects(pd.NA, None, np.nan, pd.NaT),
    "nothing, a date": of_dtype("M8[ns]", lambda rng, n: [None] * n),
    "nothing, Int64": of_dtype("Int64", lambda rng, n: [None] * n),
    "nothing, category": of_dtype("category", lambda rng, n: [None] * n),
}
if HAS_ARROW:
    ARROW = {
        "int64": many, "uint8": many, "double": normal, "float": normal, "bool": bits,
        "string": words, "large_string": words, "timestamp[us]": moments,
        "timestamp[ns, UTC]": moments, "duration[ms]": spans,
    }  # fmt: skip
    SOUND |= {f"{k}[pyarrow]": of_dtype(f"{k}[pyarrow]", ARROW[k]) for k in ARROW}

UNSOUND = {
    "infinity": extremes(np.inf, -np.inf, np.nan),
    "float32 infinity": extremes(np.inf, dtype=np.float32),
    "an infinite object": of_objects(1, 2.5, float("inf")),
    "an infinite Decimal": of_objects(Decimal(1), Decimal("Infinity")),
    "integers beyond floats": of_objects(1, 10**400),
    "Decimals beyond floats": of_objects(Decimal(1), Decimal("1e400")),
    "longdouble beyond floats": extremes(np.longdouble("1e400"), dtype=np.longdouble),
    "complex": of_dtype(complex, normal),
    "complex objects": of_objects(1j, 1),
    "lists": of_objects([1], [2, 3], "a"),
    "dicts": of_objects({}, {"a": 1}),
    "sets": of_objects({1}, None),
    "arrays": of_objects(np.zeros(2), np.ones(2)),
    "arrays of one": of_objects(np.zeros(1), 1.0),
    "frames": of_objects(pd.DataFrame(), pd.Series([1.0])),
    "tuples": of_objects((1, 2), (), (None,)),
    "tuples of lists": of_objects(([],), 1),
    "dates that no zone knows": of_objects(
        datetime.min.replace(tzinfo=EAST), datetime(2020, 1, 1)
    ),
    "dates beyond microseconds": of_objects(
        np.datetime64(2**60, "s"), np.datetime64("2020-01-01")
    ),
    "durations beyond microseconds": of_objects(
        np.timedelta64(2**60, "s"), np.timedelta64(1, "s")
    ),
    "M8[s] beyond microseconds": lambda rng, n: pd.Series(
        rng.choice(np.array([-(2**60), 0, 2**60]), n).astype("M8[s]")
    ),
    "m8[s] beyond microseconds": lambda rng, n: pd.Series(
        rng.choice(np.array([-(2**60), 0, 2**60]), n).astype("m8[s]")
    ),
    "months": of_objects(np.timedelta64(3, "M"), np.timedelta64(1, "Y")),
}
if HAS_ARROW:
    import pyarrow

    def of_arrow(arrow_type, *values):
        """A pandas column of a type of pyarrow, with these values."""
        return of_dtype(pd.ArrowDtype(arrow_type), of_objects(*values))

    SOUND |= {
        "arrow dates": of_arrow(pyarrow.date32(), date(2020, 1, 1), date.min, None),
        "arrow times": of_arrow(pyarrow.time64("us"), time(12), time(0), None),
        "arrow decimals": of_arrow(pyarrow.decimal128(9, 2), Decimal("1.25"), None),
        "arrow bytes": of_arrow(pyarrow.binary(), b"a", b"", None),
        "arrow categories": of_arrow(
            pyarrow.dictionary(pyarrow.int8(), pyarrow.string()), "a", "b", None
        ),
        "arrow nothing": of_arrow(pyarrow.null(), None),
    }
    UNSOUND |= {
        "arrow lists": of_arrow(pyarrow.list_(pyarrow.int8()), [1], [], None),
        "arrow structs": of_arrow(pyarrow.struct([("a", "int8")]), {"a": 1}, None),
    }
COLUMNS = SOUND | UNSOUND
MISSING = [
    None, np.nan, pd.NaT, pd.NA, Decimal("NaN"), np.float32("nan"),
    np.datetime64("NaT", "ns"), np.timedelta64("NaT", "ns"),
]  # fmt: skip


def draw_column(rng, n, sound=0.97):
    """The name of a kind, and a column of it."""
    names = list(SOUND if rng.rand() < sound else UNSOUND)
    kind = names[rng.randint(len(names))]
    column = COLUMNS[kind](rng, n)
    if rng.rand() < 0.3:
        column = with_holes(rng, column)
    return kind, column


def with_holes(rng, column):
    """The column, some or all of whose values are missing."""
    is_missing = rng.rand(len(column)) < rng.choice([0.2, 0.9, 1])
    if rng.rand() < 0.5 and "dictionary" not in str(column.dtype):  # pandas fails there
        return column.where(~is_missing)
    found = column.astype(object).to_numpy(copy=True)
    for i in np.nonzero(is_missing)[0]:
        found[i] = MISSING[rng.randint(len(MISSING))]
    return pd.Series(found, dtype=object)


# ---- tables


def draw_names(rng, n):
    """Names of n columns, at most 6, all different."""
    names = [
        [f"c{i}" for i in range(n)],
        list(range(n)),
        list(range(n))[::-1],
        [7, "b", ("a", 1), None, 1.5, ""][:n],
        [b"a", "a", Colour.RED, np.int64(4), "\ud800", "é"][:n],
    ]
    return names[rng.choice(5, p=[0.6, 0.1, 0.1, 0.1, 0.1])]


def draw_table(rng, sound=0.97):
    """A pandas table of odd columns, and the kinds of these."""
    n_rows = rng.choice(
        [1, 2, 4, 5, 9, 20, 60], p=[0.02, 0.02, 0.06, 0.1, 0.2, 0.4, 0.2]
    )
    n_columns = 1 + rng.randint(6)
    kinds, columns = zip(
        *(draw_column(rng, n_rows, sound) for _ in range(n_columns)), strict=True
    )
    X = pd.concat(columns, axis=1)
    X.columns = make_index(draw_names(rng, n_columns))
    return X, list(kinds)


def make_index(names):
    """An index of these names, also where some are tuples."""
    return pd.Index(names, dtype=object, tupleize_cols=False)


def as_rows(X):
    return X.to_numpy(dtype=object)


def as_array(X):
    """An array of the dtype that the columns have in common, or of objects."""
    return X.to_numpy()


def as_lists(X):
    return X.to_numpy(dtype=object).tolist()


def as_polars(X):
    import polars

    table = polars.DataFrame({name: column.to_list() for name, column in X.items()})
    texts = [name for name in table.columns if table[name].dtype == polars.String]
    for i, name in enumerate(texts[:2]):
        values = table[name].drop_nulls().unique(maintain_order=True)
        dtypes = polars.Categorical, polars.Enum(values)
        table = table.with_columns(table[name].cast(dtypes[i]))
    return table


def as_arrow(X):
    import pyarrow

    columns = {n: pyarrow.array(column.to_list()) for n, column in X.items()}
    for name in [n for n, column in columns.items() if column.type == "string"][:1]:
        columns[name] = columns[name].dictionary_encode()
    return pyarrow.table(columns)


def as_held(X):
    """The table, with None for values at which polars and pyarrow fail or crash."""
    columns = [
        pd.Series([v if is_held(v) else None for v in column], dtype=object)
        for _, column in X.items()
    ]
    names = [ascii(name) for name in X.columns]
    return pd.concat(columns, axis=1).set_axis(names, axis=1)


def is_held(value):
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value) < 1e30
    if isinstance(value, timedelta):
        return abs(value) < 10**5 * DAY
    is_known = isinstance(value, bool | int | float | bytes | date)
    return is_known and value == value  # NaN and NaT fit no column of another type


def with_odd_index(X):
    """Rows with names, some of which occur several times."""
    return X.set_index(pd.Index(list("ab") * len(X))[: len(X)])


FORMS = {
    "pandas": lambda X: X,
    "index": with_odd_index,
    "rows": as_rows,
    "array": as_array,
    "lists": as_lists,
}
FORMS |= {"polars": as_polars} if HAS_POLARS else {}
FORMS |= {"pyarrow": as_arrow} if HAS_ARROW else {}


def of_form(form, X):
    """The table in this form, or as it is where the library cannot hold its columns."""
    if form not in ("polars", "pyarrow"):
        return FORMS[form](X)
    X = as_held(X) if X.shape[1] else X
    try:
        return FORMS[form](X)
    except Exception:  # a column holds values of several types
        return X


def rows_of(X, rows):
    """Some rows of a table of any form, from a slice."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    return X[rows]  # polars, pyarrow, arrays and lists


# ---- spoilers: changes of a table to predict, which then may have to be refused


def another_kind(rng, X):
    i = rng.randint(X.shape[1])
    return replaced(X, i, draw_column(rng, len(X), sound=0.8)[1])


def another_dtype(rng, X):
    i = rng.randint(X.shape[1])
    dtype = rng.choice(["O", "str", "category", "f4", "Int64"])
    try:
        return replaced(X, i, X.iloc[:, i].astype(dtype))
    except Exception:  # pandas cannot convert it
        return X


def replaced(X, i, column):
    """The table with another column in this place."""
    columns = [X.iloc[:, j] for j in range(X.shape[1])]
    columns[i] = column.set_axis(X.index)
    return pd.concat(columns, axis=1).set_axis(X.columns, axis=1)


def holes(rng, X):
    i = rng.randint(X.shape[1])
    return replaced(X, i, with_holes(rng, X.iloc[:, i].set_axis(range(len(X)))))


def unseen(rng, X):
    """A text, a date or a number that was not there."""
    i = rng.randint(X.shape[1])
    column = X.iloc[:, i].astype(object).to_numpy(copy=True)
    values = ["unseen", b"unseen", datetime(1, 1, 1), 10.0**300, Colour.BLUE, -1]
    column[rng.randint(len(X))] = values[rng.randint(len(values))]
    return replaced(X, i, pd.Series(column, dtype=object))


def in_another_order(rng, X):
    return X.iloc[:, rng.permutation(X.shape[1])]


def of_the_same_name(rng, X):
    return X.set_axis(make_index([X.columns[0]] * X.shape[1]), axis=1)


def renamed(rng, X):
    return X.set_axis(make_index(["new", *X.columns[1:]]), axis=1)


def with_another_column(rng, X):
    return pd.concat([X, pd.Series(range(len(X)), name="more", index=X.index)], axis=1)


SPOILERS = {
    "nothing": (lambda rng, X: X, False),
    "holes": (holes, False),
    "one row": (lambda rng, X: X.head(1), False),
    "unseen": (unseen, True),
    "another kind": (another_kind, True),
    "another dtype": (another_dtype, True),
    "in another order": (in_another_order, True),
    "of the same name": (of_the_same_name, True),
    "renamed": (renamed, True),
    "a column more": (with_another_column, True),
    "a column less": (lambda rng, X: X.iloc[:, :-1], True),
    "no rows": (lambda rng, X: X.head(0), True),
}


def spoil(rng, X):
    """What a spoiler makes of the table, and whether it may be refused."""
    spoilers = list(SPOILERS.values())
    change, may_be_refused = spoilers[rng.randint(len(spoilers))]
    return change(rng, X), may_be_refused


# ---- labels, weights and options

LABELS = [
    [0, 1], [-1, 1], [False, True], ["no", "yes"], [0.0, 2.0],
    [10**17, 10**17 + 1], ["", "x"],
]  # fmt: skip
WEIGHTS = [  # values to draw from, and whether they may be refused
    ([0, 1], False),
    ([1, 2, 1e-300], False),
    ([0, 5e-324, 1], True),
    ([1e308, 1], True),
    ([-1, 1, np.nan], True),
]


def draw_labels(rng, n):
    """Labels, usually of two classes, and whether they may be refused."""
    classes = LABELS[rng.randint(len(LABELS))]
    positive = rng.permutation(np.arange(n) % 2)
    if rng.rand() < 0.08:
        positive = (rng.rand(n) < rng.choice([0, 0.1, 0.5, 1])).astype(int)
    y = np.array([classes[i] for i in positive])
    oddity = rng.randint(80)
    if oddity == 0:
        y = np.append(y, y[0])
    elif oddity == 1:
        y = np.where(rng.rand(n) < 0.3, None, y)
    elif oddity == 2:
        y = rng.randint(4, size=n)
    elif oddity == 3:
        y = np.where(rng.rand(n) < 0.3, np.nan, positive)
    elif oddity < 10:
        y = y.tolist()
    elif oddity < 15:
        y = pd.Series(y, dtype="category")
    may_be_refused = oddity < 4 or np.bincount(positive, minlength=2).min() < 2
    return y, positive, may_be_refused


def draw_weights(rng, positive):
    """None or weights of the rows, and whether they may be refused."""
    if rng.rand() < 0.6:
        return None, False
    values, may_be_refused = WEIGHTS[rng.choice(5, p=[0.24, 0.24, 0.24, 0.24, 0.04])]
    weights = rng.choice(np.array(values, float), len(positive))
    counts = np.bincount(positive[weights > 0], minlength=2)
    return weights, may_be_refused or counts.min() < 2


def draw_categorical(rng, names):
    """The parameter categorical_features, and whether it may be refused."""
    chosen, kind = rng.rand(len(names)) < 0.3, rng.randint(40)
    (places,) = np.nonzero(chosen)
    forms = {
        0: (chosen, False), 1: (chosen.tolist(), False), 2: (places, True),
        3: ([names[i] for i in places], True), 4: (["nowhere"], True),
        5: ([99], True), 6: ([True] * 30, True), 7: ([], False), 8: ([[0]], True),
        9: (pd.Series(chosen), False), 10: (7, True), 11: (["c0", 0], True),
    }  # fmt: skip
    return forms.get(kind, ("from_dtype", False))


def draw_params(rng):
    """Parameters of small networks."""
    return {
        "n_estimators": int(rng.choice([1, 3, 3, 3, 4])),
        "max_iter": int(rng.randint(1, 4)),
        "hidden_layer_sizes": [(), (4,), (3, 2)][rng.randint(3)],
        "n_knots": int(rng.choice([2, 3, 8, 32])),
        "dropout": [0.0, 0.3][rng.randint(2)],
        "class_weight": [None, None, None, "balanced"][rng.randint(4)],
        "scoring": ["loss", "loss", "accuracy"][rng.randint(3)],
        "validation_fraction": [0.1, 0.1, 0.5][rng.randint(3)],
        "n_jobs": [None, 2][int(rng.rand() < 0.1)],
        "random_state": int(rng.randint(2**31 - 1)),
    }
