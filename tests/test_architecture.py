import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import skbinnet
from skbinnet._network import ACTIVATIONS, BACKPROPS, INITS
from skbinnet._solvers import SCHEDULES, SOLVERS
from skbinnet._validation import SCORINGS

PACKAGE = Path(skbinnet.__file__).parent
CHAPTERS = list((Path(__file__).parents[1] / "skbinnet").glob("*.p[yx][xi]"))
KNOW_SKLEARN = ["_validation", "_inputs", "_callbacks", "_conversion", "_classifier"]
KNOW_SKLEARN += ["_encoding", "_table", "_tabular", "_display"]
LAYERS = [
    "_core",
    "_threads",
    "_network",
    "_solvers",
    "_messages",
    "_training",
    *KNOW_SKLEARN,
    "_onnx",
    "onnx",
]
# scikit-learn itself looks for pandas and rich.
OPTIONAL = {"dask", "fastapi", "matplotlib", "onnx", "onnxruntime", "pydantic", "ray"}
OPTIONAL |= {"mlflow", "optuna", "shap", "skl2onnx", "skops", "uvicorn"}
OPTIONS = {*SOLVERS, *SCHEDULES, *ACTIVATIONS, *BACKPROPS, *INITS, *SCORINGS}

each_source = pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name
)


def imports(path):
    """Pairs (level, module) of all imports of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module] if node.module else [a.name for a in node.names]
            yield from ((node.level, module) for module in modules)


@each_source
def test_imports_go_down_only(path):
    if path.name == "__init__.py":
        return
    below = LAYERS[: LAYERS.index(path.stem)]
    assert {module for level, module in imports(path) if level} <= set(below)


@each_source
def test_scikit_learn_is_known_at_the_top_only(path):
    knows = any(module.startswith("sklearn") for level, module in imports(path))
    assert not knows or path.stem in [*KNOW_SKLEARN, "onnx"]


@each_source
def test_skl2onnx_is_known_to_two_modules_only(path):
    names = {module.split(".")[0] for _, module in imports(path)}
    assert names.isdisjoint({"onnx", "skl2onnx"}) or path.stem in ("_onnx", "onnx")


def compared_texts(tree):
    """The texts that stand in comparisons and in patterns of match."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            parts = ast.walk(node)
            yield from (part.value for part in parts if isinstance(part, ast.Constant))


@each_source
def test_options_are_asked_by_their_records_and_not_by_name(path):
    assert OPTIONS.isdisjoint(compared_texts(ast.parse(path.read_text())))


def test_a_comparison_of_an_option_would_be_found():
    for code in ('solver == "adam"', 'scoring in ("loss", x)', 'a["relu"] != b'):
        assert not OPTIONS.isdisjoint(compared_texts(ast.parse(code)))


@pytest.mark.skipif(not CHAPTERS, reason="the sources are not beside the tests")
def test_no_chapter_of_the_core_is_long():
    assert max(len(path.read_text().splitlines()) for path in CHAPTERS) <= 300


def run_python(code):
    """What a new process prints, which imports the package that is tested."""
    command = [sys.executable, "-P", "-W", "error", "-c", code]
    return subprocess.check_output(command, text=True)


def test_nothing_optional_is_imported():
    code = "import skbinnet, sys; print(*sys.modules)"
    assert OPTIONAL.isdisjoint(run_python(code).split())


def test_without_callbacks_in_scikit_learn_there_is_no_noise():
    code = """
import sys, sklearn.neural_network, sklearn.model_selection, sklearn.pipeline
sys.modules["sklearn.callback"] = None  # as before scikit-learn 1.9
from skbinnet import BinaryMLPClassifier
assert not hasattr(BinaryMLPClassifier, "set_callbacks")
clf = BinaryMLPClassifier(random_state=0).fit([[0.0], [1.0]] * 99, [0, 1] * 99)
assert clf.score([[0.0], [1.0]], [0, 1]) == 1
"""
    run_python(code)


def test_no_connection_is_opened():
    code = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and print(event))
from skbinnet import BinaryMLPClassifier
X, y = [[0.0], [1.0]], ["no", "yes"]
BinaryMLPClassifier(max_iter=1).fit(X, y).predict_proba(X)
print("and then")
__import__("socket").socket()
"""
    assert run_python(code).splitlines() == ["and then", "socket.__new__"]


def test_three_libraries_are_all_that_is_needed():
    needed = [r for r in metadata.requires("skbinnet") if "extra ==" not in r]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in needed}
    assert names == {"numpy", "scipy", "scikit-learn"}
