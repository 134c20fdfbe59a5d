"""Conversion to ONNX, with the packages of the extra `deploy`.

Importing this module registers the estimators with skl2onnx, so that `to_onnx` converts
them, alone or in a pipeline. It also lets `to_onnx` take data frames that skl2onnx
alone cannot read, such as those with dates and those of polars.
"""

import functools
import inspect
import re
import warnings

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra import type_helper
from skl2onnx.common._topology import Topology
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from skl2onnx.common.utils_classifier import get_label_classes
from sklearn.utils.validation import check_is_fitted

from ._classifier import BinaryMLPClassifier
from ._encoding import PiecewiseLinearEncoder, Ramps
from ._onnx import (
    Graph,
    as_number,
    as_text,
    holds_texts,
    in_seconds,
    joined,
    ramps,
    views,
)
from ._table import check_count, columns_of, is_missing, read_column, read_rows
from ._tabular import TabularMLPClassifier

__all__ = ["to_inputs"]

TEXTS = "tensor(string)"  # the type of an input
FLOATS = {"double": "float64", "float": "float32"}  # by their names in such a type
FUNCTIONS = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def to_inputs(session, X):
    """The inputs for the `run` method of an onnxruntime session.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        A session with a converted model.

    X : data frame or array-like of shape (n_samples, n_features)
        Rows, with the columns that the model was converted with.

    Returns
    -------
    inputs : dict of {str: ndarray}
        For a data frame an array of shape (n_samples, 1) for each column; for an array
        that array. Texts are objects, "nan" where they are missing. Dates are seconds
        since 1970 in UTC, durations are seconds, and both are NaN where they are
        missing, like other numbers.

    Raises
    ------
    ValueError
        If the columns are not those of the session, or cannot be read.
    """
    inputs = session.get_inputs()
    if len(inputs) == 1 and not hasattr(X, "columns"):
        return {inputs[0].name: as_tensor("X", read_rows(X), inputs[0].type)}
    columns = columns_of(X)
    check_names(session, [name for name, _ in columns])
    tensors = {}
    for (name, column), one in zip(columns, inputs, strict=True):
        values = read_column(name, column, is_category=one.type == TEXTS)
        tensors[one.name] = as_tensor(name, values[:, None], one.type)
    return tensors


def nonempty_name(name):
    """The name of a column as the text, not empty, that skl2onnx asks for."""
    return str(name) or "_"


def onnx_names(names):
    """The names that skl2onnx gives to the inputs of columns, none of them twice."""
    taken = set()
    return [
        Topology._generate_unique_name(nonempty_name(name), taken) for name in names
    ]


def check_names(session, names):
    """Raise ValueError if the inputs of a session are not those of columns.

    skl2onnx adds a number to the name of an input that is the name of an output too.
    """
    expected = [one.name for one in session.get_inputs()]
    names, outputs = onnx_names(names), {one.name for one in session.get_outputs()}
    patterns = [re.escape(name) + r"\d+" * (name in outputs) for name in names]
    if len(names) != len(expected) or not all(map(re.fullmatch, patterns, expected)):
        raise ValueError(f"The model expects the columns {expected}, got {names}.")


def as_tensor(name, values, input_type):
    """Values as onnxruntime takes them for an input."""
    if input_type == TEXTS:
        texts = list(map(as_text, values.flat))
        return np.array(texts, dtype=object).reshape(values.shape)
    dtype = re.fullmatch(r"tensor\((.*)\)", input_type)[1]
    values = read_numbers(name, values)
    with np.errstate(invalid="ignore"):  # the comparison finds what is not kept
        tensor = values.astype(FLOATS.get(dtype, dtype))
    if tensor.dtype.kind in "biu" and (tensor != values).any():
        wrong = values[tensor != values][0]
        raise ValueError(f"{name!r} must hold values of dtype {dtype}, got {wrong!r}.")
    return tensor


def read_numbers(name, values):
    """Values as numbers, times in seconds; raises ValueError for texts."""
    if values.dtype.kind in "mM":
        return in_seconds(values)
    if values.dtype.kind != "O":
        return values
    numbers = np.array(list(map(as_number, values.flat)))
    for value in values.flat[np.isnan(numbers)]:
        if not is_missing(value):
            raise ValueError(
                f"{name!r} must hold numbers, dates or durations, got {value!r}."
            )
    return numbers.reshape(values.shape)


# ---- networks


def dtype_of(inputs):
    """float32 if all inputs are, otherwise float64."""
    are_single = all(isinstance(x.type, FloatTensorType) for x in inputs)
    return np.dtype(np.float32 if are_single else np.float64)


def tensor_type(dtype):
    """The type of skl2onnx for a dtype."""
    types = {"i": Int64TensorType, "U": StringTensorType, "f": DoubleTensorType}
    return FloatTensorType if dtype == np.float32 else types[dtype.kind]


def logits(graph, A, networks, dtype):
    """z for each network, each row of A and the one output.

    The networks have equal layers, so each is a slice of one array of weights.
    """
    last = len(networks[0].coefs_) - 1
    activation = FUNCTIONS.get(networks[0].activation)  # None: the identity
    for layer in range(last + 1):
        W = np.array([network.coefs_[layer] for network in networks], dtype)
        b = np.array([network.intercepts_[layer] for network in networks], dtype)
        A = graph("Add", graph("MatMul", A, W), b[:, None])
        if activation and layer < last:
            A = graph(activation, A)
    return A


def of_both_classes(graph, z):
    """-z and z, the logits of both classes."""
    return graph.concat([graph("Neg", z), z], axis=-1)


def wants_logits(scope, model):
    """Whether logits are asked for in place of probabilities, as calibration does."""
    return scope.get_options(model, {"raw_scores": False})["raw_scores"]


def choose_labels(graph, model, is_positive):
    """The label of each row."""
    labels = known_labels(get_label_classes(graph.scope, model))
    return graph("Gather", labels, graph.cast(is_positive, np.int64))


def known_labels(labels):
    """Labels as integers or texts: ONNX knows no others."""
    return labels.astype(np.int64 if labels.dtype.kind in "biuf" else str)


def set_classifier_types(operator):
    """Set the types of the labels and the probabilities: those have the rows' dtype."""
    labels = get_label_classes(operator.scope_inst, operator.raw_operator)
    operator.outputs[0].type = tensor_type(known_labels(labels).dtype)([None])
    operator.outputs[1].type = tensor_type(dtype_of(operator.inputs))([None, 2])


def convert_network(scope, operator, container):
    """A BinaryMLPClassifier, which computes in the dtype of its rows."""
    graph, model = Graph(scope, container), operator.raw_operator
    dtype = dtype_of(operator.inputs)
    rows = joined(graph, operator.inputs, dtype)
    z = logits(graph, rows, [model], dtype)
    is_positive = graph("Greater", graph("Reshape", z, [-1]), dtype.type(0))
    scores = graph("Squeeze", of_both_classes(graph, z), [0])
    if not wants_logits(scope, model):
        scores = graph("Sigmoid", scores)
    graph.set_outputs(operator, choose_labels(graph, model, is_positive), scores)


def set_ramp_types(operator):
    """Ramps have the dtype of the features."""
    n_ramps = len(operator.raw_operator.means_)
    operator.outputs[0].type = tensor_type(dtype_of(operator.inputs))([None, n_ramps])


def convert_ramps(scope, operator, container):
    """A PiecewiseLinearEncoder."""
    graph, encoder = Graph(scope, container), operator.raw_operator
    dtype = dtype_of(operator.inputs)
    rows = joined(graph, operator.inputs, dtype)
    make_ramps = Ramps(encoder.knots_, encoder.means_, dtype)
    graph.set_outputs(operator, ramps(graph, rows, make_ramps))


def convert_mixture(scope, operator, container):
    """A TabularMLPClassifier."""
    graph, model = Graph(scope, container), operator.raw_operator
    rows_of_views, terms = views(graph, operator.inputs, model), []
    parts = zip(rows_of_views, model.view_weights_, model.estimators_, strict=True)
    for rows, weight, networks in parts:
        if networks:
            z = logits(graph, rows, networks, networks[0].coefs_[0].dtype)
            p = graph("Sigmoid", of_both_classes(graph, z))
            p = graph.cast(p, np.float64)
            mean = graph("ReduceSum", p, [0], keepdims=0)
            terms.append(graph("Mul", mean, weight / len(networks)))
    p = graph("Sum", *terms)
    p = graph("Div", p, graph("ReduceSum", p, [1], keepdims=1))
    negative, positive = (graph("Gather", p, j, axis=1) for j in (0, 1))
    is_positive = graph("Greater", positive, negative)
    if wants_logits(scope, model):
        log_p = graph("Log", graph("Max", p, np.finfo(np.float64).tiny))
        p = graph("Sub", log_p, graph.columns(log_p, [1, 0]))
    p = graph.cast(p, dtype_of(operator.inputs))
    graph.set_outputs(operator, choose_labels(graph, model, is_positive), p)


# ---- registration


def type_of_column(name, column):
    """The type of a column of a data frame: texts, or numbers; times become numbers."""
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return type_helper._guess_numpy_type(dtype, [None, 1])
    column = getattr(getattr(column, "cat", None), "categories", column)  # of pandas
    kind = read_column(name, column[:1], is_category=False).dtype.kind
    if kind == "f":  # the first value is missing or a number: the dtype decides
        kind = getattr(getattr(column, "dtype", None), "kind", kind)
    return (StringTensorType if kind == "O" else DoubleTensorType)([None, 1])


def guess_types(X, initial_types=None):
    """What skl2onnx guesses, or what we read from a data frame that it cannot read."""
    if initial_types is not None or not hasattr(X, "columns"):
        return guess_initial_types(X, initial_types)
    try:
        # skl2onnx asks for `.values`, about which pandas warns if there are time zones.
        with warnings.catch_warnings(action="ignore"):
            types = guess_initial_types(X)
    except (NotImplementedError, TypeError):  # such as dates, or a frame of polars
        types = [(name, type_of_column(name, x)) for name, x in columns_of(X)]
    return [(nonempty_name(name), input_type) for name, input_type in types]


def parse_table_classifier(scope, model, inputs, custom_parsers=None):
    """Declare the columns of a raw table by what they held in fit.

    skl2onnx guesses from the first row, whose values may be missing. Columns of
    integers become floats, because others of their values may be missing.
    """
    outputs = parse_classifier(scope, model, inputs)
    kinds, categories = model.column_kinds_, model.categories_
    if len(inputs) == len(kinds) and all(x.is_root for x in inputs):
        for x, name in zip(inputs, kinds, strict=True):
            if name in categories and holds_texts(categories[name]):
                x.set_type(StringTensorType([None, 1]))
            elif not isinstance(x.type, FloatTensorType):
                x.set_type(DoubleTensorType([None, 1]))
    return outputs


def check_inputs(model, inputs):
    """Raise ValueError if a model was fitted on other columns than those declared."""
    check_is_fitted(model)
    if not all(x.is_root for x in inputs):  # another step of a pipeline makes them
        return
    shapes = [x.type.shape for x in inputs]
    if all(len(shape) == 2 and shape[1] for shape in shapes):
        columns = range(sum(n_columns for _, n_columns in shapes))
        check_count(columns, range(model.n_features_in_), type(model).__name__)
    names = getattr(model, "feature_names_in_", None)
    if names is None or len(inputs) == 1:  # a single input is an array of any name
        return
    expected, declared = onnx_names(names), onnx_names(x.raw_name for x in inputs)
    if declared != expected:
        raise ValueError(f"The model expects the columns {expected}, got {declared}.")


def parse_classifier(scope, model, inputs, custom_parsers=None):
    """Declare the labels, and an array of probabilities, whatever `zipmap` is.

    A dict for each row, as other models have by default, could hold float32 only.
    """
    check_inputs(model, inputs)
    operator = scope.declare_local_operator(f"Skbinnet{type(model).__name__}", model)
    operator.inputs = inputs
    for name in ("label", "probabilities"):
        variable = scope.declare_local_variable(name, DoubleTensorType())
        operator.outputs.append(variable)
    return operator.outputs


# to_onnx looks the function up in this module whenever it is called.
guess_initial_types = inspect.unwrap(type_helper.guess_initial_types)
type_helper.guess_initial_types = functools.wraps(guess_initial_types)(guess_types)
for estimator, parse, convert in (
    (BinaryMLPClassifier, parse_classifier, convert_network),
    (TabularMLPClassifier, parse_table_classifier, convert_mixture),
):
    update_registered_converter(
        estimator,
        f"Skbinnet{estimator.__name__}",
        set_classifier_types,
        convert,
        parser=parse,
        options={name: [True, False] for name in ("zipmap", "nocl", "raw_scores")},
    )
update_registered_converter(
    PiecewiseLinearEncoder, "SkbinnetRamps", set_ramp_types, convert_ramps
)
