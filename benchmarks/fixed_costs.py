"""What a job costs beside its images: from spark-submit to the first prediction and to the end of a job of 96 images,
step by step, and queries of 96 images once a session runs.

    make bench-fixed                                # or, after `make bench` has built everything:
    python benchmarks/fixed_costs.py --rounds 5 --queries 20
    python benchmarks/fixed_costs.py --archive      # also with archives of the JVMs' classes

The job is ClassifyJob on a standalone cluster of one worker on loopback, which runs already. Its steps are lines in the
logs of the driver and the executor, so that each is the time since the one before. Cold: no native library has been
unpacked there; warm: all have. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import images

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "benchmarks/contenders"), str(ROOT / "tests")]
from core import LIMIT_BATCH_SIZE  # noqa: E402
from spark_session import images as paths_frame  # noqa: E402
from spark_session import jar, session, with_functions  # noqa: E402
from standalone import Cluster  # noqa: E402

IMAGES = 96
CORES = 2
# A session's first queries compile what the later ones run.
WARM_QUERIES = 15
# How often the limit goes through the images, which takes it no longer each time.
LIMIT_PASSES = 3
LOG = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{UNIX_MILLIS} %c{1}: %m%n
"""
# What has been done when a line is there, in the order of the lines; of several that fit, the first counts.
STEPS = (
    ("launcher, JVM of the driver", "driver", r"SparkContext: Running Spark version"),
    ("session: SparkContext, application at the master", "driver", r"Connected to Spark cluster"),
    ("JVM of the executor", "executor", r"Started daemon with process name"),
    ("executor registered", "executor", r"Executor: Fetching \S+spark-classify"),
    ("jar to the executor", "executor", r"Executor: Adding \S+spark-classify"),
    ("first query planned", "driver", r"Starting task 0.0 in stage 0.0"),
    ("list of the images", "driver", r"Starting job: collect at JobModel"),
    ("native libraries unpacked and linked", "executor", r"The native libraries of onnx were loaded"),
    ("model loaded", "executor", r"ClassifyEngine: The model .* loaded in"),
    ("query planned, first batch: the first predictions", "executor", r"The first batch of the model"),
    ("the other images, results committed", "driver", r"FileFormatWriter: Write Job .* committed"),
    ("details and counts read back, session ended", "driver", r"Successfully stopped SparkContext"),
)
END = "processes ended"
ARCHIVED = "warm, archived classes"
ARCHIVE_SECONDS = 60


def submit(cluster: Cluster, folder: Path, listed: Path, model: Path, archive: str | None = None) -> dict[str, float]:
    """Runs the job, and gives the milliseconds of each step.

    `archive` is the option of the JVM with which driver and executor name an archive of their classes.
    """
    log = folder / "log4j2.properties"
    log.write_text(LOG)
    shutil.rmtree(folder / "output", ignore_errors=True)
    java = {"driver": f"-Dlog4j2.configurationFile=file:{log}", "executor": f"-Dlog4j2.configurationFile=file:{log}"}
    if archive is not None:
        java = {process: f"{options} {archive}={folder}/{process}.jsa" for process, options in java.items()}
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.driver.extraJavaOptions": java["driver"],
        "spark.executor.extraJavaOptions": java["executor"],
        "spark.classify.native.dir": str(folder / "native"),
    }
    command = [f"{cluster.home}/bin/spark-submit", "--master", cluster.url]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    command += ["--class", "io.sparkclassify.ClassifyJob", jar(), "--images", str(listed), "--model", str(model)]
    command += ["--backend", "onnx", "--output", str(folder / "output")]
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True)
    end = time.time()
    if done.returncode != 0:
        raise SystemExit(f"fixed_costs: the job failed:\n{done.stderr[-3000:]}")
    executor = max((cluster.folder / "work").glob("app-*/0/stderr"), key=lambda path: path.stat().st_mtime)
    logs = {"driver": done.stderr, "executor": executor.read_text()}
    costs, before = {}, start * 1e3
    for step, process, sign in STEPS:
        found = re.search(rf"^(\d{{13}}) .*{sign}", logs[process], re.MULTILINE)
        if not found:
            raise SystemExit(f"fixed_costs: no line of the {process} says {sign!r}: its log is another one now")
        # What goes on beside the step before ends before it, and so takes no time.
        now = max(float(found[1]), before)
        costs[step] = now - before
        before = now
    costs[END] = max(end * 1e3 - before, 0)
    return costs


def submits(folder: Path, listed: Path, options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """The steps of each round: cold, warm, and warm with archives of the classes if these are asked for."""
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    with Cluster(folder / "cluster", cores=CORES, hosts=("127.0.0.1",)) as cluster:
        if options.archive:
            found[ARCHIVED] = []
            submit(cluster, folder, listed, options.model, "-XX:ArchiveClassesAtExit")
            wait_for_archives(folder)
        for _ in range(options.rounds):
            shutil.rmtree(folder / "native", ignore_errors=True)
            for kind, rounds in found.items():
                archive = "-XX:SharedArchiveFile" if kind == ARCHIVED else None
                rounds.append(submit(cluster, folder, listed, options.model, archive))
                print(f"{kind}: {sum(rounds[-1].values()) / 1e3:.1f} s", flush=True)
    return found


def wait_for_archives(folder: Path) -> None:
    """The executor writes its archive after the job's end."""
    archives = [folder / f"{process}.jsa" for process in ("driver", "executor")]
    end = time.monotonic() + ARCHIVE_SECONDS
    while not all(archive.exists() for archive in archives):
        if time.monotonic() > end:
            raise SystemExit(f"fixed_costs: no archive of classes after {ARCHIVE_SECONDS} s: {archives}")
        time.sleep(1)
    # It is there before it is whole.
    time.sleep(5)
    print(", ".join(f"{archive.name}: {archive.stat().st_size / 1e6:.0f} MB" for archive in archives), flush=True)


# A query of the same rows, without images: what Spark takes for any.
CALL, NO_CALL = "classify(path, 'onnx')", "named_struct('class_id', length(path), 'probabilities', array(0F, 0F, 0F))"


def queries(
    listed: Path, options: argparse.Namespace
) -> tuple[list[dict[str, float]], list[dict[str, float]], list[float]]:
    """Of each query in a warm session the milliseconds of its parts, with and without the call, and of the limit on the
    same images, by turns."""
    paths = listed.read_text().splitlines()[1:]
    names = listed.with_suffix(".paths")
    names.write_text("\n".join(paths))
    # Without the call the optimizer would answer by itself, without a job.
    as_a_job = {"spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"}
    spark = session(argparse.Namespace(images=names, passes=1, cores=CORES), with_functions(options.model) | as_a_job)

    def query(call: str = CALL) -> dict[str, float]:
        times = [time.perf_counter()]
        frame = paths_frame(spark, paths)
        times.append(time.perf_counter())
        rows = frame.selectExpr("path", f"{call} AS c").select("path", "c.class_id", "c.probabilities")
        rows._jdf.queryExecution().executedPlan()
        times.append(time.perf_counter())
        rows.collect()
        times.append(time.perf_counter())
        steps = ("paths to Spark", "analysed and planned", "run and collected")
        costs = {step: (times[at + 1] - times[at]) * 1e3 for at, step in enumerate(steps)}
        return costs | {"total": (times[-1] - times[0]) * 1e3}

    for _ in range(WARM_QUERIES):
        query()
        query(NO_CALL)
    found, without, limits = [], [], []
    for number in range(options.queries):
        found.append(query())
        without.append(query(NO_CALL))
        if number % 4 == 0:
            limits.append(limit(listed, options.model))
    spark.stop()
    return found, without, limits


def limit(listed: Path, model: Path) -> float:
    """Milliseconds that bare Rust takes for the images, with the model loaded."""
    command = [str(ROOT / "target/release/classify-bench"), "--json", "--backend", "onnx", "--limit"]
    command += ["--images", str(listed), "--model", str(model), "--tasks", str(CORES)]
    command += ["--batch-size", str(LIMIT_BATCH_SIZE), "--repeat", str(LIMIT_PASSES)]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return report["wall_millis"] / LIMIT_PASSES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model directory (default: %(default)s)")
    parser.add_argument("--rounds", type=images.positive, default=3, help="jobs, cold and warm (default: 3)")
    parser.add_argument("--queries", type=images.positive, default=24, help="in a warm session (default: 24)")
    parser.add_argument("--archive", action="store_true", help="jobs with archives of the JVMs' classes too")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    paths = images.make(images.ImageSet(1000, (600, 375), 0.5))[:IMAGES]
    with tempfile.TemporaryDirectory(prefix="fixed-costs-") as temporary:
        folder = Path(temporary)
        listed = folder / "images.csv"
        listed.write_text("\n".join(["image_path", *map(str, paths)]) + "\n")
        found = submits(folder, listed, options)
        small, without, limits = queries(listed, options)
    print(f"\n| a job of {IMAGES} images, ms | {' | '.join(found)} |\n|---|{'--:|' * len(found)}")
    for step in [*(step for step, _, _ in STEPS), END]:
        print(f"| {step} | {' | '.join(f'{median(costs[step] for costs in found[kind]):.0f}' for kind in found)} |")
    totals = (median(sum(costs.values()) for costs in found[kind]) for kind in found)
    print(f"| all | {' | '.join(f'{total:.0f}' for total in totals)} |")
    print(f"\n| a query of {IMAGES} images in a running session, ms | with classify | without |\n|---|--:|--:|")
    for step in small[0]:
        print(f"| {step} | {' | '.join(f'{median(costs[step] for costs in kind):.0f}' for kind in (small, without))} |")
    print(f"| the limit | {median(limits):.0f} | |")
    total = median(costs["total"] for costs in small)
    print(f"\n{IMAGES / total * 1e3:.0f} images/s, {median(limits) / total:.2f} of the limit (wanted: 0.8)")


if __name__ == "__main__":
    main()
