"""BinaryMLPClassifier: parameters, checks, labels, fit and predict."""

from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ._network import (
    ACTIVATIONS,
    BACKPROPS,
    INITS,
    flatten,
    init_params,
    logits,
    sizes_of,
    unflatten,
)
from ._samples import class_weights, make_samples, two_classes
from ._training import LEARNING_RATES, Settings, State, train


class BinaryMLPClassifier(ClassifierMixin, BaseEstimator):
    """Multi-layer perceptron for two classes, trained by stochastic gradient descent.

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

    solver : {"sgd"}, default="sgd"
        Stochastic gradient descent, with `momentum`.

    backprop : {"matrix", "loop"}, default="matrix"
        How gradients are computed: as matrix products of a whole minibatch, or by the
        chain rule, sample by sample and weight by weight. The results are equal up to
        rounding; "loop" gives the same bits whatever BLAS is installed, and however
        many threads it uses.

    alpha : float, default=1e-3
        Strength of the L2 penalty on the weights; biases are not penalised. It means
        the same for every `batch_size`; MLPClassifier's, which it divides by the
        number of rows in the minibatch, does not.

    batch_size : int or "auto", default=32
        Rows per minibatch, at most those that there are. "auto" is
        ``min(200, n_samples)``.

    learning_rate : {"constant", "cosine"}, default="cosine"
        "cosine" falls from `learning_rate_init` to 0 over the `max_iter` epochs, step
        by step. `partial_fit`, which knows no last step, stays at
        `learning_rate_init`.

    learning_rate_init : float or "auto", default="auto"
        Learning rate of the first step. "auto" is 0.03.

    max_iter : int, default=30
        Number of epochs.

    shuffle : bool, default=True
        Whether each epoch takes the rows in a new random order.

    random_state : int, RandomState instance or None, default=None
        One stream: the initial weights are drawn first, then an order per epoch. Pass
        an int for the same result on every call.

    warm_start : bool, default=False
        Whether `fit` goes on from the weights, the momentum and the random stream of
        the last call. A cosine starts anew.

    momentum : float, default=0.9
        Between 0, for plain gradient descent, and 1.

    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, ``{label: weight}``, multiplied onto the sample
        weights, those of the validation data included. "balanced" gives both classes
        the same total weight.

    init : {"glorot", "he", "normal"}, default="glorot"
        Distribution of the initial weights: uniform within
        ``sqrt(6 / (n_in + n_out))`` [1]_, normal with variance ``2 / n_in`` and biases
        of 0 [2]_, or standard normal. "glorot" and "normal" draw the biases too.

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
        "loss" and "accuracy" on the training rows,
        each taken on the way, before its minibatch's step; with validation data,
        "val_loss" and "val_accuracy" at the end of the epoch. All are weighted means,
        without the penalty. An epoch without validation data has NaN there.

    loss_curve_ : list of float
        ``history_["loss"]``.

    loss_ : float
        The last of `loss_curve_`.

    best_loss_ : float
        The least of `loss_curve_`.

    validation_scores_ : None
        No score is watched.

    best_validation_score_ : None
        No score is watched.

    n_iter_ : int
        Number of epochs: of the last `fit`, and of all `partial_fit` calls since.

    t_ : int
        Number of training rows seen, over all calls.

    n_layers_ : int
        Number of layers, input and output included.

    n_outputs_ : int
        1.

    out_activation_ : str
        "logistic".

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `X` had names that are all strings.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Any number of classes, more solvers.
    TrainingCurvesDisplay : Loss and accuracy per epoch as a picture.

    Notes
    -----
    Weights, `sample_weight` times `class_weight`, are normalised once over the rows of
    `fit` to a mean of 1; a minibatch's gradient is the weighted sum over its number of
    rows. `partial_fit` takes weights as they are.

    `X` is used without a copy where it is C-contiguous float32 or float64. The dtype
    of `X` in the first call is the dtype of the weights, of all arithmetic and of the
    probabilities.

    References
    ----------
    .. [1] Glorot and Bengio (2010), Understanding the difficulty of training deep
       feedforward neural networks.
    .. [2] He, Zhang, Ren and Sun (2015), Delving deep into rectifiers.

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
        "solver": [StrOptions({"sgd"})],
        "backprop": [StrOptions(set(BACKPROPS))],
        "alpha": [Interval(Real, 0, np.inf, closed="left")],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [StrOptions(set(LEARNING_RATES))],
        "learning_rate_init": [
            StrOptions({"auto"}),
            Interval(Real, 0, np.inf, closed="neither"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "init": [StrOptions(set(INITS))],
    }

    # Validation data are requested by default, so that a Pipeline needs no more than
    # transform_input=["X_val"].
    __metadata_request__fit = {"X_val": True, "y_val": True, "sample_weight_val": True}

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
        max_iter=30,
        shuffle=True,
        random_state=None,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
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
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.class_weight = class_weight
        self.init = init

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

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
        """Train the network for `max_iter` epochs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels, of two classes.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0; None is 1 for each. Their scale
            does not matter.

        X_val : array-like of shape (n_val, n_features), default=None
            Validation rows: watched in `history_`, not trained on. They must have been
            transformed as `X` was. A Pipeline does so with
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
        """
        with unchanged_on_error(self):
            self._validate_params()
            fresh = not (self.warm_start and hasattr(self, "coefs_"))
            X, y = self._check_X_y(X, y, fresh)
            self._set_classes(y, fresh)
            weights = class_weights(self.class_weight, self.classes_, y, sample_weight)
            samples = make_samples(
                X, y, sample_weight, self.classes_, weights, normalise=True
            )
            validation = self._validation(
                X_val, y_val, sample_weight_val, X.dtype, weights
            )
            self._train(samples, validation, fresh, self.max_iter, self.learning_rate)
            self.n_iter_ = int(self.max_iter)
        return self

    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch over the given rows, going on from the last call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Their labels; a call after the first may hold one class only.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, >= 0 and not all 0, used as they are.

        classes : array-like of shape (2,), default=None
            All labels that any call may hold. Required in the first call.

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
            self._validate_params()
            if isinstance(self.class_weight, str):
                raise ValueError(
                    f"class_weight={self.class_weight!r} needs all rows at once; for "
                    "partial_fit give the weights as a dict."
                )
            fresh = not hasattr(self, "coefs_")
            if fresh and classes is None:
                raise ValueError(
                    "classes must be given in the first call to partial_fit."
                )
            X, y = self._check_X_y(X, y, fresh)
            if classes is not None:
                self._set_classes(classes, fresh)
            weights = class_weights(self.class_weight, self.classes_, y, sample_weight)
            samples = make_samples(X, y, sample_weight, self.classes_, weights)
            self._train(samples, None, fresh, n_epochs=1, learning_rate="constant")
            self.n_iter_ = getattr(self, "n_iter_", 0) + 1
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
        """
        check_is_fitted(self)
        return logits(
            sizes_of(self.coefs_),
            self.activation,
            self.backprop,
            flatten(self.coefs_, self.intercepts_),
            validate_data(self, X, reset=False, dtype=self.coefs_[0].dtype, order="C"),
        )

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
        p = expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

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

    # ---- from user data to samples -------------------------------------------------

    def _check_X_y(self, X, y, fresh):
        """A fresh run takes the dtype of X, a later one keeps that of the weights."""
        dtype = [np.float64, np.float32] if fresh else self.coefs_[0].dtype
        X, y = validate_data(self, X, y, reset=fresh, dtype=dtype, order="C")
        check_classification_targets(y)
        return X, y

    def _set_classes(self, labels, fresh):
        """A fresh run takes the classes, a later one compares them."""
        classes = two_classes(labels)
        if fresh:
            self.classes_ = classes
        elif not np.array_equal(classes, self.classes_):
            raise ValueError(
                "Training that goes on from an earlier call needs the same classes: "
                f"expected {self.classes_}, got {classes}."
            )

    def _validation(self, X, y, sample_weight, dtype, weights):
        """Validation samples, None where there are none."""
        if X is None and y is None and sample_weight is None:
            return None
        if X is None or y is None:
            missing = "X_val" if X is None else "y_val"
            raise ValueError(
                f"Validation data need X_val and y_val, but {missing} is None."
            )
        X_val = check_array(X, dtype=dtype, order="C", input_name="X_val")
        if X_val.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X_val has {X_val.shape[1]} features, but X has {self.n_features_in_}."
            )
        validate_data(self, X, reset=False, skip_check_array=True)  # feature names
        y = column_or_1d(y, warn=True)
        check_consistent_length(X_val, y)
        return make_samples(
            X_val, y, sample_weight, self.classes_, weights, "_val", normalise=True
        )

    # ---- training --------------------------------------------------------------------

    def _train(self, samples, validation, fresh, n_epochs, learning_rate):
        """Run, then store all that a run leaves."""
        settings = self._settings(samples.X, n_epochs, learning_rate)
        start = self._new_state if fresh else self._kept_state
        state = start(settings.layer_sizes, samples.X.dtype)
        train(settings, state, samples, validation)
        self.coefs_, self.intercepts_ = unflatten(state.params, settings.layer_sizes)
        self._velocity = state.velocity
        shared = fresh and not isinstance(self.random_state, Integral)
        stream = state.random_state
        self._random_state = deepcopy(stream) if shared else stream
        self.history_ = state.history
        self.loss_curve_ = state.history["loss"]
        self.loss_, self.best_loss_ = self.loss_curve_[-1], min(self.loss_curve_)
        self.validation_scores_ = self.best_validation_score_ = None
        self.t_ = settings.n_epochs * len(samples.y) + (0 if fresh else self.t_)
        self.n_layers_ = len(settings.layer_sizes)
        self.n_outputs_ = 1
        self.out_activation_ = "logistic"

    def _settings(self, X, n_epochs, learning_rate):
        """The parameters as plain Python numbers, "auto" replaced by its value."""
        rate = self.learning_rate_init
        batch_size = 200 if self.batch_size == "auto" else self.batch_size
        return Settings(
            layer_sizes=[X.shape[1], *self._hidden_layer_sizes(), 1],
            activation=self.activation,
            backprop=self.backprop,
            alpha=float(self.alpha),
            batch_size=min(int(batch_size), len(X)),
            shuffle=self.shuffle,
            learning_rate=learning_rate,
            learning_rate_init=0.03 if rate == "auto" else float(rate),
            momentum=float(self.momentum),
            nesterovs_momentum=self.nesterovs_momentum,
            n_epochs=int(n_epochs),
        )

    def _hidden_layer_sizes(self):
        """As a list of int; np.asarray tells a sequence from a set or a nested one."""
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object))
        if sizes.ndim > 1 or not all(
            isinstance(size, Integral) and size >= 1 for size in sizes
        ):
            raise ValueError(
                "hidden_layer_sizes must be an int >= 1 or a sequence of them, "
                f"got {self.hidden_layer_sizes!r}."
            )
        return [int(size) for size in sizes]

    def _new_state(self, layer_sizes, dtype):
        """Initial weights, no velocity, empty curves."""
        random_state = check_random_state(self.random_state)
        params = init_params(layer_sizes, self.init, random_state, dtype)
        history = {"loss": [], "accuracy": []}
        return State(params, np.zeros_like(params), random_state, history)

    def _kept_state(self, layer_sizes, dtype):
        """Copies of what the last run left, so that it stays should this one fail."""
        if sizes_of(self.coefs_) != layer_sizes:
            raise ValueError(
                "Training that goes on from an earlier call needs the same layers: the "
                f"weights have sizes {sizes_of(self.coefs_)}, the parameters ask for "
                f"{layer_sizes}."
            )
        params = flatten(self.coefs_, self.intercepts_)
        history = {name: curve.copy() for name, curve in self.history_.items()}
        random_state = deepcopy(self._random_state)
        return State(params, self._velocity.copy(), random_state, history)


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
