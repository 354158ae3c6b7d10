"""Folders that are full, read-only, noexec or gone: the error names the folder and the reason, no executor ends."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import EXTENSION, ROOT, event_log, read_events
from standalone import SHORT_LIVED

FUNCTIONS = r"""
import json, os, signal, sys
from pyspark.sql import SparkSession
from standalone import executors_below

spark = SparkSession.builder.getOrCreate()
images = spark.read.csv("dataset/image_data.csv", header=True).repartition(4)

def ask(model=None):
    if model:
        spark.conf.set("spark.classify.model", model)
    rows = images.selectExpr("image_path", "classify('dataset/all_images/' || image_path, 'onnx').class_id AS c")
    try:
        return {row.image_path: row.c for row in rows.collect()}
    except Exception as error:
        return str(error)
"""

ASK = (
    FUNCTIONS
    + """
json.dump(ask(), open(sys.argv[1], "w"))
"""
)

WRITE = (
    FUNCTIONS
    + """
try:
    many = images.crossJoin(spark.range(100))
    many.selectExpr("image_path", "classify('dataset/all_images/' || image_path, 'onnx').probabilities[0] AS p") \\
        .write.csv(sys.argv[2])
    error = None
except Exception as failure:
    error = str(failure)
json.dump([error, ask()], open(sys.argv[1], "w"))
"""
)

REPLACED = (
    FUNCTIONS
    + """
answers, model, cluster = sys.argv[1:]
results = [ask(model)]
os.rename(model, model + ".gone")
for process in executors_below(cluster):
    os.kill(process, signal.SIGKILL)
results.append(ask())
os.rename(model + ".gone", model)
results.append(ask())
json.dump(results, open(answers, "w"))
"""
)


@contextmanager
def mounted(folder: Path, options: str):
    """A tmpfs at a folder, for those who may mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def options(cluster, jar, **settings: str) -> list[str]:
    own = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.executor.memory": "512m",
        "spark.classify.model": f"file:{ROOT}/model",
        **settings,
    }
    confs = [word for key, value in own.items() for word in ("--conf", f"{key}={value}")]
    return ["--master", cluster.url, "--conf", EXTENSION, "--jars", jar, *confs]


def best(golden) -> dict[str, int]:
    return {image: max(range(3), key=values.__getitem__) for image, values in golden["onnx"].items()}


BAD_FOLDERS = {
    "full": ("mode=0755,size=1m", "No space left on device"),
    "read-only": ("mode=0755,ro", "Read-only file system"),
    "noexec": ("mode=0755,noexec", "mounted noexec"),
}
# The scripts use what tests share.
SHARED = {"PYTHONPATH": str(ROOT / "tests")}


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_no_library_can_be_unpacked(spark_run, cluster, jar, tmp_path, kind):
    script, answers, folder = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "scratch"
    script.write_text(ASK)
    mount, reason = BAD_FOLDERS[kind]
    with mounted(folder, mount):
        settings = {"spark.classify.native.dir": str(folder)}
        spark_run("spark-submit", *options(cluster, jar, **settings), script, answers, env=SHARED)
    error = json.loads(answers.read_text())
    for part in ["CLASSIFY_BACKEND_UNAVAILABLE", str(folder), reason, "spark.classify.native.dir"]:
        assert part in error, (part, error)


def test_no_room_for_the_copy_of_a_model(spark_run, cluster, jar, tmp_path):
    script, answers, folder = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "scratch"
    script.write_text(ASK)
    # Spark unpacks libraries of its own there, for which there is room; zstd's as late as when the model is copied.
    with mounted(folder, "mode=1777,size=8m"):
        settings = {
            "spark.executor.extraJavaOptions": f"{SHORT_LIVED} -Djava.io.tmpdir={folder} -DZstdTempFolder={tmp_path}",
            "spark.classify.native.dir": str(tmp_path / "natives"),
            "spark.hadoop.fs.viewfs.mounttable.far.link./model": f"file:{ROOT}/model",
            "spark.classify.model": "viewfs://far/model",
        }
        spark_run("spark-submit", *options(cluster, jar, **settings), script, answers, env=SHARED)
        # What was copied of it has gone again.
        assert not list(folder.glob("spark-classify-*-model-*"))
    error = json.loads(answers.read_text())
    for part in ["CLASSIFY_BAD_MODEL", "viewfs://far/model", str(folder), "No space left on device", "(executor "]:
        assert part in error, (part, error)


def test_no_room_for_what_is_written(spark_run, cluster, jar, golden, tmp_path):
    script, answers, folder = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "output"
    script.write_text(WRITE)
    with mounted(folder, "mode=0777,size=64k"):
        events = event_log(tmp_path / "events")
        spark_run("spark-submit", *options(cluster, jar), *events, script, answers, folder / "rows", env=SHARED)
    error, rows = json.loads(answers.read_text())
    assert "No space left on device" in error, error
    assert rows == best(golden)
    removed = [event for event in read_events(tmp_path / "events") if event["Event"] == "SparkListenerExecutorRemoved"]
    assert not removed


def test_the_model_has_gone_when_an_executor_is_replaced(spark_run, cluster, jar, golden, tmp_path):
    script, answers, model = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "model"
    script.write_text(REPLACED)
    shutil.copytree(ROOT / "model", model)
    spark_run("spark-submit", *options(cluster, jar), script, answers, model, cluster.folder, env=SHARED)
    before, error, after = json.loads(answers.read_text())
    assert before == after == best(golden)
    for part in ["CLASSIFY_BAD_MODEL", str(model), "(executor "]:
        assert part in error, (part, error)
