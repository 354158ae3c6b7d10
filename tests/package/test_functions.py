"""spark_classify.functions in a classic session and over Spark Connect: the same as the SQL functions."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile

import pytest
from conftest import ROOT
from packages import own_wheel

PROGRAM = r"""
import json, sys
from pyspark.sql import SparkSession
import spark_classify
from spark_classify import functions as sc

builder, root = SparkSession.builder, sys.argv[2]
builder = builder.remote("local[2]") if sys.argv[1] == "connect" else builder.master("local[2]")
builder = builder.config("spark.ui.enabled", "false")
builder = builder.config("spark.classify.models.colours", f"{root}/tests/golden/colour-embedding")
builder = builder.config("spark.classify.models.cards", f"{root}/model")
spark = spark_classify.configure(builder, model=f"{root}/model").getOrCreate()
images = spark.read.format("binaryFile").load(f"{root}/dataset/all_images").orderBy("path").limit(3)
images.createOrReplaceTempView("images")
calls = {
    "classify(content)": (sc.classify("content", backend="onnx"), "classify(content, 'onnx')"),
    "classify by position": (sc.classify("content", "onnx", "cards"), "classify(content, 'onnx', 'cards')"),
    "classify(path)": (sc.classify(images.path, model="cards"), "classify(path, NULL, 'cards')"),
    "try_classify": (sc.try_classify("path", backend="onnx", model="cards"), "try_classify(path, 'onnx')"),
    "classify_topk": (sc.classify_topk("content", 2, backend="onnx"), "classify_topk(content, 2, 'onnx')"),
    "embed_image": (sc.embed_image("path", model="colours"), "embed_image(path, NULL, 'colours')"),
    "try_embed_image": (sc.try_embed_image("path", model="colours"), "try_embed_image(path, NULL, 'colours')"),
    "image_hash": (sc.image_hash("content"), "image_hash(content)"),
    "try_image_hash": (sc.try_image_hash("path"), "try_image_hash(path)"),
}
results = {"module": type(spark).__module__}
for name, (column, sql) in calls.items():
    ours = images.select(column.alias("c")).collect()
    theirs = spark.sql(f"SELECT {sql} AS c FROM images").collect()
    results[name] = [str(ours), str(theirs)]
bad = spark.range(1).select(sc.try_classify(sc.lit("/no/such.png"), backend="onnx").alias("c")).first().c
results["bad"] = [bad["class"], bad.error]
try:
    images.select(sc.classify("path", backend="tensorflow")).collect()
except Exception as error:
    results["error"] = [type(error).__name__, str(error)]
json.dump(results, open(sys.argv[3], "w"))
"""


@pytest.mark.parametrize(
    ("kind", "module"), [("classic", "pyspark.sql.session"), ("connect", "pyspark.sql.connect.session")]
)
def test_columns_are_what_sql_gives(tmp_path, kind, module):
    with zipfile.ZipFile(own_wheel()) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "program.py").write_text(PROGRAM)
    # The Python of .venv has what a client of Spark Connect needs.
    python, output = os.environ["PYSPARK_PYTHON"], tmp_path / "results.json"
    done = subprocess.run(
        [python, str(tmp_path / "program.py"), kind, str(ROOT), str(output)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    results = json.loads(output.read_text())
    assert results.pop("module") == module
    label, error = results.pop("bad")
    assert label is None and error.startswith("[CLASSIFY_UNREADABLE_IMAGE]")
    kind_of_error, message = results.pop("error")
    assert kind_of_error == "AnalysisException" and "tensorflow" in message
    assert len(results) == 9
    for name, (ours, theirs) in results.items():
        assert ours == theirs and "Row(c=" in ours, name
