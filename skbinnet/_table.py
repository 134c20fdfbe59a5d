"""A table: the columns of a data frame, an array or a list, as numbers and codes."""

import re
from collections.abc import Hashable
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import check_array

from ._encoding import SparseEncoder, TableEncoder

DAY = np.timedelta64(1, "D")
INTEGER = re.compile(r"(dictionary<values=)?u?int\d", re.IGNORECASE)  # in a dtype
LARGEST_EXACT = 2**53  # beyond it, not every integer is a float
FIRST_DAY = np.datetime64("1970-01-01")

KINDS = {"f": "number", "M": "date", "m": "duration", "O": "category"}  # of a dtype
DTYPES = {"number": "float64", "date": "datetime64[us]", "duration": "timedelta64[us]"}
CLASSES = {  # a numpy.timedelta64 is a numpy.integer too
    "duration": (timedelta, np.timedelta64),
    "date": (date, np.datetime64),
    "number": (bool, int, float, Decimal, np.bool_, np.integer, np.floating),
}
WITH_TWINS = (*CLASSES["date"], *CLASSES["duration"], Decimal)  # see as_key
NOT_EXACT = ("Y", "M", "generic")  # units of time that are no microseconds
N_NUMBERS = {"number": 1, "duration": 1, "date": 4, "category": 0}  # for a column
# 2024-01-31, 31.1.2024 or 1/31/2024, and what may follow
DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?!\d)|\d\d?([./])\d\d?\1\d{4}(?!\d)")
NUMBER = re.compile(r"[-+]?\d+(,\d{3})*(\.\d+)?$|[-+]?\d+(\.\d{3})*(,\d+)?$")
SEPARATOR = re.compile(r"[.,]")
MAY_BE_NAN = (float, np.floating, np.datetime64, np.timedelta64)


class Table(NamedTuple):
    """Rows of a table: its numbers, and the codes of its categories."""

    numbers: np.ndarray  # (n_rows, n_numbers), float64, NaN where they are missing
    codes: np.ndarray  # (n_rows, n_categorical), intp

    def take(self, rows):
        """Some rows, by their numbers or a slice."""
        return Table(self.numbers[rows], self.codes[rows])


class SparseTable(NamedTuple):
    """Rows of numbers, most of which are 0."""

    numbers: csr_matrix  # (n_rows, n_numbers), float32

    def take(self, rows):
        """Some rows, by their numbers or a slice."""
        return SparseTable(self.numbers[rows])


# ---- columns


def columns_of(X):
    """Pairs (name, column) of a data frame, or (number, column) of rows."""
    names = getattr(X, "columns", None)
    if hasattr(X, "column_names"):  # pyarrow
        names = X.column_names
    if names is not None:
        check_names(list(names))
        columns, n_rows = [(name, X[name]) for name in names], len(X)
    else:
        rows = read_rows(X)
        columns, n_rows = list(enumerate(rows.T)), len(rows)
    for what, count in (("feature", len(columns)), ("sample", n_rows)):
        if count < 1:
            raise ValueError(
                f"Found a table with 0 {what}(s) (shape=({n_rows}, {len(columns)})) "
                "while a minimum of 1 is required."
            )
    return columns


def check_names(names):
    """Raise ValueError if two columns have the same name."""
    if len(set(names)) < len(names):
        several = sorted({str(name) for name in names if names.count(name) > 1})
        raise ValueError(
            f"The columns must have different names, but {several} occur several times."
        )


def read_rows(X):
    """Rows as an array of two dimensions."""
    if issparse(X):
        raise TypeError(
            "Sparse data was passed, but the table in fit was dense; X.toarray() is "
            "dense."
        )
    try:
        rows = as_array(X)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Expected a data frame, or rows of the same length: {error}"
        ) from error
    if rows.ndim != 2:
        raise ValueError(
            f"Expected 2D array or a data frame, got {rows.ndim}D array instead. "
            "Reshape your data."
        )
    if rows.dtype.kind == "c":
        raise ValueError("Complex data not supported.")
    return rows


def as_array(X):
    """An array; of objects if it holds texts, or if NumPy would change items of lists.

    NumPy makes texts of numbers beside texts, rounds large integers beside floats, and
    makes durations of integers beside durations.
    """
    try:
        rows = np.asarray(X)
    except (ValueError, TypeError):  # NumPy has no dtype for dates beside numbers
        rows = np.asarray(X, dtype=object)
        if rows.ndim < 2:
            raise
        return rows
    kind, is_list = rows.dtype.kind, not hasattr(X, "dtype")
    if rows.ndim == 3 and all(isinstance(row, list | tuple) for row in X):
        return of_cells(X)
    is_rounded = kind == "f" and is_list and (np.abs(rows) >= LARGEST_EXACT).any()
    if kind in "US" or is_rounded or (kind in "mMc" and is_list):
        return np.asarray(X, dtype=object)
    return rows


def of_cells(X):
    """The array of objects of rows whose cells hold tuples, not of their items."""
    rows = np.empty((len(X), len(X[0])), dtype=object)
    for i, row in enumerate(X):
        for j, cell in enumerate(row):
            rows[i, j] = cell
    return rows


def dtype_of_column(column):
    """The dtype of a column, which pyarrow calls its type; "" if it has none."""
    return getattr(column, "dtype", getattr(column, "type", ""))


def has_category_dtype(column):
    """Whether a data frame says that a column holds categories."""
    return str(dtype_of_column(column)).startswith(
        ("category", "Categorical", "Enum", "dictionary")
    )


def read_column(name, column, is_category):
    """A column as an array of floats, dates, durations or objects.

    Raises ValueError, with the name, for what NumPy or another library cannot convert.
    """
    try:
        if not is_category:
            return read_objects(read_values(column))
        return read_integers(column) if holds_integers(column) else read_values(column)
    except MemoryError:  # the column is not to blame
        raise
    except Exception as error:
        raise ValueError(f"Column {name!r} cannot be read: {error}") from error


def holds_integers(column):
    """Whether the dtype of a column, or of its categories, is that of integers."""
    dtype = dtype_of_column(column)
    dtype = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    return bool(INTEGER.match(str(dtype)))


def read_integers(column):
    """Integers that are categories, as objects: as floats, large ones become equal."""
    names = "to_list", "to_pylist", "tolist"  # of pandas and polars, pyarrow, NumPy
    to_list = next(getattr(column, name) for name in names if hasattr(column, name))
    values = np.empty(len(column), dtype=object)
    values[:] = to_list()
    return values


def read_values(column):
    """A column as an array; numbers as floats, whatever their dtype."""
    dtype = getattr(column, "dtype", None)  # pyarrow's columns have none
    kind = getattr(dtype, "kind", None)
    if isinstance(dtype, np.dtype) and kind in "fiub":
        return np.asarray(column, dtype=np.float64)
    if dtype is None and has_category_dtype(column):
        column = column.to_pylist()  # to_numpy makes other categories of missing values
    elif dtype is not None and hasattr(column, "to_numpy"):
        if hasattr(dtype, "tz"):  # pandas; in UTC, and without an object for each
            return column.to_numpy(dtype=DTYPES["date"])
        if kind is not None and kind in "biuf":  # pandas, whose integers may be missing
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        if str(dtype) in ("Int128", "UInt128"):  # polars; NumPy has no such type
            column = column.cast(float)
        column = column.to_numpy()
    values = np.asarray(column)
    kind = "f" if values.dtype.kind in "biu" else values.dtype.kind
    if values.ndim != 1:
        raise ValueError(f"a row of it holds an array of shape {values.shape[1:]}.")
    if kind == "c":
        raise ValueError("Complex data not supported.")
    return values if kind == "O" else values.astype(DTYPES.get(KINDS.get(kind), object))


def read_objects(values):
    """Objects that are all numbers, dates or durations, as such; others as they are."""
    if values.dtype.kind != "O":
        return values
    is_present = np.array([not is_missing(value) for value in values], dtype=bool)
    read, present = np.full(len(values), np.nan), values[is_present]
    types = set(map(type, present))
    if not types:
        return read
    if any(issubclass(one, complex | np.complexfloating) for one in types):
        raise ValueError("Complex data not supported.")
    for kind, classes in CLASSES.items():
        if all(issubclass(one, classes) for one in types):
            read = read.astype(DTYPES[kind])
            read[is_present] = list(map(in_utc, present)) if kind == "date" else present
            return read
    return values


def is_missing(value):
    """Whether a value is None, NaN, NaT or pandas.NA."""
    if type(value) is str:
        return False
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, MAY_BE_NAN) and value != value


def in_utc(time):
    """A date, or a time in UTC without its time zone, as microseconds can hold it."""
    if isinstance(time, np.datetime64):  # in an array, it would overflow in silence
        return time.astype(DTYPES["date"])
    if getattr(time, "tzinfo", None) is None:
        return time
    return time.astimezone(UTC).replace(tzinfo=None)


def look_like(categories):
    """What all texts of a column look like: "dates", "numbers" or None."""
    texts = [key for key in categories.codes if key is not None]
    if not texts or not all(isinstance(text, str) for text in texts):
        return None
    if all(map(DATE.match, texts)):
        return "dates"
    # Whole numbers without separators may be names, such as postcodes.
    are_numbers = all(map(NUMBER.match, texts)) and any(map(SEPARATOR.search, texts))
    return "numbers" if are_numbers else None


def of_kind(values, kind, name):
    """Values of a column that held this kind in fit; raises ValueError for others."""
    if KINDS[values.dtype.kind] == kind:
        if kind == "number" and np.isinf(values).any():
            raise ValueError(f"Column {name!r} contains infinity.")
        return values
    if is_empty(values):
        return np.full(len(values), np.nan).astype(DTYPES[kind])
    others = (value for value in values if not isinstance(value, CLASSES[kind]))
    wrong = next((value for value in others if not is_missing(value)), values[0])
    are_texts = kind == "date" and isinstance(wrong, str)
    hint = " pandas.to_datetime turns texts into dates." if are_texts else ""
    raise ValueError(
        f"Column {name!r} must hold {kind}s, as it did in fit, got {wrong!r}.{hint}"
    )


def is_empty(values):
    """Whether values that were read are all missing."""
    return values.dtype.kind != "O" and np.isnan(values).all()


def as_key(value):
    """A category, the same for dates, durations or decimals of different libraries."""
    if isinstance(value, CLASSES["date"]):
        return np.datetime64(in_utc(value), "us")
    if isinstance(value, CLASSES["duration"]):
        unit, _ = np.datetime_data(getattr(value, "dtype", DTYPES["duration"]))
        return value if unit in NOT_EXACT else np.timedelta64(value, "us")
    return float(value) if isinstance(value, Decimal) else value


class Categories:
    """The codes of a column's values: 0, 1, ... as they appear; the last is for others.

    Missing values are one category.
    """

    def __init__(self, name, values):
        self.name = name
        keys = dict.fromkeys(self.keys(values))
        self.codes = {key: code for code, key in enumerate(keys)}

    def __getstate__(self):
        """The keys in a list, since skops writes the keys of a dict as texts."""
        return {"name": self.name, "keys": list(self.codes)}

    def __setstate__(self, state):
        self.name = state["name"]
        self.codes = {key: code for code, key in enumerate(state["keys"])}

    @property
    def n_codes(self):
        """The number of codes, with that for values that were not seen."""
        return len(self.codes) + 1

    def encode(self, values):
        """The codes of values."""
        find, other = self.codes.get, len(self.codes)
        codes = [find(key, other) for key in self.keys(values)]
        return np.array(codes, dtype=np.intp)

    def keys(self, values):
        """The values, None where they are missing; raises ValueError for lists."""
        keys = [None if is_missing(value) else value for value in values]
        try:
            if any(issubclass(one, WITH_TWINS) for one in set(map(type, keys))):
                keys = list(map(as_key, keys))
            hash(tuple(keys))
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                f"Column {self.name!r} must hold numbers, texts, dates or other single "
                f"values: {error}."
            ) from error
        return keys


def date_parts(values):
    """The day, with a fraction, and the month, weekday and hour, as floats."""
    missing = np.isnat(values)
    days = values.astype("datetime64[D]")
    parts = {
        "day": (values - FIRST_DAY) / DAY,
        "month": (values.astype("datetime64[M]").astype(np.int64) % 12).astype(float),
        "weekday": ((days.astype(np.int64) + 3) % 7).astype(float),
        "hour": ((values - days) / np.timedelta64(1, "h")).astype(float),
    }
    return {name: np.where(missing, np.nan, part) for name, part in parts.items()}


def as_numbers(values, kind):
    """The N_NUMBERS columns of numbers for a column that is not categorical."""
    if kind == "date":
        return date_parts(values).values()
    return [values / DAY if kind == "duration" else values]


class TableReader:
    """Reads tables that have the columns of the first."""

    @np.errstate(over="ignore")
    def __init__(self, X, categorical_features):
        columns = columns_of(X)
        self.names, self.kinds, self.categories = [name for name, _ in columns], [], {}
        self.texts_like = {"dates": [], "numbers": []}  # names of columns
        chosen = choose(self.names, categorical_features)
        for (name, column), is_chosen in zip(columns, chosen, strict=True):
            is_category = is_chosen or has_category_dtype(column)
            values = read_column(name, column, is_category)
            # One without any value holds categories: any may come in a prediction.
            takes_any = is_category or is_empty(values)
            kind = "category" if takes_any else KINDS[values.dtype.kind]
            if kind == "category":
                self.categories[name] = Categories(name, values)
                what = None if is_category else look_like(self.categories[name])
                if what:
                    self.texts_like[what].append(name)
            self.kinds.append(kind)

    @np.errstate(over="ignore")  # infinity is refused
    def read(self, X, estimator_name):
        """The Table of X; raises ValueError, which names the column that is wrong."""
        columns = columns_of(X)
        check_columns(columns, self.names, estimator_name)
        n_rows = len(columns[0][1])
        numbers = np.empty((sum(N_NUMBERS[kind] for kind in self.kinds), n_rows))
        codes = np.empty((len(self.categories), n_rows), np.intp)
        next_numbers, next_codes = iter(numbers), iter(codes)
        named = zip(self.names, columns, self.kinds, strict=True)
        for name, (_, column), kind in named:
            values = read_column(name, column, kind == "category")
            if kind == "category":
                next(next_codes)[:] = self.categories[name].encode(values)
                continue
            for part in as_numbers(of_kind(values, kind, name), kind):
                next(next_numbers)[:] = part
        return Table(numbers.T, codes.T)

    def make_encoder(self, n_knots):
        """The encoder, not fitted yet, for tables that were read."""
        n_codes = [categories.n_codes for categories in self.categories.values()]
        return TableEncoder(n_knots, n_codes)


class SparseReader:
    """Reads sparse matrices with as many columns as the first."""

    def __init__(self, X):
        if X.ndim != 2:
            raise ValueError(f"Expected 2D sparse matrix, got {X.ndim}D instead.")
        self.names, self.kinds = list(range(X.shape[1])), ["number"] * X.shape[1]
        self.categories, self.texts_like = {}, {}

    @np.errstate(over="ignore")  # infinity is refused
    def read(self, X, estimator_name):
        """The SparseTable of X."""
        X = check_array(
            X, accept_sparse="csr", dtype=np.float32, estimator=estimator_name
        )
        check_count(range(X.shape[1]), self.names, estimator_name)
        return SparseTable(csr_matrix(X))

    def make_encoder(self, n_knots):
        """The encoder, not fitted yet, for matrices that were read."""
        return SparseEncoder()


def make_reader(X, categorical_features):
    """The reader for tables like X."""
    return SparseReader(X) if issparse(X) else TableReader(X, categorical_features)


def check_count(names, expected, estimator_name):
    """Raise ValueError if a table has more or fewer columns than in fit."""
    if len(names) == len(expected):
        return
    message = (
        f"X has {len(names)} features, but {estimator_name} is expecting "
        f"{len(expected)} features as input."
    )
    if are_names(names) and are_names(expected):
        missing = [name for name in expected if name not in names]
        unexpected = [name for name in names if name not in expected]
        message += f" Missing: {missing}; not expected: {unexpected}."
    raise ValueError(message)


def are_names(names):
    """Whether names are other than the numbers 0, 1, ... of columns without names."""
    return list(names) != list(range(len(names)))


def check_columns(columns, expected, estimator_name):
    """Raise ValueError if a table has other columns than in fit.

    Names that are 0, 1, ... tell nothing, unless they are in another order.
    """
    names = [name for name, _ in columns]
    check_count(names, expected, estimator_name)
    if names == expected:
        return
    have_names = are_names(names) and are_names(expected)
    if not have_names and set(names) != set(expected):
        return
    i, name = next((i, e) for i, e in enumerate(expected) if e != names[i])
    raise ValueError(
        "The feature names should match those that were passed during fit, in the same "
        f"order: column {i} was {name!r}, got {names[i]!r}."
    )


def choose(names, categorical_features):
    """For each column, whether the parameter says that it is categorical."""
    if isinstance(categorical_features, str):  # "from_dtype"
        return [False] * len(names)
    chosen = list(categorical_features)
    if chosen and all(isinstance(c, bool | np.bool_) for c in chosen):
        if len(chosen) != len(names):
            raise ValueError(
                f"categorical_features must have {len(names)} items, a boolean for "
                f"each column, got {len(chosen)}."
            )
        return [bool(c) for c in chosen]
    places = dict(enumerate(range(len(names))))
    places |= {name: i for i, name in enumerate(names)}
    unknown = [c for c in chosen if not isinstance(c, Hashable) or c not in places]
    if unknown:
        raise ValueError(
            f"categorical_features names {unknown}, but the columns are {names}."
        )
    wanted = {places[c] for c in chosen}
    return [i in wanted for i in range(len(names))]
