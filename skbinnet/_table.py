"""A table: the columns of a data frame, an array or a list, as numbers and texts."""

import numpy as np
from scipy.sparse import issparse

DAY = np.timedelta64(1, "D")
FIRST_DAY = np.datetime64("1970-01-01")


def columns_of(X):
    """Pairs (name, column) of a data frame, or (number, column) of rows."""
    if issparse(X):
        raise TypeError(
            "Sparse data was passed, but a dense table is required. For sparse rows, "
            "take BinaryMLPClassifier."
        )
    names = getattr(X, "columns", None)
    if hasattr(X, "column_names"):  # pyarrow
        names = X.column_names
    if names is not None:
        columns, n_rows = [(name, X[name]) for name in list(names)], len(X)
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
    kind = getattr(getattr(column, "dtype", None), "kind", None)
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


def read_texts(values):
    """Values as texts, None where they are missing."""
    texts = [None if is_missing(value) else str(value) for value in values]
    return np.array(texts, dtype=object)


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
    """Reads tables with the columns of the first; says what is wrong with others."""

    def __init__(self, columns, categorical_features):
        self.names = [name for name, _ in columns]
        chosen = choose(self.names, categorical_features)
        self.kinds = [
            kind_of(column, is_chosen)
            for (_, column), is_chosen in zip(columns, chosen, strict=True)
        ]

    def read(self, columns):
        """Arrays of numbers, NaN where they are missing, and of texts, or None."""
        numbers, texts = [], []
        for (name, column), kind in zip(columns, self.kinds, strict=True):
            values = read_values(column)
            if kind == "text":
                texts.append(read_texts(values))
            elif kind == "date":
                numbers += date_parts(values.astype("datetime64[ns]")).values()
            elif kind == "duration":
                numbers.append(values.astype("timedelta64[ns]") / DAY)
            else:
                numbers.append(self.check_numbers(read_numbers(values), name))
        n_rows = len(columns[0][1])
        return stack(numbers, n_rows, np.float64), stack(texts, n_rows, object)

    def check_numbers(self, values, name):
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
    """What a column holds: "number", "text", "date" or "duration"."""
    if is_category or has_category_dtype(column):
        return "text"
    values = read_values(column)
    if values.dtype.kind in "Mm":
        return "date" if values.dtype.kind == "M" else "duration"
    return "text" if read_numbers(values) is None else "number"


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
