"""What the scripts that make model directories for the parity tests share: their options, and which are made."""

from __future__ import annotations

import argparse
import csv
import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import PIL
import timm
import torch
import torchvision
import transformers
from classifier_model import decode

SEED = 20
IMAGES = 12
GOLDEN = "golden.json"
ONNX_OPSET = 17
DYNAMIC_BATCH = {0: "batch"}


def versions() -> dict[str, str]:
    """What the models and the golden values come from."""
    return {
        "pillow": PIL.__version__,
        "transformers": transformers.__version__,
        "timm": timm.__version__,
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }


def is_made(directory: Path) -> bool:
    """Whether the directory is whole and of these versions."""
    golden = directory / GOLDEN
    return golden.is_file() and json.loads(golden.read_text())["versions"] == versions()


def options(description: str, out: str) -> argparse.ArgumentParser:
    """The options that scripts like this one have in common."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=Path("dataset"), help="the committed data set")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder to write to")
    return parser


def make_missing(arguments: argparse.Namespace, subjects: list, make: Callable[..., None]) -> None:
    """Makes those of the subjects that are not made yet, each in the folder of its name. `make` gets a subject, all
    images by name, the names of those that golden values are of, and the folder."""
    with (arguments.dataset / "image_data.csv").open(newline="") as table:
        names = [row["image_path"] for row in csv.DictReader(table)]
    few = names[:: len(names) // IMAGES][:IMAGES]
    images = {name: decode((arguments.dataset / "all_images" / name).read_bytes()) for name in names}
    # What tracing warns of (comparisons of shapes) holds for every image: all have one size.
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for subject in subjects:
        if not is_made(arguments.out / subject.name):
            make(subject, images, few, arguments.out / subject.name)
