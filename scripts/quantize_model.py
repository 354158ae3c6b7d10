"""Makes model.int8.onnx, for `spark.classify.precision=int8`, of a model directory's model.onnx.

    python scripts/make_dataset.py --seed 3 --count 300 --out /tmp/cards
    python scripts/quantize_model.py model --images /tmp/cards/image_data.csv --samples 200

Some images of the kind that the model is for, without labels, tell the ranges of its activations. They are made tensors
by the library itself (`cargo build --release -p classify-tools --bin classify-tensor`), so that the ranges are those of
inference. On the other images the quantized model is compared with the original.

Quantization is static, in QDQ form: activations unsigned, weights signed and symmetric with a scale for each channel.
CPUs without VNNI add two products of 8 bits in 16 bits, where 2 x 255 x 127 does not fit and is cut off silently. The
library tells ONNX Runtime to multiply in another, slower way on these (`session.x64quantprecision`), as this script
does everywhere; who runs the file otherwise has to do the same. The classifier behind the last convolution stays in
float32: it takes little of the time, and most of the error is made there.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
TENSOR_PROGRAM = Path(__file__).resolve().parents[1] / "target/release/classify-tensor"
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
SEED = 0
# Matrix products behind the last convolution are a classifier, if there are no more than these; else a transformer.
MAX_CLASSIFIER_NODES = 3


def find_images(source: Path, image_dir: Path | None) -> list[Path]:
    """The images in a folder, or in the column `image_path` of a CSV file, shuffled, always in the same way."""
    if source.is_dir():
        images = sorted(path for path in source.rglob("*") if path.suffix.lower() in EXTENSIONS)
    else:
        with source.open(newline="", encoding="utf-8") as table:
            images = [(image_dir or source.parent / "all_images") / row["image_path"] for row in csv.DictReader(table)]
    random.Random(SEED).shuffle(images)
    return images


class Network:
    """An ONNX file of a model directory, which takes what the library's preprocessing makes of an image."""

    def __init__(self, file: Path, directory: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        (entry,) = self.session.get_inputs()
        if entry.type != "tensor(float)":
            raise SystemExit(f"{file}: input `{entry.name}` is {entry.type}; only models of float32 can be quantized")
        self.directory = directory
        self.input = entry.name
        batch, *dimensions = entry.shape
        self.batch = batch if isinstance(batch, int) else 1
        written = json.loads((directory / "preprocessor_config.json").read_text(encoding="utf-8")).get("data_format")
        self.channels_last = written == "channels_last" or (not written and dimensions[0] != 3 and dimensions[2] == 3)
        self.has_logits = "logits" in [output.name for output in self.session.get_outputs()]
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        self.gives_probabilities = config.get("function_to_apply") == "none"

    def feed(self, image: Path) -> dict[str, np.ndarray]:
        """The model's input for an image; a model with a fixed batch gets the image as often."""
        pixels = preprocess(self.directory, image)[np.newaxis]
        if self.channels_last:
            pixels = pixels.transpose(0, 2, 3, 1)
        return {self.input: np.ascontiguousarray(pixels.repeat(self.batch, axis=0))}

    def probabilities(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        """Of one image, in class-id order."""
        row = self.session.run(["logits"] if self.has_logits else None, feed)[0][0]
        if self.gives_probabilities:
            return row
        exponentials = np.exp(row - row.max())
        return exponentials / exponentials.sum()


def preprocess(directory: Path, image: Path) -> np.ndarray:
    """What the library makes of an image: 3 x height x width, float32."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([TENSOR_PROGRAM, directory, folder, image], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{image}: {done.stderr.strip()}")
        height, width = map(int, done.stdout.split())
        return np.fromfile(Path(folder) / f"{image.name}.tensor", "<f4").reshape(3, height, width)


class Calibration(CalibrationDataReader):
    """Hands images to the quantizer one after the other."""

    def __init__(self, network: Network, images: list[Path]) -> None:
        self.feeds: Iterator[dict[str, np.ndarray]] = map(network.feed, images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def classifier_nodes(file: Path) -> list[str]:
    """The names of the matrix products that make up the classifier."""
    nodes = onnx.load(file, load_external_data=False).graph.node
    last = max((index for index, node in enumerate(nodes) if node.op_type == "Conv"), default=len(nodes))
    behind = [node.name for node in nodes[last:] if node.op_type in ("Gemm", "MatMul")]
    return behind if len(behind) <= MAX_CLASSIFIER_NODES else []


def quantize(network: Network, source: Path, output: Path, images: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Folds what can be folded, so that fewer values between operators are rounded.
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            Calibration(network, images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=classifier_nodes(prepared),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )


def compare(exact: Network, quantized: Network, images: list[Path]) -> tuple[int, float]:
    """How many labels differ, and the largest difference of a probability."""
    flips, largest = 0, 0.0
    for image in images:
        feed = exact.feed(image)
        expected, actual = exact.probabilities(feed), quantized.probabilities(feed)
        flips += int(expected.argmax() != actual.argmax())
        largest = max(largest, float(np.abs(expected - actual).max()))
    return flips, largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model directory")
    parser.add_argument("--images", type=Path, required=True, help="folder of images, or CSV with a column image_path")
    parser.add_argument(
        "--image-dir", type=Path, help="folder of a CSV's relative paths (default: all_images beside the CSV)"
    )
    parser.add_argument(
        "--samples", type=int, default=100, help="images that set the ranges; the others are held out (default: 100)"
    )
    parser.add_argument("--output", type=Path, help=f"file to write (default: {INT8_FILE} in the model directory)")
    arguments = parser.parse_args()

    if not TENSOR_PROGRAM.is_file():
        command = "cargo build --release -p classify-tools --bin classify-tensor"
        raise SystemExit(f"{TENSOR_PROGRAM}: is missing; build it with `{command}`")
    images = find_images(arguments.images, arguments.image_dir)
    if not 0 < arguments.samples < len(images):
        raise SystemExit(f"{arguments.images}: {len(images)} images are too few to calibrate on {arguments.samples}")
    calibration, held_out = images[: arguments.samples], images[arguments.samples :]
    source = arguments.model / ONNX_FILE
    output = arguments.output or arguments.model / INT8_FILE
    exact = Network(source, arguments.model)
    quantize(exact, source, output, calibration)
    flips, largest = compare(exact, Network(output, arguments.model), held_out)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {source}: {source.stat().st_size / 1e6:.1f} MB")
    print(f"ranges from {len(calibration)} images")
    print(f"on {len(held_out)} others: {flips} labels differ, and probabilities by at most {largest:.4f}")


if __name__ == "__main__":
    main()
