from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skbinnet import PiecewiseLinearEncoder
from skbinnet._encoding import BLOCK_ROWS, find_knots


def ramps(x, knots):
    """The formula, ramp by ramp."""
    return np.column_stack([np.interp(x, pair, [0, 1]) for pair in pairwise(knots)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("with_mean", [True, False])
def test_ramps_follow_their_formula(dtype, with_mean):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2 * BLOCK_ROWS + 7, 3)).astype(dtype)
    encoder = PiecewiseLinearEncoder(5, with_mean=with_mean)
    found = encoder.fit_transform(X)
    pairs = zip(X.T, encoder.knots_, strict=True)
    expected = np.hstack([ramps(x, knots) for x, knots in pairs])
    expected = expected - expected.mean(axis=0) * with_mean
    assert found.dtype == dtype
    assert_allclose(found, expected, atol=1e-6 if dtype == np.float32 else 1e-14)
    assert_array_equal(encoder.transform(X), found)
    beyond = np.full((1, 3), 1e30, dtype)  # constant beyond the outer knots
    assert_array_equal(encoder.transform(beyond), 1 - encoder.means_[None])
    assert_array_equal(encoder.transform(-beyond), -encoder.means_[None])


def test_knots_are_quantiles_of_the_rows():
    x = np.random.RandomState(0).normal(size=1000)
    assert_allclose(find_knots(x, 11), np.quantile(x, np.linspace(0, 1, 11)))


def test_knots_lost_to_ties_are_quantiles_of_the_distinct_values():
    x = np.r_[np.zeros(900), np.arange(1, 101)].astype(float)
    knots = find_knots(x, 11)  # nine of ten quantiles are 0
    assert 9 <= len(knots) <= 11
    assert_array_equal(knots, np.unique(knots))
    assert (knots[0], knots[-1]) == (0, 100)
    assert np.diff(knots).max() < 20


def test_features_of_few_values():
    X = np.array([[5, 0, 1], [5, 1, 2], [5, 1, 4], [5, 0, 4]], dtype=float)
    encoder = PiecewiseLinearEncoder(with_mean=False).fit(X)
    assert [k.tolist() for k in encoder.knots_] == [[5], [0, 1], [1, 2, 4]]
    assert_array_equal(
        encoder.transform(X), [[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]]
    )
    assert_array_equal(encoder.transform([[7, 0.5, 3]]), [[0.5, 1, 0.5]])
    constant = PiecewiseLinearEncoder().fit(X[:, :1])
    assert constant.transform(X[:, :1]).shape == (4, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_values_stay_within_0_and_1(dtype):
    limits = np.finfo(dtype)
    x = np.array([-1, 0, 1, 0.5], dtype) * limits.max
    for column in (x, np.array([0, 1, 2, 3], dtype) * limits.smallest_subnormal):
        encoder = PiecewiseLinearEncoder(with_mean=False)
        found = encoder.fit_transform(column[:, None])
        assert np.isfinite(found).all()
        assert found.min() == 0
        assert found.max() == 1


def test_names_and_set_output():
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "sex": [0.0, 1.0, 0.0]})
    encoder = PiecewiseLinearEncoder().set_output(transform="pandas").fit(frame)
    names = ["age_ramp_0", "age_ramp_1", "sex_ramp_0"]
    assert encoder.get_feature_names_out().tolist() == names
    assert encoder.transform(frame).columns.tolist() == names
    unnamed = PiecewiseLinearEncoder().fit(frame.to_numpy())
    assert unnamed.get_feature_names_out().tolist()[-1] == "x1_ramp_0"


def test_a_linear_model_of_ramps_bends_at_the_knots():
    x = np.linspace(-3, 3, 200)[:, None]
    model = make_pipeline(PiecewiseLinearEncoder(20), LinearRegression())
    assert model.fit(x, np.sin(2 * x[:, 0])).score(x, np.sin(2 * x[:, 0])) > 0.99


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[np.nan], [1]], "Input X contains NaN"),
        ([[np.inf], [1]], "infinity"),
        ([["a"], ["b"]], "could not convert"),
        (csr_matrix(np.eye(3)), "Sparse data was passed"),
    ],
)
def test_bad_input_is_named(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        PiecewiseLinearEncoder().fit(X)


@pytest.mark.parametrize("n_knots", [1, 2.5, "many"])
def test_a_bad_number_of_knots_is_named(n_knots):
    with pytest.raises(ValueError, match="'n_knots' parameter"):
        PiecewiseLinearEncoder(n_knots).fit([[1.0], [2.0]])
