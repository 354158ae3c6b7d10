"""A jar on a Spark that it is not made for: one sentence says so, whichever way the jar comes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import EXTENSION, ROOT

# What links to classes that are not there, or reads classes of a newer Java, says only that.
LINKAGE = re.compile(r"NoSuchMethodError|NoClassDefFoundError|UnsupportedClassVersionError|ServiceConfigurationError")
FOUR = "for Spark 4 with Scala 2.13, and this is Spark "
THREE = "for Spark 3.5 with Scala 2.12, and this is Spark "
NONE = "there is no spark-classify for it, only for Spark 3.5 and 4"

# Spark loads what it finds by itself and logs what that throws, so it is the query that fails; an extension that is
# named ends the start of the session. `print` also of what a query has besides.
SESSIONS = """
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
for query in ["SELECT 1", "SELECT image_hash('a.png')"]:
    try:
        print("FOUND answered", spark.sql(query).collect())
    except Exception as error:
        print("FOUND", str(error).splitlines()[:6])
spark.stop()
try:
    SparkSession.builder.config("spark.sql.extensions", "io.sparkclassify.ClassifyExtensions").getOrCreate()
    print("NAMED started")
except Exception as error:
    print("NAMED", str(error).splitlines()[:6])
"""


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
        ("3.5.6_2.13", "spark3.5_2.12", f"{THREE}3.5.6 with Scala 2.13.8: take spark-classify-spark3.5_2.13 instead"),
        ("3.4.4", "spark3.5_2.12", f"{THREE}3.4.4 with Scala 2.12.17: {NONE}"),
        ("3.4.4", "spark4_2.13", f"{FOUR}3.4.4 with Scala 2.12.17: {NONE}"),
    ],
)
def test_the_sentence(spark_run, jars, tmp_path, spark, line, sentence):
    expected = re.compile(rf"spark-classify-{re.escape(line)} \S+ is made {re.escape(sentence)}")
    env = {"SPARK_HOME": installed("spark_home.sh", spark)}
    script = tmp_path / "sessions.py"
    script.write_text(SESSIONS)
    done = spark_run("spark-submit", "--master", "local[1]", "--jars", jars[line], script, env=env)
    found = [text for text in done.stdout.splitlines() if text.startswith(("FOUND", "NAMED"))]
    assert [text.split()[0] for text in found] == ["FOUND", "FOUND", "NAMED"]
    for text in found:
        assert expected.search(text), done.stdout
    # Spark logs it too, when the session starts.
    assert expected.search(done.stderr) and not LINKAGE.search(done.stderr + done.stdout), done.stderr

    job = spark_run("spark-submit", "--class", "io.sparkclassify.ClassifyJob", jars[line], env=env, check=False)
    assert job.returncode != 0 and expected.search(job.stderr), job.stderr
    assert not LINKAGE.search(job.stderr), job.stderr


def test_java_11_is_enough_for_the_sentence_and_for_spark_3_5(spark_run, jars):
    """What a jar for Spark 4 has besides is compiled for Java 17."""
    env = {"SPARK_HOME": installed("spark_home.sh", "3.5.9"), "JAVA_HOME": installed("java_home.sh", "11")}
    query = ["-e", "SELECT classify('dataset/all_images/' || image_path, 'onnx').class FROM images LIMIT 1"]
    query[1] = "SELECT image_hash('tests/golden/images/colours.png')"
    wrong = spark_run("spark-sql", "--master", "local[1]", "--jars", jars["spark4_2.13"], *query, env=env, check=False)
    assert wrong.returncode != 0 and "take spark-classify-spark3.5_2.12 instead" in wrong.stderr, wrong.stderr
    assert not LINKAGE.search(wrong.stderr), wrong.stderr


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
        named = spark_run("spark-sql", "--jars", jar, "--conf", EXTENSION, "-e", query, env=env, check=False)
        assert named.returncode != 0 and sentence in named.stderr, named.stderr
