"""Resizing of random images, byte for byte against the torchvision of this environment (0.26.0, with torch 2.11.0).

    cargo build --release -p classify-tools --bin classify-pixels
    .venv-reference/bin/python -m pytest tests/parity/test_live_torchvision.py

LIVE_IMAGES says how many sizes for each filter and layout, LIVE_SEED which ones. torch's bytes are those of its kernels
for AVX2 and AVX-512; without these, torchvision resizes in floating point.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from test_live_pillow import COUNT, PROGRAM, SEED, Pixels

pytest.importorskip("torchvision", reason="the reference environment has torchvision")
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize

CAPABILITY = torch.backends.cpu.get_cpu_capability()
# As transformers maps the numbers of Pillow's filters.
FILTERS = {0: InterpolationMode.NEAREST_EXACT, 2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}

pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not built"),
    pytest.mark.skipif(CAPABILITY not in ("AVX2", "AVX512"), reason=f"torch has other kernels for {CAPABILITY}"),
]


def side(chance: random.Random, longest: int) -> int:
    """A length of 1 to `longest`, short ones as often as long ones."""
    return chance.randint(1, chance.choice((8, 64, longest)))


def pixels(chance: random.Random) -> np.ndarray:
    """Noise: every sample, or the two extremes, so that overshoot is clipped."""
    generator = np.random.default_rng(chance.randrange(1 << 32))
    shape = (side(chance, 600), side(chance, 600), 3)
    if chance.random() < 0.5:
        return generator.integers(0, 256, shape, dtype=np.uint8)
    return generator.integers(0, 2, shape, dtype=np.uint8) * np.uint8(255)


def tensors(image: np.ndarray, layout: str) -> torch.Tensor:
    """The image as a tensor of channels, rows, columns; processors hand over contiguous ones, alone or in batches."""
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    if layout == "channels last":
        return tensor
    tensor = tensor.contiguous()
    return torch.stack([tensor.flip(-1), tensor]) if layout == "batch" else tensor


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "batch"])
@pytest.mark.parametrize("number", FILTERS)
def test_resizing(number: int, layout: str, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {number} {layout}")
    path = tmp_path / "image.ppm"
    with Pixels("--on-tensors") as program:
        for _ in range(COUNT * 3):
            image = pixels(chance)
            Image.fromarray(image).save(path)
            height, width = chance.choice((side(chance, 300), image.shape[0])), side(chance, 300)
            if chance.random() < 0.1:
                width = image.shape[1]
            if height == width == 1:
                height += 1  # torch fails with an internal error of its own
            resized = resize(tensors(image, layout), [height, width], interpolation=FILTERS[number], antialias=True)
            expected = (resized[-1] if layout == "batch" else resized).permute(1, 2, 0).numpy().tobytes()
            size, actual = program(f"{path} {width} {height} {number}")
            assert (size, actual == expected) == ((width, height), True), f"{image.shape} to {height} x {width}"
