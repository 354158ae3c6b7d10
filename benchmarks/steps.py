"""What each step of an image costs, in milliseconds of a core: bare, in classify-bench, and in Spark.

    make bench-steps                                # or, after `make bench` has built everything:
    python benchmarks/steps.py --engine pytorch --images 500

Prints a table in Markdown. The three take turns; each number is the median over the rounds. In Spark the steps are the
metrics of the operator; reading happens on threads of its own, beside the work of the task.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import images

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks/contenders"))
from core import LIMIT_BATCH_SIZE  # noqa: E402
from spark_session import images as paths_frame  # noqa: E402
from spark_session import session, with_functions  # noqa: E402

BATCH_SIZE = 32
# In the order of the work.
STEPS = ("read", "wait", "decode", "resize", "inference", "call", "rows", "rest")
TITLES = {
    "read": "reading the file",
    "wait": "waiting for files",
    "decode": "decoding",
    "resize": "resizing and normalising",
    "inference": "inference and softmax",
    "call": "the native call around these (JNI)",
    "rows": "building rows of the results",
    "rest": "everything else",
}
Costs = dict[str, float]


def bench(options: argparse.Namespace, paths: list[Path], *, limit: bool) -> Costs:
    """Milliseconds of a core for an image, by step, in classify-bench."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "images.csv")
        table.write_text("\n".join(["image_path", *map(str, paths)]), encoding="utf-8")
        command = [
            *[str(ROOT / "target/release/classify-bench"), "--json", "--backend", options.engine],
            *["--images", str(table), "--model", str(options.model), "--tasks", str(options.cores)],
            *["--batch-size", str(LIMIT_BATCH_SIZE if limit else BATCH_SIZE), "--repeat", str(options.passes)],
            *(["--limit"] if limit else []),
        ]
        report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    total = options.cores * report["wall_millis"] / (len(paths) * options.passes)
    shares = report["time_shares"]
    costs = {step: total * shares[step] for step in ("read", "decode", "resize", "inference")}
    return costs | {"rest": total - sum(costs.values()), "total": total}


class Spark:
    """A local session that classifies with the operator, and reads its metrics."""

    def __init__(self, options: argparse.Namespace, listed: Path) -> None:
        self.options = options
        arguments = argparse.Namespace(images=listed, passes=options.passes, cores=options.cores)
        settings = {
            **with_functions(options.model),
            "spark.classify.batchSize": BATCH_SIZE,
        }
        self.session = session(arguments, settings)

    def run(self, paths: list[Path]) -> Costs:
        names = [str(path) for path in paths] * self.options.passes
        rows = paths_frame(self.session, names).selectExpr("path", f"classify(path, '{self.options.engine}') AS c")
        rows = rows.select("path", "c.class_id", "c.probabilities")
        start = time.perf_counter()
        rows.collect()
        seconds = time.perf_counter() - start
        metrics = operator(rows._jdf.queryExecution().executedPlan()).metrics()

        def cost(name: str) -> float:
            return metrics.apply(name).value() / 1e6 / len(names)

        costs = {
            **{"read": cost("readTime"), "wait": cost("waitTime")},
            **{"decode": cost("decodeTime"), "resize": cost("preprocessTime"), "inference": cost("inferenceTime")},
            "rows": cost("rowTime"),
        }
        costs["call"] = cost("callTime") - costs["decode"] - costs["resize"] - costs["inference"]
        total = self.options.cores * seconds * 1e3 / len(names)
        # Reading is no part of the task's own time.
        known = sum(value for step, value in costs.items() if step != "read")
        return costs | {"rest": total - known, "total": total}


def operator(plan: Any) -> Any:
    """The node of a plan that classifies."""
    if plan.nodeName() == "Classify":
        return plan
    children = plan.children()
    found = (operator(children.apply(index)) for index in range(children.size()))
    return next((node for node in found if node is not None), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images.add_arguments(parser)
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model directory (default: %(default)s)")
    parser.add_argument("--engine", choices=("onnx", "pytorch"), default="onnx")
    parser.add_argument("--cores", type=images.positive, default=2, help="tasks, of one thread each (default: 2)")
    parser.add_argument("--passes", type=images.positive, default=4, help="how often a job goes through the images")
    parser.add_argument("--rounds", type=images.positive, default=5, help="turns of each (default: %(default)s)")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    paths = images.make(images.ImageSet(options.images, options.size, options.jpeg_share))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write("\n".join(map(str, paths)))
        listed.flush()
        spark = Spark(options, Path(listed.name))
        turns: dict[str, Callable[[], Costs]] = {
            "the limit": lambda: bench(options, paths, limit=True),
            "classify-bench": lambda: bench(options, paths, limit=False),
            "Spark": lambda: spark.run(paths),
        }
        spark.run(paths)
        rounds = [{name: turn() for name, turn in turns.items()} for _ in range(options.rounds)]
        spark.session.stop()
    print(f"| ms of a core an image, {options.engine} | {' | '.join(turns)} |\n|---|{'--:|' * len(turns)}")
    for step in (*STEPS, "total"):
        cells = []
        for name in turns:
            known = [costs[name][step] for costs in rounds if step in costs[name]]
            cells.append(f"{median(known):.3f}" if known else "")
        print(f"| {TITLES.get(step, step)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
