"""PiecewiseLinearEncoder: a numeric feature as ramps between knots."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

BLOCK_ROWS = 256  # rows whose ramps are computed together, in the cache


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
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Find the knots of each feature, and encode the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        Returns
        -------
        ramps : ndarray of shape (n_samples, n_features_out)
            The ramps of the first feature, then of the second, and so on.
        """
        return self._fit(X)

    def _fit(self, X):
        """Set the fitted attributes; return the ramps of X."""
        self._validate_params()
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.knots_ = [find_knots(x, self.n_knots) for x in X.T]
        ramps = make_ramps(X, self.knots_)
        self.means_ = np.zeros(ramps.shape[1], X.dtype)
        if self.with_mean:
            self.means_[:] = ramps.mean(axis=0, dtype=np.float64)
            ramps -= self.means_
        return ramps

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
        return make_ramps(X, self.knots_, self.means_)

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
    shares = np.linspace(0, 1, n)
    return np.quantile(x, shares, method="linear").astype(x.dtype, copy=False)


def make_ramps(X, knots, means=None):
    """The ramps of all features of X, less their means, in blocks of rows."""
    stops = np.cumsum([len(k) - 1 for k in knots])
    ramps = np.empty((len(X), stops[-1]), X.dtype)
    scaled = [scale_knots(k, X.dtype) for k in knots]
    for row in range(0, len(X), BLOCK_ROWS):
        block = ramps[row : row + BLOCK_ROWS]
        columns = X[row : row + BLOCK_ROWS].T
        for x, (scale, k), stop in zip(columns, scaled, stops, strict=True):
            some = block[:, stop - len(k) + 1 : stop]
            with np.errstate(over="ignore"):  # infinity is clipped
                np.subtract((scale * x)[:, None], k[:-1], out=some)
                some /= np.diff(k)
        np.clip(block, 0, 1, out=block)
        if means is not None:
            block -= means.astype(X.dtype, copy=False)
    return ramps


def scale_knots(knots, dtype):
    """A factor, 1 or 1/2, and scaled knots, no difference of which overflows."""
    knots = knots.astype(dtype, copy=False)
    with np.errstate(over="ignore"):
        scale = dtype.type(1 if np.isfinite(knots[-1] - knots[0]) else 0.5)
    return scale, scale * knots
