"""What the tests that start Spark share: the built jar, the golden predictions, and running Spark's own launchers.

Every launcher runs as a separate process, as a user would start it, and binds to loopback only.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import pytest
from short_jvms import java_options
from standalone import Cluster, free_port, wait_for

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ["crop_and_replace", "font_issue", "valid_id"]
BACKENDS = ["pytorch", "onnx"]
EXTENSION = "spark.sql.extensions=io.sparkclassify.ClassifyExtensions"
# With this, a test is left to `make test-slow`: of what two parameters make, each value is in one test that is not.
SLOW = pytest.mark.slow
# Within one JVM, and with executors of their own.
LOCAL, CLUSTER = "local[2]", "local-cluster[2,1,1024]"


def each_with_a_backend(values: Iterable[str]) -> list:
    """All pairs of a value and a backend, of which those that repeat a value with the other engine are slow."""
    return [
        pytest.param(value, backend, marks=[] if (first + second) % 2 else [SLOW])
        for first, value in enumerate(values)
        for second, backend in enumerate(BACKENDS)
    ]


def python_conf() -> list[str]:
    """What PySpark needs beside the jar: Spark 3.5 looks for extensions only where a session is built on the JVM."""
    return ["--conf", EXTENSION] if list(Path(os.environ["SPARK_HOME"]).glob("jars/spark-core_*-3.5.*.jar")) else []


def built_jar() -> Path | None:
    """The jar that `make build` leaves, or the one that SPARK_CLASSIFY_JAR names."""
    if named := os.environ.get("SPARK_CLASSIFY_JAR"):
        return Path(named)
    return next((ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar"), None)


def pytest_configure(config):
    """Once for all workers: these inherit it."""
    if not hasattr(config, "workerinput") and "SPARK_HOME" in os.environ and (jar := built_jar()):
        os.environ.setdefault("JDK_JAVA_OPTIONS", java_options(jar))


@pytest.fixture(scope="session")
def jar() -> Path:
    jar = built_jar()
    assert jar, "no jar in spark-udf-jvm/build/libs: make build"
    return jar


@pytest.fixture(scope="session")
def faulty_file_system(tmp_path_factory) -> list[str]:
    """The options by which an application has the scheme `faulty:` of tests/java/FaultyFileSystem.java."""
    folder = tmp_path_factory.mktemp("faulty")
    source, classes, target = ROOT / "tests/java/FaultyFileSystem.java", folder / "classes", folder / "faulty.jar"
    class_path = f"{os.environ['SPARK_HOME']}/jars/*"
    subprocess.run(["javac", "--release", "17", "-d", classes, "-classpath", class_path, source], check=True)
    subprocess.run(["jar", "--create", "--file", target, "-C", classes, "."], check=True)
    schemes = "spark.classify.read.schemes=file,viewfs,faulty"
    return ["--jars", str(target), "--conf", "spark.hadoop.fs.faulty.impl=FaultyFileSystem", "--conf", schemes]


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, list[float]]]:
    """Reference probabilities: backend → image → one value a class, in class-id order."""
    images = json.loads((ROOT / "tests/golden/predictions.json").read_text())["images"]
    return {backend: {image: values[backend] for image, values in images.items()} for backend in BACKENDS}


@pytest.fixture
def spark_run(tmp_path):
    """Runs one of Spark's launchers (spark-submit, spark-sql, ...) in the project's root; SPARK_HOME may be another."""

    def run(launcher: str, *args: object, stdin: str = "", env: dict[str, str] | None = None, check: bool = True):
        environment = {**os.environ, **(env or {})}
        command = [
            f"{environment['SPARK_HOME']}/bin/{launcher}",
            *["--conf", "spark.ui.enabled=false"],
            *["--conf", f"spark.sql.warehouse.dir={tmp_path}/warehouse"],
            *["--conf", f"spark.local.dir={tmp_path}/local"],
            *["--conf", f"spark.hadoop.javax.jdo.option.ConnectionURL=jdbc:derby:memory:{tmp_path.name};create=true"],
            *map(str, args),
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{launcher} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-12000:]}")
        return done

    return run


@pytest.fixture
def connect_server(jar, tmp_path):
    """Starts a Spark Connect server, with the jar if no others are named, in the project's root; gives its URL."""

    @contextmanager
    def serve(*options: object, master: str = "local[2]", jars: tuple[Path, ...] = (jar,)):
        port, log = free_port(), tmp_path / f"server-{master}.log"
        settings = {
            "spark.ui.enabled": "false",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": port,
            "spark.sql.warehouse.dir": f"{tmp_path}/warehouse",
            "spark.local.dir": f"{tmp_path}/local",
        }
        command = [
            *[f"{os.environ['SPARK_HOME']}/bin/spark-submit", "--master", master],
            *["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"],
            *(["--jars", ",".join(map(str, jars))] if jars else []),
            *[word for key, value in settings.items() for word in ("--conf", f"{key}={value}")],
            *map(str, options),
            "spark-internal",
        ]
        with log.open("w") as output:
            server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        try:
            wait_for(port, server, log)
            yield f"sc://127.0.0.1:{port}"
        except BaseException:
            print(log.read_text()[-8000:])
            raise
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)

    return serve


def run_client(script: Path, *arguments: object) -> None:
    """Runs a client of Spark Connect, which must not need a Spark installation."""
    environment = {key: value for key, value in os.environ.items() if key not in ("SPARK_HOME", "JAVA_HOME")}
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Keeps on the test whether it failed, for fixtures that then say more."""
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture(scope="session")
def started_cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("spark") / "cluster") as running:
        yield running


@pytest.fixture
def cluster(started_cluster, request):
    """A master with two workers of one core, on which nothing runs.

    When the test fails, the ends of the logs of its executors are shown with it.
    """
    started_cluster.forget()
    try:
        yield started_cluster
    finally:
        if getattr(request.node, "failed", True):
            started_cluster.show_logs()


def read_events(folder: Path) -> list[dict]:
    """What Spark noted in the event logs of a folder (`event_log`)."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [json.loads(line) for file in files for line in file.open() if line[0] == "{"]


def event_log(folder: Path) -> list[str]:
    """The options by which an application notes its events in the folder, for `read_events`."""
    folder.mkdir()
    settings = {"enabled": "true", "compress": "false", "dir": folder}
    return [word for key, value in settings.items() for word in ("--conf", f"spark.eventLog.{key}={value}")]


class FaultReport:
    """What the jobs of tests/faults/test_kills.py went through, for the last line of the report."""

    def __init__(self) -> None:
        self.jobs = self.kills = self.rows = self.lost = self.retries = self.seed = 0

    def add(self, *, kills: int, rows: int, lost: int, retries: int, seed: int) -> None:
        self.jobs, self.kills, self.rows = self.jobs + 1, self.kills + kills, self.rows + rows
        self.lost, self.retries, self.seed = self.lost + lost, self.retries + retries, seed


FAULTS = pytest.StashKey[FaultReport]()


@pytest.fixture(scope="session")
def fault_report(pytestconfig) -> FaultReport:
    return pytestconfig.stash.setdefault(FAULTS, FaultReport())


def pytest_terminal_summary(terminalreporter, config) -> None:
    report = config.stash.get(FAULTS, None)
    if report is not None:
        terminalreporter.write_line(
            f"{report.jobs} jobs, {report.kills} kills, {report.retries} reads tried again, {report.rows} rows, "
            f"lost rows = {report.lost} (FAULT_SEED={report.seed})"
        )


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
