"""Exports the trained state dict as TorchScript and as ONNX, with the two configuration files, and checks all of them.

python scripts/export_model.py --weights model/id_card_cnn.pth --out model
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from classifier_model import (
    INPUT_SIZE,
    ONNX_FILE,
    TORCHSCRIPT_FILE,
    WEIGHTS_FILE,
    IdCardCnn,
    load_weights,
    write_configs,
)

ONNX_OPSET = 17
# Engines fuse and order float32 sums differently; logits of this network are of the order of 1 to 20.
TOLERANCE = 1e-4


def export_torchscript(model: IdCardCnn, path: Path) -> None:
    """Saves a traced module. It is not frozen: the loader freezes and optimises it for the machine it runs on."""
    example = torch.zeros(2, 3, *INPUT_SIZE)
    torch.jit.trace(model, example).save(str(path))


def export_onnx(model: IdCardCnn, path: Path) -> None:
    """Saves one self-contained ONNX file: `pixel_values` (batch, 3, height, width) to `logits` (batch, classes)."""
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, *INPUT_SIZE),),
        str(path),
        dynamo=False,
        opset_version=ONNX_OPSET,
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_axes={"pixel_values": {0: "batch"}, "logits": {0: "batch"}},
    )
    onnx.checker.check_model(str(path), full_check=True)


def check(model: IdCardCnn, directory: Path) -> float:
    """Runs both exports beside the module for several batch sizes; returns the largest difference between logits."""
    scripted = torch.jit.load(str(directory / TORCHSCRIPT_FILE)).eval()
    session = onnxruntime.InferenceSession(str(directory / ONNX_FILE), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in (1, 2, 7):
        pixels = torch.randn(batch, 3, *INPUT_SIZE, generator=generator)
        with torch.inference_mode():
            expected = model(pixels).numpy()
            from_torchscript = scripted(pixels).numpy()
        (from_onnx,) = session.run(["logits"], {"pixel_values": pixels.numpy()})
        for name, logits in ((TORCHSCRIPT_FILE, from_torchscript), (ONNX_FILE, from_onnx)):
            if logits.shape != expected.shape:
                raise SystemExit(
                    f"{directory / name}: gives {logits.shape} for a batch of {batch}, not {expected.shape}"
                )
            difference = float(np.abs(logits - expected).max())
            if difference > TOLERANCE:
                raise SystemExit(f"{directory / name}: logits differ from the module's by {difference:.2e}")
            worst = max(worst, difference)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("model") / WEIGHTS_FILE, help="state dict to export")
    parser.add_argument("--out", type=Path, default=Path("model"), help="model directory to write")
    arguments = parser.parse_args()

    arguments.out.mkdir(parents=True, exist_ok=True)
    model = load_weights(arguments.weights)
    export_torchscript(model, arguments.out / TORCHSCRIPT_FILE)
    export_onnx(model, arguments.out / ONNX_FILE)
    write_configs(arguments.out)
    print(f"{arguments.out}: exports agree with the module to {check(model, arguments.out):.1e} in their logits")


if __name__ == "__main__":
    main()
