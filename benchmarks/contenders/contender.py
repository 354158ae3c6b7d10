"""What every contender has in common: its options, its passes over the images, and what it tells `run.py`.

A contender is a program that

1. loads the model and gets its workers ready,
2. does the job once, or a shorter one of `--warm-passes`, to be warm, and says `BENCH {"event": "warm"}`,
3. does it once more against the clock, and says
   `BENCH {"event": "done", "seconds": ..., "versions": {...}}`,
4. writes the predictions of that time to `--predictions`: a CSV with the columns path, class_id, probabilities, of
   which a job that asks for labels alone has none.

The job: classify all images, `--passes` times over. The clock runs from a list of paths in the program's hands to a
list of predictions in its hands.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Prediction(NamedTuple):
    """What a contender says of an image; probabilities in class-id order."""

    path: str
    class_id: int
    probabilities: Sequence[float]


# The predictions of a job, or what reads them from where it has put them.
Predictions = list[Prediction] | Callable[[], list[Prediction]]


class Pass(NamedTuple):
    """One job."""

    seconds: float
    predictions: Predictions


def options(**choices: Sequence[str]) -> argparse.Namespace:
    """The options of all contenders, and those of this one: name → its values, of which the first is the default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True, help="text file with one absolute path a line")
    parser.add_argument("--model", type=Path, required=True, help="the model directory")
    parser.add_argument("--cores", type=int, required=True, help="workers, of one thread each")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--passes", type=int, required=True, help="how often the job goes through the images")
    parser.add_argument("--warm-passes", type=int, required=True, help="the same of the job that makes it warm")
    parser.add_argument("--predictions", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the model runs")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser.parse_args()


def prediction(path: str, probabilities: Iterable[float]) -> Prediction:
    """The prediction that these probabilities make: the first of equal classes."""
    values = [float(value) for value in probabilities]
    return Prediction(path, max(range(len(values)), key=values.__getitem__), values)


def say(event: str, **facts: Any) -> None:
    """Tells `run.py` something."""
    print("BENCH", json.dumps({"event": event, **facts}), flush=True)


def timed(classify: Callable[[list[str]], Predictions]) -> Callable[[list[str]], Pass]:
    """Puts the clock around a function that classifies."""

    def run(paths: list[str]) -> Pass:
        start = time.perf_counter()
        predictions = classify(paths)
        return Pass(time.perf_counter() - start, predictions)

    return run


def contend(
    arguments: argparse.Namespace, run: Callable[[list[str]], Pass], versions: dict[str, str], **facts: float
) -> None:
    """Runs a contender that is loaded: the job once to be warm, and the time that counts. `run` may fill `versions`.

    `facts` are told beside the seconds: `first_row` and `tasks`, see `measure.Result`.
    """
    images = arguments.images.read_text(encoding="utf-8").splitlines()
    run(images * arguments.warm_passes)
    paths = images * arguments.passes
    say("warm")
    seconds, predictions = run(paths)
    say("done", seconds=seconds, versions=versions, **facts)
    if callable(predictions):
        predictions = predictions()
    if len(predictions) != len(paths):
        raise SystemExit(f"{len(predictions)} predictions for {len(paths)} paths")
    with arguments.predictions.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(Prediction._fields)
        for path, class_id, probabilities in predictions:
            rows.writerow((path, class_id, " ".join(map(repr, probabilities))))
