"""Spark sessions that have the functions."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from spark_classify.errors import ClassifyError
from spark_classify.jars import installed_spark, jar_path, spark_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_JARS = "spark.jars"
_EXTENSIONS = "spark.sql.extensions"
_OURS = "io.sparkclassify.ClassifyExtensions"
_MODEL = "spark.classify.model"


def configure(builder: SparkSession.Builder, model: str | os.PathLike[str] | None = None) -> SparkSession.Builder:
    """Adds the jars that fit the installed Spark to a session's builder, and returns it.

        spark = spark_classify.configure(SparkSession.builder.master("local[*]"), model="/models/id-card").getOrCreate()
        spark.sql("SELECT classify('/images/1.png')").show()

    Call it last: what the builder has in `spark.jars` by then is kept, and so is what `spark-defaults.conf` says.
    `model` is the directory or URI of the model (`spark.classify.model`).

    Spark reads `spark.jars` when it starts. In a program that `spark-submit` runs it has been started, and nothing is
    added: the jars are given with `--jars "$(spark-classify jars)"` or `--packages`.

    Raises ClassifyError where the jars would not come to Spark: none fits it, it runs in this process already, it is a
    Connect server elsewhere, or PYSPARK_SUBMIT_ARGS has jars of its own, which Spark takes in the place of these.
    """
    options = _options_of(builder)
    if model is not None:
        builder = builder.config(_MODEL, os.fspath(model))
    remote = options.get("spark.remote") or os.environ.get("SPARK_REMOTE", "")
    if remote.startswith("sc://"):
        raise ClassifyError(
            f"{remote} is a Spark Connect server, which must have the jars itself: start it with --jars or --packages, "
            "and this program needs nothing of spark_classify.configure"
        )
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return builder
    if _is_running():
        raise ClassifyError(
            "Spark runs in this Python process already, with the jars that it was started with: call "
            "spark_classify.configure or start before the first session, in a fresh process"
        )
    _refuse_jars_of_submit_arguments()
    builder = builder.config(_JARS, _added(jar_path(), options.get(_JARS) or _default(_JARS)))
    if installed_spark().spark.startswith("3."):
        # PySpark 3.5 makes its sessions without looking for the extensions that register themselves.
        builder = builder.config(_EXTENSIONS, _added(_OURS, options.get(_EXTENSIONS) or _default(_EXTENSIONS)))
    return builder


def start(model: str | os.PathLike[str] | None = None, **conf: object) -> SparkSession:
    """A session with the functions, started or, where `spark-submit` runs this program, found.

        spark = spark_classify.start("/models/id-card", **{"spark.master": "local[4]"})

    `model` is the directory or URI of the model, and `conf` is what `SparkSession.builder.config` takes.

    Raises ClassifyError as `configure` does, and where the Spark of `spark-submit` was started without the jar.
    """
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for key, value in conf.items():
        builder = builder.config(key, value)
    session = configure(builder, model).getOrCreate()
    if not session.catalog.functionExists("classify"):
        raise ClassifyError(
            "the Spark of this program was started without spark-classify: give it to spark-submit, with "
            '--jars "$(spark-classify jars)" or --packages, and on Spark 3.5 also '
            f"--conf {_EXTENSIONS}={_OURS}"
        )
    return session


def _options_of(builder: SparkSession.Builder) -> dict[str, str]:
    """What was set so far; PySpark has no public name for it."""
    options: dict[str, str] = getattr(builder, "_options", {})
    return options


def _is_running() -> bool:
    try:
        from pyspark import SparkContext
    except ImportError:
        # A client of Spark Connect alone; which jars fit it is asked next.
        return False
    return getattr(SparkContext, "_gateway", None) is not None


def _refuse_jars_of_submit_arguments() -> None:
    """What PYSPARK_SUBMIT_ARGS says is stronger than the configuration of a session, and would take its place."""
    arguments = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    for argument in arguments:
        name = argument.removeprefix("--conf=").partition("=")[0]
        if name in ("--jars", _JARS):
            raise ClassifyError(
                f"PYSPARK_SUBMIT_ARGS has {name}, in whose place Spark would not take the jars of spark_classify: give "
                'those jars to the builder, as .config("spark.jars", "…")'
            )


def _default(key: str) -> str:
    """What spark-defaults.conf has for a key, in whose place Spark takes what a session has."""
    folder = os.environ.get("SPARK_CONF_DIR") or spark_home() / "conf"
    try:
        lines = Path(folder, "spark-defaults.conf").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    matches = [re.match(rf"\s*{re.escape(key)}(?:\s*[=:]\s*|\s+)(\S.*)", line) for line in lines]
    return next((match[1].strip() for match in reversed(matches) if match), "")


def _added(ours: str, others: str) -> str:
    """A list with commas, and ours in it once."""
    return others if ours in others.split(",") else ",".join(filter(None, [others, ours]))
