"""What reaches the executors of a cluster: the model, and the questions of classify_info()."""

import json
import os
import tarfile

import pytest
from conftest import EXTENSION

SCRIPT = r"""
import json, sys, time
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
# Executors come up while the application already runs; the driver is in this list too.
deadline = time.monotonic() + 60
while spark._jsc.sc().getExecutorMemoryStatus().size() < 3 and time.monotonic() < deadline:
    time.sleep(0.2)
query, output = sys.argv[1:]
answers = [[row.asDict(True) for row in spark.sql(part).collect()] for part in query.split(";")]
json.dump(answers, open(output, "w"))
"""


@pytest.fixture
def answers(spark_run, jar, tmp_path):
    """Runs queries on a cluster of two executors and returns the rows of each."""

    def ask(*queries: str, options: list[str], env: dict[str, str] | None = None) -> list[list[dict]]:
        script, output = tmp_path / "queries.py", tmp_path / "answers.json"
        script.write_text(SCRIPT)
        spark_run(
            *["spark-submit", "--master", "local-cluster[2,1,1024]", "--jars", jar, "--conf", EXTENSION],
            *[*options, script, ";".join(queries), output],
            env=env,
        )
        return json.loads(output.read_text())

    return ask


def test_classify_info_has_the_driver_and_each_executor(answers):
    rows, described, unused = answers(
        "SELECT * FROM classify_info()",
        "DESCRIBE FUNCTION classify_info",
        "SELECT DISTINCT reason FROM classify_info() WHERE NOT available",
        options=["--conf", "spark.classify.torch.home=/no/such/torch"],
    )
    assert sorted((row["executor"], row["backend"]) for row in rows) == sorted(
        (executor, backend) for executor in ["driver", "0", "1"] for backend in ["onnx", "pytorch"]
    )
    for row in rows:
        assert row["host"] and row["jar_version"] and row["spark_version"]
        assert row["loaded_models"] == []
        if row["backend"] == "onnx":
            assert row["available"] and row["reason"] is None
            assert row["engine_version"].startswith("1.")
            assert "cpu" in row["devices"] and row["instruction_set"]
        else:
            # One backend that is missing does not hide the other.
            assert not row["available"] and row["engine_version"] is None
            assert "spark.classify.torch.home=/no/such/torch" in row["reason"]
    assert any("classify_info" in row["function_desc"] for row in described)
    assert len(unused) == 1


def test_a_model_comes_to_the_executors_as_an_archive(answers, tmp_path, golden):
    archive = tmp_path / "cards.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in os.listdir("model"):
            tar.add(f"model/{name}", arcname=name)
    image, expected = next(iter(golden["onnx"].items()))
    path = f"'dataset/all_images/{image}'"
    rows, info = answers(
        f"SELECT classify(path, 'onnx', 'cards').probabilities AS p FROM VALUES ({path}), ({path}) AS t(path)",
        "SELECT executor, loaded_models FROM classify_info() WHERE backend = 'onnx'",
        options=["--archives", f"{archive}#cards", "--conf", "spark.classify.models.cards=sparkfiles:cards"],
    )
    for row in rows:
        assert row["p"] == pytest.approx(expected, abs=1e-4)
    loaded = {row["executor"]: row["loaded_models"] for row in info}
    models = [model for executor in ["0", "1"] for model in loaded[executor]]
    assert loaded["driver"] == [] and models
    assert all(model.startswith("file:/") and model.endswith("/cards") for model in models)
