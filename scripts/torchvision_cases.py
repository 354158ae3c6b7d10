"""What torchvision's resize of 8-bit tensors, and the processors of transformers that use it, make of images.

torch has other kernels for processors without AVX2, which give other bytes; these are not the reference.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from classifier_model import decode
from PIL import Image
from processor_cases import FOLDERS, IMAGES, PORTRAIT, UNSETTLED, VARIANTS, write_portrait
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

# By the numbers of Pillow's filters, as transformers maps them.
FILTERS = {0: InterpolationMode.NEAREST_EXACT, 2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}
# Height and width of an image, and what it is resized to: extremes, one axis alone, and sizes whose positions lie so
# close to the border of two samples that rounding decides, in torch's kernel for small outputs and in the other one.
SIZES = [
    *[((1, 1), (5, 4)), ((1, 9), (9, 1)), ((9, 1), (1, 9)), ((17, 13), (17, 40)), ((17, 13), (40, 13))],
    *[((2, 3), (41, 2)), ((2, 3), (123, 2)), ((2, 3), (123, 7)), ((2, 3), (141, 2)), ((600, 3), (3, 1))],
]
RANDOM_SIZES = 150
KNUTH = 2_654_435_761


def picture(height: int, width: int, extreme: bool) -> np.ndarray:
    """An image that needs no file: Knuth's multiplicative hash of each sample's number, or its highest bit."""
    numbers = np.arange(height * width * 3, dtype=np.uint64) * np.uint64(KNUTH) % np.uint64(1 << 32)
    samples = numbers >> np.uint64(31) if extreme else numbers >> np.uint64(24)
    return (samples * np.uint64(255 if extreme else 1)).astype(np.uint8).reshape(height, width, 3)


def sizes() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Heights and widths, and what they become."""
    yield from SIZES
    generator = np.random.default_rng(5)
    for _ in range(RANDOM_SIZES):
        small = generator.random(4) < 0.5
        longest = np.where(small, 40, (300, 300, 200, 200))
        height, width, *resized = (int(side) for side in generator.integers(1, longest + 1))
        yield (height, width), (resized[0], resized[1])


def resized() -> list[dict[str, object]]:
    """Checksums of pictures resized by every filter, row-major RGB."""
    cases = []
    for index, (size, target) in enumerate(sizes()):
        extreme = index % 3 == 0
        tensor = torch.from_numpy(picture(*size, extreme)).permute(2, 0, 1).contiguous()
        checksums = {}
        for number, mode in FILTERS.items():
            result = resize(tensor, list(target), interpolation=mode, antialias=True)
            pixels = result.permute(1, 2, 0).contiguous().numpy()
            checksums[str(number)] = hashlib.sha256(pixels.tobytes()).hexdigest()
        cases.append({"size": size, "extreme": extreme, "resized": target, "sha256": checksums})
    return cases


def transformers_processor(name: str, fields: dict[str, object]) -> tuple[object, dict[str, object]]:
    """The processor that works on tensors, and the file it writes."""
    module = importlib.import_module(f"transformers.models.{FOLDERS[name]}.image_processing_{FOLDERS[name]}")
    processor = getattr(module, f"{name}ImageProcessor")(**fields)
    assert processor.backend == "torchvision"
    return processor, json.loads(processor.to_json_string())


def processors() -> Iterator[tuple[object, dict[str, object]]]:
    """Every processor with the file that it writes, with one that leaves its defaults out, and with variants."""
    backend = {"image_processor_backend": "torchvision"}
    for name in FOLDERS:
        settled = UNSETTLED.get(name, {})
        processor, written = transformers_processor(name, settled)
        yield processor, written | backend
        yield processor, {"image_processor_type": f"{name}ImageProcessor", **settled, **backend}
    # The processor keeps a field that it does not know, and writes it back.
    yield transformers_processor("ViT", {"size": {"height": 33, "width": 45}, **backend})
    for name, fields in VARIANTS:
        fields = fields | {"resample": fields["resample"] if fields.get("resample") in FILTERS else 3}
        processor, written = transformers_processor(name, fields)
        yield processor, written | backend
    # Neither rescaled and normalised at once: the offset keeps them apart.
    for fields in ({"rescale_offset": True}, {"do_rescale": False}, {"do_normalize": False}):
        fields = {"size": 30, "resample": 2, "image_std": [0.2, 0.3, 0.4], **fields}
        processor, written = transformers_processor("EfficientNet", fields)
        yield processor, written | backend


def processed(folder: Path) -> list[dict[str, object]]:
    """For every configuration and image, the checksum of the tensor (float32, little endian)."""
    write_portrait(folder / PORTRAIT)
    cases = []
    for processor, fields in processors():
        tensors = {}
        for path in (*IMAGES, folder / PORTRAIT):
            image: Image.Image = decode(path.read_bytes())
            pixels = processor(image, return_tensors="pt")["pixel_values"][0].numpy()
            checksum = hashlib.sha256(np.ascontiguousarray(pixels, dtype="<f4").tobytes()).hexdigest()
            tensors[path.as_posix()] = {"shape": list(pixels.shape), "sha256": checksum}
        cases.append({"preprocessor_config": fields, "tensors": tensors})
    return cases


def torchvision_values(folder: Path) -> dict[str, object]:
    """What stands in `torchvision.json`, but for the versions."""
    capability = torch.backends.cpu.get_cpu_capability()
    if capability not in ("AVX2", "AVX512"):
        raise SystemExit(f"torch has other kernels for this processor ({capability}); take one with AVX2")
    return {"resized": resized(), "processors": processed(folder)}
