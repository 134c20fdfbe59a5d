import sys

import matplotlib.pyplot as plt
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier, TrainingCurvesDisplay

show = TrainingCurvesDisplay.from_estimator


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def watched(X, y):
    """A classifier that watched validation data."""
    val = {"X_val": X[40:], "y_val": y[40:]}
    return BinaryMLPClassifier(max_iter=3).fit(X[:40], y[:40], **val)


def labels(display):
    return [line.get_label() for line in display.lines_]


def test_panels_show_training_and_validation_per_epoch(watched):
    display = show(watched)
    axes = [(ax.get_xlabel(), ax.get_ylabel()) for ax in display.ax_]
    assert axes == [("epoch", "loss"), ("epoch", "accuracy")]
    assert labels(display) == ["training", "validation"] * 2
    curves = [line.get_ydata().tolist() for line in display.lines_]
    names = ["loss", "val_loss", "accuracy", "val_accuracy"]
    assert curves == [watched.history_[name] for name in names]
    assert all(line.get_xdata().tolist() == [1, 2, 3] for line in display.lines_)
    assert all(tick % 1 == 0 for ax in display.ax_ for tick in ax.get_xticks())
    assert display.figure_ is display.ax_[0].figure


def test_pipeline_without_validation_shows_training_alone(Xy):
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier(max_iter=3)).fit(*Xy)
    assert labels(show(model)) == ["training"] * 2


def test_two_runs_can_share_axes_and_style(watched):
    first = show(watched, name="a", alpha=0.5)
    second = TrainingCurvesDisplay(history=watched.history_).plot(first.ax_, name="b")
    assert second.figure_ is first.figure_
    assert (labels(first)[0], labels(second)[0]) == ("a, training", "b, training")
    assert first.lines_[0].get_alpha() == 0.5


def test_style_may_be_abbreviated_and_holds_for_every_curve(watched):
    display = show(watched, c="r", ls=":")
    assert {line.get_color() for line in display.lines_} == {"r"}
    assert {line.get_linestyle() for line in display.lines_} == {":"}


def test_validation_is_dashed_in_the_colour_of_its_training(watched):
    display = show(watched)
    training, validation = display.lines_[:2]
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")


@pytest.mark.unconverged
def test_what_cannot_be_shown_is_named(watched, Xy):
    with pytest.raises(NotFittedError):
        show(BinaryMLPClassifier())
    search = GridSearchCV(BinaryMLPClassifier(max_iter=1), {"alpha": [0]}, cv=2)
    with pytest.raises(ValueError, match=r"got GridSearchCV.*best_estimator_"):
        show(search.fit(*Xy))
    with pytest.raises(ValueError, match="two Axes, for loss and accuracy, got 1"):
        show(watched, ax=plt.subplots()[1])


def test_missing_matplotlib_is_named(watched, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        show(watched)


@pytest.mark.unconverged
def test_epochs_without_validation_data_are_passed_over(X, y):
    clf = BinaryMLPClassifier(random_state=0).partial_fit(X, y, classes=[0, 1])
    training, _ = show(clf).lines_
    assert training.get_marker() == "."
    val = {"X_val": X, "y_val": y}
    clf.partial_fit(X, y, **val).partial_fit(X, y).partial_fit(X, y)
    training, validation, *_ = show(clf.partial_fit(X, y, **val)).lines_
    assert training.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert validation.get_xdata().tolist() == [2, 5]
