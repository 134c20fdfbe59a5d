"""Solvers: what takes a run from one epoch to the next, and how fast."""

from enum import Enum

import numpy as np
from scipy.optimize import minimize

from ._sgd_fast import all_finite, loss_and_gradient, shuffle, train_epoch


class Ending(Enum):
    """Why a run ended."""

    LIMIT = "its last epoch, or another limit"
    CONVERGED = "no further improvement"
    CALLBACK = "the wish of a callback"
    INTERRUPT = "an interrupt"


# ---- learning rates of an epoch's steps, which are numbered over the n_steps of a run


def constant(settings, state, steps, n_steps):
    """learning_rate_init, at every step."""
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
    """learning_rate_init, divided by 5 whenever the run has lost patience."""
    return settings.learning_rate_init * 5.0**-state.n_cuts


LEARNING_RATES = {
    "constant": constant,
    "cosine": cosine,
    "invscaling": invscaling,
    "adaptive": adaptive,
}
LEAST_RATE = 1e-6  # below it, "adaptive" stops, as in MLPClassifier


# ---- from epoch to epoch


def descend(run):
    """Stochastic gradient descent, epoch by epoch."""
    for _ in range(run.settings.max_iter):
        if run.tasks is not None:
            run.tasks.begin()
        if ending := run.end_epoch(*take_epoch(run)):
            return ending
    return Ending.LIMIT


def take_epoch(run):
    """Take every minibatch once; returns what end_epoch takes."""
    settings, state = run.settings, run.state
    run.is_within_epoch = True
    n_batches = -(-len(run.rows) // settings.batch_size)
    # An infinite rate diverges, an infinite divisor gives a rate of 0.
    with np.errstate(over="ignore"):
        rates = learning_rates(run, n_batches)
    order = run.rows.copy()
    if settings.shuffle:
        shuffle(order, state.random_state.random_sample(len(order)))
    loss, correct, is_finite = train_epoch(
        run.network,
        run.optimizer,
        state.params,
        state.moments,
        *run.arrays,
        order,
        settings.batch_size,
        rates,
    )
    state.n_steps += n_batches
    return loss / run.total_weight, correct / run.total_weight, is_finite


def learning_rates(run, n_batches):
    """The learning rate of each step of the epoch that begins."""
    settings, state = run.settings, run.state
    steps = np.arange(run.n_epochs * n_batches, (run.n_epochs + 1) * n_batches)
    n_steps = float(min(settings.max_iter, 2**53)) * n_batches  # any int may come
    rates = np.empty(n_batches)
    rates[:] = LEARNING_RATES[settings.learning_rate](settings, state, steps, n_steps)
    if settings.solver == "adam":
        rates *= bias_correction(settings, state.n_steps + 1 + np.arange(n_batches))
    return rates


def bias_correction(settings, steps):
    """sqrt(1 - beta_2^step) / (1 - beta_1^step), step = 1, 2, ... (Kingma and Ba)."""
    return np.sqrt(1 - settings.beta_2**steps) / (1 - settings.beta_1**steps)


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
            run.network, params, *run.arrays, grad
        )
        figures = loss, accuracy, all_finite(params)
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


SOLVERS = {"sgd": descend, "adam": descend, "lbfgs": minimise_lbfgs}
