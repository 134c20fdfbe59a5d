"""TabularMLPClassifier: views of a table, networks for each, and their mixture."""

import signal
import time
import warnings
from functools import partial
from itertools import takewhile
from numbers import Integral
from typing import NamedTuple
from zlib import crc32

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._callbacks import FIT_DEPTH, CallbackSupportMixin, NetworkTasks, with_callbacks
from ._classifier import AT_LEAST_1, BinaryMLPClassifier, unchanged_on_error
from ._inputs import class_weights, encode_labels, multiply_weights, two_classes
from ._table import is_missing, make_reader
from ._threads import count_threads
from ._training import noted_interrupts
from ._validation import check_scoring_param, draw_hold_outs, find_scoring

# Each choice was made on the fifteen tables of the study, three splits each.
PRIOR = 5  # rows that count for each view before the held-out rows do
LEAST_EPOCHS = 12
# A table is allowed rows x epochs x networks of LEAST_SHOWN, or SHOWN_PER_ROW x rows
# where that is more; _budget cuts the networks first, and then the epochs.
LEAST_SHOWN = 12_000_000
SHOWN_PER_ROW = 24
MAX_NUMBERS = 100_000_000  # in the encoded rows of a network; so for those held out
MAX_HELD_OUT = 10_000  # rows held out from a network
BLOCK_ROWS = 4096  # rows of a prediction that are encoded together

# Parameters with the meaning and the limits that they have in BinaryMLPClassifier.
SHARED = [
    "hidden_layer_sizes", "alpha", "dropout", "max_iter", "class_weight", "scoring",
    "validation_fraction", "max_time", "warm_start", "random_state", "verbose",
    "n_jobs",
]  # fmt: skip


class Data(NamedTuple):
    """Training rows; those without weight are left out."""

    table: object  # a Table or a SparseTable
    statistics: np.ndarray  # of the rows' categories, cross-fitted
    positive: np.ndarray  # booleans
    weight: np.ndarray

    def take(self, rows):
        """Some rows, by their numbers."""
        return Data(self.table.take(rows), *(part[rows] for part in self[1:]))


class TabularMLPClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Neural networks for two classes that take a table as it comes.

    The table may hold numbers, texts, categories, dates and missing values. It is
    encoded in three views: squashed z-scores of the numbers, ramps between the
    quantiles of each (:class:`PiecewiseLinearEncoder`) [1]_ and indicators of frequent
    values; the z-scores alone; and ranks as normal scores. Each has indicators of
    missing values and one-hot columns and, for columns of more than 30 categories and
    pairs of these, the mean of the target in each category, cross-fitted, and its
    frequency. Several networks are trained on each view. Each holds out other rows, and
    stops when the loss on them no longer falls. The probabilities are averaged within a
    view, and the views are weighted by the likelihood of the held-out rows.

    Parameters
    ----------
    estimator : BinaryMLPClassifier, default=None
        The network to take copies of; their `early_stopping`, `scoring`, `max_time` and
        `random_state` are set, and they learn the labels False and True. By default one
        with the parameters `hidden_layer_sizes`, `alpha`, `dropout` and `max_iter`
        below, which have no effect otherwise.

    n_estimators : int, default=18
        Number of networks; a multiple of 3 gives each view the same number. The first
        has the view with ramps. If rows times `max_iter` times `n_estimators` exceed 12
        million there are fewer, but at least one for each view.

    hidden_layer_sizes : int or array-like of int, default=(64, 64)
        Number of units in each hidden layer of a network.

    alpha : float, default=3e-4
        Strength of the L2 penalty on the weights of a network.

    dropout : float, default=0.1
        Share of the hidden units that are dropped in each step of the training.

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

    scoring : {"loss", "accuracy"}, str or callable, default="loss"
        The score on the held-out rows that ends the training of a network, as in
        :class:`BinaryMLPClassifier`. A callable gets the encoded rows, and labels False
        and True.

    validation_fraction : float, default=0.1
        Share of the rows that are held out from each network; at most 10,000 rows.

    max_time : float, default=None
        Seconds after which no other network is begun and the one that is being trained
        ends with its epoch. There is at least one network for each view, of at least
        one epoch. The result depends on the machine if `max_time` ends a fit.

    warm_start : bool, default=False
        Whether `fit` keeps the networks and the encoder of the last call and adds
        networks up to `n_estimators`. `X`, `y`, the weights and `validation_fraction`
        must be the same, so that no network is judged by rows that it has learned.

    random_state : int, RandomState instance or None, default=None
        Determines the rows that are held out and the seeds of the networks. Pass an int
        for reproducible results.

    n_jobs : int or None, default=None
        Number of threads that train networks, and that share out the rows of a
        prediction. If there are more of them than networks, each network gets several,
        which help where its layers are wide. -1 is one for each core; None is 1, unless
        in a :func:`joblib.parallel_config` context. No bit of a result depends on it.

    verbose : bool or int, default=False
        Whether to print a line per network, with the time that is left.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted. The second is the positive class.

    encoder_ : object
        The fitted encoder, which makes the views of a table.

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

    column_kinds_ : dict
        What each column held in `fit`, by its name or number: "number", "date",
        "duration" or "category".

    categories_ : dict of lists
        The values of each column of categories in `fit`; None if any was missing.

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
        "estimator": [BinaryMLPClassifier, None],
        "n_estimators": [AT_LEAST_1],
        "n_knots": [Interval(Integral, 2, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like"],
        **{name: BinaryMLPClassifier._parameter_constraints[name] for name in SHARED},
    }

    def __init__(
        self,
        estimator=None,
        n_estimators=18,
        *,
        hidden_layer_sizes=(64, 64),
        alpha=3e-4,
        dropout=0.1,
        max_iter=60,
        n_knots=32,
        categorical_features="from_dtype",
        class_weight=None,
        scoring="loss",
        validation_fraction=0.1,
        max_time=None,
        warm_start=False,
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.dropout = dropout
        self.max_iter = max_iter
        self.n_knots = n_knots
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.max_time = max_time
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Encode the table, and train the networks.

        Ctrl-C ends the fit when the networks that are being trained are done, with a
        warning. A second Ctrl-C raises KeyboardInterrupt.

        Parameters
        ----------
        X : data frame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows: a pandas, polars or pyarrow table, an array or lists. A
            sparse matrix stays sparse; its columns are scaled, and there is one view.

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
            If a parameter or the data are not as described above. The estimator is then
            as it was before.

        Warns
        -----
        ConvergenceWarning
            If training was interrupted.

        UserWarning
            If the texts of a column look like dates or numbers.
        """
        self._validate_params()
        check_scoring_param(self)
        tasks = NetworkTasks(self, X, y, sample_weight)
        with unchanged_on_error(self):
            data = self._read(X, y, sample_weight)
            with noted_interrupts() as interrupts:
                progress = Progress(self, tasks, interrupts)
                self._train(data, progress)
            if len(interrupts) > 1:  # a network caught the second between its epochs
                raise KeyboardInterrupt
            tasks.close()
        if interrupts:
            warnings.warn(
                f"Training was interrupted after {sum(map(len, self.estimators_))} of "
                f"{progress.n_networks} networks, which make the predictions.",
                ConvergenceWarning,
                stacklevel=FIT_DEPTH,
            )
        return self

    # ---- data

    def _read(self, X, y, sample_weight):
        """The Data of a fit; sets what is known before the networks are trained."""
        y = self._check_labels(X, y)
        goes_on = self.warm_start and hasattr(self, "estimators_")
        classes = self.classes_ if goes_on else two_classes(y)
        positive = encode_labels(y, classes, "y")
        weight = self._weigh(y, classes, positive, sample_weight)
        fraction = np.float64(self.validation_fraction)
        checksum = crc32(fraction, crc32(weight, crc32(positive)))
        if goes_on and checksum != self._checksum:
            raise ValueError(
                "warm_start=True needs the same rows and validation_fraction as before."
            )
        reader = self._reader if goes_on else make_reader(X, self.categorical_features)
        if not goes_on:
            warn_of_texts(reader.texts_like)
        table = reader.read(X, type(self).__name__)
        if not weight.all():  # a copy of all rows might not fit the memory
            (used,) = np.nonzero(weight)
            table, positive, weight = table.take(used), positive[used], weight[used]
        encoder = reader.make_encoder(self.n_knots)
        statistics = encoder.fit(table, positive, count_folds(positive, classes))
        if not goes_on:
            self.classes_, self._reader, self.encoder_ = classes, reader, encoder
            self._checksum = checksum
            self._seed = check_random_state(self.random_state).randint(2**31 - 1)
            self.estimators_ = [[] for _ in encoder.views]
        self._set_names(reader.names)
        return Data(table, statistics, positive, weight)

    def _weigh(self, y, classes, positive, sample_weight):
        """The weights of the rows, at most 1, so that no sum overflows."""
        of_classes = class_weights(self.class_weight, classes, y, sample_weight)
        weight = multiply_weights(sample_weight, of_classes, positive)
        return weight / weight.max()

    def _check_labels(self, X, y):
        """y as an array of as many labels as X has rows; forgets the columns' names."""
        labels = np.asarray(y)
        is_object = y is not None and labels.dtype == object
        if is_object and any(map(is_missing, labels.flat)):
            raise ValueError("y holds missing labels: drop the rows that have none.")
        y = validate_data(self, X="no_validation", y=y)
        check_consistent_length(X, y)
        check_classification_targets(y)
        return y

    def _set_names(self, names):
        """Set the number of columns, and their names if all are strings."""
        self.n_features_in_ = len(names)
        if all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, dtype=object)

    @property
    def column_kinds_(self):
        """What each column held in `fit`."""
        check_is_fitted(self, "_reader")
        return dict(zip(self._reader.names, self._reader.kinds, strict=True))

    @property
    def categories_(self):
        """The values of each column of categories."""
        check_is_fitted(self, "_reader")
        columns = self._reader.categories.items()
        return {name: list(categories.codes) for name, categories in columns}

    # ---- networks

    def _train(self, data, progress):
        """Train the networks, split by split and view by view; mix them."""
        views, old = self.encoder_.views, self.estimators_
        n_networks, n_epochs, max_rows = self._budget(data)
        progress.begin(n_networks, len(views), sum(map(len, old)))
        stream = check_random_state(self._seed)
        splits = self._split(data, -(-n_networks // len(views)), max_rows)
        # Threads that are left over when each network has one.
        n_within = count_threads(self.n_jobs) // max(1, n_networks - progress.n_old)
        jobs = []
        for i, seed in enumerate(stream.randint(2**31 - 1, size=n_networks)):
            split, view = divmod(i, len(views))
            is_old = i < progress.n_old
            network = old[view][split] if is_old else self._make_network(n_epochs, seed)
            encode = partial(self.encoder_.encode, view=views[view])
            member = Member(i, network, encode, *splits[split], n_within)
            jobs.append(delayed(member.fit)(data, progress))
        results = Parallel(n_jobs=self.n_jobs, prefer="threads")(jobs)
        results = list(takewhile(lambda result: result is not None, results))
        by_view = [results[view :: len(views)] for view in range(len(views))]
        self.estimators_ = [[network for network, _ in pairs] for pairs in by_view]
        self.n_iter_ = max(network.n_iter_ for network, _ in results)
        self._mix([pairs for pairs in by_view if pairs], splits, data.weight)

    def _mix(self, by_view, splits, weight):
        """Set the weights of the views, and the score of the mixture.

        A split counts if a network of each view has held it out. Views that have no
        networks after an interrupt have no weight.
        """
        n_splits = min(map(len, by_view))
        likelihoods = np.array(
            [np.concatenate([p for _, p in pairs[:n_splits]]) for pairs in by_view]
        )
        held_out = np.concatenate([rows for _, rows in splits[:n_splits]])
        row_weights = weight[held_out] / weight[held_out].mean()
        weights = mixture_weights(likelihoods, row_weights)
        self.view_weights_ = np.zeros(len(self.encoder_.views))
        self.view_weights_[: len(weights)] = weights
        log_likelihoods = np.log(weights @ likelihoods)
        self.validation_score_ = float(np.average(log_likelihoods, weights=row_weights))

    def _budget(self, data):
        """The number of networks, and the most epochs and rows of each."""
        n_rows, max_iter = len(data.weight), self._base().max_iter
        shown = max(LEAST_SHOWN, SHOWN_PER_ROW * n_rows)
        first_rows = data.table.take(slice(0, 100))
        A = self.encoder_.encode(first_rows, self.encoder_.views[0])
        max_rows = max(2, MAX_NUMBERS * A.shape[0] // max(1, A.size))
        # One network for each view, and enough of them that they see all rows.
        least = max(len(self.encoder_.views), -(-n_rows // max_rows))
        n_rows = min(n_rows, max_rows)
        n_networks = min(max(least, shown // (n_rows * max_iter)), self.n_estimators)
        n_epochs = max(LEAST_EPOCHS, shown // (n_rows * n_networks))
        return n_networks, min(n_epochs, max_iter), max_rows

    def _split(self, data, n_splits, max_rows):
        """Pairs (training rows, held-out rows), each of at most max_rows rows."""
        n_rows = len(data.weight)
        fraction = min(self.validation_fraction, min(MAX_HELD_OUT, max_rows) / n_rows)
        drawn_from = data.positive, data.weight, fraction
        try:
            held_out = draw_hold_outs(*drawn_from, n_splits, self._seed)
        except ValueError as error:
            raise ValueError(
                f"Cannot hold out validation_fraction={self.validation_fraction} of "
                f"{n_rows} rows (n_samples) of both classes: {error}"
            ) from error
        stream, splits = np.random.RandomState(self._seed), []
        for rows in held_out:
            rest = np.delete(np.arange(n_rows), rows)
            if len(rest) > max_rows:
                rest = np.sort(stream.choice(rest, max_rows, replace=False))
            splits.append((rest, rows))
        return splits

    def _base(self):
        """The network that others are copies of."""
        if self.estimator is not None:
            return self.estimator
        return BinaryMLPClassifier(
            self.hidden_layer_sizes,
            alpha=self.alpha,
            dropout=self.dropout,
            max_iter=self.max_iter,
            **self.encoder_.network_params,
        )

    def _make_network(self, n_epochs, seed):
        """A network that is not fitted yet."""
        network = clone(self._base()).set_params(max_iter=n_epochs, random_state=seed)
        return network.set_params(early_stopping=True, scoring=self.scoring)

    # ---- predictions

    def predict_proba(self, X):
        """Probability of each class for each row.

        Parameters
        ----------
        X : data frame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        p : ndarray of shape (n_samples, 2)
            Probabilities, the columns in the order of `classes_`.
        """
        check_is_fitted(self, "estimators_")
        table = self._reader.read(X, type(self).__name__)
        n_rows = table.numbers.shape[0]
        blocks = (
            table.take(slice(start, start + BLOCK_ROWS))
            for start in range(0, n_rows, BLOCK_ROWS)
        )
        if n_rows <= BLOCK_ROWS:
            return self._mixture(next(blocks))
        jobs = (delayed(self._mixture)(block) for block in blocks)
        return np.concatenate(Parallel(self.n_jobs, require="sharedmem")(jobs))

    def _mixture(self, table):
        """The weighted mean of the networks' probabilities."""
        p = np.zeros((table.numbers.shape[0], 2))
        for weight, view, networks in zip(
            self.view_weights_, self.encoder_.views, self.estimators_, strict=True
        ):
            A = self.encoder_.encode(table, view) if networks else None
            for network in networks:
                p += weight / len(networks) * network.predict_proba(A)
        return p / p.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : data frame or {array-like, sparse matrix} of shape (n_samples, n_features)
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
        X : data frame or {array-like, sparse matrix} of shape (n_samples, n_features)
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
        X : data frame or {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, with the columns of the training rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(np.intp)]


class Member(NamedTuple):
    """A network of the mixture, its view, and the rows that it is trained on."""

    number: int
    network: BinaryMLPClassifier
    encode: object  # a function of a table, and of statistics
    rows: np.ndarray
    held_out: np.ndarray
    n_threads: int  # of its fit, if there is more than one

    def fit(self, data, progress):
        """The fitted network and the likelihoods of the held-out rows, or None.

        None says that there was no time to train it.
        """
        held_out = data.take(self.held_out)
        X_val = self.encode(held_out.table, statistics=held_out.statistics)
        if not hasattr(self.network, "coefs_"):  # otherwise warm_start has kept it
            if not progress.goes_on(self.number):
                return None
            self._train(data.take(self.rows), X_val, held_out, progress)
        p = self.network.predict_proba(X_val).astype(np.float64)
        p = np.where(held_out.positive, p[:, 1], p[:, 0])
        return self.network, np.maximum(p, 1e-6)

    def _train(self, training, X_val, held_out, progress):
        """Fit the network, and report it to the callbacks and the user."""
        n_jobs = self.network.n_jobs
        self.network.max_time = progress.seconds_for(self.number)
        if self.n_threads > 1:
            self.network.n_jobs = self.n_threads
        X = self.encode(training.table, statistics=training.statistics)
        self.network._is_of_table = True
        with progress.tasks.around(self.number, self.network):
            try:
                self.network.fit(
                    X,
                    training.positive,
                    training.weight,
                    X_val=X_val,
                    y_val=held_out.positive,
                    sample_weight_val=held_out.weight,
                )
            except KeyboardInterrupt:
                if not hasattr(self.network, "coefs_"):
                    raise
                # The network has kept its epochs, and so does the table its networks.
                progress.interrupts.append(signal.SIGINT)
        del self.network._is_of_table
        self.network.n_jobs = n_jobs  # predictions have their own threads
        progress.tell(self.number, self.network)


class Progress:
    """What a fit reports of its networks, and whether there is time for another."""

    def __init__(self, model, tasks, interrupts):
        self.max_time, self.verbose = model.max_time, model.verbose
        self.scoring = find_scoring(model.scoring)
        self.tasks, self.interrupts = tasks, interrupts
        self.began = time.monotonic()

    def begin(self, n_networks, n_views, n_old):
        """Note how many networks there should be, and how many there are."""
        if n_networks < n_old:
            raise ValueError(
                f"n_estimators must be at least {n_old}, the number of networks that "
                f"warm_start=True keeps; it makes {n_networks}."
            )
        self.n_networks, self.n_views, self.n_old = n_networks, n_views, n_old

    @property
    def seconds(self):
        """Since the fit began."""
        return time.monotonic() - self.began

    def goes_on(self, number):
        """Whether to train a network; max_time allows one for each view."""
        if self.interrupts or self.tasks.are_stopped:
            return number == 0
        is_in_time = self.max_time is None or self.seconds < self.max_time
        return is_in_time or number < self.n_views

    def seconds_for(self, number):
        """The seconds for a network: the first of each view divide max_time."""
        if self.max_time is None:
            return None
        left = max(self.max_time - self.seconds, 1e-3)
        return left / max(1, self.n_views - number)

    def tell(self, number, network):
        """Print a line, if verbose."""
        if not self.verbose:
            return
        score = self.scoring.sign * network.best_validation_score_
        done = number + 1
        left = self.seconds / (done - self.n_old) * (self.n_networks - done)
        print(
            f"Network {done} of {self.n_networks}  {self.scoring.curve} {score:.4f}  "
            f"{self.seconds:.2f} s, about {left:.0f} s left",
            flush=True,
        )


def warn_of_texts(texts_like):
    """Warn about texts that look like dates or numbers."""
    for kind, columns in texts_like.items():
        if columns:
            function = "to_datetime" if kind == "dates" else "to_numeric"
            warnings.warn(
                f"The texts of the columns {columns} look like {kind}, but are taken "
                f"as categories: pandas.{function} turns them into {kind}.",
                UserWarning,
                stacklevel=FIT_DEPTH + 2,  # fit calls _read, which calls this
            )


def count_folds(positive, classes):
    """The number of folds for cross-fitting; raises ValueError for too few rows."""
    counts = np.bincount(positive, minlength=2)
    if counts.min() < 2:
        raise ValueError(
            "Each class needs at least 2 rows (n_samples) with weight, one to hold out "
            f"and one to train on; {classes[counts.argmin()]} has {counts.min()}."
        )
    return min(5, counts.min())


def mixture_weights(likelihoods, row_weights, n_iter=100):
    """Weights of views that maximise the likelihood of held-out rows, then squared.

    EM for a mixture, likelihoods (n_views, n_rows). They are squared because the mean
    of a view's networks, which is used, is better than the single network here.
    """
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    for _ in range(n_iter):
        joint = weights[:, None] * likelihoods
        weights = (joint / joint.sum(axis=0)) @ row_weights + PRIOR
        weights /= weights.sum()
    return weights**2 / np.sum(weights**2)
