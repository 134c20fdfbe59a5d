import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from skbinnet._messages import mean_and_std, most_in_need_of_scaling, share_on_plateaus

each_form = pytest.mark.parametrize("form", [np.asarray, csr_matrix])


@each_form
def test_the_largest_root_mean_square_is_named(form):
    X = np.random.RandomState(0).normal(size=(50, 4)) * [1, 3, 7, 2]
    text = most_in_need_of_scaling(form(X.astype(np.float32)))
    assert text.startswith("feature 2 has the largest root mean square")
    assert text.endswith(f"a standard deviation of {X[:, 2].std():.3g}")
    assert "far" not in text
    X[:, 1] += 293
    text = most_in_need_of_scaling(form(X))
    assert text.startswith("feature 1 has the largest root mean square")
    assert f"a mean of {X[:, 1].mean():.3g}, which is far from 0" in text


@each_form
def test_mean_and_standard_deviation_are_exact_and_silent(form):
    rng = np.random.RandomState(0)
    X = np.c_[1e8 + rng.normal(size=50), np.full(50, 5.0), np.zeros(50)]
    means, stds = mean_and_std(form(X))
    assert_allclose(means, X.mean(axis=0), rtol=1e-12)
    assert_allclose(stds, X.std(axis=0), rtol=1e-6, atol=1e-14)
    assert mean_and_std(form(1e200 * X))[1][0] == np.inf


def test_double_entries_of_sparse_rows_are_added_up_in_a_copy():
    double = csr_matrix(([1.0, 1.0, 3.0], [0, 0, 0], [0, 2, 3]), shape=(2, 1))
    assert_array_equal(mean_and_std(double), [[2.5], [0.5]])
    assert double.nnz == 3


# ---- a network that collapsed


@each_form
def test_plateaus_count_where_wide_rows_differ(form):
    X = np.random.RandomState(0).normal(size=(100, 3)) * [1, 100, 1]
    z, weight = np.r_[np.zeros(50), np.ones(45), np.linspace(2, 3, 5)], np.ones(100)
    assert share_on_plateaus(z, form(X), weight) == pytest.approx(0.97)
    assert share_on_plateaus(0 * z, form(X), weight) == 1
    assert share_on_plateaus(X[:, 0], form(X), weight) == 0
    # Features that are scaled have another cause, and equal rows have equal logits.
    assert share_on_plateaus(z, form(X / 10), weight) == 0
    X[:95] = X[0]
    assert share_on_plateaus(z, form(X), weight) == 0


def test_rows_without_weight_do_not_count_as_plateaus():
    X = np.random.RandomState(0).normal(size=(100, 3)) * 100
    z, weight = np.r_[np.zeros(50), np.linspace(1, 2, 50)], np.ones(100)
    assert share_on_plateaus(z, X, weight) == 0
    weight[50:] = 0
    assert share_on_plateaus(z, X, weight) == 1
