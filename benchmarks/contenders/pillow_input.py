"""Preprocessing as the model directory asks for it, with Pillow and NumPy: an image file to an input of the network."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image


class Preprocessor:
    """Decodes, resizes, scales and normalises, as `preprocessor_config.json` says."""

    def __init__(self, model: Path) -> None:
        config = json.loads((model / "preprocessor_config.json").read_text(encoding="utf-8"))
        if not (config["do_resize"] and config["do_rescale"] and config["do_normalize"]) or config.get(
            "do_center_crop"
        ):
            raise SystemExit(f"{model}: the contenders resize, scale and normalise, and nothing else")
        self.size = (config["size"]["width"], config["size"]["height"])
        self.filter = Image.Resampling(config["resample"])
        mean, std = (np.array(config[key], dtype=np.float32) for key in ("image_mean", "image_std"))
        # (pixel * factor - mean) / std, as one multiplication and one addition.
        self.scale = np.float32(config["rescale_factor"]) / std
        self.shift = -mean / std

    def __call__(self, data: bytes) -> np.ndarray:
        """One image file to float32 values, channels x height x width."""
        with Image.open(io.BytesIO(data)) as image:
            resized = image.convert("RGB").resize(self.size, self.filter)
        return (np.asarray(resized) * self.scale + self.shift).transpose(2, 0, 1)

    def file(self, path: str) -> np.ndarray:
        """As a call, of a file's content."""
        with open(path, "rb") as file:
            return self(file.read())


def batches(items: list, size: int) -> list[list]:
    """Cuts a list into lists of `size`; the last may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]
