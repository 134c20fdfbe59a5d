"""Encoders: a number as ramps between knots, and a table as the views of networks."""

from itertools import combinations
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import (
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

BLOCK_ROWS = 256  # rows whose ramps are computed together, in the cache
VIEW_ROWS = 512  # rows of a table that are encoded together, in the cache too
SOME_ROWS = 100_000  # rows from which medians, scales, knots and ranks are taken
MANY = 30  # categories; a column of more gets statistics of each category too
IDENTITY = np.eye(MANY + 2, dtype=np.float32)  # the row of each one-hot column
MAX_VALUES = 16  # of a column that have an indicator each
MAX_RAMPS = 10_000  # of all columns; where there are many, each has fewer
LEAST_COUNT = 10  # of rows that have such a value
MAX_Z = 1e9  # of a z-score; the squares of larger ones might overflow
MAX_PAIRED = 10  # columns of many categories that are paired with each other


class PiecewiseLinearEncoder(TransformerMixin, BaseEstimator):
    """Encode each feature by ramps between its knots.

    For knots k_1 < ... < k_m a value x becomes the m - 1 ramps

        clip((x - k_j) / (k_{j+1} - k_j), 0, 1),    j = 1, ..., m - 1

    less their means over the training rows [1]_. A linear model of the ramps is a
    continuous function of x that is linear between the knots and constant beyond them;
    a network finds steep or uneven functions of x more easily from ramps than from x.

    Parameters
    ----------
    n_knots : int, default=32
        Maximum number of knots of a feature, at least 2. The knots are quantiles of the
        training rows. Where many rows have the same value, these coincide; quantiles of
        the distinct values then replace those that are lost.

    with_mean : bool, default=True
        Whether to subtract the means of the ramps.

    Attributes
    ----------
    knots_ : list of ndarray of shape (n_knots_of_feature,)
        The knots of each feature, in ascending order. A feature with d distinct values
        has at most d knots; a constant feature has one, and no ramps.

    means_ : ndarray of shape (n_features_out,)
        The means of the ramps over the training rows; zeros if `with_mean` is False.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` has names that are all strings.

    See Also
    --------
    sklearn.preprocessing.SplineTransformer : Splines of any degree, which continue
        beyond the outer knots.
    sklearn.preprocessing.KBinsDiscretizer : Steps instead of ramps.

    Notes
    -----
    float32 stays float32. Missing values are not accepted: put a
    :class:`~sklearn.impute.SimpleImputer` before the encoder.

    References
    ----------
    .. [1] Gorishniy, Rubachev and Babenko (2022), On embeddings for numerical features
       in tabular deep learning.

    Examples
    --------
    >>> import numpy as np
    >>> from skbinnet import PiecewiseLinearEncoder
    >>> encoder = PiecewiseLinearEncoder(n_knots=3, with_mean=False)
    >>> encoder.fit_transform(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]))
    array([[0. , 0. ],
           [0.5, 0. ],
           [1. , 0. ],
           [1. , 0.5],
           [1. , 1. ]])
    """

    _parameter_constraints = {
        "n_knots": [Interval(Integral, 2, None, closed="left")],
        "with_mean": ["boolean"],
    }

    def __init__(self, n_knots=32, *, with_mean=True):
        self.n_knots = n_knots
        self.with_mean = with_mean

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X, y=None):
        """Find the knots of each feature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        Returns
        -------
        self : PiecewiseLinearEncoder
            The fitted encoder.
        """
        self._validate_params()
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.knots_ = [find_knots(x, self.n_knots) for x in X.T]
        self.means_ = np.zeros(sum(len(k) - 1 for k in self.knots_), X.dtype)
        if self.with_mean:
            ramps = Ramps(self.knots_, self.means_, X.dtype)
            blocks = (X[i : i + BLOCK_ROWS] for i in range(0, len(X), BLOCK_ROWS))
            sums = sum(ramps(block).sum(axis=0, dtype=np.float64) for block in blocks)
            self.means_ = (sums / len(X)).astype(X.dtype)
        return self

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ramps : ndarray of shape (n_samples, n_features_out)
            The ramps of the first feature, then of the second, and so on.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return Ramps(self.knots_, self.means_, X.dtype)(X)

    def get_feature_names_out(self, input_features=None):
        """Names of the ramps.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features; by default those seen during `fit`, or "x0", "x1",
            and so on.

        Returns
        -------
        names : ndarray of str objects
            The name of the feature and the number of the ramp, as "x0_ramp_0".
        """
        check_is_fitted(self, "knots_")
        names = _check_feature_names_in(self, input_features)
        return np.array(
            [
                f"{name}_ramp_{j}"
                for name, knots in zip(names, self.knots_, strict=True)
                for j in range(len(knots) - 1)
            ],
            dtype=object,
        )


def find_knots(x, n_knots):
    """Quantiles of x; where ties make them coincide, also of its distinct values."""
    distinct = np.unique(x)
    if len(distinct) <= n_knots:
        return distinct
    knots = np.unique(quantiles(x, n_knots))
    n_lost = n_knots - len(knots)
    if n_lost > 0:  # both ends of these quantiles are knots already
        knots = np.union1d(knots, quantiles(distinct, n_lost + 2))
    return knots


def quantiles(x, n):
    """n quantiles, from the least value to the largest, in the dtype of x."""
    levels = np.linspace(0, 1, n)
    return np.quantile(x, levels, method="linear").astype(x.dtype, copy=False)


class Ramps:
    """The ramps of all features, laid side by side, less their means."""

    def __init__(self, knots, means, dtype):
        self.columns = np.repeat(np.arange(len(knots)), [len(k) - 1 for k in knots])
        scaled = [scale_knots(k, dtype) for k in knots]
        self.scales = np.array([scale for scale, _ in scaled], dtype)[self.columns]
        self.starts = np.concatenate([k[:-1] for _, k in scaled])
        self.widths = np.concatenate([np.diff(k) for _, k in scaled])
        self.means = means.astype(dtype, copy=False)

    def __call__(self, X):
        """The ramps of rows, in blocks."""
        ramps = np.empty((len(X), len(self.columns)), X.dtype)
        for row in range(0, len(X), BLOCK_ROWS):
            block = ramps[row : row + BLOCK_ROWS]
            with np.errstate(over="ignore"):  # infinity is clipped
                np.take(X[row : row + BLOCK_ROWS], self.columns, axis=1, out=block)
                block *= self.scales
                block -= self.starts
                block /= self.widths
            np.clip(block, 0, 1, out=block)
            block -= self.means
        return ramps


def scale_knots(knots, dtype):
    """A factor, 1 or 1/2, and scaled knots, no difference of which overflows."""
    knots = knots.astype(dtype, copy=False)
    with np.errstate(over="ignore"):
        scale = dtype.type(1 if np.isfinite(knots[-1] - knots[0]) else 0.5)
    return scale, scale * knots


# ---- views of a table


class TableEncoder:
    """Encodes a Table in several views, each a float32 array for a network.

    The parts of a view that encode the numbers are

        scores   z-scores, squashed
        ramps    those of PiecewiseLinearEncoder, where there are more than two values
        values   indicators of values that several rows have, such as 0 or codes
        ranks    as normal scores, at most 3

    with the median in place of missing values. Each view also has indicators of missing
    values, a column for each of the most frequent categories, and, of columns of many
    categories and of their pairs, the statistics of each category.

    What scikit-learn's transformers make of a rank or a category is tabulated in fit.
    To look it up takes a tenth of their time for a single row.
    """

    views = (("ramps", "values", "scores"), ("scores",), ("ranks",))
    network_params = {}

    def __init__(self, n_knots, n_codes):
        self.n_knots, self.n_codes = n_knots, n_codes

    def fit(self, table, positive, n_folds):
        """Learn from a table; return the statistics of its rows, for encode.

        They are cross-fitted: no row's label has a part in its own statistics.
        """
        numbers = table.numbers
        self.numbers = Numbers(numbers, self.n_knots) if numbers.size else None
        columns = zip(table.codes.T, self.n_codes, strict=True)
        self.one_hot = [one_hot_columns(codes, n) for codes, n in columns]
        self.statistics = Statistics(self.n_codes)
        return self.statistics.fit(table.codes, positive, n_folds)

    def encode(self, table, view, statistics=None):
        """Rows as a view; statistics are given for rows that were trained on.

        To write 500 columns of 90,000 rows at once takes six times as long.
        """
        X, n_rows = None, len(table.codes)
        for start in range(0, n_rows, VIEW_ROWS):
            rows = slice(start, start + VIEW_ROWS)
            known = statistics if statistics is None else statistics[rows]
            parts = self.parts(table.take(rows), view, known)
            if X is None:
                width = sum(part.shape[1] for part in parts)
                X = np.empty((n_rows, width), np.float32)
            np.concatenate(parts, axis=1, out=X[rows], casting="unsafe")
        return X

    def parts(self, table, view, statistics):
        """The parts of a view."""
        parts = self.numbers.parts(table.numbers, view) if self.numbers else []
        for codes, (columns, n) in zip(table.codes.T, self.one_hot, strict=True):
            parts.append(IDENTITY[columns[codes], :n])
        parts.append(self.statistics(table.codes) if statistics is None else statistics)
        return parts


class SparseEncoder:
    """Scales a SparseTable by the largest magnitude of each column: the one view."""

    views = ((),)
    # Without momentum a step costs what the nonzeros of its minibatch cost.
    network_params = {"momentum": 0, "learning_rate_init": 0.1}

    def fit(self, table, positive, n_folds):
        """Learn from a table; there are no statistics."""
        largest = abs(table.numbers).max(axis=0).toarray().ravel()
        self.scales = np.where(largest > 0, largest, 1).astype(np.float64)
        return np.empty((len(positive), 0))

    def encode(self, table, view, statistics=None):
        """Rows as a view."""
        X = table.numbers.astype(np.float32)  # a copy
        X.data[:] = np.clip(X.data / self.scales[X.indices], -MAX_Z, MAX_Z)
        return X


class Numbers:
    """The parts of a view that encode numbers."""

    def __init__(self, numbers, n_knots):
        self.has_missing = np.isnan(numbers).any(axis=0)
        # The order in memory must not matter to the order of sums.
        numbers = np.ascontiguousarray(numbers[:: -(-len(numbers) // SOME_ROWS)])
        # Powers of 2 scale exactly, and no square of a number overflows then.
        largest = np.fmax.reduce(np.abs(numbers), axis=0, initial=0)
        self.exponents = -np.frexp(largest)[1]
        scaled, missing = np.ldexp(numbers, self.exponents), np.isnan(numbers)
        is_empty = missing.all(axis=0)  # in these rows
        # SimpleImputer would do, but to import sklearn.impute takes 40 ms.
        self.medians = np.nanmedian(np.where(is_empty, 0, scaled), axis=0)
        scaler = StandardScaler().fit(np.where(missing, self.medians, scaled))
        self.means, self.scales = scaler.mean_, scaler.scale_
        z = self.z_scores(numbers)
        distinct = [np.unique(x, return_counts=True) for x in z.T]
        self._fit_ramps(z, distinct, n_knots)
        self._fit_values(z, distinct)
        # Ties of missing values at the median would make the ranks jump there.
        self._fit_ranks(np.where(missing & ~is_empty, np.nan, z))

    def parts(self, numbers, view):
        """The parts of a view, and indicators of missing values."""
        z = self.z_scores(numbers)
        functions = {
            "scores": squash,
            "ramps": self.ramps,
            "values": self.values,
            "ranks": self.ranks,
        }
        missing = np.isnan(numbers[:, self.has_missing])
        return [*(functions[part](z) for part in view), missing]

    def z_scores(self, numbers):
        """z-scores, with the median in place of missing values."""
        with np.errstate(over="ignore"):  # infinity is clipped
            numbers = np.ldexp(numbers, self.exponents)
            filled = np.where(np.isnan(numbers), self.medians, numbers)
            z = (filled - self.means) / self.scales
        return np.clip(z, -MAX_Z, MAX_Z).astype(np.float32)

    def _fit_ramps(self, z, distinct, n_knots):
        """Find the knots of columns that have more than two values."""
        self.uneven = [j for j, (values, _) in enumerate(distinct) if len(values) > 2]
        n_knots = min(n_knots, 1 + MAX_RAMPS // max(1, len(self.uneven)))
        if n_knots < 3:  # a single ramp says what the z-score says
            self.uneven = []
        if self.uneven:
            encoder = PiecewiseLinearEncoder(n_knots).fit(z[:, self.uneven])
            self.make_ramps = Ramps(encoder.knots_, encoder.means_, z.dtype)

    def ramps(self, z):
        """The ramps of PiecewiseLinearEncoder."""
        return self.make_ramps(z[:, self.uneven]) if self.uneven else z[:, :0]

    def _fit_values(self, z, distinct):
        """Find the values of these columns that several rows have."""
        n_values = min(MAX_VALUES, MAX_RAMPS // max(1, len(self.uneven)))
        found = [
            (j, *pair)
            for j in self.uneven
            for pair in frequent_values(*distinct[j], n_values)
        ]
        columns, values, counts = np.array(found).reshape(-1, 3).T
        self.value_columns = columns.astype(np.intp)
        self.frequent = values.astype(z.dtype)
        self.frequencies = (counts / len(z)).astype(z.dtype)

    def values(self, z):
        """Indicators of the frequent values, less their means."""
        values = np.take(z, self.value_columns, axis=1)
        return (values == self.frequent) - self.frequencies

    def _fit_ranks(self, z):
        """Tabulate the normal score of each quantile."""
        normal = QuantileTransformer(
            n_quantiles=min(256, len(z)), output_distribution="normal", subsample=None
        ).fit(z)
        self.quantiles = normal.quantiles_.T
        self.normal_scores = np.clip(normal.transform(normal.quantiles_), -3, 3).T

    def ranks(self, z):
        """Ranks as normal scores, interpolated between the quantiles."""
        columns = zip(z.T, self.quantiles, self.normal_scores, strict=True)
        return np.column_stack([np.interp(*column) for column in columns])


class Statistics:
    """What is known of each category: the target's mean and the frequency.

    These are kept for the columns of many categories, and for the pairs of those that
    have the most. They are log odds and logarithms, as squashed z-scores.
    """

    def __init__(self, n_codes):
        self.n_codes = n_codes
        self.many = [j for j, n in enumerate(n_codes) if n - 1 > MANY]
        most = sorted(self.many, key=lambda j: -n_codes[j])[:MAX_PAIRED]
        self.pairs = list(combinations(sorted(most), 2))

    def fit(self, codes, positive, n_folds):
        """Tabulate the statistics; return those of the rows, cross-fitted."""
        self.known = [np.unique(self._pair(codes, *pair)) for pair in self.pairs]
        joint, self.tables = self._join(codes), []
        if not self.many:
            return np.empty((len(codes), 0), np.float32)
        encoder = target_encoder(n_folds)
        means = encoder.fit_transform(joint, positive)
        sizes = [self.n_codes[j] for j in self.many] + [len(k) + 1 for k in self.known]
        statistics = []
        for i, (column, size) in enumerate(zip(joint.T, sizes, strict=True)):
            counts = np.bincount(column, minlength=size)
            raw = pair_up(means[:, i], counts[column] - 1)  # the others of its category
            scaler = StandardScaler().fit(raw)
            of_codes = np.full(size, encoder.target_mean_)
            of_codes[encoder.categories_[i]] = encoder.encodings_[i]
            self.tables.append(squashed_scores(scaler, pair_up(of_codes, counts)))
            statistics.append(squashed_scores(scaler, raw))
        return np.hstack(statistics)

    def __call__(self, codes):
        """The statistics of rows that were not trained on."""
        columns = zip(self._join(codes).T, self.tables, strict=True)
        found = [table[column] for column, table in columns]
        return np.hstack(found) if found else np.empty((len(codes), 0))

    def _pair(self, codes, i, j):
        """A number for each pair of codes."""
        return codes[:, i] * self.n_codes[j] + codes[:, j]

    def _join(self, codes):
        """The codes of columns of many categories, and of the pairs."""
        columns = [codes[:, j] for j in self.many]
        for pair, known in zip(self.pairs, self.known, strict=True):
            numbers = self._pair(codes, *pair)
            place = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
            columns.append(np.where(known[place] == numbers, place, len(known)))
        return np.column_stack(columns) if columns else codes[:, :0]


def frequent_values(values, counts, n_values):
    """The values that most rows have, at least LEAST_COUNT, and their counts."""
    most = np.argsort(-counts, kind="stable")[:n_values]
    most = most[counts[most] >= LEAST_COUNT]
    return zip(values[most], counts[most], strict=True)


def squash(z):
    """z / sqrt(1 + (z / 3)^2): nearly z up to 1, at most 3."""
    return z / np.sqrt(1 + (z / 3) ** 2)


def squashed_scores(scaler, statistics):
    """Statistics as squashed z-scores, in float32: there may be many."""
    return squash(scaler.transform(statistics)).astype(np.float32)


def log_odds(p):
    """log(p / (1 - p)) of the means of a target, which may be 0 or 1."""
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p))


def pair_up(means, counts):
    """The two statistics before they are scaled."""
    return np.column_stack([log_odds(means), np.log1p(counts)])


def one_hot_columns(codes, n_codes):
    """The column of each code, n for a code that has none, and the number n of columns.

    The most frequent have a column each, the others one together.
    """
    encoder = OneHotEncoder(
        max_categories=MANY + 1, handle_unknown="infrequent_if_exist"
    ).fit(codes[:, None])
    rows = encoder.transform(np.arange(n_codes)[:, None]).tocoo()
    columns = np.full(n_codes, rows.shape[1], np.int8)
    columns[rows.row] = rows.col
    return columns, rows.shape[1]


def target_encoder(n_folds):
    """A TargetEncoder, cross-fitted in folds that are always the same."""
    if isinstance(TargetEncoder().shuffle, str):  # deprecated in scikit-learn 1.9
        folds = {"cv": StratifiedKFold(n_folds, shuffle=True, random_state=0)}
    else:
        folds = {"cv": n_folds, "random_state": 0}
    return TargetEncoder(target_type="binary", **folds)
