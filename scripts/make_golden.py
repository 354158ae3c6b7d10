"""Writes the golden values of the tests, from Pillow, PyTorch and ONNX Runtime themselves.

    python scripts/make_golden.py

writes below `tests/golden/`:

* `predictions.json`: every committed image's class probabilities from both engines, one image at a time;
* `decode.json`: SHA-256 of every committed image's RGB pixels, as decoded and as resized to the model's input;
* `resize.json`: tiny images resized by each of Pillow's filters, pixel for pixel (base64, RGB, row-major);
* `processors.json`: SHA-256 of the tensors that Hugging Face's and torchvision's preprocessing makes of three images;
* `torchvision.json`: SHA-256 of what torchvision's resize of 8-bit tensors, and the processors that use it, make of
  images;
* `images/` and `images.json`: odd and broken image files, with the SHA-256 of their RGB pixels, as they are
  and turned upright, or Pillow's refusal;
* `large/`: images of many pixels and few bytes.

With the versions of `scripts/requirements-reference.txt` a second run changes nothing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import platform
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import PIL
import torch
import torchvision
import transformers
from classifier_model import decode, resize
from large_images import write_large_images
from make_odd_images import write_odd_images
from PIL import Image, ImageOps, features
from processor_cases import processed
from python_infer import BACKENDS, Stopwatch, classify, load_network, read_labels
from torchvision_cases import torchvision_values

# Filter names with the numbers that `resample` of preprocessor_config.json uses.
FILTERS = {filter_.name.lower(): filter_ for filter_ in Image.Resampling}
# width x height of each source with the sizes it is resized to: down, up, one axis only, and to a single pixel.
RESIZE_CASES = {
    (17, 13): ((7, 5), (40, 29), (17, 5), (30, 13), (1, 1)),
    (5, 40): ((16, 16), (3, 60), (5, 7)),
    (1, 1): ((4, 3),),
    (48, 3): ((8, 8), (47, 2)),
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def versions() -> dict[str, str]:
    """What the values came from."""
    return {
        "pillow": PIL.__version__,
        "libjpeg_turbo": str(features.version("libjpeg_turbo")),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }


def predictions(table: pd.DataFrame, image_dir: Path, model: Path) -> dict[str, object]:
    """Both engines' probabilities of every image, in class-id order."""
    labels = read_labels(model)
    images: dict[str, dict[str, list[float]]] = {name: {} for name in table["image_path"]}
    for backend in BACKENDS:
        network = load_network(model, backend, threads=1)
        for name, probabilities in images.items():
            probabilities[backend] = classify(image_dir / name, network, Stopwatch())
    return {"versions": versions(), "labels": labels, "images": images}


def describe(image: Image.Image) -> dict[str, object]:
    """Size and checksum of an RGB image."""
    return {"width": image.width, "height": image.height, "rgb_sha256": sha256(image.tobytes())}


def decoded(table: pd.DataFrame, image_dir: Path) -> dict[str, object]:
    """Checksums of every image as decoded and as resized."""
    images = {}
    for name in table["image_path"]:
        image = decode((image_dir / name).read_bytes())
        images[name] = describe(image) | {"resized_sha256": sha256(resize(image).tobytes())}
    return {"versions": versions(), "images": images}


def resized() -> dict[str, object]:
    """Small images resized by every filter. Half of their pixels are black or white, so that overshoot is clipped."""
    generator = np.random.default_rng(11)
    sources, cases = [], []
    for (width, height), targets in RESIZE_CASES.items():
        grey = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        extreme = generator.integers(0, 2, (height, width, 3), dtype=np.uint8) * np.uint8(255)
        pixels = np.where(generator.random((height, width, 1)) < 0.5, grey, extreme)
        source = Image.fromarray(pixels)
        sources.append({"width": width, "height": height, "rgb": base64.b64encode(source.tobytes()).decode()})
        for target in targets:
            for name, filter_ in FILTERS.items():
                result = source.resize(target, filter_)
                cases.append(
                    {
                        "source": len(sources) - 1,
                        "filter": name,
                        "resample": int(filter_),
                        "width": target[0],
                        "height": target[1],
                        "rgb": base64.b64encode(result.tobytes()).decode(),
                    }
                )
    return {"versions": versions(), "sources": sources, "cases": cases}


def odd_images(folder: Path) -> dict[str, object]:
    """Writes the odd image files and says what Pillow makes of each."""
    images: dict[str, dict[str, object]] = {}
    for name, meaning in write_odd_images(folder).items():
        data = (folder / name).read_bytes()
        try:
            result = describe(decode(data))
            upright = describe(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
            if upright != result:
                result["upright"] = upright
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            # The address of a buffer in Pillow's message differs from run to run.
            result = {"refused": str(error).split(" <")[0]}
        images[name] = {"meaning": meaning} | result
    return {"versions": versions(), "images": images}


def processor_versions() -> dict[str, str]:
    """What the processors' values came from."""
    return versions() | {"torchvision": torchvision.__version__, "transformers": transformers.__version__}


def processor_tensors(folder: Path) -> dict[str, object]:
    """Checksums of tensors, by preprocessing configuration and image."""
    return {"versions": processor_versions()} | processed(folder)


def write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=Path("dataset"), help="the committed data set")
    parser.add_argument("--model", type=Path, default=Path("model"), help="the committed model directory")
    parser.add_argument("--out", type=Path, default=Path("tests/golden"), help="folder to write to")
    arguments = parser.parse_args()

    image_dir = arguments.dataset / "all_images"
    table = pd.read_csv(arguments.dataset / "image_data.csv")
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "predictions.json", predictions(table, image_dir, arguments.model))
    write_json(arguments.out / "decode.json", decoded(table, image_dir))
    write_json(arguments.out / "resize.json", resized())
    write_json(arguments.out / "images.json", odd_images(arguments.out / "images"))
    write_large_images(arguments.out / "large")
    write_json(arguments.out / "processors.json", processor_tensors(arguments.out))
    on_tensors = {"versions": processor_versions()} | torchvision_values(arguments.out)
    write_json(arguments.out / "torchvision.json", on_tensors)


if __name__ == "__main__":
    main()
