"""docs/ml.md and docs/scala.md: their code runs as it stands there, one block after the other."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from conftest import CLASSES, ROOT

MODELS = {
    "spark.classify.model": "model",
    "spark.classify.models.clip": "tests/golden/colour-embedding",
    "spark.classify.backend": "onnx",
}
OPTIONS = [word for key, value in MODELS.items() for word in ("--conf", f"{key}={value}")]


def code(page: str, language: str) -> str:
    text = (ROOT / "docs" / page).read_text()
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def test_python(spark_run, jar, tmp_path):
    program = tmp_path / "page.py"
    start = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"
    program.write_text(start + code("ml.md", "python").replace("target/ml", str(tmp_path)))
    package = {"PYTHONPATH": str(ROOT / "python/src")}
    done = spark_run("spark-submit", "--master", "local[2]", "--jars", jar, *OPTIONS, program, env=package)
    (accuracy,) = re.findall(r"^accuracy (\S+)$", done.stdout, re.MULTILINE)
    assert float(accuracy) > 0.9
    assert all(name in done.stdout for name in CLASSES)
    for row in (r"\|no/such.jpg +\|NULL +\|\[CLASSIFY_UNREADABLE_IMAGE\]", r"\|NULL +\|NULL +\|the image is NULL"):
        assert re.search(row, done.stdout), done.stdout
    assert (tmp_path / "cards/stages").is_dir()


@pytest.mark.parametrize(("page", "shown"), [("ml.md", "only showing top 5 rows"), ("scala.md", "valid_id")])
def test_scala(spark_run, jar, page, shown):
    program = code(page, "scala")
    done = spark_run("spark-shell", "--master", "local[2]", "--jars", jar, *OPTIONS, stdin=program)
    assert shown in done.stdout
    # The shell goes on after an error, and says so.
    assert "error:" not in done.stdout and "Exception" not in done.stdout, done.stdout


def test_java(spark_run, jar, tmp_path):
    (tmp_path / "Columns.java").write_text(code("scala.md", "java"))
    class_path = f"{os.environ['SPARK_HOME']}/jars/*:{jar}"
    subprocess.run(["javac", "-classpath", class_path, "-d", tmp_path, tmp_path / "Columns.java"], check=True)
    subprocess.run(["jar", "--create", "--file", tmp_path / "page.jar", "-C", tmp_path, "Columns.class"], check=True)
    options = ["--master", "local[2]", "--jars", jar, *OPTIONS, "--class", "Columns"]
    done = spark_run("spark-submit", *options, tmp_path / "page.jar")
    assert sum(done.stdout.count(name) for name in CLASSES) == 9
