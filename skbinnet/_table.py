"""A table: the columns of a data frame, an array or a list, as numbers and codes."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import check_array

from ._encoding import SparseEncoder, TableEncoder

DAY = np.timedelta64(1, "D")
FIRST_DAY = np.datetime64("1970-01-01")


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
    rows = np.asarray(X)
    if rows.dtype.kind in "US":  # NumPy makes texts of numbers that stand beside texts
        rows = np.asarray(X, dtype=object)
    if rows.ndim != 2:
        raise ValueError(
            f"Expected 2D array or a data frame, got {rows.ndim}D array instead. "
            "Reshape your data."
        )
    if rows.dtype.kind == "c":
        raise ValueError("Complex data not supported.")
    return rows


def has_category_dtype(column):
    """Whether a data frame says that a column holds categories."""
    dtype = str(getattr(column, "dtype", ""))
    return dtype.startswith(("category", "Categorical", "Enum", "dictionary"))


def read_values(column):
    """A column as an array of floats, dates, time differences or objects."""
    dtype = getattr(column, "dtype", None)
    kind = getattr(dtype, "kind", None)
    if isinstance(dtype, np.dtype) and kind in "fiub":
        return np.asarray(column, dtype=np.float64)
    if hasattr(column, "to_numpy"):
        if kind is not None and kind in "biuf":  # pandas, whose integers may be missing
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        if kind == "M":  # pandas; times with a time zone become UTC
            return column.to_numpy(dtype="datetime64[ns]")
        column = column.to_numpy()
    values = np.asarray(column)
    return values.astype(np.float64) if values.dtype.kind in "biuf" else values


def is_missing(value):
    """Whether a value is None, NaN, NaT or pandas.NA."""
    if type(value) is str:
        return False
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and value != value


def is_number(value):
    """Whether a value is a real number or a boolean."""
    return isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating)


def read_numbers(values):
    """Values as floats, NaN where they are missing; None if some are no numbers."""
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind != "O":
        return None
    missing = np.array([is_missing(value) for value in values], dtype=bool)
    if not all(map(is_number, values[~missing])):
        return None
    numbers = np.full(len(values), np.nan)
    numbers[~missing] = values[~missing].astype(np.float64)
    return numbers


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
            hash(tuple(keys))
        except TypeError as error:
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


class TableReader:
    """Reads tables that have the columns of the first."""

    def __init__(self, X, categorical_features):
        columns = columns_of(X)
        self.names = [name for name, _ in columns]
        chosen = choose(self.names, categorical_features)
        self.kinds = [
            kind_of(column, is_chosen)
            for (_, column), is_chosen in zip(columns, chosen, strict=True)
        ]
        self.categories = {
            name: Categories(name, read_values(column))
            for (name, column), kind in zip(columns, self.kinds, strict=True)
            if kind == "category"
        }

    def read(self, X, estimator_name):
        """The Table of X; raises ValueError, which names the column that is wrong."""
        columns, numbers, codes = columns_of(X), [], []
        check_columns(columns, self.names, estimator_name)
        for (name, column), kind in zip(columns, self.kinds, strict=True):
            values = read_values(column)
            if kind == "category":
                codes.append(self.categories[name].encode(values))
            elif kind == "date":
                numbers += date_parts(as_times(values, "datetime64[ns]", name)).values()
            elif kind == "duration":
                numbers.append(as_times(values, "timedelta64[ns]", name) / DAY)
            else:
                numbers.append(check_numbers(read_numbers(values), name))
        n_rows = len(columns[0][1])
        return Table(stack(numbers, n_rows, np.float64), stack(codes, n_rows, np.intp))

    def make_encoder(self, n_knots):
        """The encoder, not fitted yet, for tables that were read."""
        n_codes = [categories.n_codes for categories in self.categories.values()]
        return TableEncoder(n_knots, n_codes)


class SparseReader:
    """Reads sparse matrices with as many columns as the first."""

    def __init__(self, X):
        self.names = list(range(X.shape[1]))

    def read(self, X, estimator_name):
        """The SparseTable of X."""
        X = check_array(
            X, accept_sparse="csr", dtype=np.float32, estimator=estimator_name
        )
        check_count(X.shape[1], self.names, estimator_name)
        return SparseTable(csr_matrix(X))

    def make_encoder(self, n_knots):
        """The encoder, not fitted yet, for matrices that were read."""
        return SparseEncoder()


def make_reader(X, categorical_features):
    """The reader for tables like X."""
    return SparseReader(X) if issparse(X) else TableReader(X, categorical_features)


def check_count(n_features, names, estimator_name):
    """Raise ValueError if a table has more or fewer columns than in fit."""
    if n_features != len(names):
        raise ValueError(
            f"X has {n_features} features, but {estimator_name} is expecting "
            f"{len(names)} features as input."
        )


def check_columns(columns, expected, estimator_name):
    """Raise ValueError if a table has other columns than in fit."""
    check_count(len(columns), expected, estimator_name)
    names = [name for name, _ in columns]
    are_named = isinstance(expected[0], str) and isinstance(names[0], str)
    if are_named and names != expected:
        raise ValueError(
            "The feature names should match those that were passed during fit, in the "
            f"same order: expected {expected}, got {names}."
        )


def as_times(values, dtype, name):
    """Values as dates or durations; raises ValueError for others."""
    if values.dtype.kind == "f" and np.isnan(values).all():
        values = np.full(len(values), "NaT", dtype)
    try:
        return values.astype(dtype)
    except (ValueError, TypeError) as error:
        kind = "dates" if dtype.startswith("date") else "durations"
        raise ValueError(
            f"Column {name!r} must hold {kind}, as it did in fit: {error}."
        ) from error


def check_numbers(values, name):
    """Raise ValueError, with the column's name, for texts and infinity."""
    if values is None:
        raise ValueError(f"Column {name!r} must hold numbers, as it did in fit.")
    if np.isinf(values).any():
        raise ValueError(f"Column {name!r} contains infinity.")
    return values


def stack(columns, n_rows, dtype):
    """Columns side by side; there may be none."""
    return np.array(columns, dtype=dtype).reshape(len(columns), n_rows).T


def kind_of(column, is_category):
    """What a column holds: "number", "category", "date" or "duration"."""
    if is_category or has_category_dtype(column):
        return "category"
    values = read_values(column)
    if values.dtype.kind in "Mm":
        return "date" if values.dtype.kind == "M" else "duration"
    return "category" if read_numbers(values) is None else "number"


def choose(names, categorical_features):
    """For each column, whether the parameter says that it is categorical."""
    if isinstance(categorical_features, str):  # "from_dtype"
        return [False] * len(names)
    chosen = list(categorical_features)
    if all(isinstance(c, bool | np.bool_) for c in chosen):
        if len(chosen) != len(names):
            raise ValueError(
                f"categorical_features must have {len(names)} items, a boolean for "
                f"each column, got {len(chosen)}."
            )
        return [bool(c) for c in chosen]
    places = dict(enumerate(range(len(names))))
    places |= {name: i for i, name in enumerate(names)}
    unknown = [c for c in chosen if c not in places]
    if unknown:
        raise ValueError(
            f"categorical_features names {unknown}, but the columns are {names}."
        )
    wanted = {places[c] for c in chosen}
    return [i in wanted for i in range(len(names))]
