"""Writes `tests/golden/colour-model`: a tiny model for tests that need many inferences, not good ones.

    python scripts/make_colour_model.py

It takes 8x8 pixels and gives the mean of each channel as a logit, so its classes are red, green and blue.
"""

from __future__ import annotations

import json
from pathlib import Path

import tiny_onnx
import torch
from onnx import TensorProto, helper

FOLDER = Path("tests/golden/colour-model")
SIZE = 8
# Logits from -10 to 10, so that the purest colour is nearly certain.
MEAN, STD = 0.5, 0.05


class Colour(torch.nn.Module):
    """The mean of each channel: [n, 3, height, width] to [n, 3]."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean(dim=[2, 3])


def write_onnx(path: Path) -> None:
    pool = helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"])
    flatten = helper.make_node("Flatten", ["pooled"], ["logits"])
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph([pool, flatten], "colour", [pixels], [logits])
    tiny_onnx.write(graph, path)


def write_json(name: str, content: dict[str, object]) -> None:
    (FOLDER / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_onnx(FOLDER / "model.onnx")
    torch.jit.script(Colour().eval()).save(str(FOLDER / "model.pt"))
    write_json("config.json", {"id2label": {"0": "red", "1": "green", "2": "blue"}})
    write_json(
        "preprocessor_config.json",
        {
            "do_resize": True,
            "size": {"height": SIZE, "width": SIZE},
            "resample": 0,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [MEAN] * 3,
            "image_std": [STD] * 3,
            "do_convert_rgb": True,
        },
    )


if __name__ == "__main__":
    main()
