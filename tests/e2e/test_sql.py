"""`classify` from spark-sql, spark-shell and PySpark with nothing but `--jars` and the model."""

import json
import os

import pytest
from conftest import CLASSES, CLUSTER, EXTENSION, LOCAL, SLOW, python_conf

MODEL = ["--conf", "spark.classify.model=model"]


def test_spark_sql_with_jars_alone(spark_run, jar, golden):
    image, expected = next(iter(golden["onnx"].items()))
    query = f"SELECT to_json(classify('dataset/all_images/{image}', 'onnx'));"
    # LIBTORCH is emptied: ONNX must not need it.
    done = spark_run("spark-sql", "--master", "local[2]", "--jars", jar, *MODEL, "-e", query, env={"LIBTORCH": ""})
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    row = json.loads(line)
    assert row["probabilities"] == pytest.approx(expected, abs=1e-4)
    assert row["class_id"] == expected.index(max(expected))
    assert row["confidence"] == pytest.approx(max(expected), abs=1e-4)


def test_spark_shell_knows_the_functions(spark_run, jar, golden):
    image, expected = next(iter(golden["onnx"].items()))
    query = f"SELECT classify('dataset/all_images/{image}', 'onnx').class_id"
    line = f'println("class " + spark.sql("{query}").head())\n'
    done = spark_run("spark-shell", "--master", "local[2]", "--jars", jar, *MODEL, stdin=line)
    assert f"class [{expected.index(max(expected))}]" in done.stdout


@pytest.mark.parametrize("master", [pytest.param(LOCAL, marks=SLOW), CLUSTER])
def test_spark_infer_script(spark_run, jar, master):
    done = spark_run(
        *["spark-submit", "--master", master, "--jars", jar, "--conf", EXTENSION],
        *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}", "scripts/spark_infer.py", "onnx"],
    )
    assert "images: 120" in done.stdout
    assert "accuracy: " in done.stdout


QUERIES = r"""
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import expr

spark = SparkSession.builder.getOrCreate()
results = {}

def outcome(name, query):
    try:
        results[name] = [row.asDict(True) for row in spark.sql(query).collect()]
    except Exception as error:
        results[name] = {
            "condition": getattr(error, "getCondition", lambda: None)(),
            "sqlstate": getattr(error, "getSqlState", lambda: None)(),
            "message": str(error),
        }

for name, query in json.load(open(sys.argv[1])).items():
    outcome(name, query)
json.dump(results, open(sys.argv[2], "w"))
"""


def test_pyspark_bad_input_names_path_reason_and_condition(spark_run, jar, tmp_path):
    image = "dataset/all_images/" + sorted(os.listdir("dataset/all_images"))[0]
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    text = tmp_path / "text.png"
    text.write_text("this is no picture")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    queries = {
        "null": "SELECT classify(CAST(NULL AS STRING), 'onnx') AS c",
        "binary": f"SELECT classify(content, 'onnx').class_id AS c FROM binaryFile.`{image}`",
        "missing": "SELECT classify('no/such/image.jpg', 'onnx') AS c",
        "empty": f"SELECT classify('{empty}', 'onnx') AS c",
        "text": f"SELECT classify('{text}', 'onnx') AS c",
        "backend": f"SELECT classify('{image}', 'tensorflow') AS c",
        "model": f"SELECT classify('{image}', 'onnx', 'nowhere') AS c",
        "config": f"SELECT classify('{image}', 'onnx', model => 'broken') AS c",
        "name": f"SELECT classify('{image}', 'onnx', 'brocken') AS c",
        "path": f"SELECT classify('{image}', 'onnx', '{broken}') AS c",
        "after": f"SELECT classify('{image}', 'onnx').class_id AS c",
    }
    script, questions, answers = tmp_path / "queries.py", tmp_path / "queries.json", tmp_path / "answers.json"
    script.write_text(QUERIES)
    questions.write_text(json.dumps(queries))
    models = ["--conf", f"spark.classify.models.nowhere={tmp_path}/nowhere"]
    models += ["--conf", f"spark.classify.models.broken={broken}"]
    options = ["--master", "local[2]", "--jars", jar, *MODEL, *python_conf(), *models]
    spark_run("spark-submit", *options, script, questions, answers)
    results = json.loads(answers.read_text())

    assert results["null"] == [{"c": None}]
    assert results["binary"] == results["after"], "an executor that met bad input goes on working"
    expectations = {
        "missing": ("CLASSIFY_UNREADABLE_IMAGE", ["no/such/image.jpg"]),
        "empty": ("CLASSIFY_BAD_IMAGE", [str(empty), "empty"]),
        "text": ("CLASSIFY_BAD_IMAGE", [str(text), "not an image"]),
        "backend": ("CLASSIFY_BAD_CONFIGURATION", ["tensorflow", "onnx", "pytorch"]),
        "model": ("CLASSIFY_BAD_MODEL", [f"{tmp_path}/nowhere"]),
        "config": ("CLASSIFY_BAD_MODEL", ["config.json"]),
        "name": ("CLASSIFY_BAD_CONFIGURATION", ["'brocken'", "broken, nowhere"]),
        "path": ("CLASSIFY_BAD_CONFIGURATION", [str(broken), "spark.classify.model.allowPaths"]),
    }
    for name, (condition, fragments) in expectations.items():
        result = results[name]
        assert isinstance(result, dict), f"{name} did not fail: {result}"
        assert condition in (result["condition"] or result["message"]), (name, result)
        for fragment in fragments:
            assert fragment in result["message"], (name, result)


PYTHON_FUNCTIONS = r"""
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import expr

spark = SparkSession.builder.getOrCreate()
names, answers = json.load(open(sys.argv[1])), sys.argv[2]
spark.udf.register("same", lambda value: value, "string")
images = spark.createDataFrame([(name,) for name in names], "name string").repartition(2)
images = images.selectExpr("name", "'dataset/all_images/' || name AS path")
images.createOrReplaceTempView("images")
classes = images.select("name", expr("classify(path, 'onnx') AS c"))

def rename(frames):
    for frame in frames:
        yield frame.assign(found=[row["class"] for row in frame["c"]])[["name", "found"]]

frames = {
    "below": spark.sql("SELECT name, classify(same(path), 'onnx').class FROM images"),
    "above": spark.sql("SELECT name, same(classify(path, 'onnx').class) FROM images"),
    "both": spark.sql(
        "SELECT name, same(classify(same(path), 'onnx').class) FROM images "
        "WHERE same(classify(same(path), 'onnx').class) = classify(same(path), 'onnx').class"
    ),
    "pandas": classes.mapInPandas(rename, "name string, found string"),
    "rdd": classes.selectExpr("name", "c.class").rdd.toDF("name string, found string"),
}
json.dump({key: [list(row) for row in frame.collect()] for key, frame in frames.items()}, open(answers, "w"))
"""


def test_python_functions_below_and_above(spark_run, jar, golden, tmp_path):
    """Spark moves Python functions into operators of their own, too."""
    names = sorted(golden["onnx"])[:9]
    script, questions, answers = tmp_path / "functions.py", tmp_path / "names.json", tmp_path / "answers.json"
    script.write_text(PYTHON_FUNCTIONS)
    questions.write_text(json.dumps(names))
    spark_run("spark-submit", "--master", "local[2]", "--jars", jar, *MODEL, *python_conf(), script, questions, answers)
    expected = [[name, CLASSES[max(range(3), key=golden["onnx"][name].__getitem__)]] for name in names]
    for key, rows in json.loads(answers.read_text()).items():
        assert sorted(rows) == expected, key
