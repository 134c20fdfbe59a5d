"""The checks of exercise_backpropagation.py. Read them later: they tell the answers.

What is expected is computed from the forward pass alone: where f(v + ih) differs from
f(v) by ih f'(v), up to h squared, the imaginary part over h is the derivative (Squire
and Trapp, 1998). A wrong answer is compared with the usual slips, each a wrong formula.

Names are those of the exercise. A case `c` holds, by name, the values that functions
are called with and those that they should return: numbers for one row, or matrices. A
blank is called by its function and, if that has several, its output: "forward: z1".
"""

import inspect
import linecache
import re
import sys
import traceback
from types import CodeType, FunctionType, SimpleNamespace
from typing import NamedTuple

import numpy as np

from skbinnet import BinaryMLPClassifier

BLANK = re.compile(r"(?:= |return |\[)\.\.\.(?![\],])")


# ---- what is expected


def relu(z):
    return np.where(np.real(z) >= 0, z, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cross_entropy(y, p):
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def derivative(f, value):
    """The derivative of f with respect to each entry, exact up to rounding."""
    value = np.asarray(value, dtype=complex)
    result = np.empty(value.shape)
    for index in np.ndindex(value.shape):
        step = np.zeros_like(value)
        step[index] = 1e-30j
        result[index] = f(value + step).imag / 1e-30
    return result


def expected_gradients(X, y, W1, b1, W2, b2):
    """Derivatives of the mean loss with respect to z1, z2 and the weights, by name."""

    def loss(p):
        return np.mean(cross_entropy(y, p[:, 0]))

    def after_z1(z1):
        return loss(sigmoid(relu(z1) @ W2 + b2))

    z1 = X @ W1 + b1
    a1 = relu(z1)
    return {
        "delta2": derivative(lambda z2: loss(sigmoid(z2)), a1 @ W2 + b2),
        "delta1": derivative(after_z1, z1),
        "dW2": derivative(lambda W2: loss(sigmoid(a1 @ W2 + b2)), W2),
        "db2": derivative(lambda b2: loss(sigmoid(a1 @ W2 + b2)), b2),
        "dW1": derivative(lambda W1: after_z1(X @ W1 + b1), W1),
        "db1": derivative(lambda b1: after_z1(X @ W1 + b1), b1),
    }


def draw_case(n, n_inputs, n_hidden):
    """Small weights and rows, all in quarters; z1 of the first row and unit is 0."""
    rng = np.random.RandomState(19071)  # each unit is on for some rows
    X = rng.randint(-4, 5, (n, n_inputs)) / 4
    W1 = rng.randint(-4, 5, (n_inputs, n_hidden)) / 4
    b1 = rng.randint(-4, 5, n_hidden) / 4
    b1[0] = -X[0] @ W1[:, 0]
    W2 = rng.randint(1, 9, (n_hidden, 1)) / 4
    W2[0] *= -1
    return X, np.arange(n) % 2, W1, b1, W2, np.array([0.25])


def matrix_case(n, n_inputs, n_hidden):
    """A case of n rows."""
    X, y, W1, b1, W2, b2 = weights_and_rows = draw_case(n, n_inputs, n_hidden)
    z1 = X @ W1 + b1
    z2 = relu(z1) @ W2 + b2
    c = SimpleNamespace(n=n, X=X, y=y, W1=W1, b1=b1, W2=W2, b2=b2, z1=z1, z2=z2)
    c.a1, c.p, c.labels = relu(z1), sigmoid(z2), y[:, None]
    c.dL_dp = derivative(lambda p: np.sum(cross_entropy(c.labels, p)), c.p)
    c.dp_dz2 = derivative(lambda z2: np.sum(sigmoid(z2)), z2)
    c.da1_dz1 = derivative(lambda z1: np.sum(relu(z1)), z1)
    vars(c).update(expected_gradients(*weights_and_rows))
    c.of_last_row = expected_gradients(X[-1:], y[-1:], W1, b1, W2, b2)
    return c


def row_case(case):
    """The first row of a case, as a vector, for the forward pass."""
    rows = ["X", "z1", "a1", "z2", "p", "da1_dz1", "dp_dz2"]
    return SimpleNamespace(
        **{**vars(case), **{name: getattr(case, name)[0] for name in rows}}
    )


def number_cases(case):
    """A case for each row, hidden unit k and input j, where y, z2 and p are numbers."""
    for i, k, j in np.ndindex(case.n, *case.W1.T.shape):
        c = SimpleNamespace(j=j, k=k, W1=case.W1, W2=case.W2, x=case.X[i])
        c.y, c.z1, c.a1 = case.y[i], case.z1[i], case.a1[i]
        c.z2, c.p = case.z2[i, 0], case.p[i, 0]
        c.dL_dp = derivative(lambda p, y=c.y: cross_entropy(y, p), c.p)
        c.dp_dz2 = derivative(sigmoid, c.z2)
        c.dz2_dW2 = derivative(lambda W2, c=c: (c.a1 @ W2)[0], c.W2)[k, 0]
        c.dz2_da1 = derivative(lambda a1, c=c: (a1 @ c.W2)[0], c.a1)[k]
        c.da1_dz1 = derivative(relu, c.z1[k])
        c.dz1_dW1 = derivative(lambda W1, c=c: (c.x @ W1)[c.k], c.W1)[j, k]
        yield c


# With as many rows as inputs and hidden units, products of transposed matrices have a
# value, too, and are recognised by it.
MATRIX_CASES = [matrix_case(4, 3, 2), matrix_case(3, 3, 3)]
ROW_CASE = row_case(MATRIX_CASES[0])
NUMBER_CASES = list(number_cases(MATRIX_CASES[0]))

# What functions return, if it is more than one value, in their order.
OUTPUTS = {
    "forward": ["z1", "a1", "z2", "p"],
    "sums_by_loops": ["dW1", "db1", "dW2", "db2"],
    "gradients_by_loops": ["dW1", "db1", "dW2", "db2"],
    "deltas": ["delta1", "delta2"],
    "gradients_by_matrices": ["dW1", "db1", "dW2", "db2"],
}


def cases_of(function):
    """The cases that a function is checked with, by its name."""
    if function == "forward":
        return [*MATRIX_CASES, ROW_CASE]
    return MATRIX_CASES if function in OUTPUTS else NUMBER_CASES


def expected(function, output, c):
    """The right value of an output of a function."""
    value = np.asarray(getattr(c, output))
    return c.n * value if function == "sums_by_loops" else value


# ---- the usual slips


class Slip(NamedTuple):
    name: str
    hint: str
    formula: object  # of a case


def sums(c, **changed):
    """The sums over the rows of the products of factors, some of which are changed."""
    c = SimpleNamespace(**{**vars(c), **changed})
    dL_dz2 = c.dL_dp * c.dp_dz2
    dL_dz1 = dL_dz2 * c.W2.T * c.da1_dz1
    return {
        "db2": dL_dz2.sum(axis=0),
        "dW2": c.a1.T @ dL_dz2,
        "db1": dL_dz1.sum(axis=0),
        "dW1": c.X.T @ dL_dz1,
    }


LAST_ROW = "These are the numbers of the last row alone. Is each product added with +=?"
DIVIDED = "Only the sums are asked for here; the division by n is the next step."
AT_0 = "Everything is right but where z1 is exactly 0. There, we take 1."
SIGN = "The numbers are right, but their sign is not."
LOST = "The factor {} is missing."
OTHER = (
    "z is a sum of products. This is the derivative by the other factor of a product."
)
TRANSPOSED = "One of the matrices is transposed, or should be. Write down the shapes."
NO_MEAN = "The loss is the mean over the rows, and so is its gradient."
TWICE = "The deltas are those of the mean loss: the division by n is in them."
NO_SUM = "All rows change the same weights, so their derivatives are added up."
IN_A_ROW = (
    "y has the shape (n,), p has (n, 1): p - y has (n, n). Make y a column first."
)

NUMBER_SLIPS = {
    "dL_dp": [
        Slip("sign", SIGN, lambda c: c.y / c.p - (1 - c.y) / (1 - c.p)),
        Slip(
            "inner derivative",
            "The derivative of 1 - p with respect to p is missing.",
            lambda c: -c.y / c.p - (1 - c.y) / (1 - c.p),
        ),
        Slip(
            "lost a term",
            "It is right for y = 1 only. What if y is 0?",
            lambda c: -c.y / c.p,
        ),
        Slip(
            "two factors at once",
            "This is the derivative with respect to z2. The factor dp/dz2 comes next.",
            lambda c: c.p - c.y,
        ),
        Slip(
            "function instead of derivative",
            "This is the loss itself.",
            lambda c: cross_entropy(c.y, c.p),
        ),
    ],
    "dp_dz2": [
        Slip("sign", SIGN, lambda c: -c.p * (1 - c.p)),
        Slip(
            "derivative at the wrong place",
            "The derivative of the sigmoid is taken at p. What did the sigmoid take?",
            lambda c: sigmoid(c.p) * (1 - sigmoid(c.p)),
        ),
        Slip(
            "derivative at the wrong place",
            "The formula that takes the value of the sigmoid was given z2.",
            lambda c: c.z2 * (1 - c.z2),
        ),
        Slip("function instead of derivative", "This is p itself.", lambda c: c.p),
        Slip(
            "lost a factor",
            "The derivative of the sigmoid is a product of two factors.",
            lambda c: 1 - c.p,
        ),
    ],
    "dz2_dW2": [
        Slip("other derivative", OTHER, lambda c: c.W2[c.k, 0]),
        Slip("before relu", "Which value is multiplied by W2?", lambda c: c.z1[c.k]),
        Slip("lost index", "One number is asked for, that of unit k.", lambda c: c.a1),
        Slip("bias instead of weight", "1 is the derivative by b2.", lambda c: 1),
    ],
    "dz2_da1": [
        Slip("other derivative", OTHER, lambda c: c.a1[c.k]),
        Slip(
            "lost index",
            "One number is asked for, and W2 has two indices.",
            lambda c: c.W2[c.k],
        ),
        Slip("lost index", "One number is asked for, of unit k.", lambda c: c.W2),
        Slip("lost a factor", "z2 is not just the sum of the a1.", lambda c: 1),
    ],
    "da1_dz1": [
        Slip("relu' at 0", AT_0, lambda c: float(c.z1[c.k] > 0)),
        Slip("relu' at 0", AT_0, lambda c: np.heaviside(c.z1[c.k], 0.5)),
        Slip(
            "derivative at the wrong place",
            "It is 1 everywhere. a1[k] is never negative. What did relu take?",
            lambda c: 1,
        ),
        Slip(
            "function instead of derivative",
            "This is relu itself. What is its slope?",
            lambda c: c.a1[c.k],
        ),
    ],
    "dz1_dW1": [
        Slip("other derivative", OTHER, lambda c: c.W1[c.j, c.k]),
        Slip(
            "wrong index",
            "k is the unit at the end of this weight. Which input is at its start?",
            lambda c: c.x[c.k],
        ),
        Slip("lost index", "One number is asked for, that of input j.", lambda c: c.x),
        Slip("bias instead of weight", "1 is the derivative by b1.", lambda c: 1),
    ],
}
FORWARD_SLIPS = {
    "forward: z1": [
        Slip("forgot the bias", "Add it to each row.", lambda c: c.X @ c.W1),
        Slip("sign", "The bias is added.", lambda c: c.X @ c.W1 - c.b1),
        Slip("transposed matrix", TRANSPOSED, lambda c: c.X @ c.W1.T + c.b1),
        Slip("transposed matrix", TRANSPOSED, lambda c: c.X.T @ c.W1 + c.b1),
        Slip(
            "transposed matrix",
            "With samples as rows, X stands before W1.",
            lambda c: c.W1 @ c.X + c.b1,
        ),
        Slip(
            "element-wise product",
            "* multiplies entry by entry; the matrix product is @.",
            lambda c: c.X * c.W1 + c.b1,
        ),
    ],
    "forward: a1": [
        Slip("forgot the function", "The hidden units have relu.", lambda c: c.z1),
        Slip("wrong function", "They have relu.", lambda c: sigmoid(c.z1)),
        Slip("derivative instead of function", "This is relu'.", lambda c: c.da1_dz1),
    ],
    "forward: z2": [
        Slip("forgot the bias", "Add it to each row.", lambda c: c.a1 @ c.W2),
        Slip("sign", "The bias is added.", lambda c: c.a1 @ c.W2 - c.b2),
        Slip("before relu", "Layer 2 takes a1.", lambda c: c.z1 @ c.W2 + c.b2),
        Slip(
            "element-wise product",
            "* multiplies entry by entry; the matrix product is @.",
            lambda c: c.a1 * c.W2 + c.b2,
        ),
        Slip("transposed matrix", TRANSPOSED, lambda c: c.a1.T @ c.W2 + c.b2),
    ],
    "forward: p": [
        Slip("forgot the function", "A probability is asked for.", lambda c: c.z2),
        Slip("sign", "This is the probability of label 0.", lambda c: sigmoid(-c.z2)),
        Slip("wrong function", "The output has sigmoid.", lambda c: relu(c.z2)),
        Slip("derivative instead of function", "This is sigmoid'.", lambda c: c.dp_dz2),
    ],
}
FACTORS = {  # of the chain rule, and their names in cases of matrices
    "dL_dp": "dL_dp",
    "dp_dz2": "dp_dz2",
    "dz2_dW2": "a1",
    "dz2_da1": "W2",
    "da1_dz1": "da1_dz1",
    "dz1_dW1": "X",
}
PATHS = {
    "db2": ["dL_dp", "dp_dz2"],
    "dW2": ["dL_dp", "dp_dz2", "dz2_dW2"],
    "db1": ["dL_dp", "dp_dz2", "dz2_da1", "da1_dz1"],
    "dW1": ["dL_dp", "dp_dz2", "dz2_da1", "da1_dz1", "dz1_dW1"],
}


def sum_slips(output):
    """The slips of one output of sums_by_loops."""

    def without(name):
        return lambda c: sums(c, **{name: np.ones_like(getattr(c, name))})[output]

    return [
        Slip("sign", SIGN, lambda c: -sums(c)[output]),
        Slip("lost the sum over samples", LAST_ROW, lambda c: c.of_last_row[output]),
        Slip("divided by n too early", DIVIDED, lambda c: sums(c)[output] / c.n),
        *[
            Slip("lost a factor", LOST.format(factor), without(FACTORS[factor]))
            for factor in PATHS[output]
        ],
    ]


def mean_slips(output):
    """The slips of one output of gradients_by_loops."""
    return [
        Slip("forgot to divide by n", NO_MEAN, lambda c: sums(c)[output]),
        Slip(
            "divided by a fixed number",
            "A minibatch does not always have ten rows: the last one may be smaller.",
            lambda c: sums(c)[output] / 10,
        ),
        Slip(
            "divided by the wrong number",
            "The number of rows is asked for, not that of the inputs.",
            lambda c: sums(c)[output] / c.X.shape[1],
        ),
        Slip("sign", SIGN, lambda c: -sums(c)[output] / c.n),
    ]


DELTA_SLIPS = {
    "deltas: delta2": [
        Slip("forgot to divide by n", NO_MEAN, lambda c: c.p - c.labels),
        Slip("labels in a row", IN_A_ROW, lambda c: (c.p - c.y) / c.n),
        Slip("labels in a row", IN_A_ROW, lambda c: c.p - c.y),
        Slip("sign", SIGN, lambda c: -c.delta2),
        Slip(
            "a factor twice",
            "p - y is dL_dp dp_dz2 already: the factors of dp_dz2 have cancelled.",
            lambda c: c.delta2 * c.dp_dz2,
        ),
        Slip("lost a factor", LOST.format("dp_dz2"), lambda c: c.dL_dp / c.n),
        Slip(
            "logit instead of p", "z2 stands for p.", lambda c: (c.z2 - c.labels) / c.n
        ),
    ],
    "deltas: delta1": [
        Slip("relu' at 0", AT_0, lambda c: c.delta2 @ c.W2.T * (c.z1 > 0)),
        Slip(
            "derivative at the wrong place",
            "relu' is missing, or taken at a1, which is never negative, instead of z1.",
            lambda c: c.delta2 @ c.W2.T,
        ),
        Slip(
            "function instead of derivative",
            "It should be multiplied by relu', not by relu.",
            lambda c: c.delta2 @ c.W2.T * c.a1,
        ),
        Slip("sign", SIGN, lambda c: -c.delta1),
        Slip("transposed matrix", TRANSPOSED, lambda c: c.delta1.T),
        Slip("divided by n twice", TWICE, lambda c: c.delta1 / c.n),
        Slip("lost a factor", LOST.format("dz2_da1"), lambda c: c.delta2 * c.da1_dz1),
    ],
}


def weight_slips(output, inputs, delta):
    """The slips of dW1 or dW2, which depend on the inputs of a layer and its delta."""

    def formula(of):
        return lambda c: of(getattr(c, inputs), getattr(c, delta))

    return [
        Slip("transposed matrix", TRANSPOSED, formula(lambda a, delta: delta.T @ a)),
        Slip("transposed matrix", TRANSPOSED, formula(lambda a, delta: a @ delta)),
        Slip("sign", SIGN, lambda c: -getattr(c, output)),
        Slip("divided by n twice", TWICE, lambda c: getattr(c, output) / c.n),
        Slip("lost the sum over samples", NO_SUM, formula(lambda a, delta: a * delta)),
    ]


def bias_slips(output, delta):
    """The slips of db1 or db2, which depend on the delta of a layer."""

    def formula(of):
        return lambda c: of(getattr(c, delta))

    return [
        Slip("lost the sum over samples", NO_SUM, formula(lambda delta: delta)),
        Slip("mean instead of sum", TWICE, formula(lambda delta: delta.mean(axis=0))),
        Slip(
            "sum over the wrong axis",
            "This adds up the units of each row, not the rows of each unit.",
            formula(lambda delta: delta.sum(axis=1)),
        ),
        Slip(
            "sum over everything",
            "There should be one number for each unit of the layer, in an array.",
            formula(np.sum),
        ),
        Slip("sign", SIGN, lambda c: -getattr(c, output)),
    ]


OF_WEIGHTS = OUTPUTS["sums_by_loops"]
SLIPS = {
    **NUMBER_SLIPS,
    **FORWARD_SLIPS,
    **{f"sums_by_loops: {output}": sum_slips(output) for output in OF_WEIGHTS},
    **{f"gradients_by_loops: {output}": mean_slips(output) for output in OF_WEIGHTS},
    **DELTA_SLIPS,
    "gradients_by_matrices: dW1": [
        *weight_slips("dW1", "X", "delta1"),
        Slip("transposed matrix", TRANSPOSED, lambda c: c.delta1 @ c.X),
    ],
    "gradients_by_matrices: db1": bias_slips("db1", "delta1"),
    "gradients_by_matrices: dW2": [
        *weight_slips("dW2", "a1", "delta2"),
        Slip("before relu", "Layer 2 takes a1, not z1.", lambda c: c.z1.T @ c.delta2),
    ],
    "gradients_by_matrices: db2": bias_slips("db2", "delta2"),
}


# ---- the check of a function


class NotYet(Exception):
    """Something is missing or not right. A reader sees its text and no traceback."""

    def _render_traceback_(self):  # what Jupyter shows
        return [str(self)]


def show_exception(kind, error, trace):
    """Print only the text of a NotYet, where a script ends by it."""
    if issubclass(kind, NotYet):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = show_exception


def check(function):
    """Print which outputs of a function are right; raise NotYet at the first other."""
    name = function.__name__
    open_lines = find_open_lines(function)
    if open_lines:
        function = with_nan(function)
    names, cases = OUTPUTS.get(name, [name]), cases_of(name)
    results = [outputs_of(function, c, names) for c in cases]
    # Gradients are computed, and so checked, from the last layer backwards.
    for output in names if name == "forward" else reversed(names):
        values = [result[output] for result in results]
        if open_lines and any(is_missing(value) for value in values):
            raise NotYet(f"Please fill in first, in {name}:\n    {open_lines[0]}")
        blank = f"{name}: {output}" if name in OUTPUTS else name
        check_output(function, blank, cases, values)
        print(f"{blank} is right.")


def find_open_lines(function):
    """The lines of a function in which there is still a blank."""
    lines = inspect.getsource(function).splitlines()
    return [line.strip() for line in lines if BLANK.search(line)]


def with_nan(function):
    """The function with NaN in its blanks, so that the other answers can be checked."""

    def change(constant):
        if isinstance(constant, CodeType):
            constants = tuple(change(inner) for inner in constant.co_consts)
            return constant.replace(co_consts=constants)
        return np.nan if constant is ... else constant

    return FunctionType(
        change(function.__code__), function.__globals__, function.__name__
    )


def inputs_of(function, c):
    """Copies of the values of a case that a function takes, by name."""
    names = inspect.signature(function).parameters
    return {name: np.copy(getattr(c, name))[()] for name in names}


def attempt(function, *args, **kwargs):
    """What a function returns, or the error that it raises."""
    try:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)
    except Exception as error:
        return error


def outputs_of(function, c, names):
    """The outputs of a function by name: arrays, or errors where there is none."""
    result = attempt(function, **inputs_of(function, c))
    if isinstance(result, Exception):
        frame, _ = frame_of(function, result)
        # What was computed before the error is right or wrong, too; sums are not ready.
        ready = {} if frame is None or "loops" in function.__name__ else frame.f_locals
        return {name: as_array(ready.get(name, result)) for name in names}
    if len(names) == 1:
        return {names[0]: as_array(result)}
    values = attempt(lambda: dict(zip(names, result, strict=True)))
    if isinstance(values, Exception):
        values = dict.fromkeys(names, TypeError(f"{len(names)} arrays are asked for"))
    return {name: as_array(value) for name, value in values.items()}


def as_array(value):
    """An array of numbers, or an error."""
    is_error = isinstance(value, Exception)
    return value if is_error else attempt(np.asarray, value, dtype=float)


def frame_of(function, error):
    """The frame and the line of a function in which an error came up."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code is function.__code__:
            return frame, linecache.getline(frame.f_code.co_filename, line).strip()
    return None, ""


def is_missing(value):
    return isinstance(value, Exception) or bool(np.isnan(value).any())


def is_same(value, other):
    """Whether two arrays are equal but for rounding, or both are errors."""
    if isinstance(value, Exception) or isinstance(other, Exception):
        return isinstance(value, Exception) and isinstance(other, Exception)
    same_shape = value.shape == other.shape
    return same_shape and np.allclose(value, other, rtol=1e-8, atol=1e-12)


def check_output(function, blank, cases, values):
    """Raise NotYet, with the best hint there is, unless all values are right."""
    output = blank.rpartition(": ")[2]
    rights = [expected(function.__name__, output, c) for c in cases]
    wrong = [not is_same(*pair) for pair in zip(values, rights, strict=True)]
    if not any(wrong):
        return
    slip = recognise(blank, cases, values)
    if slip:
        raise NotYet(f"{blank} is not right yet. Looks like: {slip.name}.\n{slip.hint}")
    for value in values:
        if isinstance(value, Exception):
            raise NotYet(describe_error(function, value))
    i = wrong.index(True)
    numbers = compare_numbers(function, cases[i], values[i], rights[i])
    raise NotYet(f"{blank} is not right yet.\n{numbers}")


def recognise(blank, cases, values):
    """The slip that gives the same values, or None."""
    for slip in SLIPS[blank]:
        theirs = [as_array(attempt(slip.formula, c)) for c in cases]
        if all(is_same(*pair) for pair in zip(values, theirs, strict=True)):
            return slip
    return None


def describe_error(function, error):
    """A text that says where a function stops, and what may be the reason."""
    _, line = frame_of(function, error)
    of_shapes = re.search("matmul|broadcast|dimension|shape", str(error))
    looks = f" Looks like: transposed matrix.\n{TRANSPOSED}" if of_shapes else ""
    where = f"\nIt stops at the line\n    {line}" if line else ""
    kind = type(error).__name__
    return f"{function.__name__} is not right yet.{looks}{where}\n{kind}: {error}"


def compare_numbers(function, c, value, right):
    """A text with the expected and the actual numbers of a case."""
    lines = ["In a small case, with"]
    for name, given in inputs_of(function, c).items():
        lines.append(f"    {name:9}{as_text(given)}")
    lines += [f"expected:    {as_text(right)}", f"but it gave: {as_text(value)}"]
    if value.shape != right.shape:
        lines.append(f"It should have the shape {right.shape}, not {value.shape}.")
    return "\n".join(lines)


def as_text(value):
    return np.array2string(np.asarray(value), precision=4, prefix=" " * 13)


# ---- the training


def make_classifier(backprop, weights):
    """An estimator with copies of the weights, for plain steps of ten rows in order."""
    clf = BinaryMLPClassifier(
        (10,),
        backprop=backprop,
        alpha=0,
        batch_size=10,
        learning_rate="constant",
        learning_rate_init=0.01,
        momentum=0,
        shuffle=False,
    )
    W1, b1, W2, b2 = (array.copy() for array in weights)
    clf.coefs_, clf.intercepts_ = [W1, W2], [b1, b2]
    return clf


def compare(epoch, weights, p, clf, X, y):
    """Print both losses after an epoch; the weights must agree to 1e-10."""
    loss = np.mean(cross_entropy(y, p[:, 0]))
    theirs = [clf.coefs_[0], clf.intercepts_[0], clf.coefs_[1], clf.intercepts_[1]]
    pairs = zip(weights, theirs, strict=True)
    difference = max(np.max(np.abs(ours - their)) for ours, their in pairs)
    print(
        f"epoch {epoch:2}: your loss {loss:.6f}, its loss"
        f" {clf.loss_and_gradients(X, y)[0]:.6f}, weights differ by {difference:.0e}"
    )
    if not difference < 1e-10:
        raise NotYet("The weights should agree to 1e-10. Have all checks been right?")
