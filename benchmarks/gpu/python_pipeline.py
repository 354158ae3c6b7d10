"""What a Python program does for the same: a torch DataLoader with a process for each core and the model on the device,
or threads that decode and ONNX Runtime.

    python benchmarks/gpu/python_pipeline.py torch --model model --images dataset/all_images --device cuda --cores 16
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "contenders"))
from pillow_input import Preprocessor, batches

BATCH = 256


class Files:
    """A torch dataset of image files. `__getitem__` gives the input of the network."""

    def __init__(self, paths: list[str], model: Path) -> None:
        self.paths, self.preprocess = paths, Preprocessor(model)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.preprocess.file(self.paths[index])


def with_torch(paths: list[str], model: Path, device: str, cores: int) -> Callable[[], int]:
    """A function that classifies all images; the workers live on from one call to the next."""
    import frozen
    import torch
    from torch.utils.data import DataLoader

    module = frozen.load(model, device)
    loader = DataLoader(
        Files(paths, model), BATCH, num_workers=cores, pin_memory=device == "cuda", persistent_workers=True
    )

    def classify() -> int:
        with torch.inference_mode():
            return sum(len(module(batch.to(device, non_blocking=True)).softmax(1).cpu()) for batch in loader)

    return classify


def with_onnx(paths: list[str], model: Path, device: str, cores: int) -> Callable[[], int]:
    """The same with threads and ONNX Runtime."""
    import onnxruntime

    cuda = ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})
    providers = ["CPUExecutionProvider"] if device == "cpu" else [cuda, "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(model / "model.onnx"), providers=providers)
    if device != "cpu" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise SystemExit("this ONNX Runtime has no CUDA")
    name, preprocess = session.get_inputs()[0].name, Preprocessor(model)
    pool = ThreadPoolExecutor(cores)

    def classify() -> int:
        classified, waiting = 0, deque()
        for batch in [*batches(paths, BATCH), None, None]:
            if batch:
                waiting.append([pool.submit(preprocess.file, path) for path in batch])
            # The next batch is decoded while this one runs.
            if waiting and (len(waiting) > 1 or not batch):
                images = np.stack([future.result() for future in waiting.popleft()])
                classified += len(session.run(None, {name: images})[0])
        return classified

    return classify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["torch", "onnx"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help="a folder")
    parser.add_argument("--repeat", type=int, default=1, help="how often to go through the images")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--cores", type=int, required=True)
    options = parser.parse_args()
    paths = [str(path) for path in sorted(options.images.iterdir())]
    make = with_torch if options.engine == "torch" else with_onnx
    classify = make(paths * options.repeat, options.model, options.device, options.cores)
    # The first pass starts the workers and makes what is made at first use.
    classify()
    start = time.perf_counter()
    classified = classify()
    print(json.dumps({"images_a_second": classified / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
