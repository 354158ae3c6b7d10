"""Classifies a labelled set of images from PySpark, through SQL alone.

    spark-submit --jars spark-classify_2.13-<version>.jar scripts/spark_infer.py [pytorch|onnx]

Python only writes the queries here: the images are read, decoded and classified inside the executor JVMs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession

T = TypeVar("T")

# As RFC 4180 and Python's `csv` have it. To read it back in Spark: header, escape '"', multiLine, lineSep "\n".
CSV = {
    "header": True,
    "escape": '"',
    "quoteAll": True,
    "lineSep": "\n",
    "ignoreLeadingWhiteSpace": False,
    "ignoreTrailingWhiteSpace": False,
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", nargs="?", default="pytorch", choices=["pytorch", "onnx"])
    parser.add_argument("--images", default="dataset/image_data.csv", help="CSV: image_path, actual_class, ...")
    parser.add_argument("--image-dir", default="dataset/all_images", help="what image_path is relative to")
    parser.add_argument("--model", default="model", help="the model directory")
    parser.add_argument("--output", help="where to write the predictions as CSV; not written when left out")
    return parser.parse_args()


def timed(what: str, action: Callable[[], T]) -> T:
    """Runs an action whose result is really there when it returns, and prints how long that took."""
    start = time.perf_counter()
    result = action()
    print(f"{what}: {time.perf_counter() - start:.2f} s")
    return result


def classify_images(spark: SparkSession, args: argparse.Namespace) -> DataFrame:
    """The predictions, one row an image, computed once and kept: the queries below read them from the cache."""
    spark.read.csv(args.images, header=True, escape='"', multiLine=True).createOrReplaceTempView("images")
    predictions = spark.sql(
        """
        SELECT image_path, actual_class, CAST(actual_class_id AS INT) AS actual_class_id,
               c.class AS predicted_class, c.class_id AS predicted_class_id, c.confidence, c.probabilities
        FROM (SELECT *, classify(concat(:image_dir, '/', image_path), :backend) AS c FROM images)
        """,
        {"image_dir": args.image_dir, "backend": args.backend},
    ).cache()
    predictions.createOrReplaceTempView("predictions")
    return predictions


def main() -> None:
    args = parse_args()
    spark = SparkSession.builder.appName(f"spark_infer ({args.backend})").getOrCreate()
    spark.conf.set("spark.classify.model", args.model)

    predictions = classify_images(spark, args)
    images = timed(f"classify with {args.backend}, model load included", predictions.count)
    print(f"images: {images}")

    timed(
        "prediction details",
        lambda: spark.sql(
            """
            SELECT image_path, actual_class, predicted_class, round(confidence, 4) AS confidence,
                   actual_class = predicted_class AS correct
            FROM predictions ORDER BY image_path LIMIT 20
            """
        ).show(truncate=False),
    )
    timed(
        "confusion matrix",
        lambda: (
            spark.sql(
                """
            SELECT actual_class, concat(predicted_class, ' (', predicted_class_id, ')') AS predicted FROM predictions
            """
            )
            .groupBy("actual_class")
            .pivot("predicted")  # With its id: two classes may have one name.
            .count()
            .orderBy("actual_class")
            .na.fill(0)
            .show(truncate=False)
        ),
    )
    accuracy = spark.sql("SELECT avg(CAST(actual_class = predicted_class AS INT)) FROM predictions").first()[0]
    print(f"accuracy: {accuracy:.4f}")

    if args.output:
        rows = predictions.withColumn("probabilities", predictions.probabilities.cast("string"))
        timed("write", lambda: rows.write.csv(args.output, mode="overwrite", **CSV))
    spark.stop()


if __name__ == "__main__":
    main()
