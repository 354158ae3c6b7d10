"""A local Spark for the contenders that run on it: all with the same settings, one task a core, the same partitions."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pyarrow
from pyspark.sql import DataFrame, SparkSession

ROOT = Path(__file__).resolve().parents[2]
# More partitions than cores, so that no core waits for long at the end.
MIN_PARTITIONS_A_CORE = 2
MAX_PARTITION_ROWS = 250


def jar() -> str:
    """The jar that `make build` has left."""
    (built,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    return str(built)


def with_functions(model: Path) -> dict[str, object]:
    """The settings by which a session has our functions, and this model."""
    return {
        "spark.jars": jar(),
        "spark.sql.extensions": "io.sparkclassify.ClassifyExtensions",
        "spark.classify.model": str(model),
    }


def session(arguments: argparse.Namespace, settings: dict[str, object]) -> SparkSession:
    """Starts it."""
    builder = SparkSession.builder.appName("benchmark")
    common = {
        "spark.master": f"local[{arguments.cores}]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.default.parallelism": partitions(arguments),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # Engines have one thread each; Spark tells libraries so by itself only where it starts Python.
        "spark.executorEnv.OMP_NUM_THREADS": "1",
    }
    for key, value in (common | settings).items():
        builder = builder.config(key, str(value))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def partitions(arguments: argparse.Namespace) -> int:
    """How many, a multiple of the cores, make even work of the timed job."""
    with arguments.images.open(encoding="utf-8") as paths:
        rows = sum(1 for _ in paths) * arguments.passes
    return arguments.cores * max(MIN_PARTITIONS_A_CORE, math.ceil(rows / MAX_PARTITION_ROWS / arguments.cores))


def images(spark: SparkSession, paths: list[str]) -> DataFrame:
    """The paths as a DataFrame with the column `path`, in even partitions.

    It goes through Arrow: of a list, PySpark makes an RDD that starts a Python worker for every task.
    """
    table = pyarrow.table({"path": paths})
    return spark.createDataFrame(table if spark.version >= "4" else table.to_pandas())
