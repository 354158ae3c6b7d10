"""Configurations of timm, and the tensors that its own transforms make of three images.

    python scripts/timm_cases.py

writes `tests/golden/timm.json`: SHA-256 of each tensor (float32, little endian).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import PIL
import timm
import timm.data
import torch
import torchvision
from classifier_model import decode
from processor_cases import IMAGES, PORTRAIT, write_portrait

CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
# Every interpolation and crop mode, sizes that are no squares, crops within and beyond the resized image, even and odd.
CASES: list[dict[str, object]] = [
    {},
    {"input_size": [3, 32, 32], "interpolation": "bicubic", "crop_pct": 0.95},
    {"input_size": [3, 33, 33], "interpolation": "bilinear", "crop_pct": 0.875, **CLIP},
    {"input_size": [3, 33, 33], "interpolation": "nearest", "crop_pct": 0.9, "crop_mode": "center"},
    {"input_size": [3, 31, 31], "interpolation": "lanczos", "crop_pct": 0.5},
    {"input_size": [3, 30, 30], "interpolation": "hamming", "crop_pct": 1.0},
    {"input_size": [3, 30, 30], "interpolation": "box", "crop_pct": 1.3},
    {"input_size": [3, 28, 41], "crop_pct": 0.9},
    {"input_size": [3, 41, 28], "crop_pct": 1.0, "interpolation": "bilinear", **CLIP},
    {"input_size": [3, 32, 32], "crop_pct": 1.0, "crop_mode": "squash"},
    {"input_size": [3, 35, 27], "crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear"},
    {"input_size": [3, 27, 35], "crop_pct": 1.2, "crop_mode": "squash"},
    {"input_size": [3, 32, 32], "crop_pct": 1.0, "crop_mode": "border"},
    {"input_size": [3, 33, 33], "crop_pct": 0.9, "crop_mode": "border", **CLIP},
    {"input_size": [3, 29, 44], "crop_pct": 0.875, "crop_mode": "border", "mean": [0.5] * 3, "std": [0.5] * 3},
    {"input_size": [3, 44, 29], "crop_pct": 1.1, "crop_mode": "border", "interpolation": "bilinear"},
    {"input_size": [3, 32, 32], "crop_pct": None, "crop_mode": None, "interpolation": None, "mean": [0.5], "std": 0.25},
    # What timm recommends for tests does not count by default.
    {"input_size": [3, 30, 30], "crop_pct": 0.9, "test_input_size": [3, 40, 40], "test_crop_pct": 1.0},
    # Inception's and DPN's, whose standard deviations are no short decimals.
    {"input_size": [3, 36, 36], "mean": [124 / 255, 117 / 255, 104 / 255], "std": [1 / (0.0167 * 255)] * 3},
]


def processed(folder: Path) -> list[dict[str, object]]:
    """For every configuration and image, the checksum of the tensor."""
    write_portrait(folder / PORTRAIT)
    results = []
    for fields in CASES:
        transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=fields or {"tag": ""}))
        tensors = {}
        for path in (*IMAGES, folder / PORTRAIT):
            pixels = transform(decode(path.read_bytes())).numpy()
            checksum = hashlib.sha256(pixels.astype("<f4").tobytes()).hexdigest()
            tensors[path.as_posix()] = {"shape": list(pixels.shape), "sha256": checksum}
        results.append({"pretrained_cfg": fields, "tensors": tensors})
    return results


def main() -> None:
    """Writes the file."""
    libraries = (PIL, timm, torch, torchvision)
    versions = {library.__name__.lower(): library.__version__ for library in libraries}
    folder = Path("tests/golden")
    content = {"versions": versions, "cases": processed(folder)}
    (folder / "timm.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
