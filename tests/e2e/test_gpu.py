"""GPUs as Spark hands them out. No machine needs one: what is assigned here is a GPU that nobody has, so that the error
tells which device a task took."""

import json
import os
import subprocess

import pytest
from conftest import EXTENSION, ROOT

# More than any machine has.
GPU = 999

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
answers = {}
for device in ["auto", "cuda", "cuda:998", "cpu"]:
    spark.conf.set("spark.classify.device", device)
    rows = spark.createDataFrame([(sys.argv[1],)] * 2, "path string").repartition(2)
    try:
        answers[device] = [row[0] for row in rows.selectExpr("classify(path, 'onnx').class").collect()]
    except Exception as error:
        answers[device] = str(error)
json.dump(answers, open(sys.argv[2], "w"))
"""


def test_a_task_uses_the_gpu_that_spark_assigned(spark_run, jar, tmp_path, golden):
    discovery = tmp_path / "discover.sh"
    discovery.write_text(f"""#!/bin/sh\necho '{{"name": "gpu", "addresses": ["{GPU}"]}}'\n""")
    discovery.chmod(0o755)
    script, output = tmp_path / "devices.py", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    image = ROOT / "dataset/all_images" / next(iter(golden["onnx"]))
    settings = {
        "spark.classify.model": ROOT / "model",
        "spark.worker.resource.gpu.amount": 1,
        "spark.worker.resource.gpu.discoveryScript": discovery,
        "spark.executor.resource.gpu.amount": 1,
        # Two tasks share it.
        "spark.task.resource.gpu.amount": 0.5,
        "spark.task.maxFailures": 1,
    }
    spark_run(
        *["spark-submit", "--master", "local-cluster[1,2,1024]", "--jars", jar, "--conf", EXTENSION],
        *[part for key, value in settings.items() for part in ("--conf", f"{key}={value}")],
        *[script, image, output],
    )
    answers = json.loads(output.read_text())
    for device, used in [("auto", GPU), ("cuda", GPU), ("cuda:998", 998)]:
        assert "CLASSIFY_DEVICE_UNAVAILABLE" in answers[device], answers
        assert f"device cuda:{used}: " in answers[device], answers
        assert "(spark.classify.device)" in answers[device], answers
    # The same executor goes on.
    assert len(answers["cpu"]) == 2


@pytest.mark.parametrize(("visible", "addresses"), [("0,1", ["0", "1"]), ("5", ["0"]), ("", []), ("-1", [])])
def test_the_discovery_script_counts_as_cuda_does(visible, addresses):
    done = subprocess.run(
        [ROOT / "scripts/discover_gpus.sh"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": visible},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"name": "gpu", "addresses": addresses}


def test_the_discovery_script_asks_the_driver(tmp_path):
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n'\n")
    fake.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [ROOT / "scripts/discover_gpus.sh"],
        env={**environment, "PATH": f"{tmp_path}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"name": "gpu", "addresses": ["0", "1", "2"]}
