from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix, random
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from skbinnet import PiecewiseLinearEncoder, _encoding
from skbinnet._encoding import (
    BLOCK_ROWS,
    MANY,
    MAX_PAIRED,
    VIEW_ROWS,
    Numbers,
    SparseEncoder,
    Statistics,
    TableEncoder,
    find_knots,
    squash,
)
from skbinnet._table import SparseTable, Table


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


def test_fit_does_not_hold_the_ramps_of_all_rows_at_once(peak_memory):
    X = np.random.RandomState(0).normal(size=(20_000, 5))
    encoder = PiecewiseLinearEncoder()
    peak = peak_memory(encoder.fit, X)
    assert peak < encoder.transform(X).nbytes / 5


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


# ---- views of a table

EXTREMES = {
    "large": np.linspace(-1, 1, 50) * np.finfo(float).max,
    "small": np.linspace(-1, 1, 50) * 1e-300,
    "subnormal": np.arange(50) * 5e-324,
    "constant": np.full(50, 1e300),
    "one not zero": np.r_[np.zeros(49), 1e-300],
}


@pytest.fixture
def numbers():
    """200 rows of four features, with missing values in the first."""
    X = np.random.RandomState(0).exponential(size=(200, 4)) * [1e-9, 1, 1e9, 0]
    X[::9, 0] = np.nan
    return X


def filled(numbers):
    """Numbers with the medians in place of missing values."""
    return np.where(np.isnan(numbers), np.nanmedian(numbers, axis=0), numbers)


def test_scores_are_those_of_standard_scaler_squashed(numbers):
    scores, missing = Numbers(numbers, 8).parts(numbers, ("scores",))
    z = StandardScaler().fit_transform(filled(numbers))
    assert_allclose(scores, z / np.sqrt(1 + z**2 / 9), rtol=1e-5, atol=1e-6)
    assert_array_equal(missing[:, 0], np.isnan(numbers[:, 0]))
    assert missing.shape == (200, 1)


def test_ramps_are_those_of_the_encoder_where_there_are_three_values(numbers):
    ramps, _ = Numbers(numbers, 8).parts(numbers, ("ramps",))
    z = StandardScaler().fit_transform(filled(numbers)).astype(np.float32)
    expected = PiecewiseLinearEncoder(8).fit_transform(z[:, :3])
    assert_allclose(ramps, expected, atol=1e-5)


def test_values_of_ten_rows_have_indicators_less_their_means():
    x = np.r_[np.full(30, 2.0), np.full(10, 5.0), np.full(8, 7.0), np.arange(52)]
    X = np.column_stack([x, np.arange(100) % 2])  # two values need no indicators
    values, _ = Numbers(X, 8).parts(X, ("values",))
    expected = (x[:, None] == [2, 5]) - np.array([31, 11]) / 100
    assert values.dtype == np.float32
    assert_allclose(values, expected, atol=1e-6)
    assert Numbers(X[:, 1:], 8).parts(X[:, 1:], ("values",))[0].shape == (100, 0)


def test_ranks_are_those_of_quantile_transformer_at_its_quantiles(numbers):
    encoder = Numbers(numbers, 8)
    normal = QuantileTransformer(n_quantiles=200, output_distribution="normal")
    expected = np.clip(normal.fit_transform(filled(numbers)), -3, 3)
    ranks, _ = encoder.parts(numbers, ("ranks",))
    assert_allclose(ranks[:, 1:3], expected[:, 1:3], atol=1e-4)
    between = np.linspace(-1, 9, 1000)[:, None] * np.ones(4)
    ranks, _ = encoder.parts(between, ("ranks",))
    assert (np.diff(ranks, axis=0) >= 0).all()
    assert ranks.min() == -3
    assert ranks.max() == 3


def test_numbers_of_a_large_table_are_scaled_by_some_of_its_rows(numbers, monkeypatch):
    monkeypatch.setattr(_encoding, "SOME_ROWS", 50)
    found = Numbers(numbers, 8).parts(numbers, ("scores",))[0]
    expected = Numbers(numbers[::4], 8).parts(numbers, ("scores",))[0]
    assert_array_equal(found, expected)


@pytest.mark.parametrize("column", EXTREMES.values(), ids=EXTREMES)
def test_views_of_extreme_numbers_are_finite_and_bounded(column):
    table = Table(np.column_stack([column, column]), np.empty((50, 0), np.intp))
    encoder = TableEncoder(8, [])
    encoder.fit(table, np.arange(50) % 2 == 1, 5)
    limits = np.array([[-1.7e308, -1e-300, 0, 1e-300, 1.7e308, np.nan]] * 2).T
    beyond = Table(limits, np.empty((6, 0), np.intp))
    for view in encoder.views:
        for rows in (table, beyond):
            A = encoder.encode(rows, view)
            assert A.dtype == np.float32
            assert np.abs(A).max() <= 3
        assert (np.diff(A[:5], axis=0) >= 0).all()  # the order is kept
        assert len(np.unique(column)) < 3 or (A[0] < A[4]).all()


def test_numbers_in_another_unit_are_encoded_alike(numbers):
    same = numbers * 2.0**900
    for view in TableEncoder.views:
        parts = Numbers(numbers, 8).parts(numbers, view)
        parts_of_same = Numbers(same, 8).parts(same, view)
        assert_array_equal(np.hstack(parts_of_same), np.hstack(parts))


def draw_codes(n_rows, *n_codes):
    """Codes, the small ones more often; the last of each column is not there."""
    rng = np.random.RandomState(0)
    columns = [rng.randint(n - 1, size=(2, n_rows)).min(axis=0) for n in n_codes]
    return np.column_stack(columns)


def encode_categories(codes, n_codes, others=None):
    """The columns of categories of a view, for rows that were not trained on."""
    encoder = TableEncoder(8, n_codes)
    none = np.empty((len(codes), 0))
    encoder.fit(Table(none, codes), np.arange(len(codes)) % 3 == 0, 5)
    others = codes if others is None else others
    table = Table(np.empty((len(others), 0)), others)
    return encoder.encode(table, ("scores",))


@pytest.mark.parametrize("n_codes", [3, MANY + 1, MANY + 2, 200])
def test_frequent_categories_get_the_columns_of_one_hot_encoder(n_codes):
    codes = draw_codes(1000, n_codes)
    expected = OneHotEncoder(
        max_categories=MANY + 1, handle_unknown="infrequent_if_exist"
    ).fit(codes)
    others = np.r_[codes, [[n_codes - 1]]]
    found = encode_categories(codes, [n_codes], others)
    n_columns = expected.transform(codes).shape[1]
    assert n_columns <= MANY + 1
    assert_array_equal(found[:, :n_columns], expected.transform(others).toarray())
    assert found.shape[1] == n_columns + 2 * (n_codes - 1 > MANY)


@pytest.fixture
def many():
    """Codes of a column of 40 categories, the last not there, and labels."""
    codes = draw_codes(600, 41)
    odds = np.sin(codes[:, 0]) + np.random.RandomState(1).normal(size=600)
    return codes, odds > 0


def as_statistics(means, counts, fitted):
    """The formula of statistics, scaled as those of the training rows."""

    def raw(means, counts):
        p = np.clip(means, 1e-4, 1 - 1e-4)
        return np.column_stack([np.log(p / (1 - p)), np.log(counts + 1)])

    return squash(StandardScaler().fit(raw(*fitted)).transform(raw(means, counts)))


def cross_fitted(codes, y):
    """Target means of each fold, from the other folds."""
    means = np.empty(len(y))
    for rest, fold in StratifiedKFold(5, shuffle=True, random_state=0).split(codes, y):
        encoder = TargetEncoder(target_type="binary").fit(codes[rest], y[rest])
        means[fold] = encoder.transform(codes[fold])[:, 0]
    return means


def test_statistics_are_the_means_of_target_encoder_and_the_frequency(many):
    codes, y = many
    statistics = Statistics([41])
    of_training = statistics.fit(codes, y, 5)
    counts = np.bincount(codes[:, 0])[codes[:, 0]]
    fitted = cross_fitted(codes, y), counts - 1
    assert_allclose(of_training, as_statistics(*fitted, fitted), rtol=1e-5, atol=1e-6)
    encoder = TargetEncoder(target_type="binary").fit(codes, y)
    expected = as_statistics(encoder.transform(codes)[:, 0], counts, fitted)
    assert_allclose(statistics(codes), expected, rtol=1e-5, atol=1e-6)
    other = as_statistics(np.array([y.mean()]), np.array([0]), fitted)
    assert_allclose(statistics(np.array([[40]])), other, rtol=1e-5, atol=1e-6)


def test_no_label_has_a_part_in_the_statistics_of_its_row():
    codes = np.arange(200)[:, None]  # so that all known of a category is its own label
    y = np.random.RandomState(0).rand(200) > 0.5
    statistics = Statistics([201])
    means, frequencies = statistics.fit(codes, y, 5).T
    assert len(np.unique(means)) <= 5  # one of each fold
    assert np.ptp(frequencies) == 0
    of_label = statistics(codes)[:, 0]
    assert of_label[y].min() > of_label[~y].max()


def test_frequencies_of_training_rows_do_not_count_the_row():
    codes = np.repeat(np.arange(40), np.arange(1, 41))[:, None]  # code 0 occurs once
    statistics = Statistics([41])
    of_training = statistics.fit(codes, np.arange(len(codes)) % 2 == 1, 5)[:, 1]
    one_less = np.where(codes == 0, 40, codes - 1)
    assert_allclose(of_training, statistics(one_less)[:, 1], rtol=1e-6)
    assert (of_training < statistics(codes)[:, 1]).all()


def test_a_category_that_no_training_row_has_gets_the_mean_of_all(many):
    codes, y = many
    (others,) = np.nonzero(codes[:, 0] != 7)  # as where the weights of its rows are 0
    statistics = Statistics([41])
    statistics.fit(codes[others], y[others], 5)
    found, unknown = statistics(np.array([[7], [40]]))
    assert_array_equal(found, unknown)
    alike = Statistics([40])
    renumbered = codes[others] - (codes[others] > 7)
    alike.fit(renumbered, y[others], 5)
    assert_array_equal(statistics(codes[others]), alike(renumbered))


def test_pairs_of_columns_of_many_categories_have_statistics_too():
    n_codes = [41, 3, 51]
    codes = draw_codes(500, *n_codes)
    y = (codes[:, 0] + codes[:, 2]) % 2 == 1  # each column alone says nothing
    statistics = Statistics(n_codes)
    of_training = statistics.fit(codes, y, 5)
    assert of_training.shape == (500, 2 * 3)
    new = np.array([[40, 0, 0], [0, 2, 50], [40, 2, 50]])
    assert len(np.unique(statistics(new)[:, 4:], axis=0)) == 1  # pairs not seen
    _, joint = np.unique(codes[:, ::2], axis=0, return_inverse=True)
    alone = Statistics([joint.max() + 2]).fit(joint.reshape(-1, 1), y, 5)
    assert_array_equal(of_training[:, 4:], alone)
    assert np.corrcoef(of_training[:, 4], y)[0, 1] > 0.3


def test_only_the_columns_of_the_most_categories_are_paired():
    n_codes = [MANY + 1, *range(MANY + 2, MANY + 14), 3]
    statistics = Statistics(n_codes)
    assert statistics.many == list(range(1, 13))
    assert len(statistics.pairs) == MAX_PAIRED * (MAX_PAIRED - 1) / 2
    assert {i for pair in statistics.pairs for i in pair} == set(range(3, 13))


def test_rows_are_encoded_in_blocks_without_a_copy_of_their_parts(peak_memory):
    n_rows = 20 * VIEW_ROWS + 7
    codes = draw_codes(n_rows, 4, 41)
    table = Table(np.random.RandomState(0).normal(size=(n_rows, 5)), codes)
    encoder = TableEncoder(32, [4, 41])
    statistics = encoder.fit(table, codes[:, 1] % 3 == 0, 5)
    for view in encoder.views:
        X = encoder.encode(table, view, statistics)
        together = encoder.parts(table, view, statistics)
        assert_array_equal(X, np.hstack(together, dtype=np.float32, casting="unsafe"))
        assert peak_memory(encoder.encode, table, view, statistics) < 1.5 * X.nbytes


def test_sparse_columns_are_those_of_max_abs_scaler():
    X = random(50, 9, 0.3, "csr", random_state=0).multiply([0, *2.0 ** np.arange(8)])
    X = csr_matrix(X, dtype=np.float32)
    encoder, table = SparseEncoder(), SparseTable(X)
    assert encoder.fit(table, np.zeros(50), 5).shape == (50, 0)
    found = encoder.encode(table, ())
    assert found.dtype == np.float32
    assert_allclose(found.toarray(), MaxAbsScaler().fit_transform(X).toarray(), 1e-6)
    assert_array_equal(table.numbers.toarray(), X.toarray())


def test_sparse_numbers_of_any_size_stay_finite():
    small = csr_matrix(np.eye(3), dtype=np.float32) * np.float32(1e-44)
    encoder = SparseEncoder()
    encoder.fit(SparseTable(small), np.zeros(3), 2)
    assert_array_equal(encoder.encode(SparseTable(small), ()).toarray(), np.eye(3))
    large = csr_matrix(np.eye(3) * 1e38, dtype=np.float32)
    assert np.isfinite(encoder.encode(SparseTable(large), ()).data).all()


@pytest.mark.parametrize(("n_columns", "n_ramps"), [(3, 10), (20, 5), (50, 2), (60, 0)])
def test_many_columns_have_fewer_ramps_each(monkeypatch, n_columns, n_ramps):
    monkeypatch.setattr(_encoding, "MAX_RAMPS", 100)
    numbers = Numbers(
        np.random.RandomState(0).rand(200, n_columns).round(1), 32
    )  # 11 values
    z = numbers.z_scores(np.zeros((1, n_columns)))
    assert numbers.ramps(z).shape == (1, n_columns * n_ramps)
    assert numbers.values(z).shape[1] <= 100
