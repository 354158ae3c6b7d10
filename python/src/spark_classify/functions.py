"""The SQL functions as functions of columns, for classic sessions and for Spark Connect.

    from spark_classify import functions as sc
    images.select("path", sc.classify("path").alias("c")).select("path", "c.class", "c.confidence")

`image` is a column or its name: a path or URI (STRING), an image's content (BINARY), or the struct of Spark's `image`
source. NULL gives NULL. `model` is a NAME for which `spark.classify.models.NAME` is set (or a directory or URI, where
`spark.classify.model.allowPaths` is true), and `backend` `auto`, `pytorch` or `onnx`; where they are not given,
`spark.classify.model` and `spark.classify.backend` count. Both are the same for all rows.

Wrong arguments, models and configurations are an `AnalysisException` when the query is made. A bad image fails the
query that it is in, with its path and the reason; functions that begin with `try_` say it in a field `error` instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.functions import call_function, lit

if TYPE_CHECKING:
    from pyspark.sql import Column

    ColumnOrName = Column | str

__all__ = [
    "classify",
    "classify_topk",
    "embed_image",
    "image_hash",
    "try_classify",
    "try_embed_image",
    "try_image_hash",
]


def classify(image: ColumnOrName, backend: str | None = None, model: str | None = None) -> Column:
    """The class of an image: `STRUCT<class: STRING, class_id: INT, confidence: FLOAT, probabilities: ARRAY<FLOAT>>`.

    `probabilities` are in class-id order, in 0 to 1, as many as the model has classes. `confidence` is that of `class`.
    """
    return _call("classify", [image], backend, model)


def try_classify(image: ColumnOrName, backend: str | None = None, model: str | None = None) -> Column:
    """As `classify`, with a field `error: STRING` more: NULL, or why the image has no class and the others are NULL."""
    return _call("try_classify", [image], backend, model)


def classify_topk(image: ColumnOrName, k: int, backend: str | None = None, model: str | None = None) -> Column:
    """The `k` most probable classes: `ARRAY<STRUCT<class: STRING, class_id: INT, confidence: FLOAT>>`, the best first.

    `k` is 1 or more. There are as many as the model has classes where those are fewer.
    """
    return _call("classify_topk", [image, lit(k)], backend, model)


def embed_image(image: ColumnOrName, backend: str | None = None, model: str | None = None) -> Column:
    """The embedding of an image, `ARRAY<FLOAT>`, as long as the model's output, of length 1 where the model says so."""
    return _call("embed_image", [image], backend, model)


def try_embed_image(image: ColumnOrName, backend: str | None = None, model: str | None = None) -> Column:
    """As `embed_image`: `STRUCT<embedding: ARRAY<FLOAT>, error: STRING>`, one of them NULL."""
    return _call("try_embed_image", [image], backend, model)


def image_hash(image: ColumnOrName) -> Column:
    """The perceptual hashes of an image, 64 bits each: `STRUCT<phash: BIGINT, dhash: BIGINT>`. It needs no model."""
    return call_function("image_hash", image)


def try_image_hash(image: ColumnOrName) -> Column:
    """As `image_hash`, with another field, `error: STRING`: NULL, or why the image has no hash."""
    return call_function("try_image_hash", image)


def _call(name: str, required: list[ColumnOrName], backend: str | None, model: str | None) -> Column:
    # By position, as functions are called; NULL stands for an option that is not given.
    options = (
        [] if model is None and backend is None else [lit(backend)] if model is None else [lit(backend), lit(model)]
    )
    return call_function(name, *required, *options)
