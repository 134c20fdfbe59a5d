import doctest

import pytest

import skbinnet
from skbinnet import _classifier, _display


@pytest.mark.parametrize("module", [_classifier, _display])
def test_examples_in_docstrings_run(module):
    failed, attempted = doctest.testmod(module)
    assert attempted > 0
    assert failed == 0


def test_every_public_name_has_a_docstring():
    for name in skbinnet.__all__:
        public = getattr(skbinnet, name)
        methods = [getattr(public, m) for m in vars(public) if not m.startswith("_")]
        assert all(item.__doc__ for item in [public, *methods])
