"""BinaryMLPClassifier: parameters, fit and predict."""

import warnings
from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._callbacks import (
    FIT_DEPTH,
    CallbackSupportMixin,
    Tasks,
    callback_context,
    with_callbacks,
)
from ._conversion import from_mlp, to_mlp
from ._inputs import (
    check_X,
    fit_samples,
    loss_samples,
    partial_fit_samples,
    scale_weights,
    split,
)
from ._network import (
    ACTIVATIONS,
    BACKPROPS,
    INITS,
    check_hidden_layer_sizes,
    check_layers,
    init_params,
    input_gradients,
    predict_logits,
    unflatten,
)
from ._solvers import HELD, SCHEDULES, SOLVERS, needs_minibatches
from ._training import make_settings, make_state, objective, train
from ._validation import Validation, check_scoring_param, find_scoring

AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
NOT_NEGATIVE = Interval(Real, 0, np.inf, closed="left")
POSITIVE = Interval(Real, 0, np.inf, closed="neither")


def has_epochs(clf):
    """Whether partial_fit is there."""
    solver = SOLVERS.get(clf.solver) if isinstance(clf.solver, str) else None
    if solver is not None and not solver.is_stochastic:
        raise AttributeError(f"partial_fit {needs_minibatches(clf.solver)}")
    return True


@contextmanager
def unchanged_on_error(estimator):
    """Give the estimator its attributes back, whatever is raised."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).update(before)
        for name in set(vars(estimator)) - set(before):
            delattr(estimator, name)
        raise


class BinaryMLPClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Multi-layer perceptron for two classes, trained by gradient descent.

    Fully connected layers with one sigmoid output. Training minimises

        J = sum_i w_i loss(y_i, z(x_i)) / sum_i w_i + alpha / 2 * sum ||W||^2

    where z is the logit, the network's output before the sigmoid, and
    loss(y, z) = log(1 + exp(z)) - y z is binary cross-entropy. Scale the features
    first, for example with :class:`~sklearn.preprocessing.StandardScaler`.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Number of units in each hidden layer. ``()`` is logistic regression.

    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Activation of the hidden units. The derivative of relu at 0 is 1.

    solver : {"sgd", "adam", "lbfgs"}, default="sgd"
        Stochastic gradient descent with `momentum`; Adam [1]_; or L-BFGS [2]_, which
        uses all rows in each step and stops when no derivative is larger than `tol`, or
        when the loss hardly falls.

    backprop : {"matrix", "loop"}, default="matrix"
        How gradients are computed: as matrix products over a whole minibatch, or by the
        chain rule, sample by sample and weight by weight. The results are equal to
        rounding. Neither uses BLAS: on one machine each gives the same weights in every
        run, to the last bit.

    alpha : float, default=1e-3
        Strength of the L2 penalty on the weights; biases are not penalised. Its effect
        does not depend on `batch_size`, whereas MLPClassifier divides its `alpha` by
        the number of rows in the minibatch.

    batch_size : int or "auto", default=32
        Rows per minibatch; with fewer rows, all of them. "auto" is
        ``min(200, n_samples)``. Not used by lbfgs.

    learning_rate : {"constant", "cosine", "invscaling", "adaptive"}, default="cosine"
        The schedule that the learning rate follows, from `learning_rate_init` on.
        "cosine" falls to 0 over the `max_iter` epochs, step by step; such a run lasts
        all its epochs unless `early_stopping` ends it, and `partial_fit`, which does
        not know the last step, keeps the rate constant instead. "invscaling" is
        ``learning_rate_init / (t + 1) ** power_t`` in an epoch that begins after t
        rows. "adaptive" divides the rate by 5 whenever the run would otherwise have
        ended for lack of improvement, and ends the run once the rate is 1e-6 or less.
        The last two are for sgd; adam keeps its rate constant instead, as in
        MLPClassifier. Not used by lbfgs.

    learning_rate_init : float or "auto", default="auto"
        Learning rate of the first step. "auto" is 0.03 for sgd and 0.003 for adam.

    power_t : float, default=0.5
        Exponent of "invscaling".

    max_iter : int, default=30
        Maximum number of epochs, or of iterations of lbfgs.

    shuffle : bool, default=True
        Whether to visit the rows in a new random order in each epoch.

    random_state : int, RandomState instance or None, default=None
        Determines, in this order, the initial weights, the rows that are held out, and
        the order of the rows and the units that are dropped in each epoch. Pass an int
        for reproducible results.

    tol : float, default=1e-4
        An epoch counts as an improvement if the training loss, or with `early_stopping`
        the watched score, is better than the best so far by at least `tol`. Not used
        with "cosine" unless `early_stopping` is set. For lbfgs, the largest derivative
        that counts as zero.

    verbose : bool or int, default=False
        Whether to print a line per epoch.

    warm_start : bool, default=False
        Whether `fit` continues from the last call: from its weights, the state of the
        solver, the counters and the random stream. A cosine begins anew, and so does
        the count of epochs without improvement if weights were set since, or if another
        score is watched.

    momentum : float, default=0.9
        Between 0, which is plain gradient descent, and 1. For sgd.

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum. For sgd.

    early_stopping : bool, default=False
        Whether to end the run when the score on validation data has not improved for
        `n_iter_no_change` epochs, and to restore the weights of the best epoch. The
        validation data are `X_val` and `y_val` if `fit` gets them. Otherwise rows are
        held out, stratified by class, from the rows whose weight is not zero; they are
        the same in each warm start on the same data.

    validation_fraction : float, default=0.1
        Share of the rows with a weight to hold out; at least 2 rows are.

    scoring : str or callable, default="loss"
        The score to watch on validation data: "loss", where less is better, or a score
        where more is better. The latter is the name of a scikit-learn scorer, which
        sees the labels as 0 and 1, or a function ``scoring(estimator, X_val, y_val)``,
        which sees the labels as they are. If the rows' weights differ, because of
        `sample_weight_val` or `class_weight`, they are passed as ``sample_weight``. The
        score is recorded in `history_` even without `early_stopping`. MLPClassifier
        watches the accuracy.

    beta_1 : float, default=0.9
        Decay rate of adam's average of the gradient, per step.

    beta_2 : float, default=0.999
        Decay rate of adam's average of the squared gradient, per step.

    epsilon : float, default=1e-8
        Added to the root of adam's average of the squared gradient.

    n_iter_no_change : int or inf, default=10
        The run ends when more than this number of epochs in a row have not improved.
        Not used with "cosine" or lbfgs unless `early_stopping` is set.

    max_fun : int, default=15000
        Maximum number of evaluations of the loss by lbfgs.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``, which multiply the sample weights,
        also those of the validation data. "balanced" gives both classes the same total
        weight.

    init : {"glorot", "he", "normal"}, default="glorot"
        Distribution of the initial weights: uniform within
        ``sqrt(6 / (n_in + n_out))`` [3]_; normal with variance ``2 / n_in`` and zero
        biases [4]_; or standard normal. With "glorot" and "normal" the biases have the
        same distribution. To start from given weights, set `coefs_` and `intercepts_`
        and call `partial_fit`, or `fit` with `warm_start`.

    dropout : float, default=0.0
        Probability that the output of a hidden unit is set to 0 for a row and an epoch
        of training; the others are divided by ``1 - dropout`` [6]_. Nothing is dropped
        in predictions, on validation data, or by `loss_and_gradients` and
        `input_gradients`, but the training curves are those of the network with
        dropout, so that they may be worse than the validation curves. For sgd and adam.

    max_time : float or None, default=None
        Seconds after which `fit` ends, without a warning, when the epoch or iteration
        that they pass in is complete. The result then depends on the speed of the
        machine. "cosine" still falls to 0 over `max_iter` epochs, so the learning rate
        may be high at the end. No effect on `partial_fit`.

    label_smoothing : float, default=0.0
        Training takes the labels 0 and 1 as ``label_smoothing / 2`` and
        ``1 - label_smoothing / 2`` [7]_, so that no probability is best near 0 or 1.
        The training loss is that of these labels; validation data and
        `loss_and_gradients` keep theirs.

    n_jobs : int or None, default=None
        Number of threads. They share out the rows, and then the weights, of each
        minibatch whose rows times weights are more than about 500,000, where the
        weights of sparse features do not count, and the rows of large dense
        predictions. -1 is one for each core, but at most OMP_NUM_THREADS if that
        environment variable is set. None is 1, unless in a
        :func:`joblib.parallel_config` context. No bit of a result depends on it.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted. The second is the positive class.

    coefs_ : list of ndarray of shape (n_in, n_out)
        The weights of each layer, from the first to the output layer.

    intercepts_ : list of ndarray of shape (n_out,)
        The biases of each layer.

    history_ : dict of list of float
        Curves with one value per epoch, over all calls that continued one another.
        "loss" and "accuracy" are means over the training rows, each row evaluated just
        before its minibatch's step, with `dropout`. With validation data, "val_loss",
        "val_accuracy" and the score that `scoring` names ("val_roc_auc" for "roc_auc",
        "val_score" for a function) are taken at the end of the epoch; they are NaN in
        epochs without validation data. All are weighted, and none includes the penalty.

    loss_curve_ : list of float
        ``history_["loss"]``.

    loss_ : float
        The last value of `loss_curve_`.

    best_loss_ : float or None
        The smallest value of `loss_curve_`; None with `early_stopping`.

    validation_scores_ : list of float or None
        The curve that `early_stopping` watches; the loss has a minus sign.

    best_validation_score_ : float or None
        The largest value of `validation_scores_`.

    n_iter_ : int
        Number of epochs of the last `fit` and of all `partial_fit` calls since.

    t_ : int
        Number of training rows seen, over all calls that continued one another.

    n_layers_ : int
        Number of layers, including input and output.

    n_outputs_ : int
        Always 1.

    out_activation_ : str
        Always "logistic".

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` has names that are all strings.

    See Also
    --------
    TabularMLPClassifier : Takes a table as it comes, without scaling or encoding.
    sklearn.neural_network.MLPClassifier : Any number of classes.
    TrainingCurvesDisplay : Loss and accuracy per epoch as a picture.

    Notes
    -----
    `fit` scales the weights of the training rows, `sample_weight` times `class_weight`,
    to a mean of 1, once; the gradient of a minibatch is the weighted sum over its rows,
    divided by their number. `partial_fit` uses the weights as they are.

    With "constant", "invscaling" and "adaptive", and without `early_stopping`, training
    by sgd or adam continues exactly: one `fit` for 2 k epochs, a `fit` and a
    warm-started `fit` for k epochs each, and 2 k calls of `partial_fit` on the same
    rows end in the same weights to the last bit, also if the estimator is pickled in
    between.

    `X` is not copied if it is C-contiguous, or CSR, and of float32 or float64. The
    dtype of `X` in the first call is the dtype of the weights, of all arithmetic and of
    the probabilities.

    Sparse rows are never made dense. Forward and backward passes cost what the stored
    values cost, and so does a step of plain gradient descent (sgd with `momentum` 0),
    including the penalty [5]_. A step with momentum, or of adam, visits all weights.
    Without momentum, text needs a larger `learning_rate_init`, for example 0.3.

    With scikit-learn 1.9 or newer, `set_callbacks` accepts its callbacks, such as
    :class:`sklearn.callback.ProgressBar` (which needs rich). `fit` calls them for each
    epoch, `partial_fit` does not. If the estimator is part of a Pipeline or a search,
    call `set_callbacks` on the outermost estimator.

    References
    ----------
    .. [1] Kingma and Ba (2015), Adam: a method for stochastic optimization.
    .. [2] Zhu, Byrd, Lu and Nocedal (1997), Algorithm 778: L-BFGS-B.
    .. [3] Glorot and Bengio (2010), Understanding the difficulty of training deep
       feedforward neural networks.
    .. [4] He, Zhang, Ren and Sun (2015), Delving deep into rectifiers.
    .. [5] Bottou (2012), Stochastic gradient descent tricks, section 5.1.
    .. [6] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), Dropout:
       a simple way to prevent neural networks from overfitting.
    .. [7] Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), Rethinking the Inception
       architecture for computer vision, section 7.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbinnet import BinaryMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = make_pipeline(StandardScaler(), BinaryMLPClassifier(random_state=0))
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    _is_of_table = False  # True while TabularMLPClassifier fits a network of its own

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", AT_LEAST_1],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions(set(SOLVERS))],
        "backprop": [StrOptions(set(BACKPROPS))],
        "alpha": [NOT_NEGATIVE],
        "batch_size": [StrOptions({"auto"}), AT_LEAST_1],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [StrOptions({"auto"}), POSITIVE],
        "power_t": [NOT_NEGATIVE],
        "max_iter": [AT_LEAST_1],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [NOT_NEGATIVE],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, callable],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [POSITIVE],
        "n_iter_no_change": [AT_LEAST_1, Options(Real, {np.inf})],
        "max_fun": [AT_LEAST_1],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "init": [StrOptions(set(INITS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_time": [POSITIVE, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "n_jobs": [AT_LEAST_1, Interval(Integral, None, -1, closed="right"), None],
    }

    # Where the HTML representation sends its reader.
    _doc_link_module = "skbinnet"
    _doc_link_template = (
        "https://skbinnet.readthedocs.io/en/stable/generated/"
        "{estimator_module}.{estimator_name}.html"
    )

    # Validation data are requested by default, so that a Pipeline needs no more than
    # transform_input=["X_val"].
    __metadata_request__fit = {"X_val": True, "y_val": True, "sample_weight_val": True}
    __metadata_request__partial_fit = __metadata_request__fit

    def __init__(
        self,
        hidden_layer_sizes=(64,),
        activation="relu",
        *,
        solver="sgd",
        backprop="matrix",
        alpha=1e-3,
        batch_size=32,
        learning_rate="cosine",
        learning_rate_init="auto",
        power_t=0.5,
        max_iter=30,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        scoring="loss",
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        class_weight=None,
        init="glorot",
        dropout=0.0,
        max_time=None,
        label_smoothing=0.0,
        n_jobs=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.backprop = backprop
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.init = init
        self.dropout = dropout
        self.max_time = max_time
        self.label_smoothing = label_smoothing
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        return tags

    @with_callbacks
    def fit(
        self, X, y, sample_weight=None, *, X_val=None, y_val=None,
        sample_weight_val=None,
    ):  # fmt: skip
        """Train the network for at most `max_iter` epochs.

        Ctrl-C ends the training after the current epoch with a warning, and keeps the
        weights; a search around it goes on with the next fit. A second Ctrl-C in the
        same fit, or within two seconds in a later one, raises KeyboardInterrupt, which
        ends the search.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels of two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0; by default 1 each. Their scale does
            not matter.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation rows, which are not trained on: each epoch is evaluated on them,
            in `history_` and by `early_stopping`. They must be transformed like `X`. A
            Pipeline does that with ``transform_input=["X_val"]`` under
            ``sklearn.set_config(enable_metadata_routing=True)``; `set_fit_request` is
            not needed. Without metadata routing,
            ``pipeline.fit(..., clf__X_val=X_val)`` passes them on untransformed. A
            search slices every argument that is as long as `X`, so `X_val` must have
            another length.

        y_val : array-like of shape (n_val,), default=None
            Labels of the validation rows.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.

        Returns
        -------
        self : BinaryMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described above, or if training
            diverges. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            If training was interrupted, learned nothing, collapsed to few different
            predictions, or reached `max_iter` before its stopping rule applied, or if
            the validation data look wrong.
        """
        context = callback_context(self, max_subtasks=self.max_iter)
        with unchanged_on_error(self):
            self._check_params()
            weights = self._weights() if self.warm_start else None
            data, val_data = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
            dtype = weights and weights[0].dtype
            samples, val = fit_samples(self, dtype, data, val_data)
            settings = make_settings(vars(self), self._layer_sizes(), samples)
            state = self._begin(settings, samples.y.dtype, weights)
            if self.early_stopping and val is None:
                samples, val = split(self, samples, state.seed())
            else:
                samples = scale_weights(samples)
            tasks = context and Tasks(self, context, *data, settings.layer_sizes)
            outcome = self._train(settings, state, samples, val, tasks)
            self.n_iter_ = outcome.n_epochs
        if self._is_of_table:  # which scales features, and needs no warnings
            if outcome.was_interrupted:
                raise KeyboardInterrupt  # ends the fit of the table too
            return self
        for message in outcome.messages:
            warnings.warn(message, ConvergenceWarning, stacklevel=FIT_DEPTH)
        return self

    @available_if(has_epochs)
    def partial_fit(
        self, X, y, sample_weight=None, classes=None, *, X_val=None, y_val=None,
        sample_weight_val=None,
    ):  # fmt: skip
        """Train for one epoch on the given rows, continuing from the last call.

        Not available with ``solver="lbfgs"``. `early_stopping` has no effect. Ctrl-C
        raises KeyboardInterrupt after the epoch is complete, and the epoch counts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels. Both classes need not occur in each call.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0, used as they are.

        classes : array-like of shape (2,), default=None
            The two labels that may occur in any call. Required in the first call.

        X_val, y_val, sample_weight_val : default=None
            Validation data, for `history_`, as in `fit`.

        Returns
        -------
        self : BinaryMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described above, or if training
            diverges. The estimator is then as it was before.
        """
        with unchanged_on_error(self):
            self._check_params()
            weights = self._weights()
            data, val_data = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
            dtype = weights and weights[0].dtype
            samples, val = partial_fit_samples(self, dtype, data, classes, val_data)
            params = vars(self) | {"max_iter": 1, "early_stopping": False}
            settings = make_settings(params, self._layer_sizes(), samples)
            if settings.schedule.has_horizon:
                settings.schedule = HELD
            state = self._begin(settings, samples.y.dtype, weights)
            outcome = self._train(settings, state, samples, val)
            self.n_iter_ = getattr(self, "n_iter_", 0) + 1
        if outcome.was_interrupted:  # so that a loop around this call ends
            raise KeyboardInterrupt
        return self

    def decision_function(self, X):
        """Logit of the positive class, ``classes_[1]``, for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        z : ndarray of shape (n_samples,)
            log(p / (1 - p)), where p is the probability of ``classes_[1]``.

        Raises
        ------
        ValueError
            If `X` is not as described above, or is so large that a logit overflows.
        """
        params, layer_sizes = self._layers()
        rows = check_X(self, X, params.dtype)
        return predict_logits(params, layer_sizes, self.activation, rows, self.n_jobs)

    def predict(self, X):
        """Label of each row: ``classes_[1]`` where its logit is positive.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(np.intp)]

    def predict_proba(self, X):
        """Probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p : ndarray of shape (n_samples, 2)
            Probabilities, the columns in the order of `classes_`.
        """
        z = self.decision_function(X)
        p = np.empty((len(z), 2), z.dtype)
        expit(z, out=p[:, 1])
        np.subtract(1, p[:, 1], out=p[:, 0])
        return p

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class, finite for every finite logit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_p : ndarray of shape (n_samples, 2)
            Logarithms of the probabilities, the columns in the order of `classes_`.
        """
        z = self.decision_function(X)
        return np.column_stack([log_expit(-z), log_expit(z)])

    # ---- looking inside -----------------------------------------------------------

    def loss_and_gradients(self, X, y, sample_weight=None):
        """The objective J and its gradients at the fitted weights, by `backprop`.

            J = sum_i w_i loss(y_i, z(x_i)) / sum_i w_i + alpha / 2 * sum ||W||^2

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, which `class_weight` multiplies.

        Returns
        -------
        loss : float
            J.

        coef_gradients : list of ndarray of shape (n_in, n_out)
            dJ/dW for each of `coefs_`.

        intercept_gradients : list of ndarray of shape (n_out,)
            dJ/db for each of `intercepts_`.
        """
        self._check_params()
        params, layer_sizes = self._layers()
        samples = loss_samples(self, params.dtype, X, y, sample_weight)
        settings = make_settings(vars(self), layer_sizes, samples)
        loss, grad = objective(settings, params, samples)
        return loss, *unflatten(grad, layer_sizes)

    def input_gradients(self, X):
        """Gradient of each row's logit with respect to the row.

        Its sign says in which direction a feature moves the prediction, its size how
        strongly.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        gradients : ndarray of shape (n_samples, n_features)
            d `decision_function` / d feature.
        """
        params, layer_sizes = self._layers()
        rows = check_X(self, X, params.dtype)
        return input_gradients(
            params, layer_sizes, self.activation, self.backprop, rows, self.n_jobs
        )

    # ---- to and from MLPClassifier ---------------------------------------------------

    def to_sklearn(self):
        """An MLPClassifier with the same weights, for tools that support that class.

        Its logits are equal to rounding: relative to the largest, to 1e-12 in float64
        and 1e-5 in float32. `alpha` is multiplied by the number of rows in a minibatch,
        because MLPClassifier divides it by that number; "cosine" becomes "constant";
        the validation scores become accuracies; parameters that MLPClassifier does not
        have are dropped.

        Returns
        -------
        mlp : sklearn.neural_network.MLPClassifier
            A fitted estimator.
        """
        self._check_params()
        return to_mlp(self, unflatten(*self._layers()))

    @classmethod
    def from_sklearn(cls, mlp):
        """A BinaryMLPClassifier with the weights of an MLPClassifier.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPClassifier
            A fitted estimator for two classes.

        Returns
        -------
        clf : BinaryMLPClassifier
            A fitted estimator with the same parameters, except that `alpha` is divided
            by the number of rows in a minibatch. (With lbfgs, which uses all rows at
            once, `alpha` is unchanged, because MLPClassifier does not record how many
            there were.) Its curves are those of `mlp`, whose losses include the
            penalty.

        Raises
        ------
        TypeError
            If `mlp` is not an MLPClassifier.
        ValueError
            If it is not for two classes.
        """
        return from_mlp(mlp, cls())

    # ---- what the methods above share

    def _check_params(self):
        """Raise ValueError where a parameter is not as described above."""
        constraints, name = self._parameter_constraints, type(self).__name__
        params = {param: getattr(self, param) for param in constraints}
        # scikit-learn takes a seventh of a small fit to check all, the defaults too.
        chosen = {p: v for p, v in params.items() if v is not DEFAULTS.get(p, self)}
        validate_parameter_constraints(constraints, chosen, name)
        check_scoring_param(self)

    def _layers(self, attributes=("coefs_", "intercepts_", "classes_")):
        """params and layer sizes of the weights, which a user may have set."""
        try:
            for name in attributes:
                getattr(self, name)
            # This is quick; _check_params takes far longer than a prediction.
            ACTIVATIONS[self.activation], BACKPROPS[self.backprop]
        except (AttributeError, KeyError, TypeError):
            check_is_fitted(self, attributes)
            self._check_params()
        n_features = getattr(self, "n_features_in_", None)
        return check_layers(self.coefs_, self.intercepts_, n_features)

    def _weights(self):
        """Copies of params and layer sizes that training continues from, or None."""
        if not hasattr(self, "coefs_"):
            return None
        params, layer_sizes = self._layers(("coefs_", "intercepts_"))
        return params.copy(), layer_sizes

    def _layer_sizes(self):
        """The layer sizes that the parameters ask for."""
        hidden = check_hidden_layer_sizes(self.hidden_layer_sizes)
        return [self.n_features_in_, *hidden, 1]

    def _begin(self, settings, dtype, weights):
        """The state that a run begins with: a new one, or a copy of the last."""
        if weights is None:
            stream = check_random_state(self.random_state)
            params = init_params(settings.layer_sizes, self.init, stream, dtype)
            return make_state(settings, params, stream)
        params, layer_sizes = weights
        if layer_sizes != settings.layer_sizes:
            raise ValueError(
                "Training that goes on from an earlier call needs the same layers: "
                f"the weights have sizes {layer_sizes}, the parameters ask for "
                f"{settings.layer_sizes}."
            )
        saved = deepcopy(getattr(self, "_state", {}))
        stream = saved.get("random_state") or check_random_state(self.random_state)
        history = getattr(self, "history_", {})
        n_epochs = len(history.get("loss", []))
        state = make_state(settings, params, stream, saved, n_epochs)
        state.t = getattr(self, "t_", 0)
        state.history |= {name: curve.copy() for name, curve in history.items()}
        return state

    def _train(self, settings, state, samples, val, tasks=None):
        """Run, then store all that a run leaves."""
        validation = val and Validation(self, val, settings)
        outcome = train(settings, state, samples, validation, tasks)
        if tasks is not None:
            tasks.close(state)
        self.coefs_, self.intercepts_ = unflatten(state.params, settings.layer_sizes)
        self.history_, self.t_ = state.history, state.t
        self._state = state.to_keep()
        # The user's stream and NumPy's will be drawn from elsewhere too: keep a copy.
        shared = (self.random_state, check_random_state(None))
        if any(state.random_state is stream for stream in shared):
            self._state["random_state"] = deepcopy(state.random_state)
        self.n_layers_ = len(settings.layer_sizes)
        self.n_outputs_ = 1
        self.out_activation_ = "logistic"
        self._summarise_curves(settings.early_stopping)
        return outcome

    def _summarise_curves(self, early_stopping):
        """Set the attributes that are taken from the curves in history_."""
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if early_stopping else min(self.loss_curve_)
        self.validation_scores_ = self.best_validation_score_ = None
        scoring = find_scoring(self.scoring)
        if self.early_stopping and scoring.curve in self.history_:
            curve = self.history_[scoring.curve]
            self.validation_scores_ = [scoring.sign * value for value in curve]
            self.best_validation_score_ = float(np.fmax.reduce(self.validation_scores_))


DEFAULTS = vars(BinaryMLPClassifier())  # they satisfy the constraints
