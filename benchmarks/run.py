"""Measures every contender on the same images, and what the project wants of the ratios between them.

    make bench                                            # everything; or, after that:
    python benchmarks/run.py --only limit,spark-onnx --images 500

benchmarks/README.md tells what is measured, and how.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import goals
import images
import measure
import report
from machine import cpu
from measure import Answers, ContenderError, Task
from parity import compare
from registry import DEFAULT_SETS, MODEL_FOLDER, SETS, Contender, of_sets, reference
from results import Row

ROOT = Path(__file__).resolve().parents[1]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_arguments(parser)
    parser.add_argument("--image-dir", type=Path, help="measure with the files of this folder, and draw none")
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model directory (default: %(default)s)")
    parser.add_argument("--cores", type=images.positive, default=2, help="workers, of one thread each (default: 2)")
    parser.add_argument(
        "--passes",
        type=images.positive,
        default=4,
        help="how often the job goes through the images (default: 4)",
    )
    parser.add_argument("--rounds", type=images.positive, default=3, help="how often each has its turn (default: 3)")
    parser.add_argument(
        "--set",
        metavar="SET,…",
        default=",".join(DEFAULT_SETS),
        help=f"which contenders, of {', '.join(SETS)} (default: %(default)s)",
    )
    parser.add_argument("--only", metavar="NAME,…", help="some contenders of the sets")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where the contenders of the set `field` have the model (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/.results", help="folder of the report")
    options = parser.parse_args()
    options.set = options.set.split(",")
    unknown = set(options.set) - set(SETS)
    if unknown:
        parser.error(f"--set: no set is called {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    names = [contender.name for contender in of_sets(options.set)]
    options.only = options.only.split(",") if options.only else names
    unknown = set(options.only) - set(names)
    if unknown:
        parser.error(f"--only: no contender is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.device != "cpu" and options.set != ["field"]:
        parser.error(f"--device {options.device} is for --set field; benchmarks/gpu has the other benchmark for GPUs")
    available = len(os.sched_getaffinity(0))
    if options.cores > available:
        parser.error(f"--cores {options.cores}: there are {available}")
    return options


def describe(options: argparse.Namespace, task: Task, load: tuple[float, float]) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in task.images)
    folder = os.path.relpath(task.images[0].parent, ROOT)
    return {
        "machine": f"{cpu()}, {os.cpu_count()} cores, of which {options.cores} were used; {platform.platform()}",
        "images": f"{len(task.images)} in {folder}, {size / 1e6:.1f} MB, classified {task.passes} times in one job",
        "model": os.path.relpath(task.model, ROOT),
        "device": options.device,
        "rounds": options.rounds,
        "load average before and after": f"{load[0]:.1f}, {load[1]:.1f}",
    }


def image_files(options: argparse.Namespace) -> list[Path]:
    """The images to measure with, by absolute path."""
    if not options.image_dir:
        try:
            return images.make(images.ImageSet(options.images, options.size, options.jpeg_share))
        except images.MissingFontError as error:
            raise SystemExit(f"run: {error}") from error
    if not options.image_dir.is_dir():
        raise SystemExit(f"run: --image-dir {options.image_dir} is no folder")
    paths = measure.files_in(options.image_dir)
    if not paths:
        raise SystemExit(f"run: --image-dir {options.image_dir} has no files")
    return paths


def make_models(contenders: list[Contender]) -> None:
    """Makes those models with random weights that are not there yet, with the Python of one of their contenders."""
    for model in {contender.model: None for contender in contenders if contender.model}:
        if model.parent == MODEL_FOLDER and not model.is_dir():
            subprocess.run([reference(model).python, ROOT / "benchmarks/models.py", model.name], check=True)


def main() -> None:
    options = parse()
    # So that a contender ends with this program, whoever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    contenders = [contender for contender in of_sets(options.set) if contender.name in options.only]
    make_models(contenders)
    have_own = all(contender.images or contender.image_dir for contender in contenders)
    task = Task(
        # Their number is that of the jobs' images, also where none of these is used.
        [Path()] * options.images if have_own else image_files(options),
        options.model.resolve(),
        options.cores,
        options.passes,
        options.device,
    )
    environment = measure.environment()

    def turn(contender: Contender, row: Row | None, task: Task) -> measure.Result | None:
        try:
            result = measure.run(contender, task, environment)
        except ContenderError as error:
            if row is None:
                raise SystemExit(f"run: {contender.name}, the reference: {error}") from error
            row.fail(str(error))
            print(f"{contender.name}: {error}", file=sys.stderr)
            return None
        speed = task.classified / result.seconds
        print(f"{contender.name:28}{speed:8.1f} images/s{result.memory / 1e6:8.0f} MB", flush=True)
        return result

    tasks = {contender.name: task.of(contender) for contender in contenders}
    # It also brings the images into the page cache.
    print("the reference for the answers:")
    references: dict[Path, Answers] = {}
    for model in {own.model: None for own in tasks.values()}:
        known = {path: None for own in tasks.values() if own.model == model for path in own.images}
        own = reference(model)
        device = options.device if own.takes_device else "cpu"
        references[model] = turn(own, None, Task(list(known), model, task.cores, passes=1, device=device)).answers
    rows = {contender.name: Row.of(contender, tasks[contender.name]) for contender in contenders}
    before = os.getloadavg()[0]
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}:")
        for contender in contenders:
            row, own = rows[contender.name], tasks[contender.name]
            if row.reason or (contender.is_long and row.seconds):
                continue
            if result := turn(contender, row, own):
                known = references[own.model]
                expected = {str(path): known[str(path)] for path in own.images}
                row.add(result, compare(result.answers, expected, contender.labels_only))
    wanted = [goal for name in options.set for goal in goals.SETS[name]]
    text = report.write(
        options.output,
        describe(options, tasks[contenders[0].name] if have_own else task, (before, os.getloadavg()[0])),
        list(rows.values()),
        wanted,
    )
    print(f"\n{text}\nWritten to {options.output}")


if __name__ == "__main__":
    main()
