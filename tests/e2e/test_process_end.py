"""A JVM that ends amid native calls, in whichever way, ends as it was told to, and does not crash."""

import pytest
from conftest import BACKENDS, EXTENSION

# Four tasks classify, for minutes, when the JVM is told to end.
SCRIPT = """
import os, signal, threading, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
tracker, jvm = spark.sparkContext.statusTracker(), spark._jvm

def running():
    return any(tracker.getStageInfo(stage).numTasks == 8 for stage in tracker.getActiveStageIds())

def end():
    while not running():
        time.sleep(0.1)
    # Models are loaded in less.
    time.sleep(4)
    assert running()
    how = {how!r}
    if how == "exit":
        jvm.System.exit(3)
    elif how == "halt":
        jvm.Runtime.getRuntime().halt(4)
    else:
        os.kill(jvm.ProcessHandle.current().pid(), signal.SIGTERM)

images = spark.read.csv("dataset/image_data.csv", header=True).crossJoin(spark.range(2000)).repartition(8)
threading.Thread(target=end, daemon=True).start()
rows = images.selectExpr("classify('dataset/all_images/' || image_path, {backend!r}) AS c")
rows.groupBy("c.class").count().collect()
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("how", "status"), [("term", 143), ("exit", 3), ("halt", 4)])
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
