"""A graph of ONNX, and the views of a table as its operations.

The functions have the names of what they repeat in _table.py and _encoding.py.
"""

from numbers import Integral

import numpy as np
from onnx import defs, numpy_helper
from skl2onnx.common.data_types import StringTensorType

from ._encoding import IDENTITY, MAX_Z, SparseEncoder
from ._table import CLASSES, DTYPES, LARGEST_EXACT, as_key, in_utc, is_missing

OPSETS = {"": 18, "ai.onnx.ml": 2}  # not the newest: a runtime may be older than onnx
MISSING = ("nan", "", "None", "NaT", "<NA>")  # texts that stand for a missing value
DAY = np.float64(86_400)  # in seconds
HOUR_US, DAY_US = np.float64(3.6e9), np.float64(8.64e10)  # in microseconds
# The month of each day in 400 years, after which the months begin anew.
DAYS = np.arange("1970-01-01", "2370-01-01", dtype="datetime64[D]")
MONTHS = DAYS.astype("datetime64[M]").astype(np.int64) % 12.0


class Graph:
    """A graph that operations are added to; each call returns the name of a result."""

    def __init__(self, scope, container):
        self.scope, self.container, self.constants = scope, container, {}

    def __call__(self, operation, *inputs, domain="", **attributes):
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        result = self.scope.get_unique_variable_name(operation)
        self.add(operation, names, result, domain, **attributes)
        return result

    def add(self, operation, inputs, result, domain="", **attributes):
        """Add an operation whose result has a name already."""
        newest = min(OPSETS[domain], self.container.target_opset)
        version = defs.get_schema(operation, newest, domain).since_version
        self.container.add_node(
            operation, inputs, result, domain, version, name=result, **attributes
        )

    def constant(self, array):
        """The name of an array, which becomes a part of the graph."""
        array = np.asarray(array, order="C")
        if array.dtype.kind == "U":
            array = array.astype(object)
        value = numpy_helper.from_array(array)
        known = value.SerializeToString()
        if known not in self.constants:
            self.constants[known] = self("Constant", value=value)
        return self.constants[known]

    def cast(self, x, dtype):
        """x in another dtype."""
        return self("Cast", x, to=numpy_helper.from_array(np.empty(0, dtype)).data_type)

    def concat(self, parts, axis=1):
        """Arrays side by side."""
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=axis)

    def columns(self, x, columns):
        """Some columns of x."""
        return self("Gather", x, np.asarray(columns, np.int64), axis=1)

    def find(self, x, keys, values, default):
        """The value, an integer, for each key in x; keys are integers or texts."""
        kind = "strings" if isinstance(keys[0], str) else "int64s"
        return self(
            "LabelEncoder",
            x,
            domain="ai.onnx.ml",
            values_int64s=values,
            default_int64=default,
            **{f"keys_{kind}": keys},
        )

    def set_outputs(self, operator, *results):
        """Make results the outputs of an operator."""
        for variable, result in zip(operator.outputs, results, strict=True):
            self.add("Identity", [result], variable.full_name)


# ---- columns of a table


def joined(graph, inputs, dtype):
    """The columns of all inputs, in one dtype."""
    return graph.concat([graph.cast(x.full_name, dtype) for x in inputs])


def read(graph, inputs, reader):
    """The numbers (n_rows, n_numbers), or None, and a list of the codes (n_rows,)."""
    if set(reader.kinds) == {"number"}:
        return joined(graph, inputs, np.float64), []
    numbers, codes = [], []
    columns = split(graph, inputs, len(reader.names))
    for name, kind, (x, x_type) in zip(
        reader.names, reader.kinds, columns, strict=True
    ):
        if kind == "category":
            codes.append(encode(graph, x, x_type, reader.categories[name]))
        elif kind == "number":
            numbers.append(graph.cast(x, np.float64))
        elif isinstance(x_type, StringTensorType):
            raise ValueError(
                f"Column {name!r} held {kind}s in fit, but texts are declared for it. "
                "Fit the model on a data frame: it has an input for each column."
            )
        else:
            numbers += as_numbers(graph, graph.cast(x, np.float64), kind)
    return graph.concat(numbers) if numbers else None, codes


def split(graph, inputs, n_columns):
    """Pairs (name, type) of the columns, from one input for each or for all."""
    if len(inputs) == n_columns:
        return [(x.full_name, x.type) for x in inputs]
    if len(inputs) > 1:
        raise ValueError(f"Expected {n_columns} inputs, got {len(inputs)}.")
    x = inputs[0]
    return [(graph.columns(x.full_name, [j]), x.type) for j in range(n_columns)]


def as_numbers(graph, x, kind):
    """The numbers for dates or durations, which come in seconds."""
    if kind == "date":
        return date_parts(graph, x)
    return [graph("Div", in_microseconds(graph, x), DAY_US)]


def date_parts(graph, x):
    """The day, with a fraction, and the month, weekday and hour."""
    in_day = floor_mod(graph, x, DAY)
    day = graph("Div", graph("Sub", x, in_day), DAY)
    place = floor_mod(graph, day, np.float64(len(MONTHS)))
    is_missing = graph("IsNaN", x)
    place = graph.cast(graph("Where", is_missing, 0.0, place), np.int64)
    month = graph("Where", is_missing, np.nan, graph("Gather", MONTHS, place))
    weekday = floor_mod(graph, graph("Add", day, 3.0), np.float64(7))
    hour = graph("Div", in_microseconds(graph, in_day), HOUR_US)
    return [graph("Div", in_microseconds(graph, x), DAY_US), month, weekday, hour]


def in_microseconds(graph, x):
    """Seconds as a whole number of microseconds.

    fit divides whole microseconds too. A quotient that differed from that of fit, if
    only in its last bit, might not be equal to a frequent value.
    """
    return graph("Round", graph("Mul", x, 1e6))


def floor_mod(graph, x, divisor):
    """x mod divisor, not negative and without rounding."""
    rest = graph("Mod", x, divisor, fmod=1)
    is_negative = graph("Less", rest, 0.0)
    return graph("Where", is_negative, graph("Add", rest, divisor), rest)


def encode(graph, x, x_type, categories):
    """The codes of a column's values."""
    x = graph("Reshape", x, [-1])
    if isinstance(x_type, StringTensorType):
        return text_codes(graph, x, categories)
    return number_codes(graph, graph.cast(x, np.float64), categories)


def codes_of(as_input, categories):
    """The code of each category, as as_input converts it.

    Raises ValueError if two categories, or one and a missing value, become the same.
    """
    codes = {as_input(None): categories.codes.get(None, categories.n_codes - 1)}
    for category, code in categories.codes.items():
        value = as_input(category)
        if codes.setdefault(value, code) != code:
            raise ValueError(
                f"Column {categories.name!r} holds {category!r}, which becomes "
                f"{value!r} in ONNX, as another value or a missing one does: replace "
                "one of them."
            )
    return codes


def text_codes(graph, x, categories):
    """The codes of texts."""
    codes = codes_of(as_text, categories)
    codes = dict.fromkeys(MISSING, codes[MISSING[0]]) | codes
    return graph.find(x, list(codes), list(codes.values()), categories.n_codes - 1)


def number_codes(graph, x, categories):
    """The codes of numbers, or of dates or durations in seconds."""
    for key in categories.codes:
        is_integer = kind_of(key) == "number" and isinstance(key, Integral)
        if is_integer and abs(key) >= LARGEST_EXACT:
            raise ValueError(
                f"Column {categories.name!r} holds {key!r}, which float64 cannot tell "
                "from its neighbours: for ONNX, make texts of its values."
            )
    other = categories.n_codes - 1
    codes = codes_of(as_number, categories)
    missing = codes.pop(np.nan)  # as_number returns this very object
    keys = np.array(sorted(codes) or [0.0])
    values = np.array([codes.get(key, other) for key in keys])
    key, code = last_entries(graph, x, keys, values)
    code = graph("Where", graph("Equal", key, x), code, other)
    return graph("Where", graph("IsNaN", x), missing, code)


def kind_of(value):
    """The kind of a single value."""
    kinds = (kind for kind, classes in CLASSES.items() if isinstance(value, classes))
    return next(kinds, "category")


def as_text(value):
    """A value as a text; numbers or dates that are equal give the same."""
    if is_missing(value):
        return MISSING[0]
    return str(float(value) if kind_of(value) == "number" else as_key(value))


def holds_texts(categories):
    """Whether any value is neither a number, nor a date or duration, nor missing."""
    return any(np.isnan(as_number(key)) for key in categories if key is not None)


def as_number(value):
    """A number, or a date or duration in seconds, as a float; others are NaN."""
    kind = kind_of(value)
    if is_missing(value) or kind == "category":
        return np.nan
    if kind != "number":
        value = in_seconds(np.asarray(in_utc(value), DTYPES[kind]))
    return float(value)


def in_seconds(times):
    """Dates, since 1970, or durations in seconds."""
    microseconds = times.astype(f"{times.dtype.kind}8[us]").view(np.int64)
    return np.where(np.isnat(times), np.nan, microseconds / 1e6)


def last_entries(graph, x, keys, *tables):
    """The entries of keys and tables for the last key <= x, or else for the first key.

    The keys (m,) ascend for x (n,), the rows of the keys (d, m) for x (n, d).
    """
    m = keys.shape[-1]
    step = 1 << (m - 1).bit_length()
    padding = [(0, 0)] * (keys.ndim - 1) + [(0, step - m)]
    padded = np.pad(keys, padding, constant_values=np.inf).ravel()
    place, padded = np.arange(0, padded.size, step), graph.constant(padded)
    while step > 1:  # binary search
        step //= 2
        next_place = graph("Add", place, step)
        is_below = graph("LessOrEqual", graph("Gather", padded, next_place), x)
        place = graph("Where", is_below, next_place, place)
    # Infinity is not less than the padding: it finds the last entry there too.
    tables = (np.pad(table, padding, "edge").ravel() for table in (keys, *tables))
    return [graph("Gather", table, place) for table in tables]


# ---- views of a table


def view_parts(graph, numbers, codes, encoder):
    """The parts of the views by their names, and those that every view has."""
    parts, shared = {}, []
    if encoder.numbers:
        parts, missing = number_parts(graph, numbers, encoder.numbers)
        shared += missing
    for code, (columns, n) in zip(codes, encoder.one_hot, strict=True):
        column = graph("Gather", columns.astype(np.int64), code)
        shared.append(graph("Gather", IDENTITY[:, :n], column))
    return parts, shared + statistics(graph, codes, encoder.statistics)


def number_parts(graph, numbers, encoder):
    """The parts of Numbers, and indicators of missing values where there are any."""
    is_nan = graph("IsNaN", numbers)
    z = z_scores(graph, numbers, is_nan, encoder)
    parts = {"scores": squash(graph, z), "ranks": ranks(graph, z, encoder)}
    if encoder.uneven:
        columns = graph.columns(z, encoder.uneven)
        parts["ramps"] = ramps(graph, columns, encoder.make_ramps)
    if encoder.value_columns.size:
        columns = graph.columns(z, encoder.value_columns)
        values = graph.cast(graph("Equal", columns, encoder.frequent), np.float32)
        parts["values"] = graph("Sub", values, encoder.frequencies)
    if not encoder.has_missing.any():
        return parts, []
    (has_missing,) = np.nonzero(encoder.has_missing)
    return parts, [graph.cast(graph.columns(is_nan, has_missing), np.float32)]


def z_scores(graph, numbers, is_nan, encoder):
    """What Numbers.z_scores computes."""
    half = encoder.exponents // 2  # 2^exponent itself may overflow
    for exponents in (half, encoder.exponents - half):
        numbers = graph("Mul", numbers, np.ldexp(1.0, exponents))
    filled = graph("Where", is_nan, encoder.medians, numbers)
    z = graph("Div", graph("Sub", filled, encoder.means), encoder.scales)
    return graph.cast(graph("Clip", z, -MAX_Z, MAX_Z), np.float32)


def squash(graph, z):
    """What squash computes."""
    ratio = graph("Div", z, np.float32(3))
    root = graph("Sqrt", graph("Add", graph("Mul", ratio, ratio), np.float32(1)))
    return graph("Div", z, root)


def ranks(graph, z, encoder):
    """What Numbers.ranks computes: scores interpolated between the quantiles."""
    x, f = encoder.quantiles, encoder.normal_scores
    widths, heights = np.diff(x), np.diff(f)
    slopes = np.divide(heights, widths, out=np.zeros_like(widths), where=widths > 0)
    slopes = np.pad(slopes, [(0, 0), (0, 1)])
    z = graph("Max", graph("Min", graph.cast(z, np.float64), x[:, -1]), x[:, 0])
    x, f, slope = last_entries(graph, z, x, f, slopes)
    rise = graph("Mul", slope, graph("Sub", z, x))
    return graph.cast(graph("Add", f, rise), np.float32)


def statistics(graph, codes, encoder):
    """What Statistics computes, as a list."""
    columns = [codes[j] for j in encoder.many]
    for (i, j), known in zip(encoder.pairs, encoder.known, strict=True):
        pair = graph("Add", graph("Mul", codes[i], encoder.n_codes[j]), codes[j])
        columns.append(graph.find(pair, known, np.arange(len(known)), len(known)))
    tables = zip(encoder.tables, columns, strict=True)
    return [graph("Gather", table, column) for table, column in tables]


def scaled_rows(graph, inputs, encoder):
    """What SparseEncoder computes."""
    single = joined(graph, inputs, np.float32)
    scaled = graph("Div", graph.cast(single, np.float64), encoder.scales)
    return graph.cast(graph("Clip", scaled, -MAX_Z, MAX_Z), np.float32)


def views(graph, inputs, model):
    """The rows of each view."""
    encoder = model.encoder_
    if isinstance(encoder, SparseEncoder):
        return [scaled_rows(graph, inputs, encoder)]
    parts, shared = view_parts(graph, *read(graph, inputs, model._reader), encoder)
    found = ([parts[name] for name in view if name in parts] for view in encoder.views)
    return [graph.concat(own + shared) for own in found]


def ramps(graph, X, make_ramps):
    """What Ramps computes."""
    steep = graph("Mul", graph.columns(X, make_ramps.columns), make_ramps.scales)
    steep = graph("Div", graph("Sub", steep, make_ramps.starts), make_ramps.widths)
    bounds = np.array([0, 1], make_ramps.means.dtype)
    return graph("Sub", graph("Clip", steep, *bounds), make_ramps.means)
