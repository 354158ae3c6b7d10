"""Jobs that lose executors and workers at random, with speculation and a file system that fails: no row is lost.

The number of jobs is FAULT_JOBS, and FAULT_SEED, which the last line of the report has, makes the same ones again.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import BACKENDS, EXTENSION, ROOT, event_log, read_events, read_predictions
from standalone import SHORT_LIVED, Cluster

JOBS = int(os.environ.get("FAULT_JOBS", "20"))
SEED = int(os.environ.get("FAULT_SEED", str(int(time.time()))))
# How often each image is classified, and by how many tasks.
TIMES, TASKS = 32, 32
# How many kills a job goes through, at least and at most: 100 or so in all of them.
KILLS = 4, 6

# Classifies each image so often, and tells how many of its tasks have ended.
SCRIPT = r"""
import os, sys, threading, time
from pyspark.sql import SparkSession

folder, backend, times, tasks, progress, output = sys.argv[1:]
tasks = int(tasks)
spark = SparkSession.builder.getOrCreate()
images = spark.read.csv("dataset/image_data.csv", header=True).select("image_path")
rows = images.crossJoin(spark.range(int(times))).repartition(tasks, "image_path", "id")
call = f"try_classify('{folder}/' || image_path, '{backend}') AS c"
answers = rows.selectExpr("concat(image_path, '#', id) AS image_path", call)
tracker = spark.sparkContext.statusTracker()

def tell():
    writing, done = None, 0
    while True:
        for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
            # What is tried again after a kill has only the tasks that were left.
            if stage and (stage.numTasks == tasks or stage.stageId == writing):
                writing = stage.stageId
                done = max(done, tasks - stage.numTasks + stage.numCompletedTasks)
        with open(progress + ".new", "w") as file:
            file.write(str(done))
        os.replace(progress + ".new", progress)
        time.sleep(0.05)

threading.Thread(target=tell, daemon=True).start()
answers.selectExpr("image_path", "c.class_id AS class_id", "c.error AS error").write.csv(
    output, header=True, escape='"', quoteAll=True)
"""


@dataclass
class Plan:
    """What happens to a job."""

    seed: int
    backend: str
    faulty: bool
    speculation: bool
    # How many tasks have ended when a process is killed, and which kind of process it is.
    kills: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int) -> Plan:
        dice = random.Random(seed)
        moments = sorted(dice.sample(range(TASKS * 3 // 4), dice.randint(*KILLS)))
        kills = [(moment, dice.choice(["executor", "executor", "worker"])) for moment in moments]
        return cls(seed, dice.choice(BACKENDS), dice.random() < 0.5, dice.random() < 0.5, kills)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory):
    """A cluster for this file alone, whose workers are killed and started again."""
    with Cluster(tmp_path_factory.mktemp("fragile") / "cluster") as cluster:
        yield cluster


class Killer(threading.Thread):
    """Kills as planned, and starts workers again."""

    def __init__(self, cluster: Cluster, plan: Plan, progress: Path) -> None:
        super().__init__(daemon=True)
        self.cluster, self.plan, self.progress = cluster, plan, progress
        self.over = threading.Event()
        self.killed: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            dice = random.Random(self.plan.seed)
            for moment, kind in self.plan.kills:
                if not self._wait(lambda moment=moment: self._done() >= moment and self.cluster.executors()):
                    return
                if kind == "executor":
                    with suppress(ProcessLookupError):  # It has ended by itself.
                        os.kill(dice.choice(self.cluster.executors()), signal.SIGKILL)
                        self.killed.append(kind)
                else:
                    host = dice.choice(self.cluster.hosts)
                    self.cluster.kill_worker(host)
                    self.killed.append(kind)
                    self.cluster.start_worker(host)
        except BaseException as failure:
            self.failure = failure

    def _wait(self, condition) -> bool:
        while not self.over.is_set():
            if condition():
                return True
            time.sleep(0.05)
        return False

    def _done(self) -> int:
        return int(self.progress.read_text()) if self.progress.exists() else -1


@pytest.mark.parametrize("job", range(JOBS))
def test_no_row_is_lost(spark_run, fragile, jar, golden, tmp_path, faulty_file_system, fault_report, request, job):
    plan = Plan.of(SEED + job)
    print(plan)
    fragile.forget()
    script, progress, output = tmp_path / "job.py", tmp_path / "progress", tmp_path / "output"
    events = tmp_path / "events"
    script.write_text(SCRIPT)
    jars, *options = faulty_file_system[1:]
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.executor.memory": "512m",
        "spark.speculation": str(plan.speculation).lower(),
        "spark.speculation.multiplier": "1.1",
        "spark.hadoop.fs.faulty.percent": "1",
        "spark.hadoop.fs.faulty.seed": plan.seed,
        # All kills may meet the same task, or what it reads.
        "spark.task.maxFailures": "12",
        "spark.stage.maxConsecutiveAttempts": "12",
        "spark.classify.model": f"file:{ROOT}/model",
        "spark.classify.batchSize": "8",
    }
    scheme = "faulty" if plan.faulty else "file"
    killer = Killer(fragile, plan, progress)
    killer.start()
    try:
        spark_run(
            *["spark-submit", "--master", fragile.url, "--conf", EXTENSION, "--jars", f"{jar},{jars}", *options],
            *[word for key, value in settings.items() for word in ("--conf", f"{key}={value}")],
            *event_log(events),
            *[script, f"{scheme}:{ROOT}/dataset/all_images", plan.backend, TIMES, TASKS, progress, output],
        )
    finally:
        killer.over.set()
        killer.join()
        if getattr(request.node, "failed", False):
            fragile.show_logs()
    assert killer.failure is None, killer.failure
    assert killer.killed, "the job ended before anything was killed"
    rows = read_predictions(output)
    expected = {f"{image}#{time}": values for image, values in golden[plan.backend].items() for time in range(TIMES)}
    lost = expected.keys() - rows.keys()
    retries = reads_tried_again(events)
    fault_report.add(kills=len(killer.killed), rows=len(rows), lost=len(lost), retries=retries, seed=SEED)
    assert not lost and rows.keys() == expected.keys()
    for name, row in rows.items():
        assert not row["error"], (plan, row)
        assert int(row["class_id"]) == max(range(3), key=expected[name].__getitem__), (plan, name)
    # Of 3,072 files that are opened, about 20 are refused or too short.
    assert bool(retries) == plan.faulty, plan


def reads_tried_again(events: Path) -> int:
    """The operator's metric, of the tasks that ended."""
    ends = [event for event in read_events(events) if event["Event"] == "SparkListenerTaskEnd"]
    values = [value for end in ends for value in end["Task Info"]["Accumulables"]]
    return sum(int(value["Update"]) for value in values if value.get("Name") == "number of reads tried again")
