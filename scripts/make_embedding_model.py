"""Writes `tests/golden/colour-embedding`: a tiny model that gives classes and an embedding.

    python scripts/make_embedding_model.py

It is the model of `make_colour_model.py` with a second output, `embedding`: how bright red, green and blue are, from 0
to 1, which normalised is a vector whose direction is the image's hue.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import tiny_onnx
import torch
from make_colour_model import FOLDER as COLOURS
from make_colour_model import MEAN, SIZE, STD
from onnx import TensorProto, helper

FOLDER = Path("tests/golden/colour-embedding")


class ColourAndEmbedding(torch.nn.Module):
    """[n, 3, height, width] to the logits and the embedding, both [n, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = MEAN
        self.std = STD

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = pixels.mean(dim=[2, 3])
        return {"logits": logits, "embedding": logits * self.std + self.mean}


def write_onnx(path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
        helper.make_node("Mul", ["logits", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["embedding"]),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [1], [value]) for name, value in (("std", STD), ("mean", MEAN))
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("logits", "embedding")]
    graph = helper.make_graph(nodes, "colour", [pixels], outputs, constants)
    tiny_onnx.write(graph, path)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(COLOURS / name, FOLDER / name)
    write_onnx(FOLDER / "model.onnx")
    torch.jit.script(ColourAndEmbedding().eval()).save(str(FOLDER / "model.pt"))


if __name__ == "__main__":
    main()
