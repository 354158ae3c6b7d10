"""Writing a network as ONNX and as TorchScript."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from spark_classify.errors import ClassifyError
from spark_classify.export.source import LOGITS, Source

# Understood by every ONNX Runtime since 1.14.
OPSET = 18
INPUT = "pixel_values"
# A protobuf ends at 2 GiB; what is no weight has room in the rest.
WEIGHTS_IN_ONE_FILE = 2**31 - 2**27


def write_onnx(source: Source, example: torch.Tensor, path: Path) -> None:
    """Writes `pixel_values` (batch, 3, height, width) to `source.output`, in one file if the weights fit."""
    try:
        program = torch.onnx.export(
            source.network,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[source.output],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    except Exception as cause:
        raise ClassifyError(f"torch.onnx.export cannot export the network: {cause}") from cause
    # Where each operator stood in Python, paths of this machine among it.
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    program.save(path, external_data=_size(source.network) > WEIGHTS_IN_ONE_FILE)
    onnx.checker.check_model(path, full_check=True)


def write_torchscript(source: Source, example: torch.Tensor, path: Path) -> None:
    """Writes a traced module. It is not frozen: the loader freezes and optimizes it for the machine it runs on."""
    network = source.network if source.output == LOGITS else Named(source.network, source.output)
    try:
        # strict=False: the output may be a dictionary.
        torch.jit.trace(network, example, strict=False).save(str(path))
    except Exception as cause:
        raise ClassifyError(f"torch.jit.trace cannot trace the network: {cause}") from cause


# By the names that the command line has for them.
FORMATS = {"onnx": ("model.onnx", write_onnx), "torchscript": ("model.pt", write_torchscript)}


class Named(nn.Module):
    """The output in a dictionary: a tensor has no name in TorchScript."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        self.name = name

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {self.name: self.network(pixel_values)}


def quieten() -> None:
    """Leaves out what the exporters say about themselves, and what holds for every image: all have one size."""
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _size(network: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in network.state_dict().values())
