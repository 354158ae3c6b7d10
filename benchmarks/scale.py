"""A million images in one job: speed and memory along the way, with one, two and four executors, and what a store with
latency and failures, and 10,000 partitions, change.

    make bench-scale                                           # all of it; or, after `make build`:
    python benchmarks/scale.py --images 100000 --only executors-1,store

Prints tables in Markdown, which docs/scale.md has, and then what does not meet the goals; it exits with 1 where rows
are missing or wrong. The images are small, 96 x 60 pixels, and the model is a small one, so that what is not decoding
and inference is nearly all there is: an image of a usual size and a real model cost some milliseconds of a core more,
which scale by themselves. There are 1,000 drawings; the paths, each of them a file of its own for the system, are links
to these.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

import images
import processes
import pyspark
from machine import cpu, vectors

ROOT = Path(__file__).resolve().parents[1]
DRAWN = images.ImageSet(1000, (96, 60), 1.0)
MODEL = ROOT / "tests/golden/colour-model"
STEPS = 10
# The first step compiles Spark's code and loads the model; the others are to be alike.
FLAT = 1.05


@dataclass(frozen=True)
class Case:
    """A job: so many executors on all cores, partitions, and images as a share of the run's."""

    executors: int
    partitions: int
    store: bool = False
    share: float = 1.0


CASES = {
    "executors-1": Case(1, 1000),
    "executors-2": Case(2, 1000),
    "executors-4": Case(4, 1000),
    "partitions-10000": Case(2, 10000),
    "local": Case(2, 400, share=0.1),
    "store": Case(2, 400, store=True, share=0.1),
}


@dataclass
class Sample:
    """What was seen at a moment of a job; memory is resident, in bytes."""

    seconds: float
    images: int
    executor: int
    driver: int


@dataclass
class Outcome:
    samples: list[Sample]
    seconds: float
    retries: int
    failed_tasks: int

    def step(self, number: int) -> tuple[float, int, int]:
        """Seconds, and the largest resident memory of an executor and of the driver, of a tenth of the job."""
        total = self.samples[-1].images
        begin, end = (self.at(total * edge // STEPS) for edge in (number, number + 1))
        inside = [sample for sample in self.samples if begin <= sample.seconds <= end]
        return end - begin, max(sample.executor for sample in inside), max(sample.driver for sample in inside)

    def at(self, wanted: int) -> float:
        """When so many images were done, between the samples."""
        before = self.samples[0]
        for sample in self.samples:
            if sample.images >= wanted:
                gained = sample.images - before.images
                share = (wanted - before.images) / gained if gained else 0.0
                return before.seconds + share * (sample.seconds - before.seconds)
            before = sample
        return before.seconds


def make_paths(count: int) -> Path:
    """A folder with so many files in folders of 1,000, `000000/000.jpg` and so on."""
    drawn = images.make(DRAWN)
    folder = DRAWN.folder.with_name(f"scale-{count}")
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        for start in range(0, count, len(drawn)):
            part = unfinished / f"{start // len(drawn):06}"
            part.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(drawn[: count - start]):
                target = part / f"{number:03}.jpg"
                if not target.exists():
                    os.link(image, target)
        unfinished.rename(folder)
    return folder


def resident(process: int) -> int:
    """Bytes, or 0 of a process that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def jvms(mark: str) -> Iterator[tuple[str, int]]:
    """The JVMs of a job: whether each is an executor or the driver, and its id."""
    for process in processes.marked(mark):
        try:
            command = Path(f"/proc/{process}/cmdline").read_text(errors="replace")
        except OSError:
            continue
        if "CoarseGrainedExecutorBackend" in command and "java" in command.split("\0")[0]:
            yield "executor", process
        elif "org.apache.spark.deploy.SparkSubmit" in command:
            yield "driver", process


def store(classes: Path) -> str:
    """Compiles the file system of the tests that has latency and failures."""
    jars = Path(pyspark.__file__).parent / "jars"
    source = ROOT / "tests/java/FaultyFileSystem.java"
    subprocess.run(["javac", "-cp", f"{jars}/*", "-d", classes, source], check=True)
    return str(classes)


def run(case: Case, count: int, cores: int) -> Outcome:
    """Runs a job in processes of its own, and looks at them all the while."""
    mark = uuid.uuid4().hex
    total = round(count * case.share)
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        command = [sys.executable, str(ROOT / "benchmarks/scale_job.py"), "--folder", str(make_paths(count))]
        command += ["--model", str(MODEL), "--executors", str(case.executors), "--cores", str(cores)]
        command += ["--partitions", str(case.partitions), "--images", str(total), "--output", f"{folder}/rows"]
        if case.store:
            command += ["--store", store(Path(folder, "classes"))]
        environment = {**os.environ, processes.MARK: mark, "TMPDIR": folder}
        with open(f"{folder}/stderr", "wb") as errors:
            job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        samples: list[Sample] = []
        result = None
        try:
            # A line a second from the job, of the images that are done.
            for line in job.stdout:
                told = json.loads(line)
                if "done" not in told:
                    result = told
                    continue
                memory = {"executor": [0], "driver": [0]}
                for kind, process in jvms(mark):
                    memory[kind].append(resident(process))
                samples.append(Sample(told["seconds"], told["done"], max(memory["executor"]), max(memory["driver"])))
        finally:
            if job.poll() is None and result is None:
                processes.end(mark)
            job.wait()
        if job.returncode or result is None:
            raise SystemExit(f"scale: the job failed:\n{Path(folder, 'stderr').read_text(errors='replace')[-4000:]}")
    if result["wrong"]:
        raise SystemExit(f"scale: {result['wrong']} rows of {total} are missing, twice there, or unlike the others")
    return Outcome(samples, result["seconds"], result["retries"], result["failed_tasks"])


def show(outcomes: dict[str, Outcome], count: int) -> list[str]:
    """Prints the tables; gives back which goals are not met."""
    missed = []
    long = {name: outcome for name, outcome in outcomes.items() if CASES[name].share == 1}
    if long:
        heads = [f"{name.replace('-', ' ')}: images/s | executor, driver MB" for name in long]
        print(f"\n| images | {' | '.join(heads)} |\n|--:|{'--:|' * (2 * len(heads))}")
        for step in range(STEPS):
            cells = []
            for outcome in long.values():
                seconds, executor, driver = outcome.step(step)
                cells += [f"{count / STEPS / seconds:,.0f}", f"{executor / 1e6:,.0f}, {driver / 1e6:,.0f}"]
            print(f"| {count * (step + 1) // STEPS:,} | {' | '.join(cells)} |")
        for name, outcome in long.items():
            steps = [outcome.step(step) for step in range(1, STEPS)]
            middle, last = median(step[0] for step in steps[:4]), median(step[0] for step in steps[-4:])
            if last / middle > FLAT:
                missed.append(f"{name}: the end is {last / middle:.2f} times as slow as the beginning")
            for kind, place in (("executor", 1), ("driver", 2)):
                early = max(step[place] for step in steps[:4])
                late = max(step[place] for step in steps[-4:])
                if late / early > FLAT:
                    missed.append(f"{name}: the {kind}'s memory grows {late / early:.2f} times")
    print("\n| job | images | seconds | images/s | reads tried again | failed tasks |\n|---|--:|--:|--:|--:|--:|")
    for name, outcome in outcomes.items():
        total = round(count * CASES[name].share)
        print(
            f"| {name.replace('-', ' ')} | {total:,} | {outcome.seconds:.1f} | {total / outcome.seconds:,.0f} |"
            f" {outcome.retries} | {outcome.failed_tasks} |"
        )
        if outcome.failed_tasks:
            missed.append(f"{name}: {outcome.failed_tasks} tasks failed")
    if "store" in outcomes and not outcomes["store"].retries:
        missed.append("store: no read was tried again")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=images.positive, default=1_000_000, help="how many (default: %(default)s)")
    parser.add_argument("--cores", type=images.positive, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", metavar="JOB,…", help=f"some of {', '.join(CASES)}")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"--only: no job is called {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    before = os.getloadavg()[0]
    outcomes = {}
    for name in names:
        start = time.monotonic()
        outcomes[name] = run(CASES[name], options.images, options.cores)
        print(f"{name}: {time.monotonic() - start:.0f} s with all that starts and ends", file=sys.stderr, flush=True)
    print(f"{date.today()}, {options.cores} cores of {cpu()} ({vectors()}); load average before: {before:.1f}")
    missed = show(outcomes, options.images)
    print("\n".join(["", *(f"not met: {line}" for line in missed)] if missed else ["", "All goals are met."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
