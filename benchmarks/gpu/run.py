"""Measures classify-bench on a GPU against what limits it and against Python, and compares its answers with the CPU's.

    python benchmarks/gpu/run.py --onnxruntime /path/to/libonnxruntime.so
    python benchmarks/gpu/run.py --device cpu --cores 2 --repeat 1      # the same on the CPU, to try it

It needs no network and no package beyond torch, numpy and Pillow; onnxruntime-gpu for ONNX. docs/gpu.md has a table.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

# The network that costs nothing: what is left of a run is reading, decoding and resizing.
EMPTY_NETWORK = """
import sys, torch
class Means(torch.nn.Module):
    def forward(self, image):
        return image.mean((2, 3))
torch.jit.trace(Means(), torch.zeros(1, 3, 8, 8)).save(sys.argv[1])
"""


class Failed(RuntimeError):
    """A measurement is not to be had; the message says why."""


def run(command: list[object], options: argparse.Namespace) -> str:
    environment = {**os.environ, "ORT_DYLIB_PATH": str(options.onnxruntime or "")}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])
    return done.stdout


class Benchmark:
    """The programs, for one set of options."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder

    def core(self, backend: str, model: Path, *arguments: object) -> dict:
        report = run(
            [
                *[self.options.classify_bench, "--json", "--backend", backend, "--model", model],
                *["--images", self.options.images, "--tasks", self.options.cores, *arguments],
            ],
            self.options,
        )
        return json.loads(report)

    def ours(self, backend: str) -> float:
        """Images a second through the whole pipeline, with the model on the device."""
        # A task's batch waits for its last image only, so that larger ones wait less often.
        size = ["--batch-size", 32, "--repeat", self.options.repeat]
        return self.core(backend, self.options.model, "--device", self.options.device, *size)["images_per_second"]

    def decode(self) -> float:
        """Images a second through reading, decoding and resizing alone, on all cores."""
        model = self.folder / "empty"
        if not model.is_dir():
            model.mkdir()
            for name in ("config.json", "preprocessor_config.json"):
                shutil.copy(self.options.model / name, model / name)
            run([sys.executable, "-c", EMPTY_NETWORK, model / "model.pt"], self.options)
        limit = ["--limit", "--batch-size", 16, "--repeat", self.options.repeat]
        return self.core("pytorch", model, *limit)["images_per_second"]

    def resident(self, engine: str) -> float:
        command = [sys.executable, HERE / "resident.py", engine, "--model", self.options.model]
        command += ["--device", self.options.device.partition(":")[0], "--batch", self.options.batch]
        return json.loads(run(command, self.options))["images_a_second"]

    def python(self, engine: str) -> float:
        command = [sys.executable, HERE / "python_pipeline.py", engine, "--model", self.options.model]
        command += ["--images", self.options.images, "--repeat", self.options.repeat, "--cores", self.options.cores]
        command += ["--device", self.options.device.partition(":")[0]]
        return json.loads(run(command, self.options))["images_a_second"]

    def difference(self, backend: str) -> tuple[float, int, int]:
        """The largest difference of a probability between device and CPU, the labels that differ, and the images."""
        answers = []
        for device in ("cpu", self.options.device):
            output = self.folder / f"{backend}-{device.replace(':', '-')}.csv"
            self.core(backend, self.options.model, "--device", device, "--batch-size", 32, "--output", output)
            with output.open(newline="", encoding="utf-8") as rows:
                answers.append({row["image_path"]: row for row in csv.DictReader(rows)})
        cpu, device = answers
        columns = [name for name in next(iter(cpu.values())) if name.startswith("prob_")]
        largest = max(abs(float(cpu[path][c]) - float(device[path][c])) for path in cpu for c in columns)
        flips = sum(cpu[path]["predicted_class_id"] != device[path]["predicted_class_id"] for path in cpu)
        return largest, flips, len(cpu)


def measure(benchmark: Benchmark, rounds: int) -> dict[str, list[float]]:
    """Images a second by what was measured; all take turns, so that a machine that slows down does so for all."""
    subjects: dict[str, Callable[[], float]] = {
        "model alone, PyTorch, in memory": lambda: benchmark.resident("torch"),
        "model alone, ONNX Runtime, in memory": lambda: benchmark.resident("onnx"),
        "decoding alone": benchmark.decode,
        "spark-classify, PyTorch": lambda: benchmark.ours("pytorch"),
        "spark-classify, ONNX Runtime": lambda: benchmark.ours("onnx"),
        "Python, DataLoader and PyTorch": lambda: benchmark.python("torch"),
        "Python, threads and ONNX Runtime": lambda: benchmark.python("onnx"),
    }
    results: dict[str, list[float]] = {name: [] for name in subjects}
    failed: dict[str, str] = {}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}:")
        for name, subject in subjects.items():
            if name in failed:
                continue
            try:
                results[name].append(subject())
                print(f"  {name:40}{results[name][-1]:10.1f} images/s", flush=True)
            except Failed as error:
                failed[name] = str(error)
                print(f"  {name:40}not measured: {error}", flush=True)
    return results


def goals(speed: dict[str, float], agreement: dict[str, tuple[float, int, int] | str]) -> list[str]:
    lines = []
    for engine in ("PyTorch", "ONNX Runtime"):
        ours = speed.get(f"spark-classify, {engine}")
        limits = [speed.get(f"model alone, {engine}, in memory"), speed.get("decoding alone")]
        python = speed.get("Python, DataLoader and PyTorch")
        if ours and all(limits):
            lines.append(goal(f"{engine}: of the slower of model and decoding, each alone", ours / min(limits), 0.9))
        if ours and python:
            lines.append(goal(f"{engine}: times a DataLoader and PyTorch", ours / python, 2))
    for backend, found in agreement.items():
        if isinstance(found, str):
            lines.append(f"| {backend}: probabilities as on the CPU | not measured: {found} | 0.001 | |")
            continue
        largest, flips, images = found
        met = "met" if largest <= 1e-3 else "NOT met"
        text = f"{largest:.1e}, {flips} of {images} labels differ"
        lines.append(f"| {backend}: probabilities as on the CPU | {text} | 0.001 | {met} |")
    return lines


def goal(text: str, ratio: float, wanted: float) -> str:
    return f"| {text} | {ratio:.2f} | {wanted} | {'met' if ratio >= wanted else 'NOT met'} |"


def machine() -> str:
    """What the figures were measured on."""
    gpu = shutil.which("nvidia-smi")
    query = ["--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run([gpu, *query], capture_output=True, text=True).stdout.splitlines()[:1] if gpu else []
    versions = subprocess.run(
        [sys.executable, "-c", "import torch; print('torch', torch.__version__)"], capture_output=True, text=True
    ).stdout.strip()
    return ", ".join([*found, f"{os.cpu_count()} cores", versions or "no torch", platform.platform()])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "model", help="model directory (default: %(default)s)")
    parser.add_argument("--images", type=Path, default=ROOT / "dataset/all_images", help="a folder of images")
    parser.add_argument("--repeat", type=int, default=50, help="how often to go through them (default: %(default)s)")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="tasks, and Python's workers (default: all)")
    parser.add_argument("--batch", type=int, default=256, help="images of the model alone (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn (default: %(default)s)")
    parser.add_argument("--onnxruntime", type=Path, help="libonnxruntime.so of an onnxruntime-gpu")
    parser.add_argument("--classify-bench", type=Path, default=ROOT / "target/release/classify-bench")
    return parser.parse_args()


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="gpu-bench-") as folder:
        benchmark = Benchmark(options, Path(folder))
        results = measure(benchmark, options.rounds)
        agreement: dict[str, tuple[float, int, int] | str] = {}
        for backend in ("pytorch", "onnx"):
            try:
                agreement[backend] = benchmark.difference(backend)
            except Failed as error:
                agreement[backend] = str(error)
    speed = {name: median(values) for name, values in results.items() if values}
    print(f"\n{machine()}; device {options.device}, {options.cores} tasks\n")
    print("| | images a second |\n|---|---|")
    for name in results:
        print(f"| {name} | {speed[name]:.0f} |" if name in speed else f"| {name} | not measured |")
    print("\n| goal | measured | wanted | |\n|---|---|---|---|")
    print("\n".join(goals(speed, agreement)))


if __name__ == "__main__":
    main()
