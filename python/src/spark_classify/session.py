"""Spark sessions that have the functions."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_classify import captured
from spark_classify.errors import ClassifyError
from spark_classify.jars import installed_spark, jar_path, spark_home

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

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

    Errors of queries are PySpark's own exceptions from then on, in one line (see `register`).

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
    captured.install()
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
    return register(configure(builder, model).getOrCreate())


def register(spark: SparkSession) -> SparkSession:
    """The same session, with the functions: one that runs already gets what it lacks, as do those made of it later.

        spark = spark_classify.register(spark)  # in a notebook or a program whose session others have started

    PySpark 3.5 needs it where `spark.sql.extensions` does not name `io.sparkclassify.ClassifyExtensions`. Elsewhere
    sessions find what is in the jars by themselves, and only their errors come in one line then. So do those of Spark
    Connect, whose server must have the jar: `spark.sql.connect.serverStacktrace.enabled` of the session becomes false.

    Raises ClassifyError where Spark was started without the jar; it cannot be added to a Spark that runs.
    """
    if is_connect(spark):
        if not spark.catalog.functionExists("classify"):
            raise ClassifyError(
                "the Spark Connect server of this session has no spark-classify: start it with --packages or --jars "
                "(and a jar for its release of Spark)"
            )
        spark.conf.set("spark.sql.connect.serverStacktrace.enabled", "false")
        return spark
    captured.install()
    _extend(spark)
    return spark


def info(spark: SparkSession) -> DataFrame:
    """What the driver and each executor have to classify with: a row for each of them and each backend.

    The columns are those of the SQL function `classify_info`: executor, host, backend, available, engine_version,
    jar_version, spark_version, instruction_set, devices, loaded_models, reason (why a backend is not available),
    no_gpu and notes.
    """
    return spark.sql("SELECT * FROM classify_info()")


def is_connect(spark: SparkSession) -> bool:
    """Whether it is a client of Spark Connect, which has no JVM."""
    return type(spark).__module__.startswith("pyspark.sql.connect.")


def of_the_jar(found: Any) -> Any:
    """The class of the jar that py4j found; raises ClassifyError where Spark was started without the jar."""
    from py4j.java_gateway import JavaPackage

    # What py4j takes a class for that is not there.
    if isinstance(found, JavaPackage):
        raise ClassifyError(
            "the Spark of this program was started without spark-classify, and a jar that is added later does not "
            'reach it: give spark-submit --jars "$(spark-classify jars)" or --packages, or stop this session and '
            "start one with spark_classify.start() in a fresh Python process"
        )
    return found


def _extend(spark: SparkSession) -> None:
    from pyspark.errors import UnsupportedOperationException

    session: Any = spark
    extensions = of_the_jar(session._jvm.io.sparkclassify.ClassifyExtensions)
    try:
        extensions.register(session._jsparkSession)
    except UnsupportedOperationException as unfit:
        # In its own words: for which Spark this jar is, and which one to take.
        raise ClassifyError(str(unfit)) from None


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
