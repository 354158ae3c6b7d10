"""An exported directory next to the network that it was made of, on real images."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import torch

from spark_classify import program
from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing
from spark_classify.export.formats import FORMATS, INPUT
from spark_classify.export.images import open_rgb
from spark_classify.export.source import LOGITS, Source

BATCH = 8
BACKENDS = {"onnx": "onnx", "torchscript": "pytorch"}

Run = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Row:
    """How far something is from the original, over all images."""

    what: str
    # Largest differences; None where there are none to compare.
    outputs: float | None
    probabilities: float | None
    same_class: int | None
    images: int
    passed: bool


def verify(
    source: Source,
    directory: Path,
    formats: Sequence[str],
    images: Sequence[Path],
    tolerance: float,
    core: Path | None,
) -> list[Row]:
    """Compares the directory's files with the original network behind its own library's preprocessing.

    A difference is within the tolerance if it is not larger than `tolerance`, or than `tolerance` times the largest
    number that the original gives. Pixels have to be equal. `core` is the program `classify-bench`, if there is one:
    it classifies the images, and of an encoder it loads the files.
    """
    pixels = torch.stack([source.preprocess(open_rgb(image)) for image in images])
    expected = _one_by_one(source.network, pixels)
    rows = [_pixels_row(pixels, directory, images)]
    for name in formats:
        file, _ = FORMATS[name]
        for batch in (1, BATCH):
            given = torch.cat([_runner(name, directory / file, source.output)(part) for part in pixels.split(batch)])
            rows.append(_row(f"{file}, batches of {batch}", source, given, expected, tolerance))
    if core is not None and source.output != LOGITS:
        _refuse_unread(core, directory, formats)
    elif core is not None:
        for name in formats:
            given = classified(core, directory, BACKENDS[name], images)
            rows.append(
                _core_row(f"classify-bench, {BACKENDS[name]}", given, source.probabilities(expected), tolerance)
            )
    return rows


@torch.inference_mode()
def refuse_unusable(source: Source, pixels: torch.Tensor) -> None:
    """What no backend can use is refused before it is written: it needs no program to tell."""
    try:
        given = source.network(pixels)
    except Exception as cause:
        raise ClassifyError(f"the network fails on pixels {tuple(pixels.shape)}: {cause}") from cause
    if not isinstance(given, torch.Tensor):
        raise ClassifyError(
            f"the network gives a {type(given).__name__}, not a tensor; wrap it in a module that gives the tensor alone"
        )
    images = len(pixels)
    if source.output == LOGITS:
        labels = len(source.config["id2label"])
        fits, wanted = given.shape == (images, labels), f"{labels}): a number for each label; check the labels"
    elif source.config.get("pooling"):
        fits, wanted = given.ndim == 3, "tokens, numbers), of which --pooling makes one vector; leave it out"
    else:
        fits, wanted = given.ndim == 2, "numbers): a vector for each image"
    if not fits or len(given) != images:
        raise ClassifyError(
            f"the network gives `{source.output}` {tuple(given.shape)} for {images} images, not ({images}, {wanted}"
        )


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal."""
    header = ("", "outputs differ by", "probabilities by", "same class", "")
    lines = [header]
    for row in rows:
        same = "" if row.same_class is None else f"{row.same_class} of {row.images}"
        lines.append(
            (row.what, _number(row.outputs), _number(row.probabilities), same, "" if row.passed else "TOO FAR")
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join(shown)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


@torch.inference_mode()
def _one_by_one(network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    return torch.cat([network(image) for image in pixels.split(1)]).float()


def _runner(name: str, path: Path, output: str) -> Run:
    if name == "onnx":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda pixels: torch.from_numpy(session.run([output], {INPUT: pixels.numpy()})[0])
    module = torch.jit.load(str(path)).eval()

    @torch.inference_mode()
    def run(pixels: torch.Tensor) -> torch.Tensor:
        result = module(pixels)
        return result[output] if isinstance(result, dict) else result

    return run


def _pixels_row(pixels: torch.Tensor, directory: Path, images: Sequence[Path]) -> Row:
    preprocess, _ = preprocessing.read(directory)
    read_back = torch.stack([preprocess(open_rgb(image)) for image in images])
    difference = float((read_back - pixels).abs().max()) if read_back.shape == pixels.shape else float("inf")
    # One rounding of the division by 255 and of the standard deviation.
    return Row(preprocessing.FILE, difference, None, None, len(images), difference < 1e-6)


def _row(what: str, source: Source, given: torch.Tensor, expected: torch.Tensor, tolerance: float) -> Row:
    if given.shape != expected.shape:
        raise ClassifyError(f"{what}: gives {tuple(given.shape)} for all images, the network {tuple(expected.shape)}")
    outputs = float((given - expected).abs().max())
    passed = outputs <= tolerance * max(1.0, float(expected.abs().max()))
    if source.output != LOGITS:
        return Row(what, outputs, None, None, len(expected), passed)
    probabilities = float((source.probabilities(given) - source.probabilities(expected)).abs().max())
    same = int((given.argmax(1) == expected.argmax(1)).sum())
    return Row(what, outputs, probabilities, same, len(expected), passed and probabilities <= tolerance)


def _core_row(what: str, given: torch.Tensor, expected: torch.Tensor, tolerance: float) -> Row:
    probabilities = float((given - expected).abs().max())
    same = int((given.argmax(1) == expected.argmax(1)).sum())
    return Row(what, None, probabilities, same, len(expected), probabilities <= tolerance)


def _refuse_unread(core: Path, directory: Path, formats: Sequence[str]) -> None:
    """The core loads and tries each file that there is, and says of each backend whether it can use it."""
    done = _run(core, "--check", "--model", directory)
    for name in formats:
        found = next((line for line in done.splitlines() if line.strip().startswith(f"{BACKENDS[name]}, fp32:")), "")
        if not found.strip().startswith(f"{BACKENDS[name]}, fp32: yes"):
            raise ClassifyError(f"{core} --check: {found.strip() or done}")


def _run(core: Path, *arguments: object) -> str:
    command = [str(core), *map(str, arguments)]
    done = subprocess.run(command, env=program.environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClassifyError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def classified(core: Path, directory: Path, backend: str, images: Sequence[Path]) -> torch.Tensor:
    """What the core makes of the image files: probabilities, (images, classes)."""
    with tempfile.TemporaryDirectory() as folder:
        listed, output = Path(folder, "images.csv"), Path(folder, "predictions.csv")
        with listed.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["image_path"], *([str(image.absolute())] for image in images)])
        paths = ["--images", listed, "--model", directory, "--output", output]
        _run(core, "--backend", backend, *paths)
        with output.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    first = header.index("confidence") + 1
    return torch.tensor([[float(value) for value in row[first:]] for row in rows])
