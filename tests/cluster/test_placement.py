"""However the jar comes to a standalone cluster, every row is right, and each executor loads each model once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from placement import MODEL, assert_loaded_once, assert_right, common
from standalone import Cluster

# Classifies the dataset with both backends; writes for each the probabilities of each image.
SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
images = spark.read.csv("dataset/image_data.csv", header=True).repartition(8)
answers = {}
for backend in ["pytorch", "onnx"]:
    rows = images.selectExpr(
        "image_path", f"classify(concat('{sys.argv[1]}/', image_path), '{backend}').probabilities AS p"
    ).collect()
    answers[backend] = [[row.image_path, row.p] for row in rows]
json.dump(answers, open(sys.argv[2], "w"))
"""


PLACES = {
    "--jars": lambda jar: ["--jars", jar],
    "class path": lambda jar: ["--driver-class-path", jar, "--conf", f"spark.executor.extraClassPath={jar}"],
    "--jars and class path": lambda jar: [*PLACES["--jars"](jar), *PLACES["class path"](jar)],
    "userClassPathFirst": lambda jar: [
        *PLACES["--jars"](jar),
        *["--conf", "spark.driver.userClassPathFirst=true", "--conf", "spark.executor.userClassPathFirst=true"],
    ],
}


@pytest.mark.parametrize("place", PLACES)
def test_the_jar_by_an_option(spark_run, cluster, jar, golden, tmp_path, place):
    script, answers = tmp_path / "script.py", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    options = [*common(cluster), *PLACES[place](jar)]
    spark_run("spark-submit", *options, script, "dataset/all_images", answers)
    assert_right(json.loads(answers.read_text()), golden)
    assert_loaded_once(cluster, 2, {MODEL: 2})


def test_the_jar_among_those_of_spark(spark_run, jar, golden, tmp_path):
    home = tmp_path / "spark"
    (home / "jars").mkdir(parents=True)
    spark = Path(os.environ["SPARK_HOME"])
    for entry in [*spark.iterdir(), *(spark / "jars").iterdir(), jar]:
        target = home / entry.name if entry.parent == spark else home / "jars" / entry.name
        if not target.exists():
            target.symlink_to(entry)
    script, answers = tmp_path / "script.py", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    with Cluster(tmp_path / "cluster", home=str(home)) as cluster:
        options = common(cluster)
        spark_run("spark-submit", *options, script, "dataset/all_images", answers, env={"SPARK_HOME": str(home)})
        assert_right(json.loads(answers.read_text()), golden)
        assert_loaded_once(cluster, 2, {MODEL: 2})
