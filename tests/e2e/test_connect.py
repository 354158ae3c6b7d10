"""Spark Connect: a plain Python client, without a JVM of its own, uses the functions of a server that has the jar."""

from __future__ import annotations

import json

import pytest
from conftest import CLUSTER, LOCAL, ROOT, SLOW, run_client

CLIENT = r"""
import json, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import call_function, col, lit

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
image = sys.argv[2]
results = {}
results["sql"] = spark.sql(f"SELECT classify('{image}', 'onnx').class_id AS c").collect()[0].c
frame = spark.read.format("binaryFile").load(image)
call = call_function("classify", col("content"), lit("onnx"))
results["call_function"] = frame.select(call.class_id.alias("c")).collect()[0].c
embed = call_function("embed_image", col("content"), lit("onnx"), lit("colours"))
results["embedding"] = list(frame.select(embed.alias("e")).collect()[0].e)
row = spark.sql("SELECT try_embed_image('/no/such.png', 'onnx', 'colours') AS e").collect()[0]
results["try_embed"] = [row.e.embedding, row.e.error]
topk = call_function("classify_topk", col("content"), lit(2), lit("onnx"))
results["topk"] = [row["class_id"] for row in frame.select(topk.alias("t")).collect()[0].t]
results["try"] = spark.sql("SELECT try_classify('/no/such.png', 'onnx').error AS e").collect()[0].e
try:
    spark.sql("SELECT classify('/no/such.png', 'onnx')").collect()
except Exception as error:
    results["error"] = str(error)
try:
    spark.sql(f"SELECT classify('{image}', 'tensorflow')").collect()
except Exception as error:
    results["analysis"] = str(error)
results["after"] = spark.sql(f"SELECT classify('{image}', backend => 'onnx').class_id AS c").collect()[0].c
json.dump(results, open(sys.argv[3], "w"))
spark.stop()
"""


@pytest.mark.parametrize("master", [pytest.param(LOCAL, marks=SLOW), CLUSTER])
def test_a_connect_client_classifies(connect_server, golden, tmp_path, master):
    image, expected = next(iter(golden["onnx"].items()))
    client, answers = tmp_path / "client.py", tmp_path / "answers.json"
    client.write_text(CLIENT)
    models = {"spark.classify.model": "model", "spark.classify.models.colours": "tests/golden/colour-embedding"}
    options = [word for key, value in models.items() for word in ("--conf", f"{key}={value}")]
    with connect_server(*options, master=master) as url:
        run_client(client, url, ROOT / "dataset/all_images" / image, answers)
    results = json.loads(answers.read_text())
    class_id = expected.index(max(expected))
    assert results["sql"] == results["call_function"] == results["after"] == class_id
    assert results["topk"] == sorted(range(3), key=lambda k: -expected[k])[:2]
    assert len(results["embedding"]) == 3
    assert abs(sum(value * value for value in results["embedding"]) - 1) < 1e-5
    assert results["try_embed"][0] is None
    assert results["try_embed"][1].startswith("[CLASSIFY_UNREADABLE_IMAGE]")
    assert results["try"].startswith("[CLASSIFY_UNREADABLE_IMAGE]")
    for fragment in ["CLASSIFY_UNREADABLE_IMAGE", "/no/such.png", "try_classify"]:
        assert fragment in results["error"]
    for fragment in ["CLASSIFY_BAD_CONFIGURATION", "tensorflow"]:
        assert fragment in results["analysis"]
