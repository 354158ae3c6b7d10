"""A jar on a Spark that it is not made for: one sentence says so, whichever way the jar comes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import EXTENSION, ROOT, SLOW

# What links to classes that are not there, or reads classes of a newer Java, says only that.
LINKAGE = re.compile(r"NoSuchMethodError|NoClassDefFoundError|UnsupportedClassVersionError|ServiceConfigurationError")
FOUR = "for Spark 4 with Scala 2.13, and this is Spark "
THREE = "for Spark 3.5 with Scala 2.12, and this is Spark "
NONE = "there is no spark-classify for it, only for Spark 3.5 and 4"


def installed(script: str, version: str) -> str:
    return subprocess.run(
        [ROOT / "scripts" / script, version], check=True, capture_output=True, text=True
    ).stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def jars(jar) -> dict[str, Path]:
    """The jars of two lines."""
    home = installed("spark_home.sh", "3.5.9")
    subprocess.run(["gradle", "--quiet", "jar", f"-PsparkHome={home}"], cwd=ROOT, check=True)
    (other,) = (ROOT / "spark-udf-jvm/build/spark3.5_2.12/libs").glob("spark-classify-spark3.5_2.12-*.jar")
    return {"spark4_2.13": jar, "spark3.5_2.12": other}


@pytest.mark.parametrize(
    ("spark", "line", "sentence"),
    [
        ("3.5.9", "spark4_2.13", f"{FOUR}3.5.9 with Scala 2.12.18: take spark-classify-spark3.5_2.12 instead"),
        ("4.3.0", "spark3.5_2.12", f"{THREE}4.3.0 with Scala 2.13.18: take spark-classify-spark4_2.13 instead"),
        # To install the other releases takes longer than to ask them.
        pytest.param(
            *["3.5.6_2.13", "spark3.5_2.12"],
            f"{THREE}3.5.6 with Scala 2.13.8: take spark-classify-spark3.5_2.13 instead",
            marks=SLOW,
        ),
        pytest.param("3.4.4", "spark3.5_2.12", f"{THREE}3.4.4 with Scala 2.12.17: {NONE}", marks=SLOW),
        pytest.param("3.4.4", "spark4_2.13", f"{FOUR}3.4.4 with Scala 2.12.17: {NONE}", marks=SLOW),
    ],
)
def test_the_sentence(spark_run, jars, tmp_path, spark, line, sentence):
    """Spark only logs what an extension throws that it has found by itself, so there it is the query that fails."""
    expected = re.compile(rf"spark-classify-{re.escape(line)} \S+ is made {re.escape(sentence)}")
    env = {"SPARK_HOME": installed("spark_home.sh", spark)}
    jar = jars[line]
    query = tmp_path / "query.py"
    query.write_text("from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate().sql('SELECT 1')\n")
    ways = {
        "found": ["spark-sql", "--master", "local[1]", "--jars", jar, "-e", "SELECT 1"],
        "named": ["spark-submit", "--master", "local[1]", "--jars", jar, "--conf", EXTENSION, query],
        "job": ["spark-submit", "--master", "local[1]", "--class", "io.sparkclassify.ClassifyJob", jar],
    }
    if spark.endswith("_2.13"):
        # Not all of its jars are there.
        del ways["found"]
    for way, command in ways.items():
        done = spark_run(*command, env=env, check=False)
        assert done.returncode != 0 and expected.search(done.stderr), (way, done.stdout, done.stderr)
        assert not LINKAGE.search(done.stderr), (way, done.stderr)


def test_java_11_is_enough_for_the_sentence(spark_run, jars):
    """What a jar for Spark 4 has besides is compiled for Java 17."""
    env = {"SPARK_HOME": installed("spark_home.sh", "3.5.9"), "JAVA_HOME": installed("java_home.sh", "11")}
    wrong = ["spark-sql", "--master", "local[1]", "--jars", jars["spark4_2.13"], "-e", "SELECT 1"]
    done = spark_run(*wrong, env=env, check=False)
    assert done.returncode != 0 and "take spark-classify-spark3.5_2.12 instead" in done.stderr, done.stderr
    assert not LINKAGE.search(done.stderr), done.stderr


@pytest.mark.parametrize("version", ["5.0.0", "4.99.0"])
def test_a_spark_to_come(spark_run, jars, tmp_path, version):
    """A real Spark that says it is newer: the properties that it has its version from come from elsewhere."""
    (tmp_path / "spark-version-info.properties").write_text(
        "".join(
            f"{key}={version if key == 'version' else 'x'}\n"
            for key in ("version", "user", "revision", "branch", "date", "url", "docroot")
        )
    )
    env = {"SPARK_HOME": installed("spark_home.sh", "4.3.0"), "SPARK_CONF_DIR": str(tmp_path)}
    image = sorted(os.listdir(ROOT / "dataset/all_images"))[0]
    query = f"SELECT image_hash('dataset/all_images/{image}')"
    jar = jars["spark4_2.13"]
    done = spark_run("spark-sql", "--master", "local[1]", "--jars", jar, "-e", query, env=env, check=False)
    if version.startswith("4."):
        assert done.returncode == 0, done.stderr
        warnings = [line for line in done.stderr.splitlines() if "was tested with Spark" in line]
        assert len(warnings) == 1 and f"and this is Spark {version}" in warnings[0], done.stderr
    else:
        sentence = f"{FOUR}{version} with Scala 2.13.18: look for a newer release of spark-classify"
        assert done.returncode != 0 and sentence in done.stderr, done.stderr
