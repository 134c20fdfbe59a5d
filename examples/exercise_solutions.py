"""The answers of exercise_backpropagation.py, for teachers.

This prints the exercise with all blanks filled in that are still blank:

    python exercise_solutions.py
"""

from pathlib import Path

from exercise_checks import BLANK

EXERCISE = Path(__file__).with_name("exercise_backpropagation.py")
# A blank is called by its function and, if it is assigned, by its target.
ANSWERS = {
    "forward: z1": "X @ W1 + b1",
    "forward: a1": "relu(z1)",
    "forward: z2": "a1 @ W2 + b2",
    "forward: p": "sigmoid(z2)",
    "dL_dp": "-y / p + (1 - y) / (1 - p)",
    "dp_dz2": "p * (1 - p)",
    "dz2_dW2": "a1[k]",
    "dz2_da1": "W2[k, 0]",
    "da1_dz1": "1.0 if z1[k] >= 0 else 0.0",
    "dz1_dW1": "x[j]",
    "sums_by_loops: dL_dz2": "dL_dp(label, p[0]) * dp_dz2(z2[0], p[0])",
    "sums_by_loops: db2[0]": "dL_dz2",
    "sums_by_loops: dW2[k, 0]": "dL_dz2 * dz2_dW2(k, z1, a1, W2)",
    "sums_by_loops: dL_dz1": "dL_dz2 * dz2_da1(k, a1, W2) * da1_dz1(k, z1, a1)",
    "sums_by_loops: db1[k]": "dL_dz1",
    "sums_by_loops: dW1[j, k]": "dL_dz1 * dz1_dW1(j, k, x, W1)",
    "gradients_by_loops": "gradient / len(X)",
    "deltas: delta2": "(p - y[:, None]) / len(y)",
    "deltas: delta1": "delta2 @ W2.T * (z1 >= 0)",
    "gradients_by_matrices: db2": "delta2.sum(axis=0)",
    "gradients_by_matrices: dW2": "a1.T @ delta2",
    "gradients_by_matrices: db1": "delta1.sum(axis=0)",
    "gradients_by_matrices: dW1": "X.T @ delta1",
}


def name_of(function, line):
    """The name of the blank in a line of a function."""
    target, is_assigned, _ = line.replace(" += ", " = ").partition(" = ")
    return f"{function}: {target.strip()}" if is_assigned else function


def fill(source, answers):
    """Fill in the blanks that have an answer; return also the names of all blanks."""
    lines, names, function = [], [], ""
    for line in source.splitlines():
        if line.startswith("def "):
            function = line[len("def ") :].partition("(")[0]
        if BLANK.search(line):
            names.append(name_of(function, line))
            line = line.replace("...", answers.get(names[-1], "..."), 1)
        lines.append(line + "\n")
    return "".join(lines), names


if __name__ == "__main__":
    print(fill(EXERCISE.read_text(), ANSWERS)[0], end="")
