import doctest

import pytest

from skbinnet import (
    BinaryMLPClassifier,
    TrainingCurvesDisplay,
    _classifier,
    _display,
)


@pytest.mark.parametrize("module", [_classifier, _display])
def test_examples_in_docstrings_run(module):
    failed, attempted = doctest.testmod(module)
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize("public", [BinaryMLPClassifier, TrainingCurvesDisplay])
def test_every_public_name_has_a_docstring(public):
    methods = [getattr(public, m) for m in vars(public) if not m.startswith("_")]
    assert all(item.__doc__ for item in [public, *methods])
