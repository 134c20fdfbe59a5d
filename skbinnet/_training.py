"""The run: epochs, learning rates, validation, stopping, curves and messages."""

import math
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
from scipy.special import entr

from ._network import BLOCK_ROWS, logits, make_network, unflatten
from ._samples import arrays_of, is_finite, largest_std
from ._sgd_fast import Method, Optimizer, evaluate, loss_and_gradient
from ._solvers import LEAST_RATE, SOLVERS, Ending

FEW_ROWS = 20  # the loss of fewer says little about what was learned


@dataclass(eq=False, repr=False)  # what is not made takes no time to import
class Settings:
    """The options of a run."""

    layer_sizes: list
    activation: str
    solver: str
    backprop: str
    alpha: float
    batch_size: int
    shuffle: bool
    learning_rate: str
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_fun: int
    max_iter: int
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    verbose: bool

    @property
    def optimizer(self):
        if self.solver == "adam":
            return Optimizer(Method.ADAM, 0, self.beta_1, self.beta_2, self.epsilon)
        if self.solver == "lbfgs" or self.momentum == 0:
            return Optimizer(Method.SGD)
        method = Method.NESTEROV if self.nesterovs_momentum else Method.MOMENTUM
        return Optimizer(method, self.momentum)

    @property
    def can_stop(self):
        """Whether the run may end, or its rate fall, before its last epoch.

        lbfgs ends by its own rule; a cosine is meant to last all epochs.
        """
        lasts = self.solver == "lbfgs" or self.learning_rate == "cosine"
        return self.early_stopping or not lasts

    def network(self, max_rows, sparse):
        return make_network(
            self.layer_sizes,
            self.activation,
            self.backprop,
            self.alpha,
            max_rows,
            sparse,
        )


OPTIONS = [(option.name, option.type) for option in fields(Settings)]


@dataclass(eq=False, repr=False)
class State:
    """What a run changes, and what a later run goes on from."""

    params: np.ndarray
    moments: np.ndarray  # of the optimizer, (n_moments, n_params)
    random_state: np.random.RandomState
    history: dict = field(default_factory=lambda: {"loss": [], "accuracy": []})
    t: int = 0  # rows seen
    n_steps: int = 0  # that the moments hold
    n_no_change: int = 0  # epochs in a row without an improvement
    n_cuts: int = 0  # of the adaptive learning rate
    hold_out_seed: int | None = None

    def seed(self):
        """The seed of the hold-out, the same in all calls that go on."""
        if self.hold_out_seed is None:
            self.hold_out_seed = self.random_state.randint(2**31 - 1)
        return self.hold_out_seed

    def to_keep(self):
        """What a later run needs beside what users see of a fitted estimator."""
        public = {"params", "history", "t"}
        return {name: value for name, value in vars(self).items() if name not in public}


class Validation:
    """Samples that are watched, and the curve of history that says how well."""

    def __init__(self, settings, samples, curve, scorer):
        self.arrays = arrays_of(samples)
        max_rows = min(BLOCK_ROWS, len(samples.y))
        self.network = settings.network(max_rows, self.arrays[0].sparse)
        self.total_weight = samples.sample_weight.sum(dtype=np.float64)
        self.curve = curve
        self.scorer = scorer  # from params to the curve's value

    def figures(self, params):
        """Values by the names of their curves."""
        loss, correct = evaluate(self.network, params, *self.arrays)
        figures = {
            "val_loss": loss / self.total_weight,
            "val_accuracy": correct / self.total_weight,
        }
        if self.scorer is not None:
            figures[self.curve] = self.scorer(params)
        return figures

    def score(self, figures):
        """The watched figure, as something that should grow."""
        return as_score(self.curve, figures[self.curve])


def as_score(curve, value):
    """What grows as a run gets better."""
    return -value if curve == "val_loss" else value


class Outcome(NamedTuple):
    n_epochs: int
    was_interrupted: bool
    messages: list  # that a user should see


# ---- the run


def train(settings, state, samples, rows, validation=None, tasks=None):
    """Train on the given rows of the samples; state is then that of the end.

    tasks, where given, hears of the begin and the end of each epoch.
    """
    run = Run(settings, state, samples, rows, validation, tasks)
    with noted_interrupts() as run.interrupts:
        try:
            ending = SOLVERS[settings.solver](run)
        except KeyboardInterrupt:  # raised by a callback, or a second Ctrl-C
            if run.is_within_epoch or run.n_epochs == 0 or run.interrupts:
                raise
            run.interrupts.append(signal.SIGINT)
    if run.interrupts:
        ending = Ending.INTERRUPT
    run.finish()
    was_interrupted = ending is Ending.INTERRUPT
    return Outcome(run.n_epochs, was_interrupted, list(run.messages(ending)))


class Run:
    """What the epochs of one call share."""

    def __init__(self, settings, state, samples, rows, validation, tasks):
        self.settings, self.state, self.samples = settings, state, samples
        self.rows = np.arange(len(samples.y), dtype=np.intp) if rows is None else rows
        self.validation, self.tasks = validation, tasks
        self.arrays = arrays_of(samples)
        block = BLOCK_ROWS if settings.solver == "lbfgs" else settings.batch_size
        self.network = settings.network(
            min(block, len(self.rows)), self.arrays[0].sparse
        )
        self.optimizer = settings.optimizer
        self.total_weight = samples.sample_weight.sum(dtype=np.float64)
        self.n_epochs = 0  # complete ones
        self.is_within_epoch = False  # weights and curves may then be of two epochs
        self.limit = None  # what lbfgs says of its end
        self.began = time.perf_counter()
        self.best = None
        self.best_score = self.score_to_beat()

    def end_epoch(self, loss, accuracy, are_finite):
        """Check, record and tell; returns why the run should end, or None."""
        state, history = self.state, self.state.history
        X = self.samples.X
        is_sound = are_finite and math.isfinite(loss)
        check_finite(self.settings, self.n_epochs, is_sound, X)
        self.n_epochs += 1
        state.t += len(self.rows)
        for curve in history.values():
            curve.append(math.nan)
        record(history, {"loss": loss, "accuracy": accuracy})
        self.is_within_epoch = False
        if self.validation is not None:
            record(history, self.validation.figures(state.params))
        if self.settings.verbose:
            print(self.line(), flush=True)
        has_lost_patience = self.settings.can_stop and self.lose_patience()
        if self.tasks is not None and self.tasks.end(state):
            return Ending.CALLBACK
        if self.interrupts:
            return Ending.INTERRUPT
        return Ending.CONVERGED if has_lost_patience else None

    def line(self):
        """Iteration 3  loss 0.2153  accuracy 0.9231  0.02 s."""
        curves = self.state.history.items()
        return "  ".join(
            [f"Iteration {len(self.state.history['loss'])}"]
            + [f"{name} {curve[-1]:.4f}" for name, curve in curves]
            + [f"{time.perf_counter() - self.began:.2f} s"]
        )

    # ---- stopping: a score should grow

    def score_to_beat(self):
        """What earlier calls have reached; validation data may be others by now."""
        if not self.settings.early_stopping:
            return -min(self.state.history["loss"], default=math.inf)
        if not self.state.history["loss"]:
            return -math.inf
        self.keep_best()
        score = self.validation.score(self.validation.figures(self.state.params))
        return -math.inf if math.isnan(score) else score

    def keep_best(self):
        state = self.state
        self.best = state.params.copy(), state.moments.copy(), state.n_steps

    def lose_patience(self):
        """Count epochs that do not beat the best by tol, as MLPClassifier counts them.

        Returns whether there were too many; "adaptive" cuts its learning rate first.
        """
        settings, state = self.settings, self.state
        score = -state.history["loss"][-1]
        if settings.early_stopping:
            last = {name: curve[-1] for name, curve in state.history.items()}
            score = self.validation.score(last)
        improves = score >= self.best_score + settings.tol
        state.n_no_change = 0 if improves else state.n_no_change + 1
        if score > self.best_score:
            self.best_score = score
            if settings.early_stopping:
                self.keep_best()
        if state.n_no_change <= settings.n_iter_no_change:
            return False
        state.n_no_change = 0
        if settings.learning_rate != "adaptive" or settings.solver == "lbfgs":
            return True
        is_least = settings.learning_rate_init * 5.0**-state.n_cuts <= LEAST_RATE
        state.n_cuts += not is_least
        return is_least

    # ---- the end

    def finish(self):
        """Take the best weights; look at the last step, which no loss has seen yet."""
        if self.best is not None:
            self.state.params[:], self.state.moments[:], self.state.n_steps = self.best
        settings, state, X = self.settings, self.state, self.samples.X
        is_sound = is_finite(state.moments)
        if not cannot_overflow(state.params, settings.layer_sizes, X):
            layers = unflatten(state.params, settings.layer_sizes)
            is_sound &= is_finite(logits(*layers, settings.activation, X))
        check_finite(settings, self.n_epochs - 1, is_sound, X)

    def messages(self, ending):
        settings = self.settings
        if ending is Ending.INTERRUPT:
            which = "the best epoch" if settings.early_stopping else "that epoch"
            yield (
                f"Training was interrupted in epoch {self.n_epochs} of "
                f"{settings.max_iter} and keeps the weights of {which}. A search "
                "around it goes on."
            )
            return
        if ending is Ending.LIMIT and settings.solver == "lbfgs":
            yield (
                f"lbfgs ended before it converged ({self.limit}). Raise max_iter (it "
                f"is {settings.max_iter}) or max_fun (it is {settings.max_fun}), or "
                "bring the features to a similar scale."
            )
        elif ending is Ending.LIMIT and settings.learning_rate != "cosine":
            yield (
                f"Training ended at max_iter={settings.max_iter}, before the epochs "
                "ceased to improve. Raise max_iter or learning_rate_init, or take "
                'learning_rate="cosine", which is meant to last max_iter epochs.'
            )
        yield from self.learned_nothing()

    def learned_nothing(self):
        """A message if the loss is no better than the entropy of the classes."""
        if len(self.rows) < FEW_ROWS:
            return
        y, sample_weight = self.samples.y, self.samples.sample_weight
        share = np.sum(sample_weight * y, dtype=np.float64) / self.total_weight
        entropy = float(entr(share) + entr(1 - share))
        if self.state.history["loss"][-1] < entropy or entropy == 0:
            return
        loss, _ = evaluate(self.network, self.state.params, *self.arrays)
        loss /= self.total_weight
        if loss >= entropy:
            yield (
                f"Training learned nothing: its loss, {loss:.4g}, is no better than "
                f"{entropy:.4g}, that of predicting the share of each class for every "
                "row. The usual cause is features that are not scaled: "
                f"{widest(self.samples.X)}. If that is far from 1, bring them to a "
                "similar scale, for example with StandardScaler; if not, try another "
                "learning_rate_init or alpha, or more epochs."
            )


def widest(X):
    """In words, so that a user sees what to scale."""
    feature, std = largest_std(X)
    return f"the largest standard deviation is {std:.3g}, of feature {feature}"


def objective(settings, params, samples):
    """J and its gradient over all rows."""
    arrays = arrays_of(samples)
    network = settings.network(min(BLOCK_ROWS, len(samples.y)), arrays[0].sparse)
    grad = np.empty_like(params)
    loss, penalty, _ = loss_and_gradient(network, params, *arrays, grad)
    return loss + penalty, grad


def cannot_overflow(params, layer_sizes, X):
    """Whether no number on the way of a row through the network can be infinite.

    With no weight above w >= 1 and no input of n above x >= 1, no output is above
    (n + 1) w x, whatever the activation.
    """
    w = max(float(params.max()), -float(params.min()), 1)  # NaN where one is
    scale = math.prod(float(n + 1) * w for n in layer_sizes[:-1])
    return scale < float(np.finfo(X.dtype).max) and is_finite(X, scale)


# ---- curves, divergence, interrupts


def record(history, figures):
    """Set the last value of curves; one that is new has NaN before it."""
    for name, value in figures.items():
        if name not in history:
            history[name] = [math.nan] * len(history["loss"])
        history[name][-1] = float(value)


def check_finite(settings, epoch, is_sound, X):
    """Stop a run that has diverged."""
    if is_sound:
        return
    rate = f"learning_rate_init (it is {settings.learning_rate_init}) or "
    raise ValueError(
        f"Training diverged in epoch {epoch + 1}: the loss, a weight or a moment is no "
        f"longer finite. Lower {'' if settings.solver == 'lbfgs' else rate}"
        f"alpha (it is {settings.alpha}), or bring the features to a similar scale, "
        f"for example with StandardScaler: {widest(X)}."
    )


@contextmanager
def noted_interrupts():
    """A list that Ctrl-C fills, so that the epoch can be completed.

    Another Ctrl-C raises, if Python gets to run before the epoch ends.

    Only where Ctrl-C would raise KeyboardInterrupt here: in the main thread, and where
    nobody else handles the signal.
    """
    interrupts = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield interrupts
        return

    def note(signum, frame):
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(signum)

    try:
        signal.signal(signal.SIGINT, note)
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
