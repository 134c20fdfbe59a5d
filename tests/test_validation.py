import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score, get_scorer, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier


@pytest.fixture
def split(breast_cancer):
    """X, y to train on, and validation data as keywords of fit."""
    X, X_val, y, y_val = breast_cancer
    return X, y, {"X_val": X_val, "y_val": y_val}


@pytest.fixture
def stopping():
    """Goes on long enough to overfit, and looks for a little patience."""
    return BinaryMLPClassifier(
        (10,), max_iter=300, early_stopping=True, n_iter_no_change=5, random_state=0
    )


NAMES = ["accuracy", "roc_auc", "average_precision", "neg_brier_score", "f1"]


@pytest.mark.parametrize("scoring", ["loss", *NAMES])
def test_run_stops_and_restores_the_weights_of_the_best_score(split, stopping, scoring):
    X, y, val = split
    clf = stopping.set_params(scoring=scoring).fit(X, y, **val)
    scores = clf.validation_scores_
    assert clf.n_iter_ == len(scores) == len(clf.loss_curve_) < 300
    assert clf.best_validation_score_ == max(scores)
    curve = clf.history_[f"val_{scoring}"]
    if scoring == "loss":
        assert scores == [-value for value in curve]
        assert min(curve) == pytest.approx(-clf.best_validation_score_)
        last = -sklearn.metrics.log_loss(val["y_val"], clf.predict_proba(val["X_val"]))
    else:
        assert scores == curve
        last = get_scorer(scoring)(clf, val["X_val"], val["y_val"])
    assert last == pytest.approx(clf.best_validation_score_, rel=1e-9)
    assert clf.best_loss_ is None


def test_patience_is_counted_as_in_mlp_classifier(split, stopping):
    # It ends when more than n_iter_no_change epochs in a row stayed below best + tol.
    X, y, val = split
    for tol, n_iter_no_change in [(1e-4, 5), (1e-2, 5), (1e-2, 2)]:
        clf = clone(stopping).set_params(tol=tol, n_iter_no_change=n_iter_no_change)
        best, count = -np.inf, 0
        for epoch, score in enumerate(clf.fit(X, y, **val).validation_scores_, 1):
            count = count + 1 if score < best + tol else 0
            best = max(best, score)
            assert (count > n_iter_no_change) == (epoch == clf.n_iter_)


def test_a_callable_sees_the_classes_and_the_data(split, stopping):
    X, y, val = split
    labels = np.array(["benign", "malignant"])
    seen = []

    def scoring(estimator, X, y):
        seen.append((X, y))
        return roc_auc_score(y, estimator.predict_proba(X)[:, 1])

    clf = stopping.set_params(scoring=scoring)
    clf.fit(X, labels[y], X_val=val["X_val"], y_val=labels[val["y_val"]])
    same = clone(stopping).set_params(scoring="roc_auc").fit(X, y, **val)
    assert clf.history_["val_score"] == same.history_["val_roc_auc"]
    assert_array_equal(seen[0][0], val["X_val"])
    assert_array_equal(seen[0][1], labels[val["y_val"]])


def test_a_scorer_object_may_name_the_positive_label(split, stopping):
    X, y, val = split
    labels = np.array(["benign", "malignant"])
    f1 = make_scorer(sklearn.metrics.f1_score, pos_label="malignant")
    own, named = (
        clone(stopping)
        .set_params(scoring=scoring)
        .fit(X, labels[y], X_val=val["X_val"], y_val=labels[val["y_val"]])
        for scoring in (f1, "f1")
    )
    assert own.history_["val_score"] == named.history_["val_f1"]


def test_a_score_that_is_no_number_is_an_error(split, stopping):
    X, y, val = split
    stopping.set_params(scoring=lambda estimator, X, y: "good")
    with pytest.raises(ValueError, match="scoring must return a number, got 'good'"):
        stopping.fit(X, y, **val)


def test_a_warm_start_from_a_score_of_nan_can_improve(split, stopping):
    X, y, val = split
    scores = iter([*[np.nan] * 4, *np.linspace(0, 1, 100)])
    clf = stopping.set_params(
        scoring=lambda estimator, X, y: next(scores), warm_start=True, max_iter=3
    )
    with pytest.warns(ConvergenceWarning, match="NaN in every epoch"):
        clf.fit(X, y, **val)
    clf.set_params(max_iter=20, n_iter_no_change=3).fit(X, y, **val)
    assert clf.n_iter_ == 20


def test_a_score_that_rises_by_tol_improves(split, stopping):
    X, y, val = split
    scores = iter(0.25 * np.arange(300))
    clf = stopping.set_params(
        scoring=lambda estimator, X, y: next(scores), tol=0.25, max_iter=20
    ).fit(X, y, **val)
    assert clf.n_iter_ == 20


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_state_of_the_solver_comes_back_with_the_best_weights(
    split, stopping, solver
):
    X, y, val = split
    shorter = stopping.set_params(solver=solver, learning_rate="constant")
    longer = clone(shorter).set_params(max_iter=9, n_iter_no_change=9, tol=1e3)
    scores = iter([0, 1, 2, 1, 1, 1, 1, 1, 1])
    longer.set_params(scoring=lambda estimator, X, y: next(scores))
    shorter.set_params(max_iter=3)
    for clf in (shorter, longer):
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            clf.fit(X, y, **val)
    assert_array_equal(longer.coefs_[0], shorter.coefs_[0])
    assert_array_equal(longer._state["moments"], shorter._state["moments"])
    assert longer._state["n_steps"] == shorter._state["n_steps"] > 0


def test_held_out_rows_and_the_others_keep_their_order(split, stopping):
    X, y, _ = split
    seen = []
    stopping.set_params(scoring=lambda estimator, X, y: seen.append(X) or 0.5)
    stopping.set_params(shuffle=False, max_iter=1, learning_rate="constant")
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        clf = stopping.fit(X, y)
    places = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in seen[0]]
    assert places == sorted(places)
    rest = np.delete(np.arange(len(y)), places)
    same = clone(clf).set_params(early_stopping=False, scoring="loss")
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        same.fit(X[rest], y[rest])
    assert_array_equal(clf.coefs_[0], same.coefs_[0])


def test_a_scorer_may_keep_what_it_sees(split, stopping):
    X, y, val = split
    seen = []
    stopping.set_params(
        scoring=lambda estimator, X, y: seen.append(estimator.coefs_[0]) or 0.5
    )
    stopping.fit(X, y, **val)
    assert (seen[0] != seen[1]).all()


def test_a_score_of_nan_is_no_improvement(split, stopping):
    X, y, val = split
    clf = stopping.set_params(scoring=lambda estimator, X, y: np.nan)
    with pytest.warns(ConvergenceWarning, match="'val_score'.*NaN in every epoch"):
        clf.fit(X, y, **val)
    assert clf.n_iter_ == 6
    assert np.isnan(clf.best_validation_score_)


def test_scorers_are_weighted_as_all_figures(split, stopping):
    X, y, val = split
    weight = np.random.RandomState(0).uniform(0, 3, len(val["y_val"]))
    clf = stopping.set_params(scoring="roc_auc", max_iter=3)
    clf.fit(X, y, **val, sample_weight_val=weight)
    scorer = get_scorer("roc_auc")
    expected = max(clf.history_["val_roc_auc"])
    assert expected == pytest.approx(
        scorer(clf, val["X_val"], val["y_val"], sample_weight=weight)
    )
    assert expected != scorer(clf, val["X_val"], val["y_val"])


def test_a_score_is_recorded_where_nothing_stops(split):
    X, y, val = split
    clf = BinaryMLPClassifier(max_iter=3, scoring="roc_auc", random_state=0)
    clf.fit(X, y, **val)
    assert len(clf.history_["val_roc_auc"]) == clf.n_iter_ == 3
    assert clf.validation_scores_ is clf.best_validation_score_ is None
    assert clf.best_loss_ == min(clf.loss_curve_)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix, pd.DataFrame])
def test_held_out_rows_are_stratified_and_not_trained_on(split, stopping, form):
    X, y, _ = split
    seen = []
    stopping.set_params(
        scoring=lambda estimator, X, y: seen.append((X, y)) or 0.5,
        validation_fraction=0.2,
    )
    clf = stopping.fit(form(X), y)
    X_val, y_val = seen[0]
    assert X_val.shape == (91, 30)
    assert y_val.mean() == pytest.approx(y.mean(), abs=0.01)
    # Trained on the other rows alone, from the same weights and in the same orders.
    dense = X_val.toarray() if form is csr_matrix else X_val
    held_out = (X[:, None] == dense).all(axis=2).any(axis=1)
    assert held_out.sum() == 91
    assert clf.t_ == clf.n_iter_ * (len(y) - 91)
    changed = X.copy()
    changed[held_out] = 1e3  # scorers see it, training does not
    again = clone(stopping).fit(form(changed), y)
    assert_array_equal(again.coefs_[0], clf.coefs_[0])
    assert again.loss_curve_ == clf.loss_curve_


@pytest.mark.parametrize("pickled", [False, True])
def test_the_same_rows_are_held_out_across_warm_starts(split, stopping, pickled):
    X, y, _ = split
    seen = []
    monitored = lambda estimator, X, y: seen.append(X) or 0.5  # noqa: E731
    clf = stopping.set_params(warm_start=True, scoring=monitored).fit(X, y)
    if pickled:
        clf.set_params(scoring="loss")
        clf = pickle.loads(pickle.dumps(clf)).set_params(scoring=monitored)
    clf.fit(X, y)
    assert len(seen) == 7 + 1 + 6  # the warm start looks at what it begins with
    for X_val in seen[1:]:
        assert_array_equal(X_val, seen[0])


def test_a_warm_start_keeps_the_best_weights_of_both_runs(split, stopping):
    X, y, val = split
    clf = stopping.set_params(warm_start=True).fit(X, y, **val)
    best, weights = clf.best_validation_score_, clf.coefs_[0].copy()
    clf.set_params(learning_rate_init=0.3).fit(X, y, **val)  # spoils them at first
    if clf.best_validation_score_ == best:
        assert_array_equal(clf.coefs_[0], weights)
    else:
        assert clf.best_validation_score_ > best
    assert clf.best_validation_score_ == max(clf.validation_scores_)


def test_early_stopping_holds_for_lbfgs_too(split, stopping):
    X, y, val = split
    clf = stopping.set_params(solver="lbfgs", alpha=0).fit(X, y, **val)
    assert clf.n_iter_ < 100
    val_loss = clf.history_["val_loss"]
    assert len(val_loss) - 1 - int(np.argmin(val_loss)) >= 6
    last = sklearn.metrics.log_loss(val["y_val"], clf.predict_proba(val["X_val"]))
    assert last == pytest.approx(min(val_loss), rel=1e-9)
    held_out = clone(clf).fit(X, y)
    assert held_out.t_ == held_out.n_iter_ * 409


def test_partial_fit_records_and_never_refuses(split):
    X, y, val = split
    clf = BinaryMLPClassifier(early_stopping=True, scoring="roc_auc", random_state=0)
    plain = BinaryMLPClassifier(random_state=0)
    for _ in range(3):
        clf.partial_fit(X, y, classes=[0, 1], **val)
        plain.partial_fit(X, y, classes=[0, 1])
    assert_array_equal(clf.coefs_[0], plain.coefs_[0])
    clf.partial_fit(X, y)
    assert (clf.n_iter_, clf.t_) == (4, 4 * len(y))
    assert clf.history_.keys() == {
        "loss", "accuracy", "val_loss", "val_accuracy", "val_roc_auc",
    }  # fmt: skip
    assert clf.validation_scores_ is not None
    assert np.isnan(clf.validation_scores_).tolist() == [False, False, False, True]
    assert clf.best_validation_score_ == max(clf.validation_scores_[:3])


def test_partial_fit_goes_on_after_early_stopping(split, stopping):
    X, y, _ = split
    clf = stopping.fit(X, y)
    n_iter = clf.n_iter_
    clf.partial_fit(X, y)
    assert clf.n_iter_ == n_iter + 1


@pytest.mark.parametrize("n_rows", [4, 10])
def test_a_row_of_each_class_is_held_out_of_few(Xy, n_rows):
    X, y = Xy
    clf = BinaryMLPClassifier(early_stopping=True, random_state=0)
    clf.fit(X[:n_rows], y[:n_rows])
    assert clf.t_ == clf.n_iter_ * (n_rows - 2)


@pytest.mark.parametrize("labels", [["ham"] * 5 + ["spam"], ["ham", "ham", "spam"]])
def test_too_few_rows_to_hold_out_are_an_error(labels):
    clf = BinaryMLPClassifier(early_stopping=True)
    with pytest.raises(ValueError, match=r"hold out.*True is spam.*X_val and y_val"):
        clf.fit(np.arange(len(labels))[:, None], labels)


@pytest.mark.filterwarnings("ignore:Only one class:UserWarning")
def test_a_score_that_is_undefined_in_every_epoch_is_told(Xy):
    X, y = Xy
    clf = BinaryMLPClassifier(early_stopping=True, scoring="roc_auc", random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"'val_roc_auc'.*one class only"):
        clf.fit(X, y, X_val=X[y == 1], y_val=y[y == 1])


def test_rows_without_weight_are_not_held_out():
    X, y = make_classification(60, 5, random_state=3)
    weight = (np.arange(60) < 15).astype(float)
    for seed in range(20):
        seen = []
        clf = BinaryMLPClassifier(early_stopping=True, random_state=seed)
        clf.set_params(scoring=lambda *args, seen=seen, **_: seen.append(args[1]) or 0)
        clf.fit(X, y, weight)
        held_out = (X[:, None] == seen[0]).all(axis=2).any(axis=1)
        assert held_out.sum() == 2
        assert not held_out[15:].any()


def test_bagging_of_few_rows_with_early_stopping():
    X, y = make_classification(20, 5, random_state=0)
    clf = BinaryMLPClassifier(early_stopping=True)
    BaggingClassifier(clf, 50, random_state=0).fit(X, y)


# ---- scorers that do not fit


def test_a_metric_is_no_scorer(Xy):
    for clf in (
        BinaryMLPClassifier(scoring=f1_score),
        BinaryMLPClassifier(scoring=f1_score, early_stopping=True),
    ):
        with pytest.raises(ValueError, match=r"metric function rather than a scorer"):
            clf.fit(*Xy)


@pytest.mark.parametrize(
    "scoring", [lambda estimator, X, y: 0.5, "neg_negative_likelihood_ratio"]
)
def test_a_scorer_that_takes_no_weights_is_told_why_it_should(scoring, split, stopping):
    X, y, val = split
    clf = stopping.set_params(scoring=scoring, max_iter=2).fit(X, y, **val)
    with pytest.raises(TypeError, match=r"sample_weight=None.*or give another scoring"):
        clf.fit(X, y, **val, sample_weight_val=1 + val["y_val"])
    with pytest.raises(TypeError, match="by sample_weight or class_weight"):
        clf.set_params(class_weight="balanced").fit(X, y, **val)


def test_another_type_error_of_a_scorer_is_its_own(split, stopping):
    X, y, val = split
    clf = stopping.set_params(scoring=lambda estimator, X, y, sample_weight: y + "a")
    with pytest.raises(TypeError, match=r"unsupported operand|ufunc"):
        clf.fit(X, y, **val, sample_weight_val=1 + val["y_val"])


# ---- ensembles that encode the labels of y, and nothing else


@pytest.mark.parametrize(
    ("params", "y_val"),
    [({}, ["ham", "spam"]), ({"class_weight": {"ham": 2}}, None)],
)
@pytest.mark.parametrize(
    "ensemble",
    [
        lambda clf: VotingClassifier([("clf", clf)]),
        lambda clf: BaggingClassifier(clf, 2),
        lambda clf: StackingClassifier([("clf", clf)], cv=2),
    ],
)
def test_labels_that_an_ensemble_did_not_encode_are_explained(
    ensemble, params, y_val, Xy
):
    X, y = Xy[0], np.array(["ham", "spam"])[Xy[1]]
    clf = BinaryMLPClassifier(**params)
    watched = {"X_val": X[:2], "y_val": y_val} if y_val else {}
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match=r"VotingClassifier.*LabelEncoder\(\)\.fit"),
    ):
        ensemble(clf).fit(X, y, **watched)
    clf.fit(X, y, **watched)  # alone, it fits


def test_validation_labels_of_one_class_may_be_swapped(breast_cancer):
    X, X_val, y, y_val = breast_cancer
    X_val, y_val = X_val[y_val == 0], y_val[y_val == 0] + 1  # of the labels 1 and 2
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.warns(ConvergenceWarning, match=r"y_val holds one class.*VotingClass"),
    ):
        VotingClassifier([("clf", BinaryMLPClassifier(random_state=0))]).fit(
            X, y + 1, X_val=X_val, y_val=y_val
        )
    BinaryMLPClassifier(random_state=0).fit(X, y + 1, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("val_form", [np.asarray, csr_matrix])
def test_validation_data_may_be_of_another_form(split, form, val_form):
    X, y, val = split
    clf = BinaryMLPClassifier(max_iter=2, random_state=0)
    expected = clone(clf).fit(X, y, **val).history_["val_loss"]
    clf.fit(form(X), y, X_val=val_form(val["X_val"]), y_val=val["y_val"])
    assert clf.history_["val_loss"] == pytest.approx(expected, rel=1e-9)


def test_a_data_frame_is_scored_without_a_warning_of_names(Xy):
    X = pd.DataFrame(Xy[0], columns=list("abcde"))
    clf = BinaryMLPClassifier(early_stopping=True, scoring="roc_auc", random_state=0)
    clf.fit(X, Xy[1])
    clf.fit(X, Xy[1], X_val=X, y_val=Xy[1])


def test_grid_search_over_a_pipeline_that_stops_early_on_transformed_data(Xy):
    X, y = 100 + 10 * Xy[0], Xy[1]
    clf = BinaryMLPClassifier(early_stopping=True, scoring="roc_auc", random_state=0)
    steps = [("scale", StandardScaler()), ("clf", clf)]
    with sklearn.config_context(enable_metadata_routing=True):
        model = Pipeline(steps, transform_input=["X_val"])
        search = GridSearchCV(model, {"clf__alpha": [0, 0.1]}, cv=2)
        search.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        best = search.best_estimator_
        expected = roc_auc_score(y[40:], best.predict_proba(X[40:])[:, 1])
    assert best["clf"].best_validation_score_ == pytest.approx(expected)
