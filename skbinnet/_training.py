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
from ._core import Threads, evaluate, largest_magnitude, loss_and_gradient
from ._network import (
    block_rows,
    logit_bound,
    make_network,
    predict_logits,
    refuse_overflow,
)
from ._solvers import (
    LEAST_RATE,
    SOLVERS,
    Ending,
    Schedule,
    Solver,
    adaptive,
    needs_minibatches,
)
from ._threads import count_threads, helpers

FEW_ROWS = 20  # the loss of fewer rows says little about what was learned
LITTLE = 0.85  # share of the entropy; no network with a smaller loss has collapsed
FEW_OF_EACH = 500, 4000  # rows of each class, by which most losses are judged
TIMES = 4  # if there are not so many times more rows, all are evaluated
SURE = 5  # standard errors


@dataclass(eq=False, repr=False)  # unused methods would slow down the import
class Settings:
    """The options of a run: plain Python values, and records of _solvers."""

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
    dropout: float
    label_smoothing: float
    batch_size: int
    shuffle: bool
    max_iter: int
    max_fun: int
    max_time: float  # inf if there is no limit
    tol: float
    n_iter_no_change: float
    early_stopping: bool
    verbose: bool
    threads: Threads

    @property
    def can_stop(self):
        """Whether lost patience ends the run, or cuts its rate, before max_iter."""
        is_endless = self.solver.is_stochastic and not self.schedule.has_horizon
        return self.early_stopping or is_endless

    def network(self, max_rows, sparse):
        """A compiled network for blocks of at most max_rows rows."""
        options = self.activation, self.backprop, self.alpha, max_rows, sparse
        return make_network(self.layer_sizes, *options, self.dropout, self.threads)


CONVERTED = [f for f in fields(Settings) if f.type in (float, int, bool, str)]


def make_settings(params, layer_sizes, samples):
    """The settings for the estimator's parameters, without any "auto" or None."""
    solver = SOLVERS[params["solver"]]
    schedule = solver.schedules[params["learning_rate"]]
    values = {"layer_sizes": layer_sizes, "solver": solver, "schedule": schedule}
    values["threads"] = Threads(count_threads(params["n_jobs"]))
    meant = {  # by "auto" or None
        "learning_rate_init": solver.learning_rate_init,
        "batch_size": 200,
        "max_time": math.inf,
    }
    for option in CONVERTED:
        value = params[option.name]
        if option.name in meant and (value is None or isinstance(value, str)):
            value = meant[option.name]
        try:
            values[option.name] = option.type(value)
        except OverflowError as error:
            raise ValueError(f"{option.name} is too large: {error}.") from error
    values["batch_size"] = min(values["batch_size"], samples.rows.n_rows)
    if values["dropout"] > 0 and not solver.is_stochastic:
        raise ValueError(f"dropout > 0 {needs_minibatches(params['solver'])}")
    # adam divides by epsilon if a gradient is 0.
    values["epsilon"] = max(values["epsilon"], float(np.finfo(samples.y.dtype).tiny))
    return Settings(**values)


@dataclass(eq=False, repr=False)
class State:
    """What a run changes, and what a later run may continue from."""

    params: np.ndarray
    moments: np.ndarray  # of the optimizer, (n_moments, n_params)
    random_state: np.random.RandomState
    history: dict = field(default_factory=lambda: {"loss": [], "accuracy": []})
    t: int = 0  # rows seen
    n_steps: int = 0  # steps whose gradients the moments average
    n_cuts: int = 0  # times that the learning rate was cut
    n_no_change: int = 0  # epochs in a row without an improvement
    watched: str = "loss"  # the curve that should have improved
    first_epoch: int = 0  # in the curves, of these weights: a user may set others
    hold_out_seed: int | None = None

    def seed(self):
        """The seed of the hold-out, the same in all calls that continue."""
        if self.hold_out_seed is None:
            self.hold_out_seed = self.random_state.randint(2**31 - 1)
        return self.hold_out_seed

    def to_keep(self):
        """What a later run needs, apart from the public attributes of the estimator.

        The checksum tells these params from any that a user sets.
        """
        public = {"params", "history", "t"}
        rest = {name: value for name, value in vars(self).items() if name not in public}
        return rest | {"checksum": crc32(self.params)}


def make_state(settings, params, random_state, saved=None, n_epochs=0):
    """The state of a run that begins at params.

    saved is the result of to_keep after n_epochs of earlier runs. If a user has
    replaced the weights since, its moments and counts do not apply; moments do not
    apply to another solver either.
    """
    n_moments = settings.solver.optimizer(settings).n_moments
    moments = np.zeros((n_moments, len(params)), params.dtype)
    state = State(params, moments, random_state)
    if saved:
        old, are_replaced = saved["moments"], saved.pop("checksum") != crc32(params)
        if are_replaced:
            saved |= {"n_cuts": 0, "n_no_change": 0, "first_epoch": n_epochs}
        if are_replaced or (old.shape, old.dtype) != (moments.shape, moments.dtype):
            saved |= {"moments": moments, "n_steps": 0}
        vars(state).update(saved)
    return state


class Outcome(NamedTuple):
    """What a run returns, in addition to its state."""

    n_epochs: int
    was_interrupted: bool
    messages: Iterator  # warnings, computed only if they are asked for


# ---- the run


def train(settings, state, samples, validation=None, tasks=None):
    """Train on samples, which changes state in place.

    validation, if given, is evaluated after each epoch; tasks, if given, are told of
    the begin and end of each epoch.
    """
    run = Run(settings, state, samples, validation, tasks)
    with noted_interrupts() as run.interrupts, helpers(settings.threads):
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
    """One call of fit or partial_fit, from its first epoch to its last."""

    def __init__(self, settings, state, samples, validation, tasks):
        self.settings, self.state = settings, state
        self.samples = smooth(samples, settings.label_smoothing)
        self.validation, self.tasks = validation, tasks
        max_rows = len(samples.training_rows)
        if settings.solver.is_stochastic:
            max_rows = min(settings.batch_size, max_rows)
        else:
            max_rows = block_rows(max_rows, settings.threads)
        self.network = settings.network(max_rows, samples.rows.sparse)
        self.optimizer = settings.solver.optimizer(settings)
        self.total_weight = samples.sample_weight.sum(dtype=np.float64)
        self.n_epochs = 0  # completed epochs
        self.is_within_epoch = False  # if so, curves may lack the epoch of the weights
        self.scipy_message = None  # about the end of lbfgs
        self.began = time.perf_counter()
        self.patience = Patience(settings, state, validation)

    def end_epoch(self, loss, accuracy, are_finite):
        """Check and record the epoch; return why the run should end, or None."""
        state, history = self.state, self.state.history
        self.check_sound(are_finite and math.isfinite(loss), self.n_epochs + 1)
        self.n_epochs += 1
        state.t += len(self.samples.training_rows)
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
        if is_at_end:
            return Ending.CONVERGED
        return Ending.TIME if self.seconds() > self.settings.max_time else None

    def seconds(self):
        """The time since the run began."""
        return time.perf_counter() - self.began

    def line(self):
        """The line that verbose prints: Iteration 3  loss 0.2153  0.02 s."""
        history, seconds = self.state.history, self.seconds()
        values = [f"{name} {curve[-1]:.4f}" for name, curve in history.items()]
        number = len(history["loss"])
        return "  ".join([f"Iteration {number}", *values, f"{seconds:.2f} s"])

    def check_sound(self, is_sound, epoch):
        """Raise ValueError if the run has diverged."""
        if not is_sound:
            X = self.samples.rows.X
            raise ValueError(_messages.diverged(self.settings, epoch, X))

    def finish(self):
        """Restore the best weights, and check those of the last step.

        No loss has been computed with them yet. All rows are evaluated if a logit could
        overflow.
        """
        self.patience.restore_best()
        state, rows = self.state, self.samples.rows
        is_sound = not math.isnan(largest_magnitude(state.moments.ravel()))
        bound = logit_bound(state.params, self.settings.layer_sizes, rows.magnitude)
        if not bound < float(np.finfo(state.params.dtype).max):
            is_sound &= math.isfinite(self.evaluate())
        self.check_sound(is_sound, self.n_epochs)

    def evaluate(self):
        """The mean loss over all rows with the present weights."""
        loss, _ = evaluate(self.network, self.state.params, *self.samples.arrays)
        return loss / self.total_weight

    # ---- warnings

    def messages(self, ending):
        """Yield warnings about the run, which has ended."""
        settings = self.settings
        if ending is Ending.INTERRUPT:
            yield _messages.interrupted(settings, self.n_epochs)
            return
        if ending is Ending.LIMIT:
            message = _messages.ended_at_limit(settings, self.scipy_message)
            if message is not None:
                yield message
        yield from self.learned_nothing()
        if self.validation is not None:
            yield from self.validation.messages(self.state.history, self.n_epochs)

    def learned_nothing(self):
        """Yield a warning if the network predicts little more than the class shares."""
        rows, y, sample_weight, training_rows = self.samples
        if len(training_rows) < FEW_ROWS:
            return
        share = np.sum(sample_weight * y, dtype=np.float64) / self.total_weight
        entropy = float(entr(share) + entr(1 - share))
        last_loss = self.state.history["loss"][-1]
        if last_loss < LITTLE * entropy or np.ptp(y[sample_weight > 0]) == 0:
            return
        if last_loss >= entropy and not self.is_surely_below(entropy):
            loss = self.evaluate()
            if loss >= entropy:
                yield _messages.learned_nothing(loss, entropy, rows.X)
                return
        if rows.magnitude > _messages.WIDE:
            some = some_of_each_class(self.samples, 1000)
            z, weight = self.logits(some), some.sample_weight
            if share := _messages.share_on_plateaus(z, some.rows.X, weight):
                yield _messages.collapsed(share, rows.X)

    def is_surely_below(self, entropy):
        """Whether some of the rows suffice to show that the mean loss is smaller."""
        sizes = [n for n in FEW_OF_EACH if has_many_rows(self.samples, n)]
        return any(self.loss_bound(n) < entropy for n in sizes)

    def loss_bound(self, n):
        """What the mean loss hardly exceeds, by n rows of each class.

        It is no less than the loss if all logits are equal, however rare a class is.
        """
        some = some_of_each_class(self.samples, n)
        z = self.logits(some).astype(np.float64)
        losses = (np.logaddexp(0, z) - some.y * z).reshape(2, n)
        shares = some.sample_weight[::n] * (n / self.total_weight)
        with np.errstate(over="ignore", invalid="ignore"):  # it is no bound then
            error = math.sqrt(shares**2 @ losses.var(axis=1) / n)
        return shares @ losses.mean(axis=1) + SURE * error

    def logits(self, samples):
        """The logit of each row with the present weights."""
        params, settings = self.state.params, self.settings
        network = params, settings.layer_sizes, settings.activation
        return predict_logits(*network, samples.rows)


# ---- patience


class Patience:
    """Counts the epochs in a row that did not improve, and keeps the best weights.

    It watches a score that should grow: with early_stopping that on the validation
    data, else minus the training loss.
    """

    def __init__(self, settings, state, validation):
        self.settings, self.state = settings, state
        self.watched = validation if settings.early_stopping else None
        self.best = None  # weights, moments and steps of the best epoch
        curve = self.watched.scoring.curve if self.watched else "loss"
        if state.watched != curve:
            state.watched, state.n_no_change = curve, 0
        self.best_score = self.score_to_beat()

    def score_to_beat(self):
        """The best score of earlier epochs with these weights, if there are any."""
        losses = self.state.history["loss"][self.state.first_epoch :]
        if self.watched is None:
            return -min(losses, default=math.inf)
        if not losses:
            return -math.inf
        score = self.watched.score(self.watched.figures(self.state.params))
        if math.isnan(score):
            return -math.inf
        self.keep_best()
        return score

    def keep_best(self):
        """Keep a copy of the present weights as the best."""
        state = self.state
        self.best = state.params.copy(), state.moments.copy(), state.n_steps

    def restore_best(self):
        """Restore the best weights, if any were kept."""
        if self.best is not None:
            self.state.params[:], self.state.moments[:], self.state.n_steps = self.best

    def is_lost(self):
        """Whether more than n_iter_no_change epochs in a row did not improve by tol.

        They are counted as in MLPClassifier. A schedule with cuts first cuts the rate.
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
        """Cut the learning rate; return False if it is too small to be cut."""
        can_be_cut = adaptive(self.settings, self.state) > LEAST_RATE
        self.state.n_cuts += can_be_cut
        return can_be_cut


# ---- some of the samples


def has_many_rows(samples, n):
    """Whether n rows of each class are few of the samples."""
    return 2 * n * TIMES <= len(samples.training_rows)


def some_of_each_class(samples, n):
    """n rows of each class, which get the weight of the class; or all, if not many."""
    if not has_many_rows(samples, n):
        return samples
    is_second = samples.y > 0.5
    by_class = [samples.sample_weight * part for part in (~is_second, is_second)]
    some = samples.take(np.concatenate([spread(weight, n) for weight in by_class]))
    weights = [weight.sum(dtype=np.float64) / n for weight in by_class]
    return some._replace(sample_weight=np.repeat(weights, n))


def spread(weight, n):
    """The numbers of n rows, one drawn from each of n parts of equal weight.

    A row of large weight may be drawn several times, and one without weight never.
    """
    ends = np.cumsum(weight, dtype=np.float64)
    places = np.arange(n) + np.random.RandomState(0).random_sample(n)
    return np.searchsorted(ends, places / n * ends[-1])


# ---- labels, J, curves, interrupts


def smooth(samples, s):
    """Labels s / 2 and 1 - s / 2 in place of 0 and 1 (Szegedy et al., 2016)."""
    return samples._replace(y=samples.y * (1 - s) + s / 2) if s else samples


def objective(settings, params, samples):
    """J and its gradient over all rows."""
    rows, grad = samples.rows, np.empty_like(params)
    max_rows = block_rows(rows.n_rows, settings.threads)
    network = settings.network(max_rows, rows.sparse)
    with helpers(settings.threads):
        loss, penalty, _ = loss_and_gradient(network, params, *samples.arrays, grad)
    # 0 * loss is NaN if the loss is not finite.
    refuse_overflow(largest_magnitude(grad) + 0 * loss, grad.dtype)
    return loss + penalty, grad


def record(history, figures):
    """Set the last value of curves; a new curve has NaN before it."""
    for name, value in figures.items():
        if name not in history:
            history[name] = [math.nan] * len(history["loss"])
        history[name][-1] = float(value)


SECONDS = 2.0  # a second Ctrl-C within this time is raised, also in the next run
last_interrupt = -math.inf  # time.monotonic() of the last Ctrl-C during a run


@contextmanager
def noted_interrupts():
    """A list that gets an item for each Ctrl-C, so that the epoch can be completed.

    A second Ctrl-C in the same run raises KeyboardInterrupt when the compiled core
    returns. So does one shortly after that of an earlier run, so that a search can be
    stopped. The list stays empty where Ctrl-C does not raise KeyboardInterrupt anyway:
    outside of the main thread, and if the user has set another handler.
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
