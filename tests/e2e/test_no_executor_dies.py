"""Models and inputs that must fail their query or their row, and never the executor that meets them."""

from __future__ import annotations

import json
import os

from conftest import EXTENSION, ROOT, event_log, read_events

BAD_MODEL = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
paths, answers = json.load(open(sys.argv[1])), sys.argv[2]
spark.conf.set("spark.classify.models.writes", "tests/cases/torch/assign")
frame = spark.createDataFrame([(path,) for path in paths], "path string").repartition(len(paths))
try:
    error = str(frame.selectExpr("classify(path, 'pytorch', 'writes').class_id AS c").collect())
except Exception as failure:
    error = str(failure)
rows = frame.selectExpr("path", "classify(path, 'onnx').class_id AS c").collect()
json.dump({"error": error, "rows": [[row.path, row.c] for row in rows]}, open(answers, "w"))
"""

BAD_INPUT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
paths, answers = json.load(open(sys.argv[1])), sys.argv[2]
frame = spark.createDataFrame([(path,) for path in paths], "path string").repartition(2)
rows = frame.selectExpr("path", "try_classify(path, 'onnx') AS c").collect()
json.dump([[row.path, row.c.class_id, row.c.error] for row in rows], open(answers, "w"))
"""


def run_on(cluster, script: str, paths: list[str], spark_run, jar, folder):
    """What the script answers, and the executors that the cluster lost while it ran."""
    program, questions, answers = folder / "job.py", folder / "paths.json", folder / "answers.json"
    program.write_text(script)
    questions.write_text(json.dumps(paths))
    events = folder / "events"
    spark_run(
        *["spark-submit", "--master", cluster.url, "--jars", jar, "--conf", EXTENSION],
        *["--conf", "spark.executor.memory=512m", "--conf", "spark.driver.host=127.0.0.1"],
        *["--conf", f"spark.classify.model={ROOT}/model"],
        *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
        *[*event_log(events), program, questions, answers],
    )
    log = read_events(events)
    assert any(event["Event"] == "SparkListenerExecutorAdded" for event in log)
    lost = [event for event in log if event["Event"] == "SparkListenerExecutorRemoved"]
    return json.loads(answers.read_text()), lost


def best(golden, name: str) -> int:
    return max(range(3), key=golden["onnx"][name].__getitem__)


def test_a_module_that_changes_itself_is_refused(spark_run, cluster, jar, golden, tmp_path):
    expected = {str(ROOT / "dataset/all_images" / name): best(golden, name) for name in sorted(golden["onnx"])[:8]}
    answers, lost = run_on(cluster, BAD_MODEL, list(expected), spark_run, jar, tmp_path)
    assert "CLASSIFY_BAD_MODEL" in answers["error"]
    assert "changes its attribute `state`" in answers["error"]
    assert sorted(map(tuple, answers["rows"])) == sorted(expected.items())
    assert not lost


def test_paths_that_are_no_files_are_errors_of_their_rows(spark_run, cluster, jar, golden, tmp_path):
    names = sorted(golden["onnx"])[:2]
    good = {str(ROOT / "dataset/all_images" / name): best(golden, name) for name in names}
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    bad = [str(fifo), "/dev/zero", str(tmp_path), "/", "s3a://b/x", str(tmp_path / "missing.png")]
    rows, lost = run_on(cluster, BAD_INPUT, [*bad, *good], spark_run, jar, tmp_path)
    assert {path: class_id for path, class_id, error in rows if error is None} == good
    errors = {path: error for path, class_id, error in rows if error is not None and class_id is None}
    assert sorted(errors) == sorted(bad)
    assert len(rows) == len(bad) + len(good)
    assert all(path in error for path, error in errors.items()), errors
    assert not lost
