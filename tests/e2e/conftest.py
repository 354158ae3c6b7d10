"""What the end-to-end tests share: the built jar, the golden predictions, and running Spark's own launchers.

Every launcher runs as a separate process, as a user would start it, and binds to loopback only.
"""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ["crop_and_replace", "font_issue", "valid_id"]
BACKENDS = ["pytorch", "onnx"]
EXTENSION = "spark.sql.extensions=io.sparkclassify.ClassifyExtensions"


@pytest.fixture(scope="session")
def jar() -> Path:
    """The jar that `make build` leaves, or the one that SPARK_CLASSIFY_JAR names."""
    if named := os.environ.get("SPARK_CLASSIFY_JAR"):
        return Path(named)
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    return jar


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, list[float]]]:
    """Reference probabilities: backend → image → one value a class, in class-id order."""
    images = json.loads((ROOT / "tests/golden/predictions.json").read_text())["images"]
    return {backend: {image: values[backend] for image, values in images.items()} for backend in BACKENDS}


@pytest.fixture
def spark_run(tmp_path):
    """Runs one of Spark's launchers (spark-submit, spark-sql, ...) in the project's root."""

    def run(launcher: str, *args: object, stdin: str = "", env: dict[str, str] | None = None, check: bool = True):
        home = Path(os.environ["SPARK_HOME"])
        command = [
            str(home / "bin" / launcher),
            *["--conf", "spark.ui.enabled=false"],
            *["--conf", f"spark.sql.warehouse.dir={tmp_path}/warehouse"],
            *["--conf", f"spark.local.dir={tmp_path}/local"],
            *["--conf", f"spark.hadoop.javax.jdo.option.ConnectionURL=jdbc:derby:memory:{tmp_path.name};create=true"],
            *map(str, args),
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{launcher} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-12000:]}")
        return done

    return run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    """Waits until a process that has just been started listens on a port of loopback."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-8000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    pytest.fail(f"nobody listens on port {port}\n{log.read_text()[-8000:]}")


def wait_for_workers(count: int, master_log: Path, processes: list[subprocess.Popen]) -> None:
    """Waits until the master has registered its workers: an application that asks before has fewer executors."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), "a process of the cluster ended"
        if master_log.read_text().count("Registering worker") >= count:
            return
        time.sleep(0.5)
    pytest.fail(f"the master has not registered {count} workers")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Keeps on the test whether it failed, for fixtures that then say more."""
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture
def standalone_cluster(tmp_path, request):
    """The URL of a master with two workers of one core, on two addresses and so, for Spark, two hosts.

    When the test fails, the ends of the cluster's logs are shown with it.
    """
    launcher = str(Path(os.environ["SPARK_HOME"]) / "bin/spark-class")
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    processes: list[subprocess.Popen] = []

    def start(name: str, *args: object) -> Path:
        log = tmp_path / f"{name}.log"
        with log.open("w") as output:
            command = [launcher, f"org.apache.spark.deploy.{name}", *map(str, args), "--webui-port", "0"]
            environment = {**os.environ, "SPARK_WORKER_DIR": str(tmp_path / "work")}
            processes.append(subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment))
        return log

    try:
        log = start("master.Master", "--host", "127.0.0.1", "--port", port)
        wait_for(port, processes[0], log)
        for host in ["127.0.0.1", "127.0.0.2"]:
            start("worker.Worker", "--host", host, "--cores", 1, "--memory", "1g", url)
        wait_for_workers(2, log, processes)
        yield url
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=60)
        if getattr(request.node, "failed", True):
            for log in [*tmp_path.glob("*.log"), *tmp_path.glob("work/*/*/stderr")]:
                print(f"--- {log}\n{log.read_text(errors='replace')[-8000:]}")


def read_predictions(directory: Path) -> dict[str, dict[str, str]]:
    """The rows of a written prediction CSV (a Spark output folder or one file), by image path."""
    parts = sorted(directory.glob("part-*.csv")) if directory.is_dir() else [directory]
    rows = {}
    for part in parts:
        with part.open(newline="") as file:
            for row in csv.DictReader(file):
                assert row["image_path"] not in rows, f"{row['image_path']} twice"
                rows[row["image_path"]] = row
    return rows


def assert_matches_golden(rows: dict[str, dict[str, str]], golden: dict[str, list[float]]) -> None:
    """Every image is there once, and every probability agrees with the Python reference to 1e-4."""
    assert rows.keys() == golden.keys()
    for image, expected in golden.items():
        row = rows[image]
        actual = [float(row[f"prob_{name}"]) for name in CLASSES]
        assert actual == pytest.approx(expected, abs=1e-4), image
        best = max(range(len(expected)), key=expected.__getitem__)
        assert int(row["predicted_class_id"]) == best, image
        assert row["predicted_class"] == CLASSES[best], image
        assert float(row["confidence"]) == pytest.approx(expected[best], abs=1e-4), image
