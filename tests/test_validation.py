import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import fit_warns, mlp, scorer_from
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.metrics import f1_score, get_scorer, log_loss, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

LABELS = np.array(["benign", "malignant"])
NAMES = ["accuracy", "roc_auc", "average_precision", "neg_brier_score", "f1"]
metadata_routing = partial(sklearn.config_context, enable_metadata_routing=True)


@pytest.fixture
def val(breast_cancer):
    """X_val and y_val, as keywords of fit."""
    return {"X_val": breast_cancer[1], "y_val": breast_cancer[3]}


def stopping(**params):
    """A classifier with early stopping, whose max_iter is enough to overfit."""
    clf = mlp((10,), max_iter=300, early_stopping=True, n_iter_no_change=5)
    return clf.set_params(**params)


class Observer:
    """A scorer that notes the X and y that it sees, and returns 0.5."""

    def __init__(self):
        self.seen = []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.seen.append((X, y))
        return 0.5


# ---- which epoch is best, and when the run ends


@pytest.mark.parametrize("scoring", ["loss", *NAMES])
def test_run_stops_and_restores_the_weights_of_the_best_score(train, val, scoring):
    clf = stopping(scoring=scoring).fit(*train, **val)
    scores, sign = clf.validation_scores_, -1 if scoring == "loss" else 1
    assert clf.n_iter_ == len(scores) == len(clf.loss_curve_) < 300
    assert clf.best_validation_score_ == max(scores)
    assert scores == [sign * value for value in clf.history_[f"val_{scoring}"]]
    scorer = get_scorer("neg_log_loss" if scoring == "loss" else scoring)
    last = scorer(clf, val["X_val"], val["y_val"])
    assert last == pytest.approx(clf.best_validation_score_, rel=1e-9)
    assert clf.best_loss_ is None


def test_patience_is_counted_as_in_mlp_classifier(train, val):
    # It ends when more than n_iter_no_change epochs in a row stayed below best + tol.
    for tol, n_iter_no_change in [(1e-4, 5), (1e-2, 5), (1e-2, 2)]:
        clf = stopping(tol=tol, n_iter_no_change=n_iter_no_change).fit(*train, **val)
        best, n_no_change = -np.inf, 0
        for epoch, score in enumerate(clf.validation_scores_, 1):
            n_no_change = n_no_change + 1 if score < best + tol else 0
            best = max(best, score)
            assert (n_no_change > n_iter_no_change) == (epoch == clf.n_iter_)


def test_a_score_that_rises_by_tol_improves(train, val):
    clf = stopping(scoring=scorer_from(0.25 * np.arange(300)), tol=0.25, max_iter=20)
    assert clf.fit(*train, **val).n_iter_ == 20


def test_a_score_of_nan_is_no_improvement(train, val):
    clf = stopping(scoring=lambda estimator, X, y: np.nan)
    fit_warns("'val_score'.*NaN in every epoch", clf, *train, **val)
    assert clf.n_iter_ == 6
    assert np.isnan(clf.best_validation_score_)


def test_a_warm_start_from_a_score_of_nan_can_improve(train, val):
    scoring = scorer_from([*[np.nan] * 4, *np.linspace(0, 1, 100)])
    clf = stopping(scoring=scoring, warm_start=True, max_iter=3)
    fit_warns("NaN in every epoch", clf, *train, **val)
    clf.set_params(max_iter=20, n_iter_no_change=3).fit(*train, **val)
    assert clf.n_iter_ == 20


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_state_of_the_solver_comes_back_with_the_best_weights(train, val, solver):
    shorter = stopping(solver=solver, learning_rate="constant", max_iter=3)
    longer = clone(shorter).set_params(max_iter=9, n_iter_no_change=9, tol=1e3)
    longer.set_params(scoring=scorer_from([0, 1, 2, 1, 1, 1, 1, 1, 1]))
    for clf in (shorter, longer):
        fit_warns("max_iter", clf, *train, **val)
    assert_array_equal(longer.coefs_[0], shorter.coefs_[0])
    assert_array_equal(longer._state["moments"], shorter._state["moments"])
    assert longer._state["n_steps"] == shorter._state["n_steps"] > 0


def test_a_warm_start_keeps_the_best_weights_of_both_runs(train, val):
    clf = stopping(warm_start=True).fit(*train, **val)
    best, weights = clf.best_validation_score_, clf.coefs_[0].copy()
    clf.set_params(learning_rate_init=0.3).fit(*train, **val)  # spoils them at first
    if clf.best_validation_score_ == best:
        assert_array_equal(clf.coefs_[0], weights)
    else:
        assert clf.best_validation_score_ > best
    assert clf.best_validation_score_ == max(clf.validation_scores_)


def test_early_stopping_holds_for_lbfgs_too(train, val):
    clf = stopping(solver="lbfgs", alpha=0).fit(*train, **val)
    assert clf.n_iter_ < 100
    val_loss = clf.history_["val_loss"]
    assert len(val_loss) - 1 - int(np.argmin(val_loss)) >= 6
    last = log_loss(val["y_val"], clf.predict_proba(val["X_val"]))
    assert last == pytest.approx(min(val_loss), rel=1e-9)
    assert clf.fit(*train).t_ == clf.n_iter_ * 409  # of 455 rows, 46 are held out


def test_a_callable_sees_data_and_classes_and_may_keep_the_weights(train, val):
    X, y, X_val, y_val = train[0], LABELS[train[1]], val["X_val"], LABELS[val["y_val"]]
    seen = []

    def scoring(estimator, X, y):
        seen.append((estimator.coefs_[0], X, y))
        return roc_auc_score(y, estimator.predict_proba(X)[:, 1])

    clf = stopping(scoring=scoring).fit(X, y, X_val=X_val, y_val=y_val)
    same = stopping(scoring="roc_auc").fit(*train, **val)
    assert clf.history_["val_score"] == same.history_["val_roc_auc"]
    assert_array_equal(seen[0][1], X_val)
    assert_array_equal(seen[0][2], y_val)
    assert (seen[0][0] != seen[1][0]).all()


def test_a_scorer_object_may_name_the_positive_label(train, val):
    X, y, X_val, y_val = train[0], LABELS[train[1]], val["X_val"], LABELS[val["y_val"]]
    scorer = make_scorer(f1_score, pos_label="malignant")
    by_scorer = stopping(scoring=scorer).fit(X, y, X_val=X_val, y_val=y_val)
    by_name = stopping(scoring="f1").fit(X, y, X_val=X_val, y_val=y_val)
    assert by_scorer.history_["val_score"] == by_name.history_["val_f1"]


def test_scores_are_weighted_like_all_curves(train, val):
    weight = np.random.RandomState(0).uniform(0, 3, len(val["y_val"]))
    clf = stopping(scoring="roc_auc", max_iter=3)
    clf.fit(*train, **val, sample_weight_val=weight)
    found, scorer = max(clf.history_["val_roc_auc"]), get_scorer("roc_auc")
    assert found == pytest.approx(scorer(clf, *val.values(), sample_weight=weight))
    assert found != scorer(clf, *val.values())


def test_a_score_is_recorded_where_nothing_stops(train, val):
    clf = mlp(max_iter=3, scoring="roc_auc").fit(*train, **val)
    assert len(clf.history_["val_roc_auc"]) == clf.n_iter_ == 3
    assert clf.validation_scores_ is clf.best_validation_score_ is None
    assert clf.best_loss_ == min(clf.loss_curve_)


# ---- rows that are held out


def are_among(rows, X):
    """Whether each row of X is one of these rows."""
    return (X[:, None] == rows).all(axis=2).any(axis=1)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix, pd.DataFrame])
def test_held_out_rows_are_stratified_and_not_trained_on(train, form):
    X, y = train
    observer = Observer()
    clf = stopping(scoring=observer, validation_fraction=0.2).fit(form(X), y)
    X_val, y_val = observer.seen[0]
    assert X_val.shape == (91, 30)
    assert y_val.mean() == pytest.approx(y.mean(), abs=0.01)
    # It trained on the other rows alone, from the same weights and in the same orders.
    held_out = are_among(X_val.toarray() if form is csr_matrix else X_val, X)
    assert held_out.sum() == 91
    assert clf.t_ == clf.n_iter_ * (len(y) - 91)
    changed = X.copy()
    changed[held_out] = 1e3  # scorers see it, training does not
    again = clone(clf).fit(form(changed), y)
    assert_array_equal(again.coefs_[0], clf.coefs_[0])
    assert again.loss_curve_ == clf.loss_curve_


def test_held_out_rows_and_the_others_keep_their_order(train):
    X, y = train
    observer = Observer()
    clf = stopping(shuffle=False, max_iter=1, learning_rate="constant")
    fit_warns("max_iter", clf.set_params(scoring=observer), X, y)
    X_val, _ = observer.seen[0]
    places = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in X_val]
    assert places == sorted(places)
    same = clone(clf).set_params(early_stopping=False, scoring="loss")
    fit_warns("max_iter", same, np.delete(X, places, 0), np.delete(y, places))
    assert_array_equal(clf.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("pickled", [False, True])
def test_the_same_rows_are_held_out_across_warm_starts(train, pickled):
    observer = Observer()
    clf = stopping(warm_start=True, scoring=observer).fit(*train)
    if pickled:
        clf = pickle.loads(pickle.dumps(clf)).set_params(scoring=observer)
    clf.fit(*train)
    held_out = [X_val for X_val, _ in observer.seen]
    assert len(held_out) == 7 + 1 + 6  # the warm start looks at what it begins with
    assert_array_equal(held_out[1:], held_out[:1] * 13)


@pytest.mark.parametrize("n_rows", [4, 10])
def test_a_row_of_each_class_is_held_out_of_few(X, y, n_rows):
    clf = mlp(early_stopping=True).fit(X[:n_rows], y[:n_rows])
    assert clf.t_ == clf.n_iter_ * (n_rows - 2)


@pytest.mark.parametrize("labels", [["ham"] * 5 + ["spam"], ["ham", "ham", "spam"]])
def test_too_few_rows_to_hold_out_are_an_error(labels):
    with pytest.raises(ValueError, match=r"hold out.*True is spam.*X_val and y_val"):
        mlp(early_stopping=True).fit(np.arange(len(labels))[:, None], labels)


def test_a_warm_start_whose_scores_are_undefined_keeps_its_last_weights(X, y):
    scores = iter([0.5] * 4 + [np.nan] * 100)
    clf = BinaryMLPClassifier(max_iter=3, early_stopping=True, random_state=0)
    clf.set_params(scoring=lambda *_: next(scores), warm_start=True)
    clf.fit(X, y, X_val=X, y_val=y)
    before = clf.coefs_[0].copy()
    next(scores)
    fit_warns("the weights are those of the last", clf, X, y, X_val=X, y_val=y)
    assert (clf.coefs_[0] != before).all()


def test_rows_without_weight_are_not_held_out():
    X, y = make_classification(60, 5, random_state=3)
    for seed in range(20):
        observer = Observer()
        clf = mlp(early_stopping=True, random_state=seed, scoring=observer)
        clf.fit(X, y, sample_weight=1.0 * (np.arange(60) < 15))
        held_out = are_among(observer.seen[0][0], X)
        assert held_out.sum() == 2
        assert not held_out[15:].any()


def test_bagging_of_few_rows_can_stop_early():
    X, y = make_classification(20, 5, random_state=0)
    clf = BinaryMLPClassifier(early_stopping=True)
    BaggingClassifier(clf, 50, random_state=0).fit(X, y)


def test_partial_fit_records_scores_and_never_stops(train, val):
    clf, plain = mlp(early_stopping=True, scoring="roc_auc"), mlp()
    for _ in range(3):
        clf.partial_fit(*train, classes=[0, 1], **val)
        plain.partial_fit(*train, classes=[0, 1])
    assert_array_equal(clf.coefs_[0], plain.coefs_[0])
    clf.partial_fit(*train)
    assert (clf.n_iter_, clf.t_) == (4, 4 * len(train[1]))
    curves = {"loss", "accuracy", "val_loss", "val_accuracy", "val_roc_auc"}
    assert clf.history_.keys() == curves
    assert np.isnan(clf.validation_scores_).tolist() == [False, False, False, True]
    assert clf.best_validation_score_ == max(clf.validation_scores_[:3])


def test_partial_fit_goes_on_after_early_stopping(train):
    clf = stopping().fit(*train)
    n_iter = clf.n_iter_
    assert clf.partial_fit(*train).n_iter_ == n_iter + 1


# ---- scorers that do not fit


def test_a_score_that_is_no_number_is_an_error(train, val):
    with pytest.raises(ValueError, match="scoring must return a number, got 'good'"):
        stopping(scoring=lambda estimator, X, y: "good").fit(*train, **val)


@pytest.mark.filterwarnings("ignore:Only one class:UserWarning")
def test_a_score_that_is_undefined_in_every_epoch_warns(X, y):
    clf = mlp(early_stopping=True, scoring="roc_auc")
    message = r"'val_roc_auc'.*one class only"
    fit_warns(message, clf, X, y, X_val=X[y == 1], y_val=y[y == 1])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_metric_is_no_scorer(Xy, early_stopping):
    with pytest.raises(ValueError, match=r"metric function rather than a scorer"):
        mlp(scoring=f1_score, early_stopping=early_stopping).fit(*Xy)


@pytest.mark.parametrize(
    "scoring", [lambda estimator, X, y: 0.5, "neg_negative_likelihood_ratio"]
)
def test_the_error_of_a_scorer_says_why_it_gets_weights(scoring, train, val):
    clf = stopping(scoring=scoring, max_iter=2).fit(*train, **val)
    with pytest.raises(TypeError, match=r"sample_weight=None.*or give another scoring"):
        clf.fit(*train, **val, sample_weight_val=1 + val["y_val"])
    with pytest.raises(TypeError, match="by sample_weight or class_weight"):
        clf.set_params(class_weight="balanced").fit(*train, **val)


def test_another_type_error_of_a_scorer_stays_as_it_is(train, val):
    clf = stopping(scoring=lambda estimator, X, y, sample_weight: y + "a")
    with pytest.raises(TypeError, match=r"unsupported operand|ufunc"):
        clf.fit(*train, **val, sample_weight_val=1 + val["y_val"])


# ---- ensembles that encode the labels of y, and nothing else


@pytest.mark.parametrize("params", [{}, {"class_weight": {"ham": 2}}])
@pytest.mark.parametrize(
    "ensemble",
    [
        lambda clf: VotingClassifier([("clf", clf)]),
        lambda clf: BaggingClassifier(clf, 2),
        lambda clf: StackingClassifier([("clf", clf)], cv=2),
    ],
)
def test_labels_that_an_ensemble_did_not_encode_are_explained(ensemble, params, X, y):
    y = np.array(["ham", "spam"])[y]
    watched = {} if params else {"X_val": X[:2], "y_val": y[:2]}
    message = r"VotingClassifier.*LabelEncoder\(\)\.fit"
    with metadata_routing(), pytest.raises(ValueError, match=message):
        ensemble(mlp(**params)).fit(X, y, **watched)
    mlp(**params).fit(X, y, **watched)  # alone, it fits


def test_validation_labels_of_one_class_may_be_swapped(train, val):
    X, y = train[0], train[1] + 1  # labels 1 and 2
    is_first = val["y_val"] == 0
    watched = {"X_val": val["X_val"][is_first], "y_val": np.ones(is_first.sum(), int)}
    with metadata_routing():
        message = r"y_val holds one class.*VotingClass"
        fit_warns(message, VotingClassifier([("clf", mlp())]), X, y, **watched)
    mlp().fit(X, y, **watched)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
@pytest.mark.parametrize("val_form", [np.asarray, csr_matrix])
def test_validation_data_may_be_of_another_form(train, val, form, val_form):
    clf = mlp(max_iter=2)
    expected = clf.fit(*train, **val).history_["val_loss"]
    val["X_val"] = val_form(val["X_val"])
    clf.fit(form(train[0]), train[1], **val)
    assert clf.history_["val_loss"] == pytest.approx(expected, rel=1e-9)


def test_a_data_frame_is_scored_without_a_warning_of_names(X, y):
    X = pd.DataFrame(X, columns=list("abcde"))
    clf = mlp(early_stopping=True, scoring="roc_auc")
    clf.fit(X, y)
    clf.fit(X, y, X_val=X, y_val=y)


def test_grid_search_over_a_pipeline_that_stops_early_on_transformed_data(X, y):
    X = 100 + 10 * X
    clf = mlp(early_stopping=True, scoring="roc_auc")
    steps = [("scale", StandardScaler()), ("clf", clf)]
    with metadata_routing():
        model = Pipeline(steps, transform_input=["X_val"])
        search = GridSearchCV(model, {"clf__alpha": [0, 0.1]}, cv=2)
        search.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        best = search.best_estimator_
        expected = roc_auc_score(y[40:], best.predict_proba(X[40:])[:, 1])
    assert best["clf"].best_validation_score_ == pytest.approx(expected)
