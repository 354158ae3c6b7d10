"""A TorchScript model as Python runs it well: frozen, in the device's memory, and without TF32."""

from __future__ import annotations

from pathlib import Path

import torch


def load(model: Path, device: str) -> torch.jit.ScriptModule:
    """The frozen module of a model directory. A trace fixes whether convolutions may use TF32, so it is changed."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    module = torch.jit.freeze(torch.jit.load(str(model / "model.pt"), map_location=device).eval())
    if device == "cpu":
        return torch.jit.optimize_for_inference(module)
    graph = module.graph
    for node in graph.findAllNodes("aten::_convolution", True):
        graph.setInsertPoint(node)
        # The last of its inputs is `allow_tf32`.
        node.replaceInput(node.inputsSize() - 1, graph.insertConstant(False))
    return module
