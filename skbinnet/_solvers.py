"""Solvers and schedules: a record for each, which answers all questions about it.

A solver takes a run from epoch to epoch. A schedule gives the learning rate of each
step. To add one, add its formula, its record, and its line in the docstring of
BinaryMLPClassifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import isnan

import numpy as np
from scipy.optimize import minimize

from ._core import (
    Method,
    Optimizer,
    largest_magnitude,
    loss_and_gradient,
    shuffle,
    train_epoch,
)


class Ending(Enum):
    """Why a run ended."""

    LIMIT = "max_iter, or another limit"
    TIME = "max_time has passed"
    CONVERGED = "no further improvement"
    CALLBACK = "a callback asked for it"
    INTERRUPT = "Ctrl-C"


# ---- schedules: the learning rates of some of the n_steps steps of a run


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes from learning_rate_init on."""

    rates: Callable  # (settings, state, steps, n_steps) -> the rate of each step
    has_horizon: bool = False  # it is made for max_iter epochs, and ends with them
    has_cuts: bool = False  # a run that does not improve first cuts its rate
    is_for_adam: bool = True  # else adam's rate stays constant, as in MLPClassifier
    is_in_mlp: bool = True  # MLPClassifier has it; to_sklearn needs to know


def constant(settings, state, steps, n_steps):
    """learning_rate_init."""
    return settings.learning_rate_init


def cosine(settings, state, steps, n_steps):
    """learning_rate_init (1 + cos(pi step / n_steps)) / 2.

    Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """
    return settings.learning_rate_init * ((1 + np.cos(np.pi * steps / n_steps)) / 2)


def invscaling(settings, state, steps, n_steps):
    """learning_rate_init / (t + 1)^power_t, t the rows seen before this epoch."""
    return settings.learning_rate_init / np.float64(state.t + 1) ** settings.power_t


def adaptive(settings, state, steps=None, n_steps=None):
    """learning_rate_init / 5^n_cuts."""
    return settings.learning_rate_init * 5.0**-state.n_cuts


SCHEDULES = {
    "constant": Schedule(constant),
    "cosine": Schedule(cosine, has_horizon=True, is_in_mlp=False),
    "invscaling": Schedule(invscaling, is_for_adam=False),
    "adaptive": Schedule(adaptive, has_cuts=True, is_for_adam=False),
}
HELD = SCHEDULES["constant"]  # replaces a schedule that cannot be followed
LEAST_RATE = 1e-6  # such a rate is not cut further, as in MLPClassifier


# ---- stochastic solvers: sgd and adam


def descend(run):
    """Take a step for each minibatch, epoch by epoch."""
    for _ in range(run.settings.max_iter):
        if run.tasks is not None:
            run.tasks.begin()
        if ending := run.end_epoch(*take_epoch(run)):
            return ending
    return Ending.LIMIT


def take_epoch(run):
    """Take a step for each minibatch; return the arguments of run.end_epoch."""
    settings, state = run.settings, run.state
    run.is_within_epoch = True
    n_batches = -(-len(run.samples.training_rows) // settings.batch_size)
    # With an infinite rate the run diverges; an infinite divisor gives a rate of 0.
    with np.errstate(over="ignore"):
        rates = learning_rates(run, n_batches)
    order = run.samples.training_rows.copy()
    if settings.shuffle:
        shuffle(order, state.random_state.random_sample(len(order)))
    seed = 0
    if settings.dropout > 0:
        seed = state.random_state.randint(2**64, dtype=np.uint64)
    arrays = state.params, state.moments, *run.samples.arrays, order
    loss, correct, are_finite = train_epoch(
        run.network, run.optimizer, *arrays, settings.batch_size, rates, seed
    )
    state.n_steps += n_batches
    return loss / run.total_weight, correct / run.total_weight, are_finite


def learning_rates(run, n_batches):
    """The learning rate of each step of the epoch that begins."""
    settings, state = run.settings, run.state
    steps = np.arange(run.n_epochs * n_batches, (run.n_epochs + 1) * n_batches)
    n_steps = (
        float(min(settings.max_iter, 2**53)) * n_batches
    )  # max_iter may be any int
    rates = np.empty(n_batches)
    rates[:] = settings.schedule.rates(settings, state, steps, n_steps)
    if settings.solver.correction is not None:
        rates *= settings.solver.correction(
            settings, state.n_steps + 1 + np.arange(n_batches)
        )
    return rates


def bias_correction(settings, steps):
    """sqrt(1 - beta_2^step) / (1 - beta_1^step), step = 1, 2, ... (Kingma and Ba)."""
    return np.sqrt(1 - settings.beta_2**steps) / (1 - settings.beta_1**steps)


def sgd_optimizer(settings):
    """SGD: plain, with momentum, or with Nesterov's momentum."""
    if settings.momentum == 0:
        return Optimizer(Method.SGD)
    method = Method.NESTEROV if settings.nesterovs_momentum else Method.MOMENTUM
    return Optimizer(method, settings.momentum)


def adam_optimizer(settings):
    """Adam with its three constants."""
    return Optimizer(Method.ADAM, 0, settings.beta_1, settings.beta_2, settings.epsilon)


# ---- lbfgs, which uses all rows in each step


class EndOfRun(Exception):
    """Raised within scipy's minimize; its argument is an Ending."""


@np.errstate(over="ignore")  # in casts to float32: weights that are not finite end it
def minimise_lbfgs(run):
    """L-BFGS-B (Zhu, Byrd, Lu and Nocedal, 1997); an iteration counts as an epoch."""
    settings, params = run.settings, run.state.params
    grad = np.empty_like(params)
    figures = None

    def objective(x):
        nonlocal figures
        run.is_within_epoch = True
        params[:] = x
        loss, penalty, accuracy = loss_and_gradient(
            run.network, params, *run.samples.arrays, grad
        )
        are_finite = not isnan(largest_magnitude(params))
        figures = loss, accuracy, are_finite
        return loss + penalty, grad.astype(np.float64)

    def callback(x):
        params[:] = x
        if ending := run.end_epoch(*figures):
            raise EndOfRun(ending)

    options = {"maxiter": settings.max_iter, "maxfun": settings.max_fun}
    try:
        result = minimize(
            objective,
            params.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=callback,
            options=options | {"gtol": settings.tol},
        )
    except EndOfRun as end:
        return end.args[0]
    params[:] = result.x
    if run.n_epochs == 0:  # no iteration was completed
        objective(result.x)
        run.end_epoch(*figures)
    run.scipy_message = str(result.message)
    return Ending.CONVERGED if result.status == 0 else Ending.LIMIT


# ---- the records


@dataclass(frozen=True)
class Solver:
    """How a run gets from its first epoch to its last."""

    run: Callable  # (Run) -> Ending
    optimizer: Callable  # settings -> the compiled Optimizer, with its n_moments
    learning_rate_init: float  # the meaning of "auto"
    schedules: dict  # value of `learning_rate` -> the Schedule that is followed
    correction: Callable | None = None  # (settings, steps) -> factors of the rates
    is_stochastic: bool = True  # uses minibatches, and has no stopping rule of its own


SOLVERS = {
    "sgd": Solver(descend, sgd_optimizer, 0.03, SCHEDULES),
    "adam": Solver(
        descend,
        adam_optimizer,
        learning_rate_init=0.003,
        schedules={
            name: schedule if schedule.is_for_adam else HELD
            for name, schedule in SCHEDULES.items()
        },
        correction=bias_correction,
    ),
    "lbfgs": Solver(
        minimise_lbfgs,
        lambda settings: Optimizer(Method.SGD),  # no moments: SciPy keeps them
        learning_rate_init=0.03,
        schedules=dict.fromkeys(SCHEDULES, HELD),
        is_stochastic=False,
    ),
}


def needs_minibatches(name):
    """Which solvers have minibatches, for an error about one that has none."""
    others = [f'"{other}"' for other in SOLVERS if SOLVERS[other].is_stochastic]
    return f'needs solver={" or ".join(others)}, got "{name}".'
