import doctest
import re
from pathlib import Path

import pytest
from sklearn.neural_network import MLPClassifier

from skbinnet import (
    BinaryMLPClassifier,
    PiecewiseLinearEncoder,
    TabularMLPClassifier,
    TrainingCurvesDisplay,
    __version__,
    _classifier,
    _display,
    _encoding,
    _tabular,
)

PUBLIC = [BinaryMLPClassifier, PiecewiseLinearEncoder, TabularMLPClassifier]
PUBLIC += [TrainingCurvesDisplay]
DOCS = Path(__file__).parent.parent / "examples" / "docs"


@pytest.mark.parametrize("module", [_classifier, _display, _encoding, _tabular])
def test_examples_in_docstrings_run(module):
    failed, attempted = doctest.testmod(module)
    assert failed == 0 < attempted


def test_the_version_stands_in_the_changelog_and_the_citation():
    changes, citation = (
        (DOCS.parents[1] / name).read_text()
        for name in ("CHANGELOG.md", "CITATION.cff")
    )
    assert re.search(r"## (\S+)", changes)[1] == __version__
    assert re.search(r"\nversion: (\S+)", citation)[1] == __version__


@pytest.mark.parametrize("public", PUBLIC)
def test_every_public_name_has_a_docstring(public):
    methods = [getattr(public, m) for m in vars(public) if not m.startswith("_")]
    assert all(item.__doc__ for item in [public, *methods])


def test_the_migration_page_lists_every_parameter_and_attribute(fitted):
    page = (DOCS / "from_mlp_classifier.md").read_text()
    rows = [
        [cell.strip().strip("`") for cell in line.split("|")[1:-1]]
        for line in page.split("## Parameters")[1].splitlines()
        if line.startswith("| `")
    ]
    defaults = {row[0]: row[1:3] for row in rows if len(row) == 4}
    theirs, ours = MLPClassifier().get_params(), BinaryMLPClassifier().get_params()
    assert defaults == {
        name: [repr(theirs[name]) if name in theirs else "", repr(ours[name])]
        for name in ours
    }
    listed = {name for row in rows if len(row) == 2 for name in row[0].split("`, `")}
    attributes = {name for name in vars(fitted) if name.endswith("_")}
    assert listed == attributes | {"feature_names_in_"}


@pytest.mark.skipif(
    not hasattr(BinaryMLPClassifier, "set_callbacks"), reason="scikit-learn before 1.9"
)
def test_the_html_tables_link_every_parameter_and_attribute(fitted):
    links = re.findall(r'href="([^"#]*)#:~:text=(\w+),', fitted._repr_html_())
    pages, names = zip(*links, strict=True)
    attributes = {name for name in vars(fitted) if name.endswith("_")}
    assert set(names) == set(fitted.get_params()) | attributes
    assert set(pages) == {fitted._get_doc_link()}


def test_the_html_representation_leads_to_a_page_of_the_documentation(fitted):
    site, page = fitted._get_doc_link().rsplit("/", 2)[0::2]
    assert page == "skbinnet.BinaryMLPClassifier.html"
    assert f'href="{site}/generated/{page}' in fitted._repr_html_()
    assert ":toctree: generated/" in (DOCS / "api.rst").read_text()
