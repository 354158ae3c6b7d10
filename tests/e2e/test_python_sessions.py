"""The Python package on sessions that run: `register`, `info`, errors and `progress`, classic and over Connect."""

from __future__ import annotations

import json
import os

import pytest
from conftest import ROOT, run_client

SOURCES = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "python/src"), os.environ.get("PYTHONPATH")]))}
IMAGES = "dataset/all_images"


def answers_of(spark_run, tmp_path, script: str, *options: object):
    """What a script of a classic session writes into the JSON file of its first argument."""
    program, answers = tmp_path / "program.py", tmp_path / "answers.json"
    program.write_text(script)
    spark_run("spark-submit", "--master", "local[2]", *options, program, answers, env=SOURCES)
    return json.loads(answers.read_text())


REGISTER = r"""
import json, sys
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
import spark_classify
from spark_classify import functions as sc

first = SparkSession.builder.getOrCreate()
jvm, results = first._jvm, {}

# A session without extensions, as PySpark 3.5 makes them; Spark 4 has a constructor for it alone.
def unextended():
    classes, context = jvm.org.apache.spark.sql, first.sparkContext._jsc.sc()
    if first.version.startswith("3."):
        return classes.SparkSession(context, {})
    kind = context.getClass().getClassLoader().loadClass("org.apache.spark.sql.classic.SparkSession")
    constructor = max(kind.getDeclaredConstructors(), key=lambda one: one.getParameterCount())
    given = {
        "SparkContext": context,
        "Option": jvm.scala.Option.empty(),
        "SparkSessionExtensions": classes.SparkSessionExtensions(),
        "Map": jvm.scala.collection.immutable.HashMap(),
    }
    types = constructor.getParameterTypes()
    arguments = first.sparkContext._gateway.new_array(jvm.java.lang.Object, len(types))
    for index, kind in enumerate(types):
        arguments[index] = given[kind.getSimpleName()]
    return constructor.newInstance(arguments)

spark = SparkSession(first.sparkContext, unextended())

def planned(session):
    try:
        frame = session.sql(f"SELECT classify(content, 'onnx', 'cards') FROM binaryFile.`{sys.argv[2]}`")
        return "Classify [classify(" in frame._jdf.queryExecution().executedPlan().toString()
    except AnalysisException:
        return False

# The functions of the first session are Spark's own since then, so this one may have them, but not the rules.
results["before"] = planned(spark)
results["itself"] = spark_classify.register(spark) is spark
spark_classify.register(spark)

images = spark.read.format("binaryFile").load(sys.argv[2]).where("path LIKE '%id_000%'")
twice = images.select("path", sc.classify("content", backend="onnx", model="cards").alias("c"))
twice = twice.where("c.confidence > 0 AND path LIKE '%1.jpg'").select("path", "c.class_id", "c.probabilities")
results["plan"] = twice._jdf.queryExecution().executedPlan().toString()
results["rows"] = [[row.path, list(row.probabilities)] for row in twice.collect()]
info = spark_classify.info(spark).select("executor", "backend", "available")
results["info"] = [row.asDict() for row in info.collect()]
results["after"] = [planned(spark), planned(spark.newSession())]
json.dump(results, open(sys.argv[1], "w"))
"""


def test_a_session_that_runs_gets_functions_and_operator(spark_run, jar, golden, tmp_path):
    model = ["--conf", "spark.classify.models.cards=model"]
    script = REGISTER.replace("sys.argv[2]", repr(IMAGES))
    results = answers_of(spark_run, tmp_path, script, "--jars", jar, *model)
    assert results["before"] is False and results["itself"] is True
    assert results["plan"].count("Classify [classify(") == 1, "batches, and one inference for both uses"
    assert results["plan"].index("Classify [") < results["plan"].rindex("EndsWith"), "below it the rows are filtered"
    (row,) = results["rows"]
    assert row[1] == pytest.approx(golden["onnx"]["id_0001.jpg"], abs=1e-4)
    assert {"executor": "driver", "backend": "onnx", "available": True} in results["info"]
    assert results["after"] == [True, True]


WITHOUT_JAR = r"""
import json, sys
from pyspark.sql import SparkSession
import spark_classify

try:
    spark_classify.register(SparkSession.builder.getOrCreate())
except spark_classify.ClassifyError as error:
    json.dump(str(error), open(sys.argv[1], "w"))
"""


def test_a_session_without_the_jar_says_so(spark_run, tmp_path):
    message = answers_of(spark_run, tmp_path, WITHOUT_JAR)
    assert "without spark-classify" in message and "--jars" in message and "spark_classify.start()" in message


ERRORS = r"""
import json, sys
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col
import spark_classify

spark = spark_classify.start("model")
spark.range(2).selectExpr("concat('/none/', id, '.png') AS path").write.parquet(sys.argv[1] + ".paths")
paths = spark.read.parquet(sys.argv[1] + ".paths")
failing = paths.selectExpr("classify(path, 'onnx').class AS c")
spark.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")

def stream():
    frame = spark.readStream.schema(paths.schema).parquet(sys.argv[1] + ".paths").selectExpr("classify(path, 'onnx')")
    query = frame.writeStream.format("noop").option("checkpointLocation", sys.argv[1] + ".state").start()
    query.processAllAvailable()

ways = {
    "collect": failing.collect,
    "show": failing.show,
    "count": failing.where("c = 'x'").count,
    "sort": failing.orderBy("c").collect,
    "toPandas": failing.toPandas,
    "toLocalIterator": lambda: list(failing.toLocalIterator()),
    "write": lambda: failing.write.json(sys.argv[1] + ".json"),
    "table": lambda: spark.sql(f"CREATE TABLE t USING parquet AS SELECT classify('/none/1.png', 'onnx') AS c"),
    "dry run": lambda: spark.sql("SELECT classify('x', 'tensorflow')"),
    "stream": stream,
    "of Spark": lambda: spark.sql("SELECT * FROM no_such_table"),
}
results = {}
for name, way in ways.items():
    try:
        way()
    except PySparkException as error:
        results[name] = {
            "kind": type(error).__name__,
            "condition": getattr(error, "getCondition", error.getErrorClass)(),
            "state": error.getSqlState(),
            "parameters": list(error.getMessageParameters()),
            "message": str(error),
            "same": error.getMessage() == str(error),
        }
json.dump(results, open(sys.argv[1], "w"))
"""


def test_errors_are_of_pyspark_wherever_a_query_runs(spark_run, jar, tmp_path):
    results = answers_of(spark_run, tmp_path, ERRORS, "--jars", jar)
    stream, dry_run, of_spark = results.pop("stream"), results.pop("dry run"), results.pop("of Spark")
    assert len(results) == 8
    for name, error in results.items():
        assert error["kind"] == "SparkRuntimeException", name
        assert (error["condition"], error["state"]) == ("CLASSIFY_UNREADABLE_IMAGE", "58030"), name
        assert error["parameters"] == ["message"], name
        assert error["message"].startswith("[CLASSIFY_UNREADABLE_IMAGE] cannot read /none/"), name
        assert "\n" not in error["message"] and error["same"], name
    assert dry_run["kind"] == "AnalysisException" and dry_run["condition"] == "CLASSIFY_BAD_CONFIGURATION"
    assert dry_run["same"]
    assert stream["kind"] == "StreamingQueryException" and "[CLASSIFY_UNREADABLE_IMAGE]" in stream["message"]
    assert of_spark["condition"] == "TABLE_OR_VIEW_NOT_FOUND" and of_spark["state"] == "42P01", "as ever"


PROGRESS = r"""
import io, json, sys
from pyspark.sql import SparkSession
import spark_classify

spark = spark_classify.start("model")
paths = [str(row.path) for row in spark.read.format("binaryFile").load(sys.argv[2]).select("path").collect()]
frame = spark.createDataFrame([(path,) for path in [*paths, "/none.png", None]], "path string").repartition(4)
frame.createOrReplaceTempView("images")
results = {}

spark.sql("SELECT try_classify(path, 'onnx').class FROM images").collect()  # Not counted: it was before.
out = io.StringIO()
with spark_classify.progress(spark, interval=0.05, file=out) as progress:
    spark.sql("SELECT try_classify(path, 'onnx').class FROM images").collect()
    spark.sql("CREATE TABLE predictions USING parquet AS SELECT try_classify(path, 'onnx').class FROM images")
results["classic"] = [progress.images, progress.bad_images, progress.seconds > 0, out.getvalue()]

class Terminal(io.StringIO):
    def isatty(self):
        return True

terminal = Terminal()
with spark_classify.progress(spark, interval=0.05, file=terminal) as progress:
    spark.sql("SELECT try_classify(path, 'onnx').class FROM images").collect()
results["terminal"] = terminal.getvalue()

with spark_classify.progress(spark, file=io.StringIO()) as progress:
    try:
        spark.sql("SELECT classify(path, 'onnx').class FROM images").collect()
    except Exception as error:
        results["error"] = str(error)
results["failed"] = [progress.images > 0, progress.bad_images]
with spark_classify.progress(spark, file=io.StringIO()) as progress:
    spark.stop()
results["stopped"] = progress.images
json.dump(results, open(sys.argv[1], "w"))
"""


def test_progress_counts_the_images_of_running_queries(spark_run, jar, tmp_path):
    results = answers_of(spark_run, tmp_path, PROGRESS.replace("sys.argv[2]", repr(IMAGES)), "--jars", jar)
    images, bad, took, line = results["classic"]
    assert (images, bad, took) == (2 * 121, 2, True), "a command and its query are counted once"
    assert line.startswith("242 images, ") and line.endswith(" images/s, 2 bad\n") and line.count("\n") == 1
    *renewed, last = results["terminal"].removesuffix("\n").split("\r")[1:]
    assert last.startswith("121 images, ") and last.rstrip().endswith(" bad")
    assert renewed, "the line was there while the query ran"
    assert "CLASSIFY_UNREADABLE_IMAGE" in results["error"]
    assert results["failed"][1] <= 1
    assert results["stopped"] == 0


CLIENT = r"""
import io, json, sys
from pyspark.errors import SparkRuntimeException
from pyspark.sql import SparkSession
import spark_classify
from spark_classify import functions as sc

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
results = {}
try:
    spark_classify.register(spark)
    results["registered"] = True
    results["info"] = [row.backend for row in spark_classify.info(spark).collect()]
    out = io.StringIO()
    with spark_classify.progress(spark, file=out) as progress:
        frame = spark.read.format("binaryFile").load(sys.argv[2]).repartition(3)
        frame = frame.select(sc.try_classify("content", backend="onnx").alias("c"))
        rows = frame.collect()
    results["progress"] = [len(rows), progress.tasks, progress.all_tasks, out.getvalue()]
    counts = [m for plan in frame.executionInfo.metrics._metrics for m in plan.metrics if m.name == "images"]
    results["images"] = [count.value for count in counts]
    try:
        spark.sql("SELECT classify('/none.png', 'onnx')").collect()
    except SparkRuntimeException as error:
        results["error"] = [str(error), error.getMessage(), error.getCondition(), error.getSqlState()]
except spark_classify.ClassifyError as error:
    results["error"] = str(error)
json.dump(results, open(sys.argv[3], "w"))
spark.stop()
"""


@pytest.fixture
def client(monkeypatch, tmp_path):
    """Runs CLIENT against a server, and gives what it wrote."""
    monkeypatch.setenv("PYTHONPATH", SOURCES["PYTHONPATH"])

    def run(url: str):
        script, answers = tmp_path / "client.py", tmp_path / "answers.json"
        script.write_text(CLIENT)
        run_client(script, url, ROOT / IMAGES, answers)
        return json.loads(answers.read_text())

    return run


def test_a_client_of_connect_registers_and_sees_tasks(connect_server, client):
    with connect_server("--conf", "spark.classify.model=model") as url:
        results = client(url)
    assert results["registered"] and set(results["info"]) == {"onnx", "pytorch"}
    rows, tasks, all_tasks, line = results["progress"]
    assert rows == 120 and 0 < tasks <= all_tasks and line == f"{tasks} of {all_tasks} tasks\n"
    assert results["images"] == [120], "executionInfo has the images of a query that is over"
    text, message, condition, state = results["error"]
    assert text == message and "\n" not in text and (condition, state) == ("CLASSIFY_UNREADABLE_IMAGE", "58030")


def test_a_server_without_the_jar_is_said_to_have_none(connect_server, client):
    with connect_server(jars=()) as url:
        assert "server of this session has no spark-classify" in client(url)["error"]
