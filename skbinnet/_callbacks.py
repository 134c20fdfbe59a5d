"""Callbacks: scikit-learn's (1.9 or newer), which hear of a fit and of each epoch."""

from ._network import unflatten

FIT_DEPTH = 3  # stacklevel at which fit warns its caller, past the wrapper of fit

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9
    FIT_DEPTH = 2

    class CallbackSupportMixin:
        """Nothing to support."""

    def with_callbacks(method):
        """Nothing to manage."""
        return method


def callback_context(estimator):
    """The context of a fit, or None where no callback is set."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return estimator._init_callback_context(max_subtasks=estimator.max_iter)


class Tasks:
    """A fit and its epochs, as the tasks that callbacks are told of."""

    def __init__(self, estimator, context, X, y, sample_weight, layer_sizes):
        self.context = context
        self.layer_sizes = layer_sizes
        self.epoch = None
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        context.call_on_fit_task_begin(**self.arguments)

    def begin(self):
        """Tell of an epoch that begins."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.arguments)

    def end(self, state):
        """Tell of an epoch that ends; returns whether a callback wants to stop."""
        if self.epoch is None:  # a solver that does not say when one begins
            self.begin()
        stops = self.epoch.call_on_fit_task_end(
            **self.arguments,
            reconstruction_attributes=lambda: self.fitted(state),
        )
        self.epoch = None
        return stops

    def fitted(self, state):
        """The attributes of an estimator whose fit ended now, its weights a copy."""
        coefs, intercepts = unflatten(state.params.copy(), self.layer_sizes)
        return {"coefs_": coefs, "intercepts_": intercepts}

    def close(self, state):
        """Tell of the end of the fit."""
        self.context.call_on_fit_task_end(
            **self.arguments,
            reconstruction_attributes=lambda: self.fitted(state),
        )
