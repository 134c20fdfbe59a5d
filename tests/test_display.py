import sys

import matplotlib.pyplot as plt
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier, TrainingCurvesDisplay


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def watched(Xy):
    """A classifier that watched validation data."""
    X, y = Xy
    clf = BinaryMLPClassifier(max_iter=3)
    return clf.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])


def labels(display):
    return [line.get_label() for line in display.lines_]


def test_panels_show_training_and_validation_per_epoch(watched):
    display = TrainingCurvesDisplay.from_estimator(watched)
    assert [ax.get_ylabel() for ax in display.ax_] == ["loss", "accuracy"]
    assert [ax.get_xlabel() for ax in display.ax_] == ["epoch", "epoch"]
    assert labels(display) == ["training", "validation"] * 2
    curves = [line.get_ydata().tolist() for line in display.lines_]
    names = ["loss", "val_loss", "accuracy", "val_accuracy"]
    assert curves == [watched.history_[name] for name in names]
    assert all(line.get_xdata().tolist() == [1, 2, 3] for line in display.lines_)
    assert all(tick % 1 == 0 for ax in display.ax_ for tick in ax.get_xticks())
    assert display.figure_ is display.ax_[0].figure


def test_pipeline_without_validation_shows_training_alone(Xy):
    model = make_pipeline(StandardScaler(), BinaryMLPClassifier(max_iter=3)).fit(*Xy)
    assert labels(TrainingCurvesDisplay.from_estimator(model)) == ["training"] * 2


def test_two_runs_can_share_axes_and_style(watched):
    first = TrainingCurvesDisplay.from_estimator(watched, name="a", alpha=0.5)
    second = TrainingCurvesDisplay(history=watched.history_).plot(first.ax_, name="b")
    assert second.figure_ is first.figure_
    assert labels(first)[0] == "a, training"
    assert labels(second)[0] == "b, training"
    assert first.lines_[0].get_alpha() == 0.5


def test_style_may_be_abbreviated_and_holds_for_every_curve(watched):
    display = TrainingCurvesDisplay.from_estimator(watched, c="r", ls=":")
    assert {line.get_color() for line in display.lines_} == {"r"}
    assert {line.get_linestyle() for line in display.lines_} == {":"}


def test_validation_is_dashed_in_the_colour_of_its_training(watched):
    display = TrainingCurvesDisplay.from_estimator(watched)
    training, validation = display.lines_[:2]
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")


@pytest.mark.unconverged
def test_another_estimator_is_an_error(Xy):
    search = GridSearchCV(BinaryMLPClassifier(max_iter=1), {"alpha": [0]}, cv=2)
    with pytest.raises(ValueError, match=r"got GridSearchCV.*best_estimator_"):
        TrainingCurvesDisplay.from_estimator(search.fit(*Xy))


def test_wrong_number_of_axes_is_an_error(watched):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="two Axes, for loss and accuracy, got 1"):
        TrainingCurvesDisplay.from_estimator(watched, ax=ax)


def test_unfitted_estimator_is_an_error():
    with pytest.raises(NotFittedError):
        TrainingCurvesDisplay.from_estimator(BinaryMLPClassifier())


def test_missing_matplotlib_is_named(watched, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        TrainingCurvesDisplay.from_estimator(watched)


@pytest.mark.unconverged
def test_epochs_without_validation_data_are_passed_over(Xy):
    clf = BinaryMLPClassifier(random_state=0)
    for epoch in range(5):
        val = {"X_val": Xy[0], "y_val": Xy[1]} if epoch in (1, 4) else {}
        clf.partial_fit(*Xy, classes=[0, 1], **val)
    lines = TrainingCurvesDisplay.from_estimator(clf).lines_
    assert [line.get_xdata().tolist() for line in lines[:2]] == [
        [1, 2, 3, 4, 5],
        [2, 5],
    ]
    clf = BinaryMLPClassifier(random_state=0).partial_fit(*Xy, classes=[0, 1])
    (line, _) = TrainingCurvesDisplay.from_estimator(clf).lines_
    assert line.get_marker() == "."
