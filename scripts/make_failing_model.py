"""Writes `tests/golden/failing-model`: an ONNX model that ONNX Runtime cannot run for pure red, and can for the rest.

    python scripts/make_failing_model.py

It is the colour model of `make_colour_model.py`, with a lookup behind it whose index is beyond the table there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy
import tiny_onnx
from onnx import TensorProto, helper, numpy_helper

COLOUR = Path("tests/golden/colour-model")
FOLDER = Path("tests/golden/failing-model")
SIZE = 8


def write_onnx(path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
        helper.make_node("Gather", ["means", "first"], ["red"], axis=1),
        # Logits go from -10 to 10.
        helper.make_node("Sub", ["red", "threshold"], ["above"]),
        helper.make_node("Relu", ["above"], ["excess"]),
        helper.make_node("Cast", ["excess"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["nothing"]),
        helper.make_node("Add", ["means", "nothing"], ["logits"]),
    ]
    constants = {
        "first": numpy.array([0], numpy.int64),
        "threshold": numpy.array(8, numpy.float32),
        "table": numpy.array([0], numpy.float32),
    }
    graph = helper.make_graph(
        nodes,
        "failing",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    tiny_onnx.write(graph, path)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_onnx(FOLDER / "model.onnx")
    for name in ["config.json", "preprocessor_config.json"]:
        shutil.copy(COLOUR / name, FOLDER / name)


if __name__ == "__main__":
    main()
