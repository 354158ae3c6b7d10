"""An executor that lacks what a backend needs: the error names its host and the reason, and Spark can do without it."""

from __future__ import annotations

import json

import pytest
from conftest import event_log, read_events
from placement import assert_right, common
from standalone import Cluster

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
images = spark.read.csv("dataset/image_data.csv", header=True).repartition(8)
rows = images.selectExpr("image_path", "classify('dataset/all_images/' || image_path, 'pytorch').probabilities AS p")
try:
    answers = {"pytorch": [[row.image_path, row.p] for row in rows.collect()]}
except Exception as error:
    answers = {"error": str(error)}
json.dump(answers, open(sys.argv[1], "w"))
"""

BAD_HOST = "127.0.0.2"


@pytest.fixture(scope="module")
def mixed_cluster(tmp_path_factory):
    """A cluster of which one host has no libtorch."""
    without = {BAD_HOST: {"LIBTORCH": "/no/such/torch", "PYSPARK_PYTHON": "/no/such/python"}}
    with Cluster(tmp_path_factory.mktemp("mixed") / "cluster", environment=without) as cluster:
        yield cluster


@pytest.fixture
def answer(spark_run, mixed_cluster, jar, tmp_path):
    """What the application answers, and its events."""

    def ask(*options: str) -> tuple[dict, list[dict]]:
        script, answers, events = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "events"
        script.write_text(SCRIPT)
        spark_run("spark-submit", *common(mixed_cluster), *event_log(events), "--jars", jar, *options, script, answers)
        return json.loads(answers.read_text()), read_events(events)

    return ask


def test_the_error_names_the_host_and_the_reason(answer):
    answers, events = answer()
    assert "CLASSIFY_BACKEND_UNAVAILABLE" in answers["error"]
    assert BAD_HOST in answers["error"] and "/no/such/torch" in answers["error"], answers
    # Another attempt would find the same; they are few, and the other host's tasks are not among them.
    failed = [event for event in events if event["Event"] == "SparkListenerTaskEnd" and event["Task Info"]["Failed"]]
    assert {event["Task Info"]["Host"] for event in failed} == {BAD_HOST}


def test_spark_does_without_the_executor(answer, golden):
    answers, _ = answer("--conf", "spark.excludeOnFailure.enabled=true")
    assert "error" not in answers, answers["error"]
    assert_right(answers, golden, ["pytorch"])
