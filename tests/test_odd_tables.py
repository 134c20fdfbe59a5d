"""Any table gives sound probabilities, or a ValueError or TypeError that says why."""

import os
import pickle
import re
import warnings

import numpy as np
import odd_tables
import pytest
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


def check(seed):
    """Fit and predict a table that is drawn by this seed; returns what was refused."""
    rng = np.random.RandomState(seed)
    X, kinds = odd_tables.draw_table(rng)
    y, positive, y_may = odd_tables.draw_labels(rng, len(X))
    weights, weights_may = odd_tables.draw_weights(rng, positive)
    names, form = (
        list(X.columns),
        list(odd_tables.FORMS)[rng.randint(len(odd_tables.FORMS))],
    )
    categorical, categorical_may = odd_tables.draw_categorical(rng, names)
    may_be_refused = y_may or weights_may or categorical_may
    is_unsound = any(kind in odd_tables.UNSOUND for kind in kinds)
    may_be_refused |= is_unsound
    params = odd_tables.draw_params(rng) | {"categorical_features": categorical}
    model = TabularMLPClassifier(**params)
    if rng.rand() < 0.2:  # an earlier fit, which a failing one must not spoil
        model.set_params(categorical_features="from_dtype").fit(*EARLIER)
        model.set_params(categorical_features=categorical)
    before = vars(model).copy()
    given = odd_tables.of_form(form, X)
    if form not in ("pandas", "index"):
        names = [*names, *map(ascii, names), *range(len(names))]
    if attempt(lambda: model.fit(given, y, weights), names, may_be_refused) is None:
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is before[name] for name in before)
        return True
    p = attempt(lambda: model.predict_proba(given), names, False)
    assert_sound(model, given, p, rng)
    again = clone(model).fit(given, y, weights)
    np.testing.assert_array_equal(again.predict_proba(given), p)
    again = pickle.loads(pickle.dumps(model))
    for _ in range(3):
        new, may_be_refused = odd_tables.spoil(rng, X)
        new, may_be_refused = (
            odd_tables.of_form(form, new),
            may_be_refused or is_unsound,
        )
        p = attempt(lambda: model.predict_proba(new), names, may_be_refused)  # noqa: B023
        if p is not None:
            assert_sound(again, new, p, rng)
    return False


@pytest.mark.parametrize("first", range(FIRST, FIRST + N_TABLES, N_TOGETHER))
def test_odd_tables_are_predicted_or_refused_by_name(first):
    n_refused = 0
    for seed in range(first, first + N_TOGETHER):
        try:
            n_refused += check(seed)
        except BaseException as error:
            error.add_note(f"The table is that of test_odd_tables.check({seed}).")
            raise
    assert 0 < n_refused < 0.6 * N_TOGETHER


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_most_tables_can_be_those_of_another_library_that_is_installed(library):
    pytest.importorskip(library)
    rngs = map(np.random.RandomState, range(50))
    tables = [odd_tables.of_form(library, odd_tables.draw_table(r)[0]) for r in rngs]
    are_drawn = [type(X).__module__.startswith(library) for X in tables]
    assert np.mean(are_drawn) > 0.7
