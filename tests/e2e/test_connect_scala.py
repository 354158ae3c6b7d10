"""`io.sparkclassify.functions` in Spark Connect's client for Scala, which has our jar and no engine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

MODELS = {
    "spark.classify.model": "model",
    "spark.classify.models.colours": "tests/golden/colour-embedding",
    "spark.classify.backend": "onnx",
}
OPTIONS = [word for key, value in MODELS.items() for word in ("--conf", f"{key}={value}")]
# What only a server has of Spark: SQL's engine and what is above it.
SERVER = ("spark-catalyst_", "spark-connect_", "spark-hive", "spark-mllib", "spark-sql_", "spark-streaming_")
# What spark-submit gives a JVM on JDK 17 and newer.
OPENED = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.lang", "java.util", "sun.nio.ch")]


@pytest.fixture(scope="session")
def client_jars() -> list[Path]:
    """Spark's client, which is beside the jars of a release, and what it shares with the server."""
    jars = Path(os.environ["SPARK_HOME"]) / "jars"
    clients = list(jars.glob("connect-repl/spark-connect-client-jvm_*.jar"))
    if not clients:
        pytest.skip("this release of Spark has no client of Spark Connect beside its jars")
    return clients + [jar for jar in jars.glob("*.jar") if not jar.name.startswith(SERVER)]


def test_a_scala_client_calls_the_functions(connect_server, jar, client_jars, golden, tmp_path):
    classes = tmp_path / "classes"
    classes.mkdir()
    class_path = os.pathsep.join(map(str, [classes, jar, *client_jars]))
    compiler = ["java", "-Xss8m", "-cp", f"{os.environ['SPARK_HOME']}/jars/*", "scala.tools.nsc.Main"]
    source = ROOT / "tests/scala/ConnectClient.scala"
    compiled = subprocess.run([*compiler, "-d", classes, "-classpath", class_path, source], stderr=subprocess.PIPE)
    assert compiled.returncode == 0, compiled.stderr.decode()

    image, expected = next(iter(golden["onnx"].items()))
    with connect_server(*OPTIONS) as url:
        command = ["java", *OPENED, "-cp", class_path, "ConnectClient", url, ROOT / "dataset/all_images" / image]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-6000:]
    results = dict(line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
    best = sorted(range(3), key=lambda class_id: -expected[class_id])
    assert results["classify"] == str(best[0])
    assert [row["class_id"] for row in json.loads(results["classify_topk"])] == best[:2]
    assert results["model"] in ("red", "green", "blue")
    assert results["try_classify"] == results["try_embed_image"] == "null"
    assert sum(value * value for value in json.loads(results["embed_image"])) == pytest.approx(1, abs=1e-5)
    assert results["image_hash"] == results["try_image_hash"]
    assert results["classify_info"] == "onnx,pytorch"
    # Spark's client makes its messages of Spark's own table of conditions: of others it says the name alone.
    assert "CLASSIFY_BAD_CONFIGURATION" in results["backend"]
    assert "CLASSIFY_UNREADABLE_IMAGE" in results["image"]
