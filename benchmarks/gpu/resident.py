"""The model alone: the engine in Python, on a batch that is in the device's memory and stays there. Nothing can be
faster with this engine and model.

    python benchmarks/gpu/resident.py torch --model model --device cuda --batch 256
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 3.0


def torch_run(model: Path, device: str, shape: tuple[int, ...]) -> Callable[[], object]:
    import frozen
    import torch

    if device == "cpu":
        torch.set_num_threads(1)
    module = frozen.load(model, device)
    batch = torch.zeros(shape, device=device)

    def run() -> object:
        with torch.inference_mode():
            # Only a copy to the host waits for the device.
            return module(batch).cpu()

    return run


def onnx_run(model: Path, device: str, shape: tuple[int, ...]) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    cuda = ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})
    providers = ["CPUExecutionProvider"] if device == "cpu" else [cuda, "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers)
    if device != "cpu" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise SystemExit("this ONNX Runtime has no CUDA")
    binding = session.io_binding()
    batch = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32), device, 0)
    binding.bind_ortvalue_input(session.get_inputs()[0].name, batch)
    binding.bind_output(session.get_outputs()[0].name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["torch", "onnx"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--batch", type=int, default=256, help="images (default: %(default)s)")
    options = parser.parse_args()
    size = json.loads((options.model / "preprocessor_config.json").read_text(encoding="utf-8"))["size"]
    shape = (options.batch, 3, size["height"], size["width"])
    run = (torch_run if options.engine == "torch" else onnx_run)(options.model, options.device, shape)
    for _ in range(3):
        run()
    runs, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        run()
        runs += 1
    print(json.dumps({"images_a_second": runs * options.batch / elapsed}))


if __name__ == "__main__":
    main()
