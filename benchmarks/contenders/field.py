"""The field's workload, as Daft and Ray Data publish it: a Parquet table of image paths, ResNet-18 on what
torchvision's transforms make of the images, and a Parquet table of their labels.

What its contenders share; they differ in who reads, decodes, and calls the two.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow
import pyarrow.parquet
from contender import Pass, Prediction

# Of the input.
PATHS = "image_url"
BATCH_SIZE = 100
# Channels, height and width of what the transforms make.
SHAPE = (3, 224, 224)


def transforms() -> Callable:
    """An image as an array, height x width x 3 bytes, to the network's input. It is resized as numbers from 0 to 1."""
    from torchvision.models import ResNet18_Weights
    from torchvision.transforms import Compose, ToTensor

    return Compose([ToTensor(), ResNet18_Weights.DEFAULT.transforms()])


def network(model: str, device: str) -> Callable:
    """The network in PyTorch, as torchvision builds it."""
    import torch
    from torchvision.models import resnet18

    if device == "cpu":
        torch.set_num_threads(1)
    built = resnet18(weights=None, num_classes=len(labels(model)))
    built.load_state_dict(torch.load(f"{model}/weights.pt", weights_only=True))
    return built.eval().to(device)


def labels(model: str) -> list[str]:
    """The names of the classes, by their ids."""
    names = json.loads(Path(model, "config.json").read_text(encoding="utf-8"))["id2label"]
    return [names[str(index)] for index in range(len(names))]


def table_job(model: str, classify: Callable[[str, str], None]) -> Callable[[list[str]], Pass]:
    """The job of a contender that reads the table of the first path, and writes one to the second. The clock has both
    in it, and not the making of the first."""
    source, target = (f"{os.environ['TMPDIR']}/{name}" for name in ("images.parquet", "labels.parquet"))

    def run(paths: list[str]) -> Pass:
        shutil.rmtree(target, ignore_errors=True)
        pyarrow.parquet.write_table(pyarrow.table({PATHS: paths}), source)
        start = time.perf_counter()
        classify(source, target)
        return Pass(time.perf_counter() - start, lambda: list(_read(target, labels(model))))

    return run


def _read(target: str, names: list[str]) -> Iterable[Prediction]:
    """The predictions in a table: its first column is a path or an URI, its column `label` the name of a class."""
    ids = {name: index for index, name in enumerate(names)}
    table = pyarrow.parquet.read_table(target)
    for path, label in zip(table.column(0).to_pylist(), table.column("label").to_pylist(), strict=True):
        yield Prediction("/" + path.removeprefix("file:").lstrip("/"), ids[label], ())
