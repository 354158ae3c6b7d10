"""Small networks with random weights, and images."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from spark_classify import program
from spark_classify.cli import main
from spark_classify.export.verify import classified

LABELS = ["cat", "dog", "a hat, red"]
# A preprocessor_config.json of torchvision's steps.
STEPS = {
    "image_processor_type": "torchvision",
    "size": {"shortest_edge": 36},
    "resample": 2,
    "do_center_crop": True,
    "crop_size": {"height": 33, "width": 32},
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few images of several sizes and formats."""
    folder = tmp_path_factory.mktemp("images")
    for number, (width, height, suffix) in enumerate([(90, 60, "png"), (60, 90, "jpg"), (41, 40, "png")]):
        rows, columns = np.mgrid[:height, :width]
        channels = [columns * (number + 1), rows * 2 + 30 * number, columns + rows]
        pixels = np.stack([channel % 256 for channel in channels], axis=2).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.{suffix}")
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    return path


def opened(folder: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]


def export(images: Path, out: Path, *arguments: object) -> int:
    """Runs the command, without the core."""
    fixed = ["export", "--images", images, "--out", out, "--without-classify-bench"]
    return main([str(argument) for argument in (*fixed, *arguments)])


def export_and_classify(images: Path, out: Path, *arguments: object) -> dict[str, torch.Tensor]:
    """Runs the command, and the core with what it made: probabilities by backend, images in the order of `opened`."""
    core = program.find()
    assert core is not None, "build it: cargo build --release -p classify-bench"
    fixed = ["export", "--images", images, "--out", out, "--classify-bench", core]
    assert main([str(argument) for argument in (*fixed, *arguments)]) == 0
    files = sorted(images.iterdir())
    return {backend: classified(core, out, backend, files) for backend in ("onnx", "pytorch")}


def run_onnx(directory: Path, output: str, pixels: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(directory / "model.onnx", providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([output], {"pixel_values": pixels.numpy()})[0])


def give_effect(network: torch.nn.Module) -> torch.nn.Module:
    """Makes what the network gives depend on the image: fresh networks give almost the same for all."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and "embed" not in name:
                # Gains of 1 to 2 a layer.
                parameter.normal_(0, 1.4 / parameter[0].numel() ** 0.5)
    return network.eval()
