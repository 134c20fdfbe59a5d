"""Callbacks: those of scikit-learn 1.9, which are told of a fit and of its parts."""

from contextlib import contextmanager

from ._network import unflatten

FIT_DEPTH = 3  # the stacklevel of a warning in fit, which with_callbacks wraps

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9
    FIT_DEPTH = 2

    class CallbackSupportMixin:
        """Supports nothing."""

    def with_callbacks(method):
        """Return the method itself."""
        return method


def callback_context(estimator, **subtasks):
    """The context of a fit, or None if no callback is set."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return estimator._init_callback_context(**subtasks)


def fit_arguments(estimator, X, y, sample_weight):
    """What callbacks are told of a fit."""
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": weights}


class Tasks:
    """A fit and its epochs, as tasks whose begin and end callbacks are told."""

    def __init__(self, estimator, context, X, y, sample_weight, layer_sizes):
        self.context = context
        self.layer_sizes = layer_sizes
        self.epoch = None
        self.arguments = fit_arguments(estimator, X, y, sample_weight)
        context.call_on_fit_task_begin(**self.arguments)

    def begin(self):
        """Tell the callbacks that an epoch begins."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.arguments)

    def end(self, state):
        """Tell the callbacks that an epoch ends; return whether one asks to stop."""
        if self.epoch is None:  # lbfgs does not say when an iteration begins
            self.begin()
        stops = self.epoch.call_on_fit_task_end(
            **self.arguments,
            reconstruction_attributes=lambda: self.fitted(state),
        )
        self.epoch = None
        return stops

    def fitted(self, state):
        """Copies of the attributes that fit would leave if it ended now."""
        coefs, intercepts = unflatten(state.params.copy(), self.layer_sizes)
        return {"coefs_": coefs, "intercepts_": intercepts}

    def close(self, state):
        """Tell the callbacks that the fit ends."""
        self.context.call_on_fit_task_end(
            **self.arguments,
            reconstruction_attributes=lambda: self.fitted(state),
        )


class NetworkTasks:
    """A fit and its networks, as tasks; each network's own fit is merged with its task.

    Without callbacks nothing is told.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self.are_stopped = False  # a callback has asked for it
        self.context = callback_context(
            estimator, max_subtasks=estimator.n_estimators, sequential_subtasks=False
        )
        if self.context is None:
            return
        self.arguments = fit_arguments(estimator, X, y, sample_weight)
        self.context.call_on_fit_task_begin(**self.arguments)
        # They are made before any thread begins, because making one changes context.
        self.tasks = [
            self.context.subcontext(task_name="network", task_id=i)
            for i in range(estimator.n_estimators)
        ]

    @contextmanager
    def around(self, number, network):
        """Tell of the begin and the end of a network, which is fitted in between."""
        if self.context is None:
            yield
            return
        task = self.tasks[number]
        with task.propagate_callback_context(network):
            task.call_on_fit_task_begin(**self.arguments)
            yield
        # Not |=, which reads are_stopped first: another thread may set it meanwhile.
        if task.call_on_fit_task_end(**self.arguments):
            self.are_stopped = True

    def close(self):
        """Tell the callbacks that the fit ends."""
        if self.context is not None:
            self.context.call_on_fit_task_end(
                **self.arguments, reconstruction_attributes=dict
            )
