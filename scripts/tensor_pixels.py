"""How far the pixels of transformers' processors on tensors are from those on Pillow images.

    python scripts/tensor_pixels.py

resizes the committed images with both classes of several processors and writes the table in `docs/parity.md`.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
from classifier_model import decode
from processor_cases import FOLDERS

IMAGES = Path("dataset/all_images")
PAGE = Path("docs/parity.md")
BEGIN, END = "<!-- pixels on tensors -->\n", "<!-- end of pixels on tensors -->"
PROCESSORS = {
    "ViT": {"resample": 2},
    "CLIP": {"resample": 3},
    "ConvNext": {"resample": 3, "size": {"shortest_edge": 224}},
    "Siglip": {"resample": 0},
}
FILTERS = {0: "nearest", 2: "bilinear", 3: "bicubic"}


def row(name: str, fields: dict[str, object], images: list[object]) -> str:
    """A line of the table."""
    folder = f"transformers.models.{FOLDERS[name]}"
    raw = {**fields, "do_rescale": False, "do_normalize": False}
    on_pillow = getattr(
        importlib.import_module(f"{folder}.image_processing_pil_{FOLDERS[name]}"), f"{name}ImageProcessorPil"
    )
    on_tensors = getattr(importlib.import_module(f"{folder}.image_processing_{FOLDERS[name]}"), f"{name}ImageProcessor")
    differences = np.concatenate(
        [
            np.abs(
                np.asarray(on_pillow(**raw)(image, return_tensors="np")["pixel_values"], dtype=np.int16)
                - np.asarray(on_tensors(**raw)(image, return_tensors="pt")["pixel_values"], dtype=np.int16)
            ).ravel()
            for image in images
        ]
    )
    unlike = f"{np.count_nonzero(differences) / differences.size:.2%}"
    return f"| `{name}ImageProcessor` | {FILTERS[fields['resample']]} | {unlike} | {differences.max()} |\n"


def main() -> None:
    """Writes the table."""
    images = [decode(path.read_bytes()) for path in sorted(IMAGES.iterdir())[:24]]
    table = "| processor | filter | samples unlike Pillow's | largest difference, of 255 |\n|---|---|--:|--:|\n"
    table += "".join(row(name, fields, images) for name, fields in PROCESSORS.items())
    print(table)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: BEGIN + table + END, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
