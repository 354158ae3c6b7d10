"""Runs one contender once, as a process of its own, and brings home its speed, its memory and its answers."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import processes
from images import make
from registry import CONTENDERS, Contender

BATCH_SIZE = 32
SAMPLE_SECONDS = 0.25
LONG_SAMPLE_SECONDS = 2
MIN_SAMPLES = 10
# A contender that needs more than this a pass is broken or hopeless.
TIMEOUT_SECONDS = 1800

# Class id and probabilities, none where the job asked for labels alone.
Answer = tuple[int, list[float]]
# By path.
Answers = dict[str, Answer]


class ContenderError(RuntimeError):
    """A contender could not run; the message says why."""


@dataclass(frozen=True)
class Task:
    """What every contender has to do, and may use."""

    images: list[Path]
    model: Path
    cores: int
    passes: int
    device: str = "cpu"

    @property
    def classified(self) -> int:
        """How many classifications the timed job is."""
        return len(self.images) * self.passes

    def of(self, contender: Contender) -> Task:
        """What this contender has to do, where it differs from the others."""
        images = self.images
        if contender.image_dir:
            images = files_in(contender.image_dir)
        elif contender.images:
            images = make(contender.images)
        rows = contender.rows or self.classified
        images = images[:rows]
        return Task(
            images,
            contender.model or self.model,
            contender.cores or self.cores,
            max(round(rows / len(images)), 1),
            self.device,
        )


@dataclass
class Result:
    """What came of one start of a contender.

    Memory: the peak of all its processes together, in bytes. First row: seconds of the first query that classifies
    (unpacking, loading and one image), in a session that has run other queries. Tasks: those of the job, where it has
    some. Growth: the peak of memory in the second half of a long job as a share of that in the first half.
    """

    seconds: float
    memory: int
    answers: Answers
    versions: dict[str, str] = field(default_factory=dict)
    first_row: float | None = None
    tasks: int | None = None
    growth: float | None = None


def files_in(folder: Path) -> list[Path]:
    """By absolute path, in the order of their names."""
    return sorted(path for path in folder.resolve().iterdir() if path.is_file())


def run(contender: Contender, task: Task, environment: dict[str, str]) -> Result:
    """Starts a contender, and returns when all its processes are gone.

    Raises ContenderError when it fails or takes too long.
    """
    if not contender.python.exists():
        raise ContenderError(f"{contender.python} is not there: `make bench` installs it")
    if task.device != "cpu" and not contender.takes_device:
        raise ContenderError("it runs on the CPU alone")
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        images, predictions, errors = (Path(folder, name) for name in ("images.txt", "predictions.csv", "stderr.txt"))
        images.write_text("\n".join(map(str, task.images)), encoding="utf-8")
        command = [
            *contender.command,
            *["--images", str(images), "--model", str(task.model), "--cores", str(task.cores)],
            *["--batch-size", str(contender.batch_size or BATCH_SIZE), "--passes", str(task.passes)],
            *["--warm-passes", str(1 if contender.is_long else task.passes)],
            *["--predictions", str(predictions)],
            *(["--device", task.device] if contender.takes_device else []),
        ]
        with errors.open("wb") as stderr, confined(task.cores):
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**environment, **settings(contender), processes.MARK: mark, "TMPDIR": folder},
            )
        timer = threading.Timer(TIMEOUT_SECONDS, processes.end, [mark])
        timer.start()
        try:
            done, samples, output = watch(process, mark, contender.is_long)
        finally:
            timer.cancel()
            processes.end(mark)
        if done is None or process.returncode != 0:
            told = (errors.read_text(errors="replace") + "\n".join(output)).strip().splitlines()
            raise ContenderError(f"ended with {process.returncode}: " + "\n".join(told[-30:]))
        facts = {name: done.get(name) for name in ("first_row", "tasks")}
        growth = grown(samples) if contender.is_long else None
        return Result(
            done["seconds"], max(samples), read_answers(predictions), done["versions"], growth=growth, **facts
        )


@contextlib.contextmanager
def confined(cores: int) -> Iterator[None]:
    """Processes started within are kept on so many cores, whatever threads they have beside their workers."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def settings(contender: Contender) -> dict[str, str]:
    """What contenders find in their environment: one thread for each worker of a library that would take all cores, the
    modules they share, also in the processes they start, and no calls home."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **dict.fromkeys(threads, "1"),
        "PYTHONPATH": str(CONTENDERS),
        "PYSPARK_PYTHON": str(contender.python),
        "RAY_USAGE_STATS_ENABLED": "0",
        "DAFT_ANALYTICS_ENABLED": "0",
        "DO_NOT_TRACK": "1",
    }


def watch(process: subprocess.Popen[str], mark: str, is_long: bool) -> tuple[dict | None, list[int], list[str]]:
    """Follows a contender to its end. Memory is sampled until it is warm and not while its clock runs: the first pass
    does the same work. Of a long job it is sampled while its clock runs, and only then."""
    warm, ended = threading.Event(), threading.Event()
    samples = []

    def sample() -> None:
        if is_long:
            warm.wait()
        stop = ended if is_long else warm
        while not stop.wait(LONG_SAMPLE_SECONDS if is_long else SAMPLE_SECONDS):
            samples.append(processes.memory(mark))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    done, output = None, []
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("BENCH "):
            output.append(line.rstrip())
            continue
        told = json.loads(line.removeprefix("BENCH "))
        if told["event"] == "warm":
            warm.set()
        else:
            done = told
            ended.set()
            samples.append(processes.memory(mark))
    process.wait()
    ended.set()
    warm.set()
    sampler.join()
    return done, samples, output


def grown(samples: list[int]) -> float | None:
    """The peak of the second half as a share of that of the first; None where there are too few samples to tell."""
    half = len(samples) // 2
    return max(samples[half:]) / max(samples[:half]) if len(samples) >= MIN_SAMPLES else None


def read_answers(file: Path) -> Answers:
    """The predictions a contender wrote. Raises ContenderError where an image has two classes."""
    answers: Answers = {}
    with file.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            answer = int(row["class_id"]), [float(value) for value in row["probabilities"].split()]
            if answers.setdefault(row["path"], answer)[0] != answer[0]:
                raise ContenderError(f"{row['path']} got two classes in one job")
    return answers


def environment() -> dict[str, str]:
    """What contenders see of the environment: nothing that would make two machines differ, beyond paths."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "LIBTORCH", "ORT_DYLIB_PATH", "SPARK_LOCAL_IP", "CUDA_VISIBLE_DEVICES")
    return {name: os.environ[name] for name in kept if name in os.environ}
