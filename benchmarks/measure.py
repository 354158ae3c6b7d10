"""Runs one contender once, as a process of its own, and brings home its speed, its memory and its answers."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import processes
from registry import CONTENDERS, Contender

BATCH_SIZE = 32
SAMPLE_SECONDS = 0.25
# A contender that needs more than this a pass is broken or hopeless.
TIMEOUT_SECONDS = 1800

# path → class id and probabilities
Answers = dict[str, tuple[int, list[float]]]


class ContenderError(RuntimeError):
    """A contender could not run; the message says why."""


@dataclass(frozen=True)
class Task:
    """What every contender has to do, and may use."""

    images: list[Path]
    model: Path
    cores: int
    passes: int

    @property
    def classified(self) -> int:
        """How many classifications the timed job is."""
        return len(self.images) * self.passes


@dataclass
class Result:
    """What came of one start of a contender.

    Memory: the peak of all its processes together, in bytes. First row: seconds of the first query that classifies
    (unpacking, loading and one image), in a session that has run other queries.
    """

    seconds: float
    memory: int
    answers: Answers
    versions: dict[str, str] = field(default_factory=dict)
    first_row: float | None = None


def run(contender: Contender, task: Task, environment: dict[str, str]) -> Result:
    """Starts a contender, and returns when all its processes are gone.

    Raises ContenderError when it fails or takes too long.
    """
    if not contender.python.exists():
        raise ContenderError(f"{contender.python} is not there: `make bench` installs it")
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        images, predictions, errors = (Path(folder, name) for name in ("images.txt", "predictions.csv", "stderr.txt"))
        images.write_text("\n".join(map(str, task.images)), encoding="utf-8")
        command = [
            *contender.command,
            *["--images", str(images), "--model", str(task.model), "--cores", str(contender.cores or task.cores)],
            *["--batch-size", str(contender.batch_size or BATCH_SIZE), "--passes", str(task.passes)],
            *["--predictions", str(predictions)],
        ]
        with errors.open("wb") as stderr:
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
            done, peak, output = watch(process, mark)
        finally:
            timer.cancel()
            processes.end(mark)
        if done is None or process.returncode != 0:
            told = (errors.read_text(errors="replace") + "\n".join(output)).strip().splitlines()
            raise ContenderError(f"ended with {process.returncode}: " + "\n".join(told[-30:]))
        return Result(done["seconds"], peak, read_answers(predictions), done["versions"], done.get("first_row"))


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


def watch(process: subprocess.Popen[str], mark: str) -> tuple[dict | None, int, list[str]]:
    """Follows a contender to its end. Memory is sampled until it is warm and not while its clock runs: the first pass
    does the same work."""
    warm = threading.Event()
    peak = [0]

    def sample() -> None:
        while not warm.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], processes.memory(mark))

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
            peak[0] = max(peak[0], processes.memory(mark))
    process.wait()
    warm.set()
    sampler.join()
    return done, peak[0], output


def read_answers(file: Path) -> Answers:
    """The predictions a contender wrote."""
    with file.open(newline="", encoding="utf-8") as rows:
        return {
            row["path"]: (int(row["class_id"]), [float(value) for value in row["probabilities"].split()])
            for row in csv.DictReader(rows)
        }


def environment() -> dict[str, str]:
    """What contenders see of the environment: nothing that would make two machines differ, beyond paths."""
    kept = ("PATH", "HOME", "LANG", "JAVA_HOME", "LIBTORCH", "ORT_DYLIB_PATH", "SPARK_LOCAL_IP")
    return {name: os.environ[name] for name in kept if name in os.environ}
