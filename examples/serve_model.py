"""Serve a fitted classifier of tables over HTTP, with FastAPI and uvicorn.

    python examples/serve_model.py                   # a small model, fitted for this
    python examples/serve_model.py model.skops       # a model of your own
    python examples/serve_model.py model.skops --port 8080 --trust TYPE TYPE

POST /predict takes a row as a JSON object, or rows as a list of objects, and answers in
the same form. A value that is not known is null. Rows that do not fit the columns of
the model are refused with status 422, and the answer names each row and column that is
wrong. /docs shows the columns and tries rows, /columns lists the columns, and /health
tells that the server is up.

TabularMLPClassifier knows what its columns hold. In other models, columns for which a
ColumnTransformer has an encoder hold what the encoder saw, and all others hold numbers.
"""

import argparse
from datetime import UTC, datetime, timedelta
from numbers import Number
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import skops.io
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationError,
    with_config,
)
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from skbinnet import TRUSTED_TYPES, TabularMLPClassifier

MOST_ERRORS = 20  # that an answer lists

# ---- columns


class Kind(NamedTuple):
    """The type of a column's values in a row, and what an error calls them."""

    type: object
    words: str


def read_date(text):
    """A date or a time in ISO 8601; a time zone is converted to UTC, and left out."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        return time
    try:
        return time.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(str(error)) from error


# A boolean counts as a number, as in fit.
Finite = (
    Annotated[bool, Strict()]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)
IsoDate = Annotated[
    str, AfterValidator(read_date), Field(json_schema_extra={"format": "date-time"})
]
KINDS = {
    "number": Kind(Finite, "a finite number, true, false"),
    "text": Kind(str, "a text"),
    "date": Kind(IsoDate, "a date or time, such as 2024-05-31T18:30"),
    "duration": Kind(Annotated[timedelta, Strict()], "a duration, such as P3D or PT4H"),
    "number or text": Kind(Finite | str, "a finite number or a text"),
}


def columns_of(model):
    """The name and the kind of each column that a model was fitted to."""
    if isinstance(model, TabularMLPClassifier):
        kinds, categories = model.column_kinds_, model.categories_
    else:
        names = getattr(model, "feature_names_in_", range(model.n_features_in_))
        kinds, categories = dict.fromkeys(names, "number"), encoded_columns(model)
    return kinds | {name: kind_of(name, seen) for name, seen in categories.items()}


def encoded_columns(model):
    """The categories that encoders in ColumnTransformers have learned, by column."""
    return {
        name: categories
        for encoder, names in encoders_of(model)
        for name, categories in zip(names, encoder.categories_, strict=True)
    }


def encoders_of(model):
    """Each encoder in a ColumnTransformer of a Pipeline, and its columns."""
    steps = model.named_steps.values() if isinstance(model, Pipeline) else []
    for step in steps:
        parts = step.transformers_ if isinstance(step, ColumnTransformer) else []
        for _, part, columns in parts:
            names = getattr(part, "feature_names_in_", columns)
            for encoder in part if isinstance(part, Pipeline) else [part]:
                if hasattr(encoder, "categories_"):
                    yield encoder, names


def kind_of(name, categories):
    """The kind of a column of categories."""
    present = [value for value in categories if not pd.isna(value)]
    if present and all(isinstance(value, str) for value in present):
        return "text"
    if present and all(isinstance(value, Number | np.bool_) for value in present):
        return "number"
    if all(isinstance(value, str | Number | np.bool_) for value in present):
        return "number or text"
    raise ValueError(f"Column {name!r} has categories that JSON cannot express.")


# ---- rows


class Rows:
    """Reads the rows of a request for a model."""

    def __init__(self, model):
        self.columns = columns_of(model)
        self.kinds = {str(name): kind for name, kind in self.columns.items()}
        types = {name: KINDS[kind].type | None for name, kind in self.kinds.items()}
        Row = with_config(ConfigDict(extra="forbid"))(TypedDict("Row", types))
        self.one = TypeAdapter(Row)
        self.several = TypeAdapter(Annotated[list[Row], Field(min_length=1)])
        self.takes_frame = not isinstance(model, TabularMLPClassifier)

    def request_body(self):
        """The body of a request, as OpenAPI describes it."""
        row = self.one.json_schema()
        schema = {"anyOf": [row, {"type": "array", "items": row, "minItems": 1}]}
        return {"required": True, "content": {"application/json": {"schema": schema}}}

    def read(self, body, is_one):
        """Rows as the model takes them; raises ValidationError."""
        if is_one:
            rows = [self.one.validate_json(body)]
        else:
            rows = self.several.validate_json(body)
        if self.takes_frame:
            return pd.DataFrame(
                {name: self.column(rows, str(name)) for name in self.columns}
            )
        values = [[row[name] for name in self.kinds] for row in rows]
        return np.array(values, dtype=object)  # takes half the time of a data frame

    def column(self, rows, name):
        """A column of a data frame; missing values are NaN, as they were in fit."""
        values = [np.nan if row[name] is None else row[name] for row in rows]
        return np.array(values, float if self.kinds[name] == "number" else object)

    def errors(self, error, is_one):
        """What is wrong with a request, an item for each row and column."""
        found = {}
        for part in error.errors(include_url=False, include_context=False):
            place = (0, *part["loc"]) if is_one and part["loc"] else part["loc"]
            found.setdefault(place[:2], self.describe(part, place[:2]))
        return list(found.values())[:MOST_ERRORS]

    def describe(self, part, place):
        """Where and what an error is."""
        item = dict(zip(["row", "column"], place, strict=False))
        if part["type"] == "missing":
            return item | {"message": "is missing: send null if it is not known"}
        if part["type"] == "extra_forbidden":
            return item | {"message": "is not a column of the model"}
        if "column" in item:
            words = KINDS[self.kinds[item["column"]]].words
            message = f"must be {words} or null, got {part['input']!r:.60}"
            return item | {"message": message}
        return item | {"message": part["msg"]}


# ---- server


class Answer(TypedDict):
    """The most probable label, and the probability of each."""

    label: bool | int | float | str
    probabilities: dict[str, float]


def answers(classes, p):
    """An Answer for each row of probabilities."""
    names = [str(label) for label in classes]
    return [
        {"label": classes[best], "probabilities": dict(zip(names, row, strict=True))}
        for best, row in zip(p.argmax(axis=1), p.tolist(), strict=True)
    ]


def refusal(errors):
    """The response to rows that do not fit the model."""
    return JSONResponse({"detail": errors}, 422)


def make_app(model):
    """The application that serves a model."""
    app, rows, classes = FastAPI(title="A model"), Rows(model), model.classes_.tolist()

    # FastAPI would check rows too if they were an argument, but in twice the time.
    @app.post(
        "/predict",
        openapi_extra={"requestBody": rows.request_body()},
        responses={422: {"description": "Rows that do not fit the columns"}},
    )
    async def predict(request: Request) -> Answer | list[Answer]:
        body = await request.body()
        is_one = not body.lstrip().startswith(b"[")
        try:
            X = rows.read(body, is_one)
            p = await run_in_threadpool(model.predict_proba, X)
        except ValidationError as error:
            return refusal(rows.errors(error, is_one))
        except ValueError as error:  # a model may refuse what others take, such as null
            return refusal([{"message": str(error)}])
        found = answers(classes, p)
        return JSONResponse(found[0] if is_one else found)

    @app.get("/columns")
    def columns() -> dict[str, str]:
        return rows.kinds

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def example_model():
    """A model of invented customers, to try the server with."""
    rng, n_rows = np.random.default_rng(0), 1000
    days = rng.integers(2000, size=n_rows)
    X = pd.DataFrame(
        {
            "age": rng.normal(45, 14, n_rows).round(),
            "city": rng.choice(["Bonn", "Oslo", "Rome"], n_rows),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"),
        }
    )
    leaves = (X["age"] > 50) ^ (X["city"] == "Rome") ^ (days > 1800)
    X.loc[::7, "age"] = None
    return TabularMLPClassifier(random_state=0).fit(
        X, np.where(leaves, "leaves", "stays")
    )


def main():
    parser = argparse.ArgumentParser(description="Serve a fitted classifier over HTTP.")
    parser.add_argument(
        "file", nargs="?", type=Path, help="a model that skops.io.dump has saved"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--trust", nargs="+", default=[], help="types in the file, beside those known"
    )
    args = parser.parse_args()
    if args.file and not args.file.is_file():
        parser.error(f"there is no file {args.file}")
    if args.file:
        model = skops.io.load(args.file, trusted=TRUSTED_TYPES + args.trust)
    else:
        model = example_model()
    uvicorn.run(make_app(model), host=args.host, port=args.port, access_log=False)


if __name__ == "__main__":
    main()
