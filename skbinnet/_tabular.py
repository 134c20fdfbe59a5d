"""TabularMLPClassifier: views of a table, networks for each, and their mixture."""

import time
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._classifier import (
    AT_LEAST_1,
    NOT_NEGATIVE,
    BinaryMLPClassifier,
    unchanged_on_error,
)
from ._encoding import PiecewiseLinearEncoder
from ._inputs import class_weights, encode_labels, multiply_weights, two_classes
from ._table import TableReader, columns_of
from ._validation import draw_hold_outs

# Each choice was made on the fifteen tables of the study, three splits each.
MANY = 30  # categories; with more, the target's mean for each category is a column too
MAX_ROWS_SHOWN = 7_000_000  # rows x epochs x networks; more rows get fewer of these
LEAST_EPOCHS = 12
PRIOR = 5  # rows that count for each view before the held-out rows do


# ---- views


def squash(z):
    """z / sqrt(1 + (z / 3)^2): nearly z up to 1, at most 3."""
    return z / np.sqrt(1 + (z / 3) ** 2)


def log_odds(p):
    """log(p / (1 - p)) of the means of a target, which may be 0 or 1."""
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p))


def scores():
    """Squashed z-scores, with the median in place of missing values."""
    return make_pipeline(median(), StandardScaler(), FunctionTransformer(squash))


def ranks(n_rows):
    """Ranks as normal scores, at most 3, with the median in place of missing values."""
    normal = QuantileTransformer(
        n_quantiles=min(256, n_rows), output_distribution="normal", random_state=0
    )
    return make_pipeline(median(), normal, FunctionTransformer(clip_to_3))


def median():
    """The median in place of missing values, 0 where all are missing."""
    return SimpleImputer(strategy="median", keep_empty_features=True)


def clip_to_3(z):
    """z, but at least -3 and at most 3."""
    return np.clip(z, -3, 3)


def categories():
    """One column for each of the most frequent categories, one for all others."""
    return OneHotEncoder(
        max_categories=MANY + 1,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )


def target_means(n_folds):
    """Log odds of the target's mean in each category, cross-fitted in training."""
    if isinstance(TargetEncoder().shuffle, str):  # deprecated in scikit-learn 1.9
        folds = {"cv": StratifiedKFold(n_folds, shuffle=True, random_state=0)}
    else:
        folds = {"cv": n_folds, "random_state": 0}
    means = TargetEncoder(target_type="binary", **folds)
    return make_pipeline(means, FunctionTransformer(log_odds), scores())


def make_views(numbers, texts, n_knots, n_folds):
    """The encoders of all views: columns of numbers come first, then those of texts."""
    n_rows, n = numbers.shape
    every, every_text = np.arange(n), n + np.arange(texts.shape[1])
    uneven = [j for j, x in enumerate(numbers.T) if has_many_values(x)]
    many = [n + j for j, column in enumerate(texts.T) if len(set(column)) > MANY]
    shared = [
        ("missing", MissingIndicator(error_on_new=False), every),
        ("categories", categories(), every_text),
        ("target_means", target_means(n_folds), many),
    ]
    ramps = make_pipeline(median(), PiecewiseLinearEncoder(n_knots))
    views = [
        [("scores", scores(), every), ("ramps", ramps, uneven)],
        [("scores", scores(), every)],
        [("ranks", ranks(n_rows), every)],
    ]
    return [
        ColumnTransformer([part for part in [*view, *shared] if len(part[2])])
        for view in views
    ]


def has_many_values(x):
    """Whether a column has more than two values that are not missing."""
    return len(np.unique(x[~np.isnan(x)])) > 2


def join_table(numbers, texts):
    """Both in one array of objects, or the numbers alone."""
    return np.hstack([numbers.astype(object), texts]) if texts.size else numbers


# ---- the mixture


def mixture_weights(likelihoods, row_weights, n_iter=100):
    """Weights of views that maximise the likelihood of held-out rows, then squared.

    EM for a mixture, likelihoods (n_views, n_rows). They are squared because the mean
    of a view's networks, which is used, is better than the single network here.
    """
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    for _ in range(n_iter):
        shares = weights[:, None] * likelihoods
        weights = (shares / shares.sum(axis=0)) @ row_weights + PRIOR
        weights /= weights.sum()
    return weights**2 / np.sum(weights**2)


class TabularMLPClassifier(ClassifierMixin, BaseEstimator):
    """Neural networks for two classes that take a table as it comes.

    The table may hold numbers, texts, categories, dates and missing values. It is
    encoded in three views: squashed z-scores of the numbers, and ramps between the
    quantiles of each (:class:`PiecewiseLinearEncoder`) [1]_; the z-scores alone; and
    ranks as normal scores. Each has indicators of missing values, one-hot columns and,
    for columns of many categories, the mean of the target in each. Several networks are
    trained on each view. Each holds out other rows, and stops when the loss on them no
    longer falls. The probabilities are averaged within a view, and the views are
    weighted by the likelihood of the held-out rows.

    Parameters
    ----------
    n_estimators : int, default=18
        Number of networks; a multiple of 3 gives each view the same number. The first
        has the view with ramps. On large tables there are fewer, at least 3.

    hidden_layer_sizes : int or array-like of int, default=(128, 128)
        Number of units in each hidden layer of a network.

    alpha : float, default=3e-4
        Strength of the L2 penalty on the weights of a network.

    max_iter : int, default=60
        Maximum number of epochs of a network; on large tables there are fewer, at least
        12.

    n_knots : int, default=32
        Maximum number of knots for the ramps of a number.

    categorical_features : "from_dtype" or array-like of {bool, int, str}, \
            default="from_dtype"
        The columns that are categorical: a mask, numbers or names. Texts and columns
        with a categorical dtype are so in any case.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``, which multiply the sample weights.

    validation_fraction : float, default=0.1
        Share of the rows that are held out from each network.

    random_state : int, RandomState instance or None, default=None
        Determines the rows that are held out and the seeds of the networks. Pass an int
        for reproducible results.

    n_jobs : int or None, default=None
        Number of threads that train networks. The result does not depend on it.

    verbose : bool or int, default=False
        Whether to print a line per network.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted. The second is the positive class.

    encoders_ : list of ColumnTransformer
        The fitted encoder of each view. They encode the columns of numbers, then those
        of texts, of the table.

    estimators_ : list of list of BinaryMLPClassifier
        The networks of each view.

    view_weights_ : ndarray of shape (n_views,)
        The weights of the views in the mixture.

    validation_score_ : float
        The mean log-likelihood of the held-out rows, as they are predicted by the
        networks that they were held out from. Since these stopped at the best epoch for
        these rows, and are fewer than all, it is not an unbiased estimate.

    n_iter_ : int
        The largest number of epochs of a network.

    n_features_in_ : int
        Number of columns seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if `X` has names that are all strings.

    See Also
    --------
    BinaryMLPClassifier : A single network, for features that are encoded already.

    References
    ----------
    .. [1] Gorishniy, Rubachev and Babenko (2022), On embeddings for numerical features
       in tabular deep learning.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skbinnet import TabularMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = TabularMLPClassifier(random_state=0).fit(X[:400], y[:400])
    >>> model.score(X[400:], y[400:]) > 0.95
    True
    """

    _parameter_constraints = {
        "n_estimators": [AT_LEAST_1],
        "hidden_layer_sizes": ["array-like", AT_LEAST_1],
        "alpha": [NOT_NEGATIVE],
        "max_iter": [AT_LEAST_1],
        "n_knots": [Interval(Integral, 2, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_estimators=18,
        *,
        hidden_layer_sizes=(128, 128),
        alpha=3e-4,
        max_iter=60,
        n_knots=32,
        categorical_features="from_dtype",
        class_weight=None,
        validation_fraction=0.1,
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.n_estimators = n_estimators
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.max_iter = max_iter
        self.n_knots = n_knots
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def fit(self, X, y, sample_weight=None):
        """Encode the table, and train the networks.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Training rows: a pandas, polars or pyarrow table, an array or lists.

        y : array-like of shape (n_samples,)
            Labels of two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0; by default 1 each.

        Returns
        -------
        self : TabularMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described above.
        """
        with unchanged_on_error(self):
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X, y, sample_weight):
        """Encode the table and train the networks; set all fitted attributes."""
        self._validate_params()
        columns, y = self._check_table(X, y)
        classes = two_classes(y)
        positive = encode_labels(y, classes, "y")
        of_classes = class_weights(self.class_weight, classes, y, sample_weight)
        weight = multiply_weights(sample_weight, of_classes, positive)
        reader = TableReader(columns, self.categorical_features)
        numbers, texts = reader.read(columns)
        n_folds = min(5, positive.sum(), len(positive) - positive.sum())
        if n_folds < 2:
            raise ValueError(
                "Each class needs at least 2 rows (n_samples), one to hold out and one "
                f"to train on; {classes[int(positive.sum() == n_folds)]} has "
                f"{n_folds}."
            )
        encoders = make_views(numbers, texts, self.n_knots, n_folds)
        encoders, table = encoders[: self.n_estimators], join_table(numbers, texts)
        views = [encode(e.fit_transform, table, positive) for e in encoders]
        self.classes_, self._reader, self.encoders_ = classes, reader, encoders
        self._set_names(columns)
        self._train(views, positive, weight)

    def _check_table(self, X, y):
        """The columns of X, and y as an array of as many labels."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        columns = columns_of(X)
        y = column_or_1d(y, warn=True)
        check_consistent_length(columns[0][1], y)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return columns, y

    def _check_columns(self, columns):
        """Raise ValueError if a table has other columns than in fit."""
        if len(columns) != self.n_features_in_:
            raise ValueError(
                f"X has {len(columns)} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input."
            )
        names, expected = [name for name, _ in columns], self._reader.names
        are_named = isinstance(expected[0], str) and isinstance(names[0], str)
        if are_named and names != expected:
            raise ValueError(
                "The feature names should match those that were passed during fit, in "
                f"the same order: expected {expected}, got {names}."
            )

    def _set_names(self, columns):
        """Set the number of columns, and their names if all are strings."""
        names = [name for name, _ in columns]
        self.n_features_in_ = len(names)
        vars(self).pop("feature_names_in_", None)
        if all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    def _train(self, views, positive, weight):
        """Train the networks, view by view and split by split; mix them."""
        n_networks, n_epochs = self._budget(len(positive))
        random_state = check_random_state(self.random_state)
        n_splits = -(-n_networks // len(views))
        splits = self._hold_out(positive, weight, n_splits, random_state)
        started, jobs = time.perf_counter(), []
        for i, seed in enumerate(random_state.randint(2**31 - 1, size=n_networks)):
            split, view = divmod(i, len(views))
            title = f"Network {i + 1} of {n_networks}" if self.verbose else None
            network = self._make_network(n_epochs, seed)
            samples = views[view], positive, weight, *splits[split]
            jobs.append(delayed(fit_network)(network, *samples, title, started))
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
        self.n_iter_ = max(network.n_iter_ for network, _ in fitted)
        by_view = [fitted[view :: len(views)] for view in range(len(views))]
        self.estimators_ = [[network for network, _ in one] for one in by_view]
        self._mix(by_view, splits, weight)

    def _mix(self, by_view, splits, weight):
        """Set the weights of the views, and the score of the mixture.

        A split counts if a network of each view has held it out.
        """
        n_splits = min(map(len, by_view))
        likelihoods = np.array(
            [np.concatenate([p for _, p in one[:n_splits]]) for one in by_view]
        )
        held_out = np.concatenate([rows for _, rows in splits[:n_splits]])
        row_weights = weight[held_out] / weight[held_out].mean()
        self.view_weights_ = mixture_weights(likelihoods, row_weights)
        mixed = self.view_weights_ @ likelihoods
        self.validation_score_ = float(np.average(np.log(mixed), weights=row_weights))

    def _budget(self, n_rows):
        """The numbers of networks and of epochs for a table of n_rows rows."""
        least = min(len(self.encoders_), self.n_estimators)
        n_networks = max(least, MAX_ROWS_SHOWN // (n_rows * self.max_iter))
        n_networks = min(n_networks, self.n_estimators)
        n_epochs = max(LEAST_EPOCHS, MAX_ROWS_SHOWN // (n_rows * n_networks))
        return n_networks, min(n_epochs, self.max_iter)

    def _hold_out(self, positive, weight, n_splits, random_state):
        """Pairs (training rows, held-out rows); the latter have weight."""
        seed = random_state.randint(2**31 - 1)
        try:
            held_out = draw_hold_outs(
                positive, weight, self.validation_fraction, n_splits, seed
            )
        except ValueError as error:
            raise ValueError(
                f"Cannot hold out validation_fraction={self.validation_fraction} of "
                f"{np.count_nonzero(weight)} rows (n_samples) of both classes: {error}"
            ) from error
        every = np.arange(len(positive))
        return [(np.setdiff1d(every, rows), rows) for rows in held_out]

    def _make_network(self, n_epochs, seed):
        """A network that is not fitted yet."""
        return BinaryMLPClassifier(
            self.hidden_layer_sizes,
            alpha=self.alpha,
            max_iter=n_epochs,
            early_stopping=True,
            random_state=seed,
        )

    def predict_proba(self, X):
        """Probability of each class for each row.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        p : ndarray of shape (n_samples, 2)
            Probabilities, the columns in the order of `classes_`.
        """
        check_is_fitted(self, "estimators_")
        columns = columns_of(X)
        self._check_columns(columns)
        table, p = join_table(*self._reader.read(columns)), 0
        views = zip(self.view_weights_, self.encoders_, self.estimators_, strict=True)
        for weight, encoder, networks in views:
            A = encode(encoder.transform, table)
            of_view = [network.predict_proba(A) for network in networks]
            p = p + weight * np.mean(of_view, axis=0, dtype=np.float64)
        return p / p.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        log_p : ndarray of shape (n_samples, 2)
            Logarithms of the probabilities, the columns in the order of `classes_`.
        """
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float64).tiny))

    def decision_function(self, X):
        """Logit of the positive class, ``classes_[1]``, for each row.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        z : ndarray of shape (n_samples,)
            log(p / (1 - p)), where p is the probability of ``classes_[1]``.
        """
        log_p = self.predict_log_proba(X)
        return log_p[:, 1] - log_p[:, 0]

    def predict(self, X):
        """Label of each row: ``classes_[1]`` where it is the more probable.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(np.intp)]


def fit_network(network, A, y, weight, rows, held_out, title, started):
    """Fit; return the network and the likelihoods of the rows that were held out."""
    network.fit(
        A[rows],
        y[rows],
        weight[rows],
        X_val=A[held_out],
        y_val=y[held_out],
        sample_weight_val=weight[held_out],
    )
    if title is not None:
        loss, seconds = -network.best_validation_score_, time.perf_counter() - started
        print(f"{title}  val_loss {loss:.4f}  {seconds:.2f} s", flush=True)
    p = network.predict_proba(A[held_out]).astype(np.float64)
    return network, np.maximum(p[np.arange(len(p)), y[held_out].astype(int)], 1e-6)


def encode(function, table, *y):
    """What an encoder's fit_transform or transform makes of a table, as float32."""
    return np.ascontiguousarray(function(table, *y), dtype=np.float32)
