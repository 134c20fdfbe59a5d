"""TrainingCurvesDisplay: pictures of a run."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

PANELS = ("loss", "accuracy")


class TrainingCurvesDisplay:
    """Loss and accuracy per epoch, in training and validation, in two panels.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    history : dict of list of float
        The curves: "loss" and "accuracy", and "val_loss" and "val_accuracy" where
        there were validation data.

    name : str, default=None
        Put before the names of the curves in the legends.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (2,)
        The panels: loss, accuracy.

    figure_ : matplotlib Figure
        The figure that holds them.

    lines_ : list of matplotlib Line2D
        The curves: those of the loss, then those of the accuracy.

    See Also
    --------
    BinaryMLPClassifier : Keeps the curves in ``history_``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skbinnet import BinaryMLPClassifier, TrainingCurvesDisplay
    >>> X, y = make_classification(random_state=0)
    >>> clf = BinaryMLPClassifier(random_state=0).fit(X, y)
    >>> display = TrainingCurvesDisplay.from_estimator(clf)  # doctest: +SKIP
    """

    def __init__(self, *, history, name=None):
        self.history = history
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, **kwargs):
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : BinaryMLPClassifier or Pipeline
            A fitted classifier, or a fitted Pipeline that ends with one.

        ax : sequence of two matplotlib Axes, default=None
            The panels to draw on: loss, accuracy. None makes a new figure.

        name : str, default=None
            Put before the names of the curves in the legends.

        **kwargs : dict
            Passed to matplotlib's ``plot``, for every curve.

        Returns
        -------
        display : TrainingCurvesDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator is of another kind, or `ax` is not a sequence of two Axes.
        """
        check_is_fitted(estimator)
        clf = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not hasattr(clf, "history_"):
            raise ValueError(
                "Expected a BinaryMLPClassifier, or a Pipeline that ends with one, got "
                f"{type(clf).__name__}. After a search, pass its best_estimator_."
            )
        return cls(history=clf.history_, name=name).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            The panels to draw on: loss, accuracy. None makes a new figure.

        name : str, default=None
            Put before the names of the curves in the legends; None is the name that
            the display was made with.

        **kwargs : dict
            Passed to matplotlib's ``plot``, for every curve.

        Returns
        -------
        display : TrainingCurvesDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` is not a sequence of two Axes.
        """
        pyplot, style = import_matplotlib(kwargs)
        if ax is None:
            _, ax = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
        self.ax_ = np.ravel(ax)
        if len(self.ax_) != len(PANELS):
            raise ValueError(
                f"ax must be two Axes, for {' and '.join(PANELS)}, got {len(self.ax_)}."
            )
        self.figure_ = self.ax_[0].figure
        self.lines_ = []
        for panel, panel_ax in zip(PANELS, self.ax_, strict=True):
            self._plot_panel(panel, panel_ax, name or self.name, style)
        return self

    def _plot_panel(self, panel, ax, name, style):
        """Training as a line, validation dashed and in the same colour."""
        before = f"{name}, " if name else ""
        own = {"label": f"{before}training"}
        self.lines_ += plot_curve(ax, self.history[panel], own | style)
        if f"val_{panel}" in self.history:
            own = {"label": f"{before}validation", "linestyle": "--"}
            own["color"] = self.lines_[-1].get_color()
            self.lines_ += plot_curve(ax, self.history[f"val_{panel}"], own | style)
        ax.set(xlabel="epoch", ylabel=panel)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()


def plot_curve(ax, curve, style):
    """Draw one curve over the epochs 1, 2, ...; a single point gets a marker."""
    known = np.flatnonzero(np.isfinite(curve))
    mark = {"marker": "."} if len(known) == 1 else {}
    return ax.plot(known + 1, np.asarray(curve)[known], **mark | style)


def import_matplotlib(kwargs):
    """Return pyplot, and kwargs with long names, such as color for c."""
    try:
        from matplotlib import cbook, lines, pyplot
    except ImportError as error:
        raise ImportError(
            "TrainingCurvesDisplay needs matplotlib: pip install matplotlib"
        ) from error
    return pyplot, cbook.normalize_kwargs(kwargs, lines.Line2D)
