"""Writes the ONNX files of the tiny models that tests use."""

from __future__ import annotations

from pathlib import Path

from onnx import GraphProto, checker, helper


def write(graph: GraphProto, path: Path) -> None:
    """Writes a checked model of the graph, in an opset and an IR version that every ONNX Runtime of today reads."""
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="spark-classify"
    )
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
