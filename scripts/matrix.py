"""Runs the tests on every Spark and Java of a table, and writes docs/compatibility.md from what was run.

    scripts/matrix.py --page           # all rows, and the page
    MATRIX=4.0.5 scripts/matrix.py     # the rows of a release; more after commas, 4.3.0/21 for one Java
    scripts/matrix.py --quick          # without the suites that take longest; the page has nothing of it

What each row gave is kept in target/matrix.json, so that a part can be run again; the page names the rows that have not
been run. `make test-matrix` builds first.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from compatibility import Outcome, Result, platform_of_this_run, write_page

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "target/matrix.json"
LOGS = ROOT / "target/matrix"

ALL = ()
# Functions, plans, batches, streams, the job, Spark ML, errors, the native boundary, and what the jar names of Spark.
CORE = (
    *["LinkageSuite", "ClassifySuite", "TryClassifySuite", "FunctionsSuite", "EmbedImageSuite", "ImageHashSuite"],
    *["ExtractInferencesSuite", "ConditionalCallsSuite", "QueriesSuite", "ViewsSuite", "ClassifyIteratorSuite"],
    *[
        "InputPositionsSuite",
        "StreamingSuite",
        "JobSuite",
        "BadInputSuite",
        "ClassifyExceptionSuite",
        "ConfSuite",
    ],
    *["InfoSuite", "RunningSparkSuite", "ModelCacheSuite", "NativeBoundarySuite", "JniChecksSuite"],
    *["ColumnFunctionsSuite", "ImageClassifierSuite", "ImageEmbedderSuite", "PipelineSuite"],
)
# What they say of plans and batches, shorter ones say too.
LONG = {"ConditionalCallsSuite", "InputPositionsSuite"}
# Each with `--jars` alone: spark-sql, spark-shell, PySpark, spark-submit, the Connect and the Thrift server.
END_TO_END = (
    "test_sql.py::test_spark_sql_with_jars_alone",
    "test_sql.py::test_spark_shell_knows_the_functions",
    "test_sql.py::test_pyspark_bad_input_names_path_reason_and_condition",
    "test_sql.py::test_python_functions_below_and_above",
    "test_python_sessions.py::test_a_session_that_runs_gets_functions_and_operator",
    "test_python_sessions.py::test_errors_are_of_pyspark_wherever_a_query_runs",
    "test_python_sessions.py::test_progress_counts_the_images_of_running_queries",
    "test_job.py::test_job_matches_the_python_reference[local-cluster[2,1,1024]-onnx]",
    "test_job.py::test_job_matches_the_python_reference[local[2]-pytorch]",
    "test_connect.py::test_a_connect_client_classifies[local[2]]",
    "test_static_keys.py::test_thrift_server",
    "test_ml.py::test_a_classic_session",
    "test_ml.py::test_a_connect_client",
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A Spark, a Java, the artifact that is tested on them, and with which suites (ALL or names)."""

    spark: str
    scala: str
    java: int
    artifact: str
    suites: tuple[str, ...]
    end_to_end: tuple[str, ...] = END_TO_END

    @property
    def name(self) -> str:
        return f"{self.spark}/{self.java}"


SPARK_4 = "spark4_2.13"
# No Connect server is among the jars of Spark 3.5; of 3.5 with Scala 2.13 Maven here has no shells either.
END_TO_END_3_5 = tuple(test for test in END_TO_END if "connect" not in test)
JOBS = tuple(test for test in END_TO_END if "job" in test)
# The whole suite on every release of Spark 4; another Java concerns the core.
ROWS = (
    Row("4.3.0", "2.13", 17, SPARK_4, ALL),
    Row("4.2.1", "2.13", 17, SPARK_4, ALL),
    Row("4.1.4", "2.13", 17, SPARK_4, ALL),
    Row("4.0.5", "2.13", 17, SPARK_4, ALL),
    Row("4.3.0", "2.13", 21, SPARK_4, CORE),
    Row("4.0.5", "2.13", 21, SPARK_4, CORE),
    Row("4.3.0", "2.13", 25, SPARK_4, CORE),
    Row("3.5.9", "2.12", 11, "spark3.5_2.12", CORE, END_TO_END_3_5),
    Row("3.5.9", "2.12", 17, "spark3.5_2.12", CORE, END_TO_END_3_5),
    Row("3.5.6_2.13", "2.13", 17, "spark3.5_2.13", CORE, JOBS),
)


def printed(*command: str) -> str:
    """What a command of the repository prints."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def logged(log: Path, command: list[str], environment: dict[str, str]) -> str:
    """Runs a command whose output goes into a file, and gives it back, however it ended."""
    with log.open("w") as output:
        subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    return log.read_text(errors="replace")


def run_suites(row: Row, spark_home: str, java_home: str, log: Path) -> Outcome:
    """The ScalaTest suites: of Spark 4 the classes and the jar that are built already, else those of that Spark."""
    home = "testSparkHome" if row.artifact == SPARK_4 else "sparkHome"
    command = ["gradle", "--quiet", "test", f"-P{home}={spark_home}", f"-PtestJava={java_home}"]
    if row.suites:
        command.append(f"-Psuite={','.join(row.suites)}")
    output = logged(log, command, dict(os.environ))
    counts = re.search(r"Tests: succeeded (\d+), failed (\d+)", output)
    aborted = re.search(r"Suites: completed \d+, aborted ([1-9]\d*)", output)
    if not counts or aborted:
        return Outcome(0, 1)
    return Outcome(int(counts[1]), int(counts[2]))


def run_end_to_end(row: Row, spark_home: str, java_home: str, jar: Path, log: Path) -> Outcome:
    """Tests of tests/e2e with the launchers of that Spark, and with its own Python package."""
    environment = dict(os.environ)
    environment.update(SPARK_HOME=spark_home, PYTHONPATH=str(Path(spark_home).parent), JAVA_HOME=java_home)
    environment.update(SPARK_CLASSIFY_JAR=str(jar))
    version = subprocess.run([f"{spark_home}/bin/spark-submit", "--version"], env=environment, capture_output=True)
    if version.returncode != 0:
        # They ask for jdk.incubator.vector from 4.3 on, which scripts/java_home.sh installs no runtime with.
        print(
            f"The launchers of Spark {row.spark} do not start on {java_home}: a whole Java in /usr/lib/jvm comes first"
        )
        return Outcome(0, 0)
    tests = [f"tests/e2e/{test}" for test in row.end_to_end]
    output = logged(log, [sys.executable, "-m", "pytest", "-q", "-n", "2", *tests], environment)
    passed, failed, errors = (re.search(rf"(\d+) {word}", output) for word in ("passed", "failed", "error"))
    count = int(passed[1]) if passed else 0
    return Outcome(count, sum(int(found[1]) for found in (failed, errors) if found) or int(count == 0))


def run(row: Row) -> Result:
    """Runs a row's tests; what they print is in target/matrix."""
    spark_home = printed("scripts/spark_home.sh", row.spark)
    java_home = printed("scripts/java_home.sh", str(row.java))
    log = LOGS / row.name.replace("/", "-java")
    suites = run_suites(row, spark_home, java_home, log.with_name(f"{log.name}-suites.log"))
    jar = artifact_jar(row)
    end_to_end = run_end_to_end(row, spark_home, java_home, jar, log.with_name(f"{log.name}-e2e.log"))
    version = subprocess.run([f"{java_home}/bin/java", "-version"], check=True, capture_output=True, text=True).stderr
    java = re.search(r'version "([^"]+)"', version)
    return Result(
        name=row.name,
        spark=row.spark.split("_")[0],
        scala=row.scala,
        java=java[1] if java else str(row.java),
        artifact=row.artifact,
        jar=hashlib.sha256(jar.read_bytes()).hexdigest(),
        suites="all" if row.suites == ALL else "core",
        jvm=suites,
        end_to_end=end_to_end,
        platform=platform_of_this_run(),
        date=datetime.date.today().isoformat(),
    )


def show_failures(name: str) -> None:
    """Prints from the logs of a row what failed, and the ends of the logs where they do not say."""
    for log in sorted(LOGS.glob(f"{name.replace('/', '-java')}-*.log")):
        lines = log.read_text(errors="replace").splitlines()
        failures = [number for number, line in enumerate(lines) if "FAILED" in line or "ABORTED" in line]
        shown = [line for number in failures[:20] for line in lines[number : number + 4]] or lines[-40:]
        print(f"--- {log.relative_to(ROOT)}", *shown, sep="\n", flush=True)


def artifact_jar(row: Row) -> Path:
    """The jar that `gradle jar` makes for a row."""
    folder = "libs" if row.artifact == SPARK_4 else f"{row.artifact}/libs"
    (jar,) = (ROOT / "spark-udf-jvm/build" / folder).glob("spark-classify*.jar")
    return jar


def selected(names: str) -> list[Row]:
    """The rows that MATRIX names, in the table's order."""
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if not any(name in (row.spark, row.name) for row in ROWS)]
    if unknown:
        sys.exit(f"MATRIX={names}: no row is {', '.join(unknown)}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if not wanted or row.spark in wanted or row.name in wanted]


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    kept = [Result.of(entry) for entry in json.loads(RESULTS.read_text())] if RESULTS.exists() else []
    results = {result.name: result for result in kept if any(result.name == row.name for row in ROWS)}
    rows, quick = selected(os.environ.get("MATRIX", "")), "--quick" in sys.argv[1:]
    if quick:
        rows = [dataclasses.replace(row, suites=tuple(name for name in row.suites if name not in LONG)) for row in rows]
    for row in rows:
        result = run(row)
        results[row.name] = result
        if not quick:
            # After each: a run that is stopped keeps what it has.
            ordered = [results[known.name] for known in ROWS if known.name in results]
            RESULTS.write_text(json.dumps([dataclasses.asdict(one) for one in ordered], indent=2) + "\n")
        print(f"Spark {row.spark}, Java {result.java}: suites {result.jvm}, end to end {result.end_to_end}", flush=True)
    if "--page" in sys.argv[1:]:
        write_page(
            [results[row.name] for row in ROWS if row.name in results],
            served=[(row.spark, row.scala, row.artifact) for row in ROWS],
            not_run=[row.name for row in ROWS if row.name not in results],
        )
    failed = [row.name for row in rows if not results[row.name].passed]
    for name in failed:
        show_failures(name)
    tests = sum(results[row.name].jvm.passed + results[row.name].end_to_end.passed for row in rows)
    print(
        f"{len(rows) - len(failed)} of {len(rows)} rows passed, {tests} tests"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
