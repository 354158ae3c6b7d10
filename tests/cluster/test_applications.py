"""Ways to run on a standalone cluster: every row is right, and each executor loads each model once."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from conftest import ROOT, assert_matches_golden, read_predictions
from placement import MODEL, assert_loaded_once, assert_right, common

JOB = ["--images", "dataset/image_data.csv", "--image-dir", f"file:{ROOT}/dataset/all_images", "--backend", "onnx"]


@pytest.mark.parametrize(("mode", "executors"), [("client", 2), ("cluster", 1)])
def test_the_job_in_both_deploy_modes(spark_run, cluster, jar, golden, tmp_path, mode, executors):
    output = tmp_path / "output"
    spark_run(
        # In cluster mode, the driver takes one of the two cores.
        *["spark-submit", *common(cluster, cores=executors), "--deploy-mode", mode],
        *["--conf", "spark.standalone.submit.waitAppCompletion=true"],
        *["--class", "io.sparkclassify.ClassifyJob", jar],
        *["--images", f"file:{ROOT}/dataset/image_data.csv", *JOB[2:], "--model", MODEL, "--output", output],
    )
    assert_matches_golden(read_predictions(output), golden["onnx"])
    assert_loaded_once(cluster, executors, {MODEL: 1})


@pytest.mark.parametrize(
    ("option", "state", "rows"), [("--try", "FINISHED", 2), ("--fail-on-bad", "FAILED", 2), ("--wrong", "FAILED", 0)]
)
def test_the_driver_in_the_cluster_tells_how_the_job_ended(spark_run, cluster, jar, tmp_path, option, state, rows):
    image = ROOT / "dataset/all_images" / sorted((ROOT / "dataset/all_images").iterdir())[0].name
    (tmp_path / "list.csv").write_text(f"image_path\n{image}\n/none/none.jpg\n")
    output = tmp_path / "output"
    done = spark_run(
        *["spark-submit", *common(cluster, cores=1), "--deploy-mode", "cluster"],
        *["--conf", "spark.standalone.submit.waitAppCompletion=true"],
        *["--class", "io.sparkclassify.ClassifyJob", jar, "--images", f"file:{tmp_path}/list.csv"],
        *["--backend", "onnx", "--model", MODEL, "--output", output, option],
        check=False,
    )
    # spark-submit itself ends with 0 here, whatever has become of the driver.
    assert re.search(rf"State of driver driver-\S+ is {state}, ", done.stderr), done.stderr[-4000:]
    assert len(read_predictions(output) if rows else {}) == rows
    assert output.exists() == bool(rows)


def test_a_file_system_of_the_users_own_mounted_in_viewfs(
    spark_run, cluster, jar, golden, tmp_path, faulty_file_system
):
    links = {"images": f"faulty:{ROOT}/dataset/all_images", "model": MODEL}
    mounts = [f"spark.hadoop.fs.viewfs.mounttable.cards.link./{name}={uri}" for name, uri in links.items()]
    jars, *options = faulty_file_system[1:]
    output = tmp_path / "output"
    spark_run(
        *["spark-submit", *common(cluster), "--jars", jars, *options],
        *[word for mount in mounts for word in ("--conf", mount)],
        *["--class", "io.sparkclassify.ClassifyJob", jar, *JOB[:2], "--image-dir", "viewfs://cards/images"],
        *["--backend", "onnx", "--model", "viewfs://cards/model", "--output", output],
    )
    assert_matches_golden(read_predictions(output), golden["onnx"])
    assert_loaded_once(cluster, 2, {"viewfs://cards/model": 1})


SESSIONS = r"""
import json, sys, time
from pyspark.sql import SparkSession

answers = []
for again in range(2):
    spark = SparkSession.builder.getOrCreate()
    images = spark.read.csv("dataset/image_data.csv", header=True).repartition(8)
    rows = images.selectExpr("image_path", "classify('dataset/all_images/' || image_path, 'onnx').probabilities AS p")
    answers.append({"onnx": [[row.image_path, row.p] for row in rows.collect()]})
    spark.stop()
json.dump(answers, open(sys.argv[1], "w"))
"""


def test_sessions_that_stop_and_start_again(spark_run, cluster, jar, golden, tmp_path):
    script, answers = tmp_path / "script.py", tmp_path / "answers.json"
    script.write_text(SESSIONS)
    spark_run("spark-submit", *common(cluster), "--jars", jar, script, answers)
    for answer in json.loads(answers.read_text()):
        assert_right(answer, golden, ["onnx"])
    assert_loaded_once(cluster, 2 * 2, {MODEL: 1})


DYNAMIC = r"""
import json, sys, time
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
executors = lambda: spark._jsc.sc().getExecutorMemoryStatus().size() - 1  # Without the driver.
images = [[row.image_path] for row in spark.read.csv("dataset/image_data.csv", header=True).collect()]
answers = []
for again in range(2):
    # A part for each image, that both executors are asked for.
    rows = spark.sparkContext.parallelize(images, 96).toDF("image_path string").selectExpr(
        "image_path", "classify('dataset/all_images/' || image_path, 'onnx').probabilities AS p")
    answers.append({"onnx": [[row.image_path, row.p] for row in rows.collect()]})
    deadline = time.monotonic() + 60
    while executors() > 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert executors() == 0, "idle executors stayed"
json.dump(answers, open(sys.argv[1], "w"))
"""


def test_executors_that_come_and_go_by_demand(spark_run, cluster, jar, golden, tmp_path):
    script, answers = tmp_path / "script.py", tmp_path / "answers.json"
    script.write_text(DYNAMIC)
    settings = {
        "enabled": "true",
        "shuffleTracking.enabled": "true",
        "minExecutors": "0",
        "maxExecutors": "2",
        "executorIdleTimeout": "2s",
        "shuffleTracking.timeout": "2s",
    }
    options = [word for key, value in settings.items() for word in ("--conf", f"spark.dynamicAllocation.{key}={value}")]
    # It asks for executors when it has tasks, and so must not wait for them.
    options += ["--conf", "spark.scheduler.minRegisteredResourcesRatio=0"]
    spark_run("spark-submit", *common(cluster), *options, "--jars", jar, script, answers)
    for answer in json.loads(answers.read_text()):
        assert_right(answer, golden, ["onnx"])
    # An executor may come when all is done, and so have nothing to do.
    loads = cluster.model_loads()
    assert all(found in (Counter(), Counter({MODEL: 1})) for found in loads.values()), loads
    assert sum(loads.values(), Counter())[MODEL] >= 2, loads
