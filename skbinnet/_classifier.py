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
from ._solvers import HELD, SCHEDULES, SOLVERS
from ._training import make_settings, make_state, objective, train
from ._validation import Validation, check_scoring_param, find_scoring


def has_epochs(clf):
    """Whether partial_fit is there."""
    solver = SOLVERS.get(clf.solver) if isinstance(clf.solver, str) else None
    if solver is not None and not solver.is_stochastic:
        others = [f'"{name}"' for name in SOLVERS if SOLVERS[name].is_stochastic]
        raise AttributeError(
            f'partial_fit needs solver={" or ".join(others)}, got "{clf.solver}".'
        )
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
        Number of units of each hidden layer. ``()`` is logistic regression.

    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Activation of the hidden units. The derivative of relu at 0 is 1.

    solver : {"sgd", "adam", "lbfgs"}, default="sgd"
        Stochastic gradient descent with `momentum`; Adam [1]_; or L-BFGS [2]_, which
        takes all rows at once and ends where no derivative is larger than `tol`, or the
        loss hardly falls.

    backprop : {"matrix", "loop"}, default="matrix"
        How gradients are computed: as matrix products of a whole minibatch, or by the
        chain rule, sample by sample and weight by weight. The results are equal up to
        rounding. Neither uses BLAS or threads: on one machine each gives the same
        weights in every run, to the last bit.

    alpha : float, default=1e-3
        Strength of the L2 penalty on the weights; biases are not penalised. It means
        the same for every `batch_size`; MLPClassifier's, which it divides by the
        number of rows in the minibatch, does not.

    batch_size : int or "auto", default=32
        Rows per minibatch, at most those that there are. "auto" is
        ``min(200, n_samples)``. Not used by lbfgs.

    learning_rate : {"constant", "cosine", "invscaling", "adaptive"}, default="cosine"
        How the learning rate goes on from `learning_rate_init`. "cosine" falls to 0
        over the `max_iter` epochs, step by step; such a run lasts all its epochs,
        unless `early_stopping` ends it. "invscaling" is
        ``learning_rate_init / (t + 1) ** power_t`` in an epoch that begins after t
        rows. "adaptive" divides the rate by 5 whenever a run would have ended for
        want of improvement, and ends it when the rate is 1e-6 or less; both are for
        sgd, adam holds its rate instead, as in MLPClassifier. `partial_fit`, which
        knows no last step, holds the rate where it would be a cosine. Not used by
        lbfgs.

    learning_rate_init : float or "auto", default="auto"
        Learning rate of the first step. "auto" is 0.03 for sgd and 0.003 for adam.

    power_t : float, default=0.5
        Exponent of "invscaling".

    max_iter : int, default=30
        Number of epochs, or of iterations of lbfgs, at most.

    shuffle : bool, default=True
        Whether each epoch takes the rows in a new random order.

    random_state : int, RandomState instance or None, default=None
        One stream: the initial weights are drawn first, then the rows to hold out, then
        an order per epoch. Pass an int for the same result on every call.

    tol : float, default=1e-4
        An epoch improves if the training loss falls, or with `early_stopping` the
        watched score rises, by `tol` or more from the best so far. Not used with
        "cosine" alone. For lbfgs: the largest derivative that counts as zero.

    verbose : bool or int, default=False
        Whether to print a line per epoch.

    warm_start : bool, default=False
        Whether `fit` goes on from the weights, the state of the solver, the counters
        and the random stream of the last call. A cosine starts anew.

    momentum : float, default=0.9
        Between 0, for plain gradient descent, and 1. For sgd.

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum. For sgd.

    early_stopping : bool, default=False
        Whether to watch a score on validation data, end the run when it has not
        improved for `n_iter_no_change` epochs, and go back to the weights of the best.
        The data are those given to `fit`, or else rows that are held out of it, from
        each class alike, the same in every warm start on the same data.

    validation_fraction : float, default=0.1
        Share of the rows to hold out, at least 2 rows.

    scoring : str or callable, default="loss"
        The score to watch: "loss", the least being the best; or, the greatest being the
        best, the name of a scikit-learn scorer, which sees the labels as 0 and 1, or
        ``scoring(estimator, X_val, y_val)``, which sees them as they are. Where weights
        differ, those of `class_weight` included, both get them as ``sample_weight``. It
        is computed and recorded where there are validation data, with
        `early_stopping` or without. MLPClassifier's is "accuracy".

    beta_1 : float, default=0.9
        How much of its value the average of the gradient keeps from step to step. For
        adam.

    beta_2 : float, default=0.999
        The same for the average of the gradient's square. For adam.

    epsilon : float, default=1e-8
        Added to the root of the latter. For adam.

    n_iter_no_change : int or inf, default=10
        A run ends when more than so many epochs in a row have not improved. Not used
        with "cosine" or lbfgs alone, without `early_stopping`.

    max_fun : int, default=15000
        Evaluations of the loss after which lbfgs ends.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``, multiplied onto the sample
        weights, those of the validation data included. "balanced" gives both classes
        the same total weight.

    init : {"glorot", "he", "normal"}, default="glorot"
        Distribution of the initial weights: uniform within
        ``sqrt(6 / (n_in + n_out))`` [3]_, normal with variance ``2 / n_in`` and biases
        of 0 [4]_, or standard normal. "glorot" and "normal" draw the biases too. To
        begin with weights of your own, set `coefs_` and `intercepts_` and call
        `partial_fit`, or `fit` with `warm_start`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted. The second is the positive class.

    coefs_ : list of ndarray of shape (n_in, n_out)
        The weights of each layer, the output layer last.

    intercepts_ : list of ndarray of shape (n_out,)
        The biases of each layer.

    history_ : dict of list of float
        Curves with a value per epoch, over all calls that went on from one another:
        "loss" and "accuracy" on the training rows, each taken on the way, before its
        minibatch's step; with validation data, "val_loss" and "val_accuracy" at the
        end of the epoch, and what `scoring` names, as "val_roc_auc" for "roc_auc" or
        "val_score" for a callable. All are weighted means, without the penalty. An
        epoch without validation data has NaN there.

    loss_curve_ : list of float
        ``history_["loss"]``.

    loss_ : float
        The last of `loss_curve_`.

    best_loss_ : float or None
        The least of `loss_curve_`; None with `early_stopping`.

    validation_scores_ : list of float or None
        The curve that `early_stopping` watches, the loss with a minus sign.

    best_validation_score_ : float or None
        The greatest of `validation_scores_`.

    n_iter_ : int
        Number of epochs: of the last `fit`, and of all `partial_fit` calls since.

    t_ : int
        Number of training rows seen, over all calls that went on from one another.

    n_layers_ : int
        Number of layers, input and output included.

    n_outputs_ : int
        Always 1.

    out_activation_ : str
        Always "logistic".

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` had names that are all strings.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Any number of classes.
    TrainingCurvesDisplay : Loss and accuracy per epoch as a picture.

    Notes
    -----
    Weights, `sample_weight` times `class_weight`, are normalised once over the training
    rows of `fit` to a mean of 1; a minibatch's gradient is the weighted sum over its
    number of rows. `partial_fit` takes weights as they are.

    With "constant", "invscaling" and "adaptive", and without `early_stopping`, sgd and
    adam go on exactly: `fit` for 2 k epochs, `fit` and a warm-started `fit` for k
    epochs each, and 2 k calls of `partial_fit` on the same rows end in the same weights
    to the last bit, after pickling too.

    `X` is used without a copy where it is C-contiguous, or CSR, of float32 or float64.
    The dtype of `X` in the first call is the dtype of the weights, of all arithmetic
    and of the probabilities.

    Sparse rows are never made dense. Their forward and backward pass cost what the
    stored values cost. So does a step of plain gradient descent (sgd with `momentum`
    0), the penalty included [5]_, but without momentum text wants a larger
    `learning_rate_init`, of 0.3 perhaps; a step with momentum or of adam goes over all
    weights.

    With scikit-learn 1.9 or newer `set_callbacks` takes its callbacks, such as
    :class:`sklearn.callback.ProgressBar` (which needs rich); `fit`, not `partial_fit`,
    tells them of each epoch. Within a Pipeline or a search, set it on the outermost.

    References
    ----------
    .. [1] Kingma and Ba (2015), Adam: a method for stochastic optimization.
    .. [2] Zhu, Byrd, Lu and Nocedal (1997), Algorithm 778: L-BFGS-B.
    .. [3] Glorot and Bengio (2010), Understanding the difficulty of training deep
       feedforward neural networks.
    .. [4] He, Zhang, Ren and Sun (2015), Delving deep into rectifiers.
    .. [5] Bottou (2012), Stochastic gradient descent tricks, section 5.1.

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

    _parameter_constraints = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions(set(SOLVERS))],
        "backprop": [StrOptions(set(BACKPROPS))],
        "alpha": [Interval(Real, 0, np.inf, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [
            StrOptions({"auto"}),
            Interval(Real, 0, np.inf, closed="neither"),
        ],
        "power_t": [Interval(Real, 0, np.inf, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, np.inf, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [str, callable],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, np.inf, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "init": [StrOptions(set(INITS))],
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        return tags

    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network for `max_iter` epochs, or until a rule ends the training.

        Ctrl-C ends the training after the epoch that it meets, with a warning, and
        keeps the weights. In a search it so ends one fit; the search goes on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels, of two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0; None is 1 for each. Their scale
            does not matter.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation rows: watched in `history_` and by `early_stopping`, not trained
            on. They must have been transformed as `X` was. A Pipeline does so with
            ``transform_input=["X_val"]`` under
            ``sklearn.set_config(enable_metadata_routing=True)``; no
            `set_fit_request` is needed. Without metadata routing
            ``pipeline.fit(..., clf__X_val=X_val)`` passes them on as they are. A
            search slices whatever is as long as `X`: let `X_val` have another length.

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
            If the training was interrupted, learned nothing, or reached `max_iter`
            under a rule that should have ended it before.
        """
        context = callback_context(self)
        with unchanged_on_error(self):
            self._check_params()
            kept = self._kept() if self.warm_start else None
            data, watched = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
            dtype = kept and kept[0].dtype
            samples, val = fit_samples(self, dtype, data, watched)
            settings = make_settings(vars(self), self._layer_sizes(), samples)
            state = self._begin(settings, samples.y.dtype, kept)
            if self.early_stopping and val is None:
                samples, val = split(self, samples, state.seed())
            else:
                samples = scale_weights(samples)
            tasks = context and Tasks(self, context, *data, settings.layer_sizes)
            outcome = self._train(settings, state, samples, val, tasks)
            self.n_iter_ = outcome.n_epochs
        for message in outcome.messages:
            warnings.warn(message, ConvergenceWarning, stacklevel=FIT_DEPTH)
        return self

    @available_if(has_epochs)
    def partial_fit(
        self,
        X,
        y,
        sample_weight=None,
        classes=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train for one epoch over the given rows, going on from the last call.

        It is not there with ``solver="lbfgs"``. `early_stopping` has no effect. Ctrl-C
        is raised at the end of the epoch, which counts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Their labels; a call after the first may hold one class only.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0, used as they are.

        classes : array-like of shape (2,), default=None
            All labels that any call may hold. Required in the first call.

        X_val, y_val, sample_weight_val : default=None
            Validation data, watched in `history_`, as in `fit`.

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
            kept = self._kept()
            data, watched = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
            dtype = kept and kept[0].dtype
            samples, val = partial_fit_samples(self, dtype, data, classes, watched)
            params = vars(self) | {"max_iter": 1, "early_stopping": False}
            settings = make_settings(params, self._layer_sizes(), samples)
            if settings.schedule.has_horizon:
                settings.schedule = HELD
            state = self._begin(settings, samples.y.dtype, kept)
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
            If `X` is not as described above, or so large that a logit overflows.
        """
        params, layer_sizes = self._layers()
        rows = check_X(self, X, params.dtype)
        return predict_logits(params, layer_sizes, self.activation, rows)

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
        """The objective J at the fitted weights and its gradients, by `backprop`.

            J = sum_i w_i loss(y_i, z(x_i)) / sum_i w_i + alpha / 2 * sum ||W||^2

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Their labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, multiplied by `class_weight`.

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

        Its sign says where a feature pushes the prediction, its size how hard.

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
            params, layer_sizes, self.activation, self.backprop, rows
        )

    # ---- to and from MLPClassifier ---------------------------------------------------

    def to_sklearn(self):
        """An MLPClassifier with the same weights, for whatever knows that class.

        Its probabilities are the same to rounding: to 1e-12, relative, in float64, and
        to 1e-5 in float32. `alpha` is multiplied by the number of rows in a minibatch,
        because MLPClassifier divides it by that; "cosine" becomes "constant", at the
        same rate; the validation scores become accuracies; parameters that
        MLPClassifier does not have are left out.

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
            A fitted estimator with the same parameters, but `alpha` divided by the rows
            of a minibatch. (For lbfgs, which takes all rows at once, it is as it was:
            MLPClassifier does not say how many they were.) Its curves are those of
            `mlp`, whose losses include the penalty.

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
        params = {name: getattr(self, name) for name in self._parameter_constraints}
        name = type(self).__name__
        validate_parameter_constraints(self._parameter_constraints, params, name)
        check_scoring_param(self)

    def _layers(self, attributes=("coefs_", "intercepts_", "classes_")):
        """params and layer sizes of the weights as they stand; a user may set them."""
        try:
            for name in attributes:
                getattr(self, name)
            ACTIVATIONS[self.activation], BACKPROPS[self.backprop]
        except (AttributeError, KeyError, TypeError):
            check_is_fitted(self, attributes)
            self._check_params()
        n_features = getattr(self, "n_features_in_", None)
        return check_layers(self.coefs_, self.intercepts_, n_features)

    def _kept(self):
        """params and layer sizes that training goes on from, or None."""
        fitted = "coefs_", "intercepts_"
        return self._layers(fitted) if hasattr(self, "coefs_") else None

    def _layer_sizes(self):
        """What the parameters ask for."""
        hidden = check_hidden_layer_sizes(self.hidden_layer_sizes)
        return [self.n_features_in_, *hidden, 1]

    def _begin(self, settings, dtype, kept):
        """The state that a run begins with: a new one, or a copy of the last."""
        if kept is None:
            stream = check_random_state(self.random_state)
            params = init_params(settings.layer_sizes, self.init, stream, dtype)
            return make_state(settings, params, stream)
        params, layer_sizes = kept
        if layer_sizes != settings.layer_sizes:
            raise ValueError(
                "Training that goes on from an earlier call needs the same layers: "
                f"the weights have sizes {layer_sizes}, the parameters ask for "
                f"{settings.layer_sizes}."
            )
        old = deepcopy(getattr(self, "_state", {}))
        stream = old.get("random_state") or check_random_state(self.random_state)
        state = make_state(settings, params, stream, old)
        state.t = getattr(self, "t_", 0)
        for name, curve in getattr(self, "history_", {}).items():
            state.history[name] = curve.copy()
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
        shared = (self.random_state, check_random_state(None))
        if any(state.random_state is stream for stream in shared):
            self._state["random_state"] = deepcopy(state.random_state)
        self.n_layers_ = len(settings.layer_sizes)
        self.n_outputs_ = 1
        self.out_activation_ = "logistic"
        self._summarise_curves()
        return outcome

    def _summarise_curves(self):
        """Set the attributes that are taken from the curves in history_."""
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_)
        self.validation_scores_ = self.best_validation_score_ = None
        scoring = find_scoring(self.scoring)
        if self.early_stopping and scoring.curve in self.history_:
            curve = self.history_[scoring.curve]
            self.validation_scores_ = [scoring.sign * value for value in curve]
            self.best_validation_score_ = float(np.fmax.reduce(self.validation_scores_))
