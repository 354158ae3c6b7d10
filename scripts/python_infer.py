"""Classifies a data set one image after the other in plain Python: the baseline that the Spark job is compared with.

    python scripts/python_infer.py --images dataset/image_data.csv --image-dir dataset/all_images --model model

The CSV it writes has the Spark job's columns. Needs the packages of `scripts/requirements-reference.txt`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import pandas as pd
import torch
from classifier_model import ONNX_FILE, TORCHSCRIPT_FILE, preprocess, preprocessor_config

BACKENDS = ("pytorch", "onnx")

Network = Callable[[torch.Tensor], torch.Tensor]


def read_labels(model: Path) -> list[str]:
    """The class names of a model directory in id order; refuses a directory made for another preprocessing."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    if json.loads((model / "preprocessor_config.json").read_text(encoding="utf-8")) != preprocessor_config():
        raise SystemExit(
            f"{model / 'preprocessor_config.json'}: this script knows the ID-card model's preprocessing only"
        )
    id2label = config["id2label"]
    return [id2label[str(index)] for index in range(len(id2label))]


def unique(labels: list[str]) -> list[str]:
    """The labels, each with its class id behind it where another differs from it in upper and lower case at most."""
    folded = [label.lower() for label in labels]
    if len(set(folded)) == len(folded):
        return labels
    return unique([f"{label} ({i})" if folded.count(folded[i]) > 1 else label for i, label in enumerate(labels)])


def load_network(model: Path, backend: str, threads: int) -> Network:
    """Loads a model directory's file for `backend` as a function from input tensor to logits."""
    if backend == "pytorch":
        torch.set_num_threads(threads)
        module = torch.jit.load(str(model / TORCHSCRIPT_FILE), map_location="cpu").eval()
        return module
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model / ONNX_FILE), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: torch.from_numpy(session.run(None, {name: pixels.numpy()})[0])


@dataclass
class Stopwatch:
    """Seconds spent in each stage, summed over the images."""

    read: float = 0.0
    preprocess: float = 0.0
    infer: float = 0.0


def classify(path: Path, network: Network, watch: Stopwatch) -> list[float]:
    """Class probabilities of one image file."""
    started = time.perf_counter()
    data = path.read_bytes()
    read = time.perf_counter()
    try:
        pixels = preprocess(data)
    except OSError as error:
        raise SystemExit(f"{path}: {error}") from error
    ready = time.perf_counter()
    with torch.inference_mode():
        probabilities = torch.softmax(network(pixels), 1)[0].tolist()
    watch.read += read - started
    watch.preprocess += ready - read
    watch.infer += time.perf_counter() - ready
    return probabilities


def classify_all(
    table: pd.DataFrame, image_dir: Path, labels: list[str], network: Network, watch: Stopwatch
) -> pd.DataFrame:
    """Classifies every row of the labelled table, one by one."""
    rows = []
    columns = [f"prob_{name}" for name in unique(labels)]
    for name, actual, actual_id in table[["image_path", "actual_class", "actual_class_id"]].itertuples(index=False):
        probabilities = classify(image_dir / name, network, watch)
        best = max(range(len(labels)), key=probabilities.__getitem__)
        row = {
            "image_path": name,
            "actual_class": actual,
            "actual_class_id": actual_id,
            "predicted_class": labels[best],
            "predicted_class_id": best,
            "confidence": probabilities[best],
        }
        rows.append(row | dict(zip(columns, probabilities, strict=True)))
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path("dataset/image_data.csv"), help="labelled CSV of images")
    parser.add_argument("--image-dir", type=Path, default=Path("dataset/all_images"), help="folder of its paths")
    parser.add_argument("--model", type=Path, default=Path("model"), help="model directory")
    parser.add_argument("--backend", choices=BACKENDS, default="pytorch")
    parser.add_argument("--threads", type=int, default=1, help="threads inside the engine (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="CSV file to write the predictions to")
    arguments = parser.parse_args()

    started = time.perf_counter()
    labels = read_labels(arguments.model)
    network = load_network(arguments.model, arguments.backend, arguments.threads)
    loaded = time.perf_counter()
    watch = Stopwatch()
    table = pd.read_csv(arguments.images)
    predictions = classify_all(table, arguments.image_dir, labels, network, watch)
    seconds = time.perf_counter() - loaded

    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        predictions.to_csv(arguments.output, index=False)
    matrix = pd.crosstab(predictions["actual_class_id"], predictions["predicted_class_id"], dropna=False)
    matrix = matrix.reindex(index=range(len(labels)), columns=range(len(labels)), fill_value=0)
    matrix.index = matrix.columns = pd.Index(unique(labels))
    correct = (predictions["actual_class_id"] == predictions["predicted_class_id"]).sum()
    print(f"backend          {arguments.backend}, {arguments.threads} thread(s)")
    print(f"model load       {loaded - started:8.3f} s")
    print(f"classification   {seconds:8.3f} s for {len(predictions)} images: {len(predictions) / seconds:.1f} images/s")
    print(f"  of it reading {watch.read:.3f} s, preprocessing {watch.preprocess:.3f} s, inference {watch.infer:.3f} s")
    print(f"accuracy         {correct / len(predictions):8.4f} ({correct} of {len(predictions)})")
    print(matrix.to_string())


if __name__ == "__main__":
    main()
