"""The run: epochs, patience, interrupts and curves."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import NamedTuple
from zlib import crc32

import numpy as np
from scipy.special import entr

from . import _messages
from ._core import evaluate, largest_magnitude, loss_and_gradient
from ._network import (
    BLOCK_ROWS,
    logit_bound,
    make_network,
    predict_logits,
    refuse_overflow,
)
from ._solvers import LEAST_RATE, SOLVERS, Ending, Schedule, Solver

FEW_ROWS = 20  # the loss of fewer rows says little about what was learned
LITTLE = 0.85  # of the entropy; with a smaller loss no network has collapsed


@dataclass(eq=False, repr=False)  # as methods that nobody calls slow the import down
class Settings:
    """The options of a run, as plain Python values and records."""

    layer_sizes: list
    activation: str
    backprop: str
    solver: Solver
    schedule: Schedule
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    alpha: float
    batch_size: int
    shuffle: bool
    max_iter: int
    max_fun: int
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    verbose: bool

    @property
    def can_stop(self):
        """Whether patience may end the run, or cut its rate, before its last epoch."""
        is_endless = self.solver.is_stochastic and not self.schedule.has_horizon
        return self.early_stopping or is_endless

    def network(self, max_rows, sparse):
        """A compiled network for blocks of at most max_rows rows."""
        return make_network(
            self.layer_sizes,
            self.activation,
            self.backprop,
            self.alpha,
            max_rows,
            sparse,
        )


CONVERTED = [f for f in fields(Settings) if f.type in (float, int, bool, str)]


def make_settings(params, layer_sizes, samples):
    """The estimator's params, "auto" replaced by its meaning, for a run on samples."""
    solver = SOLVERS[params["solver"]]
    schedule = solver.schedules[params["learning_rate"]]
    values = {"layer_sizes": layer_sizes, "solver": solver, "schedule": schedule}
    auto = {"learning_rate_init": solver.learning_rate_init, "batch_size": 200}
    for option in CONVERTED:
        value = params[option.name]
        if option.name in auto and isinstance(value, str):
            value = auto[option.name]
        try:
            values[option.name] = option.type(value)
        except OverflowError as error:
            raise ValueError(f"{option.name} is too large: {error}.") from error
    values["batch_size"] = min(values["batch_size"], samples.rows.n_rows)
    # adam divides by epsilon where a gradient is 0.
    values["epsilon"] = max(values["epsilon"], float(np.finfo(samples.y.dtype).tiny))
    return Settings(**values)


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
    n_cuts: int = 0  # of the learning rate, by an adaptive schedule
    hold_out_seed: int | None = None

    def seed(self):
        """The seed of the hold-out, the same in all calls that go on."""
        if self.hold_out_seed is None:
            self.hold_out_seed = self.random_state.randint(2**31 - 1)
        return self.hold_out_seed

    def to_keep(self):
        """What a later run needs beside what users see of a fitted estimator.

        It belongs to these params, which a checksum tells from any that a user sets.
        """
        public = {"params", "history", "t"}
        kept = {name: value for name, value in vars(self).items() if name not in public}
        return kept | {"checksum": crc32(self.params)}


def make_state(settings, params, random_state, kept=None):
    """The state of a run that begins at params.

    kept is what an earlier run kept; its moments are of use to the same solver at the
    same weights only.
    """
    n_moments = settings.solver.optimizer(settings).n_moments
    moments = np.zeros((n_moments, len(params)), params.dtype)
    state = State(params, moments, random_state)
    if kept:
        old, checksum = kept["moments"], kept.pop("checksum")
        is_same_solver = (old.shape, old.dtype) == (moments.shape, moments.dtype)
        if not (is_same_solver and checksum == crc32(params)):
            kept |= {"moments": moments, "n_steps": 0}
        vars(state).update(kept)
    return state


class Outcome(NamedTuple):
    """What a run leaves beside its state."""

    n_epochs: int
    was_interrupted: bool
    messages: Iterator  # that a user should see, each made when it is asked for


# ---- the run


def train(settings, state, samples, validation=None, tasks=None):
    """Train on samples; state is then that of the end.

    tasks, where given, hears of the begin and the end of each epoch.
    """
    run = Run(settings, state, samples, validation, tasks)
    with noted_interrupts() as run.interrupts:
        try:
            ending = settings.solver.run(run)
        except KeyboardInterrupt:  # raised by a callback, or a second Ctrl-C
            if run.is_within_epoch or run.n_epochs == 0 or run.interrupts:
                raise
            run.interrupts.append(signal.SIGINT)
    if run.interrupts:
        ending = Ending.INTERRUPT
    run.finish()
    return Outcome(run.n_epochs, ending is Ending.INTERRUPT, run.messages(ending))


class Run:
    """What the epochs of one call share."""

    def __init__(self, settings, state, samples, validation, tasks):
        self.settings, self.state, self.samples = settings, state, samples
        self.validation = validation  # is evaluated after each epoch, or None
        self.tasks = tasks  # hear of each epoch, or None
        block = settings.batch_size if settings.solver.is_stochastic else BLOCK_ROWS
        max_rows = min(block, len(samples.order))
        self.network = settings.network(max_rows, samples.rows.sparse)
        self.optimizer = settings.solver.optimizer(settings)
        self.total_weight = samples.sample_weight.sum(dtype=np.float64)
        self.n_epochs = 0  # complete ones
        self.is_within_epoch = False  # weights and curves may then be of two epochs
        self.limit = None  # in a solver's words, where it reached one
        self.began = time.perf_counter()
        self.patience = Patience(settings, state, validation)

    def end_epoch(self, loss, accuracy, are_finite):
        """Check, record and tell; returns why the run should end, or None."""
        state, history = self.state, self.state.history
        self.check_sound(are_finite and math.isfinite(loss), self.n_epochs + 1)
        self.n_epochs += 1
        state.t += len(self.samples.order)
        for curve in history.values():
            curve.append(math.nan)
        record(history, {"loss": loss, "accuracy": accuracy})
        self.is_within_epoch = False
        if self.validation is not None:
            record(history, self.validation.figures(state.params))
        if self.settings.verbose:
            print(self.line(), flush=True)
        is_at_end = self.settings.can_stop and self.patience.is_lost()
        if self.tasks is not None and self.tasks.end(state):
            return Ending.CALLBACK
        if self.interrupts:
            return Ending.INTERRUPT
        return Ending.CONVERGED if is_at_end else None

    def line(self):
        """Iteration 3  loss 0.2153  accuracy 0.9231  0.02 s."""
        curves = self.state.history.items()
        return "  ".join(
            [f"Iteration {len(self.state.history['loss'])}"]
            + [f"{name} {curve[-1]:.4f}" for name, curve in curves]
            + [f"{time.perf_counter() - self.began:.2f} s"]
        )

    def check_sound(self, is_sound, epoch):
        """Raise ValueError where a run has diverged."""
        if not is_sound:
            X = self.samples.rows.X
            raise ValueError(_messages.diverged(self.settings, epoch, X))

    def finish(self):
        """Take the best weights, and look at those of the last step for the first time.

        No loss has seen them; all rows are passed forward where a logit might overflow.
        """
        self.patience.restore_best()
        state, rows = self.state, self.samples.rows
        is_sound = not math.isnan(largest_magnitude(state.moments.ravel()))
        bound = logit_bound(state.params, self.settings.layer_sizes, rows.magnitude)
        if not bound < float(np.finfo(state.params.dtype).max):
            is_sound &= math.isfinite(self.evaluate())
        self.check_sound(is_sound, self.n_epochs)

    def evaluate(self):
        """The mean loss over all rows at the weights as they are now."""
        loss, _ = evaluate(self.network, self.state.params, *self.samples.arrays)
        return loss / self.total_weight

    # ---- what a user should know

    def messages(self, ending):
        """Yield warnings about a run that has ended."""
        settings = self.settings
        if ending is Ending.INTERRUPT:
            yield _messages.interrupted(settings, self.n_epochs)
            return
        if ending is Ending.LIMIT:
            message = _messages.ended_at_limit(settings, self.limit)
            if message is not None:
                yield message
        yield from self.learned_nothing()
        if self.validation is not None:
            yield from self.validation.messages(self.state.history, self.n_epochs)

    def learned_nothing(self):
        """Yield a message if the loss is no better than the entropy of the classes."""
        rows, y, sample_weight, order = self.samples
        if len(order) < FEW_ROWS:
            return
        share = np.sum(sample_weight * y, dtype=np.float64) / self.total_weight
        entropy = float(entr(share) + entr(1 - share))
        last_loss = self.state.history["loss"][-1]
        if entropy == 0 or last_loss < LITTLE * entropy:
            return
        if last_loss >= entropy and (loss := self.evaluate()) >= entropy:
            yield _messages.learned_nothing(loss, entropy, rows.X)
        elif rows.magnitude > _messages.WIDE:
            settings = self.settings
            z = predict_logits(
                self.state.params, settings.layer_sizes, settings.activation, rows
            )
            if share := _messages.share_on_plateaus(z, rows.X, sample_weight):
                yield _messages.collapsed(share, rows.X)


# ---- patience


class Patience:
    """Counts the epochs in a row that did not improve; keeps the best weights.

    With early_stopping it watches the score on validation data, else minus the training
    loss; either should grow.
    """

    def __init__(self, settings, state, validation):
        self.settings, self.state = settings, state
        self.watched = validation if settings.early_stopping else None
        self.best = None  # weights, moments and steps of the best epoch
        self.best_score = self.score_to_beat()

    def score_to_beat(self):
        """What earlier calls have reached, on the validation data of this one."""
        losses = self.state.history["loss"]
        if self.watched is None:
            return -min(losses, default=math.inf)
        if not losses:
            return -math.inf
        self.keep_best()
        score = self.watched.score(self.watched.figures(self.state.params))
        return -math.inf if math.isnan(score) else score

    def keep_best(self):
        """Remember the weights of now as the best."""
        state = self.state
        self.best = state.params.copy(), state.moments.copy(), state.n_steps

    def restore_best(self):
        """Go back to the best weights, where they were kept."""
        if self.best is not None:
            self.state.params[:], self.state.moments[:], self.state.n_steps = self.best

    def is_lost(self):
        """Whether more than n_iter_no_change epochs in a row did not improve by tol.

        MLPClassifier counts alike. A schedule with cuts cuts its learning rate first.
        """
        settings, state = self.settings, self.state
        last = {name: curve[-1] for name, curve in state.history.items()}
        score = self.watched.score(last) if self.watched else -last["loss"]
        improves = score >= self.best_score + settings.tol
        state.n_no_change = 0 if improves else state.n_no_change + 1
        if score > self.best_score:
            self.best_score = score
            if self.watched:
                self.keep_best()
        if state.n_no_change <= settings.n_iter_no_change:
            return False
        state.n_no_change = 0
        return not (settings.schedule.has_cuts and self.cut_rate())

    def cut_rate(self):
        """Cut the learning rate; returns False where it is too small to be cut."""
        rate = self.settings.learning_rate_init * 5.0**-self.state.n_cuts
        can_be_cut = rate > LEAST_RATE
        self.state.n_cuts += can_be_cut
        return can_be_cut


# ---- J, curves, interrupts


def objective(settings, params, samples):
    """J and its gradient over all rows."""
    rows, grad = samples.rows, np.empty_like(params)
    network = settings.network(min(BLOCK_ROWS, rows.n_rows), rows.sparse)
    loss, penalty, _ = loss_and_gradient(network, params, *samples.arrays, grad)
    refuse_overflow(largest_magnitude(grad) + 0 * loss, grad.dtype)
    return loss + penalty, grad


def record(history, figures):
    """Set the last value of curves; a new curve has NaN before it."""
    for name, value in figures.items():
        if name not in history:
            history[name] = [math.nan] * len(history["loss"])
        history[name][-1] = float(value)


SECONDS = 2.0  # within which a second Ctrl-C stops what goes on around fits
last_interrupt = -math.inf  # time.monotonic() of the last Ctrl-C that ended a run


@contextmanager
def noted_interrupts():
    """A list that Ctrl-C fills, so that the epoch can be completed.

    Another Ctrl-C in the same run raises KeyboardInterrupt, as soon as Python gets to
    run; so does one that comes soon after that of an earlier run, so that a search can
    be stopped. Ctrl-C is noted only where it would raise KeyboardInterrupt: in the main
    thread, and where no other handler was set.
    """
    interrupts = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield interrupts
        return

    def note(signum, frame):
        global last_interrupt
        before, last_interrupt = last_interrupt, time.monotonic()
        interrupts.append(signum)
        if len(interrupts) > 1 or last_interrupt - before < SECONDS:
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, note)
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
