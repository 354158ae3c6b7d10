"""Drivers and executors that end amid native calls, in whichever way, end as they were told to, and do not crash."""

import pytest
from conftest import BACKENDS, EXTENSION

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

ENDS = [("term", 143), ("exit", 3), ("halt", 4), ("return", 0), ("sys.exit", 5)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("how", "status"), ENDS, ids=[how for how, _ in ENDS])
def test_a_jvm_ends_amid_native_calls(spark_run, jar, tmp_path, backend, how, status):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(how=how, backend=backend))
    done = spark_run(
        *["spark-submit", "--master", "local[4]", "--jars", jar, "--conf", EXTENSION],
        *["--conf", "spark.classify.model=model"],
        *["--conf", f"spark.driver.extraJavaOptions=-XX:ErrorFile={tmp_path}/hs_err"],
        script,
        check=False,
    )
    assert done.returncode == status, done.stderr[-4000:]
    assert "SIGSEGV" not in done.stdout + done.stderr
    assert not (tmp_path / "hs_err").exists()
