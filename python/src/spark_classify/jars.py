"""The jars that come with this package, and which of them fit a Spark.

A wheel holds a jar of classes for each line of Spark and Scala, and one with the native libraries of its platform,
which all of them share.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from spark_classify.errors import ClassifyError

_FOLDER = Path(__file__).parent / "jars"
_CLASSES = re.compile(r"spark-classify-spark(?P<spark>\d+(?:\.\d+)*)_(?P<scala>\d+\.\d+)-.+\.jar")
_NATIVES = "spark-classify-natives-*.jar"
_SPARK_CORE = re.compile(r"spark-core_(?P<scala>\d+\.\d+)-(?P<spark>\d+\.\d+.*)\.jar")


class SparkVersion(NamedTuple):
    """What decides which jar fits."""

    spark: str
    """Such as `4.1.1`; of a jar the part that counts, `4` or `3.5`."""
    scala: str
    """Such as `2.13`."""

    def __str__(self) -> str:
        return f"Spark {self.spark} with Scala {self.scala}"


def spark_home() -> Path:
    """The folder of the Spark that pyspark starts: SPARK_HOME where it is set, else that of the package pyspark.

    Raises ClassifyError where there is none.
    """
    home = os.environ.get("SPARK_HOME")
    if home:
        return Path(home)
    package = find_spec("pyspark")
    if package is None or package.origin is None:
        raise ClassifyError("there is no pyspark: install one (pip install 'pyspark>=3.5,<5'), or set SPARK_HOME")
    return Path(package.origin).parent


def installed_spark() -> SparkVersion:
    """The version of the Spark in `spark_home()`.

    Raises ClassifyError where there is none.
    """
    jars = spark_home() / "jars"
    for jar in sorted(jars.glob("spark-core_*.jar")):
        match = _SPARK_CORE.fullmatch(jar.name)
        if match:
            return SparkVersion(match["spark"], match["scala"])
    raise ClassifyError(
        f"there is no Spark in {jars.parent}: no jars/spark-core_….jar. Where pyspark is a client of Spark Connect "
        "alone, the jar belongs on the server"
    )


def jar_paths(spark: str | None = None, scala: str | None = None, *, folder: Path | None = None) -> list[Path]:
    """The files that Spark needs: the jar of classes for a Spark and Scala, and that of the native libraries.

    Both versions are those of `installed_spark()` where none is given. `folder` is where the jars are, by default
    those of this package; where it is the repository's sources, the jar that `make build` makes of them is it.

    Raises ClassifyError, which names what there is, where none fits.
    """
    wanted = installed_spark() if spark is None else None
    if wanted is not None:
        spark, scala = wanted.spark, scala or wanted.scala
    assert spark is not None
    of_package, folder = folder is None, folder or _FOLDER
    there = _classes(folder)
    if of_package and not there and (built := _built_in_repository()):
        return [built]
    if not there:
        raise ClassifyError(
            f"{folder} holds no jars: this spark-classify was not installed from a wheel for this platform (Linux, "
            "x86_64 or aarch64). Install one, or give Spark the jar of Maven, io.sparkclassify:spark-classify-…"
        )
    fitting = [line for line in there if _is_release_of(spark, line.spark) and scala in (None, line.scala)]
    if len(fitting) != 1:
        asked = SparkVersion(spark, scala) if scala else f"Spark {spark}"
        problem = f"several jars fit {asked}" if fitting else f"no jar for {asked}"
        raise ClassifyError(f"{problem}: there are those for {', '.join(map(str, sorted(fitting or there)))}")
    return [there[fitting[0]], *sorted(folder.glob(_NATIVES))]


def jar_path(spark: str | None = None, scala: str | None = None) -> str:
    """`jar_paths()` as `--jars` and `spark.jars` take them: URIs, with commas between them.

        spark-submit --jars "$(python -c 'import spark_classify; print(spark_classify.jar_path())')" …

    Raises ClassifyError as `jar_paths()` does, and where a comma is in their path.
    """
    paths = jar_paths(spark, scala)
    if any("," in str(path) for path in paths):
        # Spark separates them by commas, and undoes the escapes of an URI first.
        raise ClassifyError(
            f"{paths[0].parent}: Spark takes no jar whose path has a comma; install into another folder"
        )
    return ",".join(path.as_uri() for path in paths)


def _classes(folder: Path) -> dict[SparkVersion, Path]:
    matches = [(_CLASSES.fullmatch(path.name), path) for path in sorted(folder.glob("*.jar"))]
    return {SparkVersion(match["spark"], match["scala"]): path for match, path in matches if match}


def _built_in_repository() -> Path | None:
    """The jar that was built in the repository around this file; it has its native libraries in it."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "Cargo.toml").is_file():
            return next(iter(sorted((folder / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar"))), None)
    return None


def _is_release_of(version: str, line: str) -> bool:
    """Whether Spark 4.1.1 is one of line 4 or 4.1."""
    return f"{version}.".startswith(f"{line}.")
