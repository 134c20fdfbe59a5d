import io
import pickle
import subprocess
import sys
from zipfile import ZipFile

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal, assert_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import TRUSTED_TYPES, BinaryMLPClassifier

NAMES = np.array(["ham", "spam"])
SETTINGS = {
    "momentum": {},
    "adam": {"solver": "adam"},
    "lbfgs": {"solver": "lbfgs", "tol": 0.01, "max_iter": 200},
    "early stopping": {"early_stopping": True, "scoring": "roc_auc"},
    "class weights": {"class_weight": {0: 1, 1: 5}},
    "without a seed": {"random_state": None},
    "a stream": {"random_state": np.random.RandomState(0)},
    "dropout": {"dropout": 0.5},
    "without an end": {"n_iter_no_change": np.inf},
    "no hidden layer": {"hidden_layer_sizes": ()},
}
DATA = {
    "words": lambda X, y: (X, NAMES[y]),
    "float32": lambda X, y: (X.astype(np.float32), y),
    "frame": lambda X, y: (pd.DataFrame(X, columns=[*"abcde"]), pd.Series(NAMES[y])),
    "text": lambda X, y: (texts(y), y),
}


def texts(y):
    words = np.array([["good", "morning", "news"], ["cheap", "win", "news"]])
    return [" ".join(words[label, : 2 + i % 2]) for i, label in enumerate(y)]


@pytest.fixture(params=[*SETTINGS, *DATA, "partial_fit"])
def case(request, Xy):
    """A fitted Pipeline, and the rows and labels that it was fitted to."""
    kind = request.param
    X, y = DATA[kind](*Xy) if kind in DATA else Xy
    clf = BinaryMLPClassifier(**{"random_state": 0} | SETTINGS.get(kind, {}))
    step = TfidfVectorizer() if kind == "text" else StandardScaler()
    model = make_pipeline(step, clone(clf))  # a clone has its own copy of the stream
    if kind == "partial_fit":
        model[1].partial_fit(step.fit_transform(X), y, classes=[0, 1])
        return model, X, y
    return model.fit(X, y), X, y


@pytest.fixture
def model(Xy):
    clf = BinaryMLPClassifier(early_stopping=True, scoring="roc_auc", random_state=0)
    return make_pipeline(StandardScaler(), clf).fit(*Xy)


def assert_equal_models(a, b, X):
    assert_array_equal(a.predict(X), b.predict(X), strict=True)
    assert_array_equal(a.predict_proba(X), b.predict_proba(X), strict=True)
    assert_equal(a[-1].history_, b[-1].history_)


def go_on(model, X, y):
    rows, clf = model[:-1].transform(X), model[-1]
    if clf.solver != "lbfgs":
        clf.partial_fit(rows, y)
    clf.set_params(warm_start=True).fit(rows, y)
    return model


# ---- skops


@pytest.fixture
def skops_io():
    return pytest.importorskip("skops.io")


def test_skops_has_to_trust_one_name(skops_io, case):
    saved = skops_io.dumps(case[0])
    assert skops_io.get_untrusted_types(data=saved) == TRUSTED_TYPES[:1]
    with pytest.raises(TypeError, match="Untrusted types found in the file"):
        skops_io.loads(saved)


def test_a_model_from_skops_is_the_same_and_goes_on_the_same(skops_io, case):
    model, X, y = case
    copy = skops_io.loads(skops_io.dumps(model), trusted=TRUSTED_TYPES)
    assert_equal_models(copy, model, X)
    assert set(vars(copy[-1])) == set(vars(model[-1]))
    assert_equal_models(go_on(copy, X, y), go_on(model, X, y), X)


def test_skops_stores_json_and_plain_arrays(skops_io, case):
    archive = ZipFile(io.BytesIO(skops_io.dumps(case[0])))
    for name in archive.namelist():
        assert name == "schema.json" or name.endswith((".npy", ".npz"))
        if name != "schema.json":
            np.load(io.BytesIO(archive.read(name)), allow_pickle=False)


# ---- another process

SKOPS = """
def refuse(event, args):
    if event == "pickle.find_class":
        raise RuntimeError("something was unpickled")

import pickle, sys
import numpy as np, skops.io, skbinnet
saved = pickle.dumps(np.float64(0))
sys.addaudithook(refuse)
model = skops.io.load(sys.argv[1], trusted=skbinnet.TRUSTED_TYPES)
np.save(sys.argv[3], model.predict_proba(np.load(sys.argv[2])))
try:
    pickle.loads(saved)
except RuntimeError:
    print("refused")
"""
PICKLES = """
import sys
import joblib, numpy as np
X = np.load(sys.argv[-2])
models = [joblib.load(path) for path in sys.argv[1:-2]]
np.save(sys.argv[-1], [model.predict_proba(X) for model in models])
"""


def probabilities_elsewhere(code, paths, X, folder):
    """What the code saves, run by another Python process, and what it prints."""
    np.save(folder / "X.npy", X)
    python = [sys.executable, "-P", "-W", "error", "-c", code]
    command = [*python, *paths, folder / "X.npy", folder / "p.npy"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return np.load(folder / "p.npy"), done.stdout


def test_skops_unpickles_nothing_in_another_process(skops_io, model, X, tmp_path):
    path = tmp_path / "model.skops"
    skops_io.dump(model, path)
    p, printed = probabilities_elsewhere(SKOPS, [path], X, tmp_path)
    assert printed == "refused\n"
    assert_array_equal(p, model.predict_proba(X))


def test_pickle_and_joblib_reach_another_process(model, X, tmp_path):
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    paths = [tmp_path / f"{protocol}.pkl" for protocol in protocols]
    for protocol, path in enumerate(paths):
        path.write_bytes(pickle.dumps(model, protocol=protocol))
    paths += joblib.dump(model, tmp_path / "plain.joblib")
    paths += joblib.dump(model, tmp_path / "small.joblib", compress=3)
    found, _ = probabilities_elsewhere(PICKLES, paths, X, tmp_path)
    expected = [model.predict_proba(X)] * (len(protocols) + 2)
    assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_a_model_from_joblib_goes_on_the_same(model, Xy, tmp_path, mmap_mode):
    joblib.dump(model, tmp_path / "model.joblib")
    copy = joblib.load(tmp_path / "model.joblib", mmap_mode=mmap_mode)
    assert_equal_models(copy, model, Xy[0])
    assert_equal_models(go_on(copy, *Xy), go_on(model, *Xy), Xy[0])
