"""The models of tables.py, and what is done to a table for each of them."""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from unittest.mock import patch

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

NUMBERS = make_column_selector(dtype_include="number")
TEXTS = make_column_selector(dtype_exclude="number")


# ---- what is done to a table before, as the model's user would


class Categories(TransformerMixin, BaseEstimator):
    """Texts as pandas categories; columns of more than `most` as their numbers.

    Columns without a value are left out: HistGradientBoosting cannot bin them.
    """

    def __init__(self, most=np.inf):
        self.most = most

    def fit(self, X, y=None):
        self.columns_ = list(X.columns[X.notna().any()])
        texts = X[self.columns_].select_dtypes(exclude="number")
        self.categories_ = {name: sorted(set(texts[name].dropna())) for name in texts}
        return self

    def transform(self, X):
        columns = {name: self.encode(X[name]) for name in self.categories_}
        return X[self.columns_].assign(**columns)

    def encode(self, texts):
        categories = self.categories_[texts.name]
        known = texts.where(texts.isin(categories))  # others are missing
        column = known.astype(pd.CategoricalDtype(categories))
        if len(categories) <= self.most:
            return column
        return column.cat.codes.where(column.notna())


def at_most_255():
    """HistGradientBoosting takes no more categories of a column."""
    return Categories(most=255)


def median():
    return SimpleImputer(strategy="median", keep_empty_features=True)


def strings(numbers="passthrough"):
    """Missing texts become a text; numbers stay as they are."""
    named = SimpleImputer(
        strategy="constant", fill_value="missing", keep_empty_features=True
    )
    return make_column_transformer(
        (named, TEXTS), (numbers, NUMBERS), verbose_feature_names_out=False
    ).set_output(transform="pandas")


def filled():
    """Missing texts become a text, missing numbers the median."""
    return strings(median())


def encoded():
    """Z-scores and one-hot columns."""
    one_hot = OneHotEncoder(max_categories=30, handle_unknown="infrequent_if_exist")
    z_scores = make_pipeline(median(), StandardScaler())
    return make_column_transformer((z_scores, NUMBERS), (one_hot, TEXTS))


def dates_to_days(X):
    days = (X.select_dtypes("datetime") - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return X.assign(**days)


# ---- models


@dataclass
class Model:
    """A class of a package, its parameters, and a table as it wants it."""

    name: str
    path: str
    params: dict
    prepare: Callable | None = None  # None: it gets the table as it comes
    texts: str | None = None  # the parameter of fit that names the columns of texts
    private: dict = field(default_factory=dict)  # names in skbinnet, and other values

    @property
    def package(self):
        return self.path.split(".")[0]

    def estimator(self):
        module, name = self.path.rsplit(".", 1)
        return getattr(import_module(module), name)(**self.params)

    @contextmanager
    def changed(self):
        """Replace the private values for as long as the model is measured."""
        with ExitStack() as stack:
            for name, value in self.private.items():
                stack.enter_context(patch(f"skbinnet.{name}", value))
            yield

    def fit(self, estimator, X, y):
        """Prepare the table and fit; return what predicts."""
        if self.prepare is None:
            return estimator.fit(X, y)
        to_days = FunctionTransformer(dates_to_days)
        pipeline, options = make_pipeline(to_days, self.prepare(), estimator), {}
        if self.texts:
            names = list(X.select_dtypes(exclude=["number", "datetime"]))
            options = {f"{pipeline.steps[-1][0]}__{self.texts}": names}
        return pipeline.fit(X, y, **options)


SEED = {"random_state": 0}
JOBS = SEED | {"n_jobs": 1}
XGBOOST = JOBS | {"enable_categorical": True}
CATBOOST = SEED | {"thread_count": 1, "verbose": False, "allow_writing_files": False}
TABM = SEED | {"device": "cpu", "n_threads": 1, "val_metric_name": "cross_entropy"}
REALMLP = TABM | {"use_ls": False}  # as pytabkit advises for probabilities
HGB = "sklearn.ensemble.HistGradientBoostingClassifier"

MODELS = [
    Model("TabularMLPClassifier", "skbinnet.TabularMLPClassifier", SEED),
    Model("BinaryMLPClassifier", "skbinnet.BinaryMLPClassifier", SEED, encoded),
    Model("CatBoost", "catboost.CatBoostClassifier", CATBOOST, strings, "cat_features"),
    Model("LightGBM", "lightgbm.LGBMClassifier", JOBS | {"verbose": -1}, Categories),
    Model("XGBoost", "xgboost.XGBClassifier", XGBOOST, Categories),
    Model("HistGradientBoosting", HGB, SEED, at_most_255),
    Model("RandomForest", "sklearn.ensemble.RandomForestClassifier", JOBS, encoded),
    Model("MLPClassifier", "sklearn.neural_network.MLPClassifier", SEED, encoded),
    Model("LogisticRegression", "sklearn.linear_model.LogisticRegression", {}, encoded),
    Model(
        "RealMLP", "pytabkit.RealMLP_TD_Classifier", REALMLP, filled, "cat_col_names"
    ),
    Model("TabM", "pytabkit.TabM_D_Classifier", TABM, filled, "cat_col_names"),
]

# TabularMLPClassifier with a part taken away or changed
ABLATED = {
    "as it is": {},
    "1 network": {"n_estimators": 1},
    "3 networks": {"n_estimators": 3},
    "9 networks": {"n_estimators": 9},
    "one hidden layer": {"hidden_layer_sizes": (64,)},
    "128 units a layer": {"hidden_layer_sizes": (128, 128)},
    "20 epochs": {"max_iter": 20},
    "2 knots": {"n_knots": 2},
    "8 knots": {"n_knots": 8},
    "dropout 0": {"dropout": 0},
    "dropout 0.3": {"dropout": 0.3},
    "alpha 0": {"alpha": 0},
    "alpha 0.003": {"alpha": 0.003},
}
VIEWS = "_encoding.TableEncoder.views"
WITHOUT = {
    "without ramps": {VIEWS: (("values", "scores"), ("scores",), ("ranks",))},
    "without values": {VIEWS: (("ramps", "scores"), ("scores",), ("ranks",))},
    "without the first view": {VIEWS: (("scores",), ("ranks",))},
    "without the second view": {VIEWS: (("ramps", "values", "scores"), ("ranks",))},
    "without the third view": {VIEWS: (("ramps", "values", "scores"), ("scores",))},
    "without pairs": {"_encoding.MAX_PAIRED": 0},
    "equal weights of the views": {"_tabular.PRIOR": 1e9},
}
TABULAR = "skbinnet.TabularMLPClassifier"
ABLATIONS = [
    *(Model(name, TABULAR, SEED | params) for name, params in ABLATED.items()),
    *(Model(name, TABULAR, SEED, private=parts) for name, parts in WITHOUT.items()),
]
