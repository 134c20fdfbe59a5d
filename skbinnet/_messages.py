"""Messages: what a user is told about a run that failed, or ended too early."""

import numpy as np
from scipy.sparse import issparse


def diverged(settings, epoch, X):
    """The loss, the weights or the moments are no longer finite."""
    rate = ""
    if settings.solver.is_stochastic:
        rate = f"learning_rate_init (it is {settings.learning_rate_init}) or "
    return (
        f"Training diverged in epoch {epoch}: the loss, a weight or a moment is no "
        f"longer finite. Lower {rate}alpha (it is {settings.alpha}), or bring the "
        "features to a similar scale, for example with StandardScaler: "
        f"{most_in_need_of_scaling(X)}."
    )


def interrupted(settings, epoch):
    """Ctrl-C ended the run."""
    which = "the best epoch" if settings.early_stopping else "that epoch"
    return (
        f"Training was interrupted in epoch {epoch} of {settings.max_iter} and keeps "
        f"the weights of {which}. A search around it goes on; a second Ctrl-C within "
        "two seconds stops it."
    )


def ended_at_limit(settings, scipy_message):
    """The run reached max_iter or max_fun; None if that is how it should end."""
    if not settings.solver.is_stochastic:
        return (
            f"lbfgs ended before it converged ({scipy_message}). Raise max_iter (it is "
            f"{settings.max_iter}) or max_fun (it is {settings.max_fun}), or bring the "
            "features to a similar scale."
        )
    if settings.schedule.has_horizon:
        return None
    return (
        f"Training ended at max_iter={settings.max_iter}, before the epochs ceased to "
        "improve. Raise max_iter or learning_rate_init, or take "
        'learning_rate="cosine", which is meant to last max_iter epochs.'
    )


def learned_nothing(loss, entropy, X):
    """The loss is no better than that of predicting the shares of the classes."""
    return (
        f"Training learned nothing: its loss, {loss:.4g}, is no better than "
        f"{entropy:.4g}, that of predicting the share of each class for every row. "
        f"{how_to_scale(X)}"
    )


def collapsed(share, X):
    """Most rows get one of very few logits."""
    return (
        f"The network collapsed: {share:.0%} of the rows get one of at most {N_CELLS} "
        f"different predictions, although the rows differ. {how_to_scale(X)}"
    )


def undefined_score(curve):
    """Early stopping could not compare any epochs."""
    return (
        f"The watched score, history_[{curve!r}], was NaN in every epoch, so that "
        "early_stopping could not tell a good epoch from a bad one, and the weights "
        "are those of the last. Many scores are undefined where y_val holds one class "
        "only: give validation data of both classes, or another scoring."
    )


def labels_may_be_swapped(accuracy):
    """y_val holds one class, and most of it is predicted as the other."""
    return (
        f"y_val holds one class only, and the accuracy on it is {accuracy:.2g}, worse "
        f"than a guess. {ENSEMBLES}"
    )


ENSEMBLES = (
    "An ensemble around this estimator, such as VotingClassifier or BaggingClassifier, "
    "encodes the labels of y as 0 and 1, but neither those of y_val nor the keys of "
    "class_weight: encode them alike, for example with LabelEncoder().fit(y)."
)


# ---- a network that collapsed

# This rule was chosen on 12,537 fits to real and generated tables. It found 96 % of the
# 878 that had collapsed without another warning, predicting at random where a linear
# model did not; on data that had no part in the choice, 91 % of 120. It raised no alarm
# on 3,548 fits to standardised features, however weak the signal.
WIDE = 30.0  # root mean square of a feature; 3 to 30 give the same counts
FLAT = 0.9  # share of the rows
N_CELLS = 4  # two saturated tanh units give four plateaus


def share_on_plateaus(z, X, sample_weight):
    """The share of rows on few plateaus of z; 0 if it is small, or due to X itself."""
    means, stds = mean_and_std(X)
    if np.hypot(means, stds).max() <= WIDE:
        return 0.0
    share = top_share(z, sample_weight, 1e-4)
    if share < FLAT:
        return 0.0
    direction = np.random.RandomState(0).standard_normal(X.shape[1])
    blocks = range(0, X.shape[0], 10_000)  # which become float64
    with np.errstate(over="ignore", invalid="ignore"):
        positions = np.concatenate([X[i : i + 10_000] @ direction for i in blocks])
        is_varied = top_share(positions, sample_weight, 1e-12) < 0.5
    return share if is_varied else 0.0


def top_share(values, weight, width):
    """The share of rows in the fullest cells, each of which is width of the range."""
    values, weight = values[weight > 0].astype(np.float64), weight[weight > 0]
    size = width * np.ptp(values)
    cells = np.floor((values - values.min()) / size) if size > 0 else 0 * values
    _, cells = np.unique(cells, return_inverse=True)
    fullest = np.sort(np.bincount(cells, weight))[-N_CELLS:]
    return float(fullest.sum() / weight.sum(dtype=np.float64))


# ---- the features, in words


def how_to_scale(X):
    """What to do if features are not scaled."""
    return (
        "The usual cause is features that are not scaled: "
        f"{most_in_need_of_scaling(X)}. If these are far from 0 and 1, bring the "
        "features to a similar scale, for example with StandardScaler, or use "
        "TabularMLPClassifier, which scales them itself; if not, try another "
        "learning_rate_init or alpha, or more epochs."
    )


def most_in_need_of_scaling(X):
    """The feature with the largest root mean square, in words."""
    means, stds = mean_and_std(X)
    feature = int(np.hypot(means, stds).argmax())
    mean, std = means[feature], stds[feature]
    far = ", which is far from 0" if abs(mean) > std else ""
    return (
        f"feature {feature} has the largest root mean square, with a mean of "
        f"{mean:.3g}{far}, and a standard deviation of {std:.3g}"
    )


def mean_and_std(X):
    """Mean and standard deviation of each column; infinite where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        if issparse(X):
            means, stds = sparse_mean_and_std(X.astype(np.float64))
        else:
            means = np.array([x.mean(dtype=np.float64) for x in X.T])
            stds = np.array([x.std(dtype=np.float64) for x in X.T])
    return tuple(np.where(np.isfinite(part), part, np.inf) for part in (means, stds))


def sparse_mean_and_std(X):
    """Mean and standard deviation of each column of a CSR matrix, changed in place."""
    X.sum_duplicates()
    n_rows, n_features = X.shape
    means = np.asarray(X.mean(axis=0)).ravel()
    squares = np.bincount(X.indices, (X.data - means[X.indices]) ** 2, n_features)
    n_zeros = n_rows - np.bincount(X.indices, minlength=n_features)
    return means, np.sqrt((squares + n_zeros * means**2) / n_rows)
