"""Drivers and executors that end amid native calls, in whichever way, end as they were told to, and do not crash."""

import json
import os

import pytest
from conftest import EXTENSION, ROOT, each_with_a_backend, event_log, read_events

# Four tasks classify, for minutes, when the JVM is told to end.
SCRIPT = """
import os, random, signal, sys, threading, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
tracker, jvm = spark.sparkContext.statusTracker(), spark._jvm
call = "classify('dataset/all_images/' || image_path, {backend!r}) AS c"
images = spark.read.csv("dataset/image_data.csv", header=True)
# Then the model is loaded, and the tasks are amid calls.
images.limit(1).selectExpr(call).collect()
many = images.crossJoin(spark.range(2000)).repartition(8).selectExpr(call)
job = threading.Thread(target=many.groupBy("c.class").count().collect, daemon=True)
job.start()
while not any(tracker.getStageInfo(stage).numTasks == 8 for stage in tracker.getActiveStageIds()):
    time.sleep(0.05)
time.sleep(0.5 + random.random())
assert job.is_alive()
how = {how!r}
if how == "term":
    os.kill(jvm.ProcessHandle.current().pid(), signal.SIGTERM)
elif how == "exit":
    jvm.System.exit(3)
elif how == "halt":
    jvm.Runtime.getRuntime().halt(4)
elif how == "sys.exit":
    sys.exit(5)
# Without the thread, the script ends and so does the JVM's main, by a return.
if how != "return":
    job.join()
"""

STATUS = {"term": 143, "exit": 3, "halt": 4, "return": 0, "sys.exit": 5}


@pytest.mark.parametrize(("how", "backend"), each_with_a_backend(STATUS))
def test_a_jvm_ends_amid_native_calls(spark_run, jar, tmp_path, how, backend):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(how=how, backend=backend))
    done = spark_run(
        *["spark-submit", "--master", "local[4]", "--jars", jar, "--conf", EXTENSION],
        *["--conf", "spark.classify.model=model"],
        *["--conf", f"spark.driver.extraJavaOptions=-XX:ErrorFile={tmp_path}/hs_err"],
        script,
        check=False,
    )
    assert done.returncode == STATUS[how], done.stderr[-4000:]
    assert "SIGSEGV" not in done.stdout + done.stderr
    assert not (tmp_path / "hs_err").exists()


DECOMMISSION = """
import json, os, signal, sys, threading, time
from pyspark.sql import SparkSession
from standalone import executors_below
backend, work, answers = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
tracker = spark.sparkContext.statusTracker()
images = spark.read.csv("dataset/image_data.csv", header=True)
call = f"classify('dataset/all_images/' || image_path, '{backend}') AS c"
counts = {}

def classify(times, tasks):
    many = images.crossJoin(spark.range(times)).repartition(tasks).selectExpr(call)
    counts.update({row[0]: row[1] for row in many.groupBy("c.class").count().collect()})

while len(executors_below(work)) < 2:
    time.sleep(0.1)
# Then executors have the model, and the next tasks, of some seconds each, are amid calls.
classify(1, 2)
job = threading.Thread(target=classify, args=(30, 4), daemon=True)
job.start()
while not any(tracker.getStageInfo(stage).numActiveTasks == 2 for stage in tracker.getActiveStageIds()):
    time.sleep(0.05)
time.sleep(0.3)
leaving = executors_below(work)[0]
os.kill(leaving, signal.SIGPWR)
job.join()
while leaving in executors_below(work):
    time.sleep(0.1)
json.dump(counts, open(answers, "w"))
"""


@pytest.mark.parametrize(("way", "backend"), each_with_a_backend(["its tasks end", "it is killed"]))
def test_a_decommissioned_executor_ends(spark_run, cluster, jar, golden, tmp_path, way, backend):
    kill = way == "it is killed"
    script, answers, events = tmp_path / "script.py", tmp_path / "answers.json", tmp_path / "events"
    script.write_text(DECOMMISSION)
    spark_run(
        *["spark-submit", "--master", cluster.url, "--jars", jar, "--conf", EXTENSION],
        *["--conf", "spark.executor.memory=512m", "--conf", "spark.driver.host=127.0.0.1"],
        *["--conf", f"spark.classify.model={ROOT}/model"],
        *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
        *["--conf", f"spark.executor.extraJavaOptions=-XX:ErrorFile={tmp_path}/hs_err"],
        *["--conf", "spark.decommission.enabled=true"],
        *(["--conf", "spark.executor.decommission.forceKillTimeout=1s"] if kill else []),
        *[*event_log(events), script, backend, cluster.folder, answers],
        env={"PYTHONPATH": str(ROOT / "tests")},
    )
    counts = json.loads(answers.read_text())
    assert sum(counts.values()) == 30 * len(golden[backend])
    log = read_events(events)
    reasons = [event["Removed Reason"] for event in log if event["Event"] == "SparkListenerExecutorRemoved"]
    assert reasons[-1] == ("Executor killed by driver." if kill else "Command exited with code 0"), reasons
    assert not (tmp_path / "hs_err").exists()
    assert not any("SIGSEGV" in log.read_text(errors="replace") for log in cluster.folder.glob("work/*/*/std*"))
