"""The run: epochs, learning rates, and the curves that it leaves."""

import math
from dataclasses import dataclass

import numpy as np

from ._network import BLOCK_ROWS, make_network
from ._sgd_fast import Optimizer, evaluate, train_epoch


def constant(learning_rate_init, steps, n_steps):
    """learning_rate_init, at every step."""
    return np.full(steps.shape, learning_rate_init)


def cosine(learning_rate_init, steps, n_steps):
    """learning_rate_init (1 + cos(pi step / n_steps)) / 2.

    Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """
    return learning_rate_init * ((1 + np.cos(np.pi * steps / n_steps)) / 2)


LEARNING_RATES = {"constant": constant, "cosine": cosine}


@dataclass
class Settings:
    """The options of a run."""

    layer_sizes: list
    activation: str
    backprop: str
    alpha: float
    batch_size: int
    shuffle: bool
    learning_rate: str
    learning_rate_init: float
    momentum: float
    nesterovs_momentum: bool
    n_epochs: int

    @property
    def optimizer(self):
        if self.momentum == 0:
            return Optimizer.SGD
        return Optimizer.NESTEROV if self.nesterovs_momentum else Optimizer.MOMENTUM


@dataclass
class State:
    """What a run changes, and what a later run goes on from."""

    params: np.ndarray
    velocity: np.ndarray
    random_state: np.random.RandomState
    history: dict


def train(settings, state, samples, validation=None):
    """Run all epochs; the validation samples, where given, are watched."""
    options = (
        settings.layer_sizes,
        settings.activation,
        settings.backprop,
        settings.alpha,
    )
    network = make_network(*options, max_rows=settings.batch_size)
    total = samples.sample_weight.sum(dtype=np.float64)
    if validation is not None:
        watching = make_network(*options, max_rows=min(BLOCK_ROWS, len(validation.y)))
        val_total = validation.sample_weight.sum(dtype=np.float64)
    for epoch in range(settings.n_epochs):
        loss, correct = run_epoch(network, settings, state, samples, epoch)
        check_finite(settings, epoch, loss, state.params)
        figures = {"loss": loss / total, "accuracy": correct / total}
        if validation is not None:
            loss, correct = evaluate(watching, state.params, *validation)
            figures["val_loss"] = loss / val_total
            figures["val_accuracy"] = correct / val_total
        record(state.history, figures)
    # The losses were taken before each step; no loss has seen the last one.
    some = (part[: settings.batch_size] for part in samples)
    loss, _ = evaluate(network, state.params, *some)
    check_finite(settings, epoch, loss, state.params)


def run_epoch(network, settings, state, samples, epoch):
    """Take every minibatch once; returns the weighted sums of loss and of correct."""
    n_samples = len(samples.y)
    n_batches = -(-n_samples // settings.batch_size)
    steps = np.arange(epoch * n_batches, (epoch + 1) * n_batches)
    learning_rates = LEARNING_RATES[settings.learning_rate](
        settings.learning_rate_init, steps, settings.n_epochs * n_batches
    )
    order = np.arange(n_samples, dtype=np.intp)
    if settings.shuffle:
        state.random_state.shuffle(order)
    return train_epoch(
        network,
        settings.optimizer,
        settings.momentum,
        state.params,
        state.velocity,
        *samples,
        order,
        settings.batch_size,
        learning_rates,
    )


def record(history, figures):
    """Append one epoch to the curves, NaN to those that it says nothing of."""
    n_epochs = len(history["loss"])
    for name in figures:
        history.setdefault(name, [np.nan] * n_epochs)
    for name, curve in history.items():
        curve.append(float(figures.get(name, np.nan)))


def check_finite(settings, epoch, loss, params):
    """Stop a run that has diverged."""
    if math.isfinite(loss) and np.isfinite(params).all():
        return
    raise ValueError(
        f"Training diverged in epoch {epoch + 1}: the loss or a weight is no longer "
        f"finite. Lower learning_rate_init (it is {settings.learning_rate_init}) or "
        f"alpha (it is {settings.alpha}), or bring the features to a similar scale, "
        "for example with StandardScaler."
    )
