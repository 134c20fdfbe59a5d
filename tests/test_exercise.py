"""The exercise of the classroom: its solutions, wrong answers, and its notebook."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.append(str(EXAMPLES))
import exercise_checks as checks  # noqa: E402
from exercise_solutions import ANSWERS, EXERCISE, fill  # noqa: E402

WRONG = [
    ("forward: z1", "X @ W1", "forgot the bias"),
    ("forward: z1", "W1 @ X + b1", "transposed matrix"),
    ("forward: z2", "z1 @ W2 + b2", "before relu"),
    ("forward: p", "z2", "forgot the function"),
    ("dL_dp", "y / p - (1 - y) / (1 - p)", "sign"),
    ("dL_dp", "p - y", "two factors at once"),
    ("dp_dz2", "sigmoid(p) * (1 - sigmoid(p))", "derivative at the wrong place"),
    ("dp_dz2", "z2 * (1 - z2)", "derivative at the wrong place"),
    ("dz2_dW2", "W2[k, 0]", "other derivative"),
    ("dz2_da1", "W2[k]", "lost index"),
    ("da1_dz1", "1.0 if z1[k] > 0 else 0.0", "relu' at 0"),
    ("da1_dz1", "float(a1[k] >= 0)", "derivative at the wrong place"),
    ("dz1_dW1", "x[k]", "wrong index"),
    ("sums_by_loops: dL_dz2", "dL_dp(label, p[0])", "lost a factor"),
    ("sums_by_loops: db2[0]", "-dL_dz2", "sign"),
    ("sums_by_loops: dL_dz1", "dL_dz2 * dz2_da1(k, a1, W2)", "lost a factor"),
    ("gradients_by_loops", "gradient", "forgot to divide by n"),
    ("gradients_by_loops", "gradient / 10", "divided by a fixed number"),
    ("deltas: delta2", "p - y[:, None]", "forgot to divide by n"),
    ("deltas: delta2", "(p - y) / len(y)", "labels in a row"),
    ("deltas: delta2", "(y[:, None] - p) / len(y)", "sign"),
    ("deltas: delta1", "delta2 @ W2.T * (z1 > 0)", "relu' at 0"),
    ("deltas: delta1", "delta2 @ W2.T * (a1 >= 0)", "derivative at the wrong place"),
    ("deltas: delta1", "delta2 @ W2 * (z1 >= 0)", "transposed matrix"),
    ("gradients_by_matrices: dW2", "delta2.T @ a1", "transposed matrix"),
    ("gradients_by_matrices: dW2", "a1 @ delta2", "transposed matrix"),
    ("gradients_by_matrices: db1", "delta1", "lost the sum over samples"),
    ("gradients_by_matrices: db1", "delta1.mean(axis=0)", "mean instead of sum"),
    ("gradients_by_matrices: dW1", "X.T @ delta1 / len(X)", "divided by n twice"),
]


@pytest.fixture
def run(tmp_path, capsys):
    """Run the exercise with some answers and a change; return what it prints."""

    def run(answers, old="", new=""):
        capsys.readouterr()
        script = tmp_path / "exercise.py"
        script.write_text(fill(EXERCISE.read_text(), answers)[0].replace(old, new))
        runpy.run_path(str(script))
        return capsys.readouterr().out

    return run


def message_for(run, *answers_and_change):
    with pytest.raises(checks.NotYet) as caught:
        run(*answers_and_change)
    return str(caught.value)


def without(*blanks):
    return {blank: ANSWERS[blank] for blank in ANSWERS if blank not in blanks}


def test_every_blank_has_one_answer_and_every_answer_a_blank():
    names = fill(EXERCISE.read_text(), {})[1]
    assert names == list(ANSWERS)
    assert fill(fill(EXERCISE.read_text(), ANSWERS)[0], {})[1] == []


def assert_complete(printed):
    """All outputs were right, and both trainings agreed for ten epochs."""
    assert len(re.findall("is right[.]$", printed, re.M)) == len(checks.SLIPS)
    assert len(re.findall("^epoch .* differ by", printed, re.M)) == 20
    assert printed.count("test accuracy: 0.921") == 2


def test_the_solutions_are_right_and_train_as_the_estimator_does(run):
    assert_complete(run(ANSWERS))


def test_the_file_of_solutions_prints_the_solved_exercise():
    script = EXAMPLES / "exercise_solutions.py"
    printed = subprocess.check_output([sys.executable, script], text=True)
    assert printed == fill(EXERCISE.read_text(), ANSWERS)[0]


def test_the_unfilled_exercise_says_politely_what_to_fill_in_first():
    process = subprocess.run([sys.executable, EXERCISE], capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr == "Please fill in first, in forward:\n    z1 = ...\n"


@pytest.mark.parametrize("blank", ANSWERS)
def test_a_blank_is_named_if_all_others_are_filled_in(run, blank):
    function, _, target = blank.partition(": ")
    message = message_for(run, without(blank))
    assert message.startswith(f"Please fill in first, in {function}:\n    {target}")
    assert "..." in message


def test_answers_before_an_empty_blank_are_checked(run, capsys):
    message_for(run, without("forward: z2", "forward: p"))
    assert capsys.readouterr().out.split("\n")[:-1] == [
        "forward: z1 is right.",
        "forward: a1 is right.",
    ]
    wrong = {**without("forward: p"), "forward: z1": "X @ W1 - b1"}
    assert "forward: z1 is not right yet. Looks like: sign." in message_for(run, wrong)


@pytest.mark.parametrize(("blank", "answer", "slip"), WRONG)
def test_a_wrong_answer_is_recognised(run, blank, answer, slip):
    message = message_for(run, {**ANSWERS, blank: answer})
    assert message.startswith(blank.partition(":")[0])
    assert f"is not right yet. Looks like: {slip}.\n" in message


def test_a_lost_sum_is_recognised_in_loops(run):
    message = message_for(run, ANSWERS, "db1[k] += ", "db1[k] = ")
    assert message.startswith("sums_by_loops: db1 is not right yet.")
    assert "Looks like: lost the sum over samples." in message


@pytest.mark.parametrize("blank", checks.SLIPS)
def test_no_slip_is_right_or_taken_for_another(blank):
    function, _, output = blank.partition(": ")
    cases = checks.cases_of(function)
    rights = [checks.expected(function, output or function, c) for c in cases]
    for slip in checks.SLIPS[blank]:
        values = [checks.as_array(checks.attempt(slip.formula, c)) for c in cases]
        assert not all(isinstance(value, Exception) for value in values)
        assert not all(map(checks.is_same, values, rights))
        assert checks.recognise(blank, cases, values) is slip


def test_other_wrong_answers_are_shown_with_numbers(run):
    message = message_for(run, {**ANSWERS, "dp_dz2": "3 * p"})
    assert re.fullmatch(
        r"dp_dz2 is not right yet.\nIn a small case, with\n    z2 +\S+\n    p +\S+\n"
        r"expected:    0\.\d+\nbut it gave: [12]\.\d+",
        message,
    )
    message = message_for(run, {**ANSWERS, "dz1_dW1": "[x[j]]"})
    assert message.endswith("It should have the shape (), not (1,).")


@pytest.mark.parametrize(
    ("blank", "answer", "reason"),
    [
        ("dL_dp", "Y", "return Y\nNameError: name 'Y' is not defined"),
        ("sums_by_loops: dL_dz1", "z1[99]", "dL_dz1 = z1[99]\nIndexError: "),
        ("gradients_by_loops", "'a'", "could not convert string to float"),
    ],
)
def test_an_error_is_shown_with_its_line(run, blank, answer, reason):
    message = message_for(run, {**ANSWERS, blank: answer})
    assert message.startswith(f"{blank.partition(':')[0]} is not right yet.\n")
    assert reason in message


def test_too_few_outputs_are_an_error():
    def deltas(y):
        return (y,)

    with pytest.raises(checks.NotYet, match="2 arrays are asked for"):
        checks.check(deltas)


def test_answers_cannot_change_the_cases(run):
    wrong = {**ANSWERS, "deltas: delta2": "np.multiply(p, 0, out=p)"}
    assert "deltas: delta2" in message_for(run, wrong)
    assert_complete(run(ANSWERS))


def test_a_training_that_differs_is_not_accepted(run):
    message = message_for(run, ANSWERS, "rate=0.01", "rate=0.010000001")
    assert message.startswith("The weights should agree to 1e-10.")


def test_the_notebook_of_the_exercise_runs(tmp_path, capsys):
    notebook = pytest.importorskip("sphinx_gallery.notebook")
    script = tmp_path / "exercise_backpropagation.py"
    script.write_text(fill(EXERCISE.read_text(), ANSWERS)[0])
    notebook.python_to_jupyter_cli([str(script)])
    cells = json.loads(script.with_suffix(".ipynb").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    n_checks = sum("checks.check(" in cell for cell in code)
    assert n_checks == len({blank.partition(":")[0] for blank in ANSWERS})
    script.write_text("\n".join(code))
    capsys.readouterr()
    runpy.run_path(str(script))
    assert_complete(capsys.readouterr().out)
