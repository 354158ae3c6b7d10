"""Files that are large for an executor's direct memory: all are read and classified, some at a time."""

from __future__ import annotations

import json

import pytest
from conftest import EXTENSION
from PIL import Image

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
SIDE, LARGE = 3600, 12

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
paths, answers = json.load(open(sys.argv[1])), sys.argv[2]
frame = spark.createDataFrame(list(enumerate(paths)), "id int, path string").repartition(2)
rows = frame.selectExpr("id", "try_classify(path, 'onnx') AS c").collect()
json.dump(sorted([row.id, row.c.probabilities, row.c.error] for row in rows), open(answers, "w"))
"""


def test_tasks_share_the_direct_memory(spark_run, jar, tmp_path):
    large, small = [], []
    for at, colour in enumerate(COLOURS):
        for paths, side in [(large, SIDE), (small, 64)]:
            paths.append(str(tmp_path / f"{at}-{side}.tiff"))
            # Not compressed: 39 MB.
            Image.new("RGB", (side, side), colour).save(paths[-1])
    paths = [*(large * (LARGE // len(large))), *small]
    script, questions, answers = tmp_path / "job.py", tmp_path / "paths.json", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    questions.write_text(json.dumps(paths))
    # Little more than Spark itself insists on. Two tasks with eight readers each would take 640 MB.
    spark_run(
        *["spark-submit", "--master", "local-cluster[1,2,1024]", "--jars", jar, "--conf", EXTENSION],
        *["--conf", "spark.classify.model=model"],
        *["--conf", "spark.executor.extraJavaOptions=-XX:MaxDirectMemorySize=256m"],
        *[script, questions, answers],
    )
    rows = json.loads(answers.read_text())
    assert [row[0] for row in rows] == list(range(len(paths))) and [row[2] for row in rows] == [None] * len(paths)
    expected = [row[1] for row in rows[LARGE:]]
    assert len({tuple(row) for row in expected}) == len(COLOURS)
    for at, row in enumerate(rows[:LARGE]):
        assert row[1] == pytest.approx(expected[at % len(COLOURS)], abs=1e-5)
