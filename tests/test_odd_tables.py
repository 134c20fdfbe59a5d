"""Any table gives sound probabilities, or a ValueError or TypeError that says why."""

import os
import pickle
import re
import warnings

import numpy as np
import odd_tables
import pytest
from helpers import count_refused
from sklearn.base import clone

from skbinnet import TabularMLPClassifier

N_TABLES = 20_000 if "SKBINNET_LONG" in os.environ else 300
FIRST = int(os.environ.get("SKBINNET_SEED", "0"))
N_TOGETHER = 100  # tables of a test
EARLIER = [[0, "a"], [1, "b"]] * 4, [0, 1] * 4

# An error names a column, or says what was expected.
EXPECTATIONS = re.compile(
    "must have different names|feature names should match|X has .* features, but|"
    r"0 (sample|feature)\(s\)|Expected (2D array|a data frame)|Each class needs|"
    "Cannot hold out|binary classification|Unknown label type|one class only|"
    "missing labels|contains NaN|sample_weight|class_weight|categorical_features|"
    "inconsistent numbers of samples|Complex data"
)


def attempt(call, names, may_be_refused):
    """The result of a call without any warning, or None if it was rightly refused.

    A refusal names one of the columns, or says what was expected.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except (ValueError, TypeError) as error:
            message, result = str(error), None
            is_named = any(f"Column {name!r} " in message for name in names)
            if not may_be_refused or not (is_named or EXPECTATIONS.search(message)):
                raise
    assert not caught, caught[0]
    return result


def assert_sound(model, X, p, rng):
    """Probabilities are finite, and do not depend on how the rows are split."""
    n_rows = len(X)
    assert p.shape == (n_rows, 2)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()
    assert np.abs(p.sum(axis=1) - 1).max() < 1e-12
    row = rng.randint(n_rows)
    slices = [slice(row, row + 1), slice(n_rows // 2), slice(n_rows // 2, None)]
    for rows in slices if n_rows > 1 else []:
        found = model.predict_proba(odd_tables.rows_of(X, rows))
        np.testing.assert_array_equal(found, p[rows])


def draw_model(rng, categorical_features):
    """A model, which an earlier fit may have left: a failing one must not spoil it."""
    model = TabularMLPClassifier(**odd_tables.draw_params(rng))
    if rng.rand() < 0.2:
        model.fit(*EARLIER)
    return model.set_params(categorical_features=categorical_features)


def names_in_errors(X, form):
    """The names that an error may give to the columns of a table in this form."""
    names = list(X.columns)
    if form in ("pandas", "index"):
        return names
    return [*names, *map(ascii, names), *range(len(names))]


def check_spoiled(model, X, form, is_unsound, rng):
    """Predict a spoiled table, whose slices a pickled copy of the model predicts."""
    new, may_be_refused = odd_tables.spoil(rng, X)
    new, names = odd_tables.of_form(form, new), names_in_errors(X, form)
    p = attempt(lambda: model.predict_proba(new), names, may_be_refused or is_unsound)
    if p is not None:
        assert_sound(pickle.loads(pickle.dumps(model)), new, p, rng)


def check(seed):
    """Fit and predict the table of this seed; returns whether fit refused it."""
    rng = np.random.RandomState(seed)
    X, kinds = odd_tables.draw_table(rng)
    y, positive, y_may = odd_tables.draw_labels(rng, len(X))
    weights, weights_may = odd_tables.draw_weights(rng, positive)
    form = list(odd_tables.FORMS)[rng.randint(len(odd_tables.FORMS))]
    given, names = odd_tables.of_form(form, X), names_in_errors(X, form)
    categorical, categorical_may = odd_tables.draw_categorical(rng, list(X.columns))
    is_unsound = not odd_tables.UNSOUND.keys().isdisjoint(kinds)
    may_be_refused = y_may or weights_may or categorical_may or is_unsound
    model = draw_model(rng, categorical)
    before = vars(model).copy()
    if attempt(lambda: model.fit(given, y, weights), names, may_be_refused) is None:
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is before[name] for name in before)
        return True
    p = attempt(lambda: model.predict_proba(given), names, False)
    assert_sound(model, given, p, rng)
    again = clone(model).fit(given, y, weights)
    np.testing.assert_array_equal(again.predict_proba(given), p)
    for _ in range(3):
        check_spoiled(model, X, form, is_unsound, rng)
    return False


@pytest.mark.parametrize("first", range(FIRST, FIRST + N_TABLES, N_TOGETHER))
def test_odd_tables_are_predicted_or_refused_by_name(first):
    n_refused = count_refused(check, range(first, first + N_TOGETHER))
    assert 0 < n_refused < 0.6 * N_TOGETHER


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_most_tables_can_be_those_of_another_library_that_is_installed(library):
    pytest.importorskip(library)
    rngs = map(np.random.RandomState, range(50))
    tables = [odd_tables.of_form(library, odd_tables.draw_table(r)[0]) for r in rngs]
    are_drawn = [type(X).__module__.startswith(library) for X in tables]
    assert np.mean(are_drawn) > 0.7
