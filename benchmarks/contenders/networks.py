"""The model in Python's engines, each as a function from a batch of inputs to probabilities, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

ENGINES = ("onnx", "torch", "torch-optimized")

Network = Callable[[np.ndarray], np.ndarray]


def load(model: Path, engine: str) -> Network:
    """Loads the model. Input: float32, N x 3 x height x width; output: N x classes."""
    return _onnx(model) if engine == "onnx" else _torch(model, optimized=engine == "torch-optimized")


def version(engine: str) -> dict[str, str]:
    """The engine's name and version."""
    if engine == "onnx":
        import onnxruntime as module
    else:
        import torch as module
    return {module.__name__: module.__version__}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _onnx(model: Path) -> Network:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    file = str(model / "model.onnx")
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: softmax(session.run(None, {name: np.ascontiguousarray(inputs)})[0])


def _torch(model: Path, optimized: bool) -> Network:
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(str(model / "model.pt"), map_location="cpu").eval()
    if optimized:
        module = torch.jit.optimize_for_inference(torch.jit.freeze(module))

    def run(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return torch.softmax(module(torch.from_numpy(np.ascontiguousarray(inputs))), 1).numpy()

    return run
