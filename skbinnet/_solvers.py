"""Solvers and schedules: one record each, with all that the rest of the program asks.

A solver takes a run from epoch to epoch; a schedule gives the learning rates of an
epoch's steps. To add one, add its formula, its record, and its line in the docstring of
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
    CONVERGED = "no further improvement"
    CALLBACK = "a callback asked for it"
    INTERRUPT = "Ctrl-C"


# ---- schedules: the learning rates of steps, which are counted over a run of n_steps


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes on from learning_rate_init."""

    rates: Callable  # (settings, state, steps, n_steps) -> the rate of each step
    has_horizon: bool = False  # a run lasts max_iter epochs, and is then complete
    has_cuts: bool = False  # a run without improvement cuts its rate before it ends
    is_for_adam: bool = True  # if not, adam holds its rate, as in MLPClassifier


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


def adaptive(settings, state, steps, n_steps):
    """learning_rate_init / 5^n_cuts."""
    return settings.learning_rate_init * 5.0**-state.n_cuts


SCHEDULES = {
    "constant": Schedule(constant),
    "cosine": Schedule(cosine, has_horizon=True),
    "invscaling": Schedule(invscaling, is_for_adam=False),
    "adaptive": Schedule(adaptive, has_cuts=True, is_for_adam=False),
}
HELD = SCHEDULES["constant"]  # where a schedule cannot be followed
LEAST_RATE = 1e-6  # is not cut any more, as in MLPClassifier


# ---- stochastic solvers: sgd and adam


def descend(run):
    """Take one minibatch after the other, epoch by epoch."""
    for _ in range(run.settings.max_iter):
        if run.tasks is not None:
            run.tasks.begin()
        if ending := run.end_epoch(*take_epoch(run)):
            return ending
    return Ending.LIMIT


def take_epoch(run):
    """Take each minibatch once; returns the arguments of run.end_epoch."""
    settings, state = run.settings, run.state
    run.is_within_epoch = True
    n_batches = -(-len(run.samples.order) // settings.batch_size)
    # An infinite rate diverges, and an infinite divisor gives a rate of 0.
    with np.errstate(over="ignore"):
        rates = learning_rates(run, n_batches)
    order = run.samples.order.copy()
    if settings.shuffle:
        shuffle(order, state.random_state.random_sample(len(order)))
    loss, correct, are_finite = train_epoch(
        run.network,
        run.optimizer,
        state.params,
        state.moments,
        *run.samples.arrays,
        order,
        settings.batch_size,
        rates,
    )
    state.n_steps += n_batches
    return loss / run.total_weight, correct / run.total_weight, are_finite


def learning_rates(run, n_batches):
    """The learning rate of each step of the epoch that begins."""
    settings, state = run.settings, run.state
    steps = np.arange(run.n_epochs * n_batches, (run.n_epochs + 1) * n_batches)
    n_steps = float(min(settings.max_iter, 2**53)) * n_batches  # any int may come
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
    """SGD, plain or with either momentum."""
    if settings.momentum == 0:
        return Optimizer(Method.SGD)
    method = Method.NESTEROV if settings.nesterovs_momentum else Method.MOMENTUM
    return Optimizer(method, settings.momentum)


def adam_optimizer(settings):
    """Adam with its three constants."""
    return Optimizer(Method.ADAM, 0, settings.beta_1, settings.beta_2, settings.epsilon)


# ---- lbfgs, which takes all rows at once


class EndOfRun(Exception):
    """Raised within scipy's minimize; its argument is an Ending."""


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
    if run.n_epochs == 0:  # no iteration was complete
        objective(result.x)
        run.end_epoch(*figures)
    run.limit = str(result.message)
    return Ending.CONVERGED if result.status == 0 else Ending.LIMIT


# ---- the records


@dataclass(frozen=True)
class Solver:
    """What takes a run from its first epoch to its last."""

    run: Callable  # (Run) -> Ending
    optimizer: Callable  # settings -> the compiled Optimizer, which says its n_moments
    learning_rate_init: float  # what "auto" stands for
    schedules: dict  # the schedule that is followed for each value of `learning_rate`
    correction: Callable | None = None  # (settings, steps) -> factors of the rates
    is_stochastic: bool = True  # takes minibatches, and never converges by itself


SOLVERS = {
    "sgd": Solver(descend, sgd_optimizer, learning_rate_init=0.03, schedules=SCHEDULES),
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
        lambda settings: Optimizer(Method.SGD),  # SciPy remembers what it needs
        learning_rate_init=0.03,
        schedules=dict.fromkeys(SCHEDULES, HELD),
        is_stochastic=False,
    ),
}
