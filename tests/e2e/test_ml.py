"""Spark ML's transformers from Python: `spark_classify.ml` in classic sessions and over Spark Connect."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

import pytest
from conftest import CLASSES, ROOT, python_conf, run_client

PROGRAM = Path(__file__).with_name("ml_program.py")
MODELS = {
    "spark.classify.model": "model",
    "spark.classify.models.colours": "tests/golden/colour-embedding",
    "spark.classify.backend": "onnx",
}
OPTIONS = [word for key, value in MODELS.items() for word in ("--conf", f"{key}={value}")]
needs_connect = pytest.mark.skipif(bool(python_conf()), reason="Spark ML over Connect is new in Spark 4")


@pytest.fixture
def python_path(monkeypatch) -> None:
    """Programs import spark_classify from the sources."""
    others = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "python/src"), *([others] if others else [])]))


@pytest.fixture(scope="module")
def labels() -> dict[str, int]:
    with (ROOT / "dataset/image_data.csv").open(newline="") as file:
        return {row["image_path"]: int(row["actual_class_id"]) for row in csv.DictReader(file)}


def check(results: dict, golden: dict[str, list[float]], labels: dict[str, int]) -> None:
    """What has to come of `ml_program.py`, wherever it ran."""
    predictions = {name: rest for name, *rest in results["predictions"]}
    assert predictions.keys() == golden.keys()
    for name, (prediction, label, probabilities) in predictions.items():
        best = golden[name].index(max(golden[name]))
        assert (prediction, label) == (best, CLASSES[best]), name
        assert probabilities == pytest.approx(golden[name], abs=1e-4), name
    right = [golden[name].index(max(golden[name])) == label for name, label in labels.items()]
    assert results["accuracy"] == pytest.approx(sum(right) / len(right))
    losses = [-math.log(min(max(golden[name][label], 1e-15), 1 - 1e-15)) for name, label in labels.items()]
    assert results["logLoss"] == pytest.approx(sum(losses) / len(losses), abs=1e-3)

    assert results["skip"] == [1]
    first = golden[next(iter(labels))]
    assert results["keep"][0] == [1, False, CLASSES[first.index(max(first))], None]
    assert [row[:3] for row in results["keep"][1:]] == [[2, True, None], [3, True, None]]
    assert results["keep"][1][3].startswith("[CLASSIFY_UNREADABLE_IMAGE] cannot read /no/such.png: ")
    assert results["keep"][2][3] == "the image is NULL"
    for name, parts in {
        "image": ["CLASSIFY_UNREADABLE_IMAGE", "/no/such.png", "in Spark ML: handleInvalid"],
        "no image": ["'path'", "(NULL)", "handleInvalid is 'error'", "'skip'", "'keep'"],
        "column": ["inputCol is 'pth'", "no such column", "id, path"],
        "no column": ["inputCol is not set", "setInputCol"],
        "handling": ["handleInvalid is 'drop'", "'error', 'skip', 'keep'"],
        "model": ["CLASSIFY_BAD_CONFIGURATION", "unknown model 'nine'", "colours"],
        "backend": ["CLASSIFY_BAD_CONFIGURATION", "unknown backend 'tensorflow'", "'pytorch'"],
        "position": ["keyword arguments"],
    }.items():
        for part in parts:
            assert part in results["failures"][name], name

    assert results["difference"] < 1e-6
    assert results["stage"] == [True, True, "colours"]
    assert results["predicted"] == results["predicted by the loaded one"]
    assert len(results["predicted"]) == 20
    assert results["unfitted"] == [True]
    assert results["loaded"] == [True, True, True]
    added = ["prediction", "probability", "predictedLabel", "why"]
    given = ["path", "name", "label"]
    assert results["columns"] == [given + added, [*given, "p", *added[1:]]]
    assert results["few"] == [*given, "prediction"]


def test_a_classic_session(spark_run, python_path, jar, golden, labels, tmp_path):
    answers = tmp_path / "answers.json"
    options = ["--master", "local[2]", "--jars", jar, *OPTIONS, *python_conf()]
    spark_run("spark-submit", *options, PROGRAM, tmp_path, answers)
    results = json.loads(answers.read_text())
    check(results, golden["onnx"], labels)
    assert results["predicted by Scala"] == results["predicted"]
    assert results["shown"][0] == results["shown"][1]
    assert results["made"] == ["made", "path", "colours", "why"]
    assert results["unset"] == ["backend", "handleInvalid"]


@needs_connect
def test_a_connect_client(connect_server, python_path, golden, labels, tmp_path):
    answers = tmp_path / "answers.json"
    with connect_server(*OPTIONS) as url:
        run_client(PROGRAM, tmp_path, answers, url)
    check(json.loads(answers.read_text()), golden["onnx"], labels)


MISSING = """
from pyspark.sql import SparkSession
from spark_classify import ClassifyError
from spark_classify.ml import ImageClassifier

def refused():
    try:
        ImageClassifier(inputCol="path")
    except ClassifyError as error:
        print(f"refused: {error}")

refused()
SparkSession.builder.getOrCreate()
refused()
"""


def test_no_session_and_no_jar_are_said(spark_run, python_path, tmp_path):
    script = tmp_path / "missing.py"
    script.write_text(MISSING)
    output = spark_run("spark-submit", "--master", "local[1]", script).stdout
    first, second = [line for line in output.splitlines() if line.startswith("refused: ")]
    assert "there is none: start one first, as with spark_classify.start()" in first
    assert "io.sparkclassify.ml.ImageClassifier is not in this Spark" in second
    assert "spark-classify jars" in second


def test_spark_without_its_ml(spark_run, jar, golden, tmp_path):
    """The jar needs Spark ML for these classes alone."""
    home, image = tmp_path / "spark", next(iter(golden["onnx"]))
    (home / "jars").mkdir(parents=True)
    source = Path(os.environ["SPARK_HOME"])
    for entry in source.iterdir():
        if entry.name != "jars":
            (home / entry.name).symlink_to(entry)
    for entry in (source / "jars").iterdir():
        if not entry.name.startswith(("spark-mllib", "spark-connect", "spark-graphx")):
            (home / "jars" / entry.name).symlink_to(entry)
    query = f"SELECT classify('dataset/all_images/{image}', 'onnx').class_id"
    options = ["--master", "local[1]", "--jars", jar, *OPTIONS, "-e", query]
    done = spark_run("spark-sql", *options, env={"SPARK_HOME": str(home)})
    assert done.stdout.split()[-1] == str(golden["onnx"][image].index(max(golden["onnx"][image])))
