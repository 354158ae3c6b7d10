"""The images on which an export is compared with its original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from spark_classify.errors import ClassifyError

EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
MOST = 32
# Landscape and portrait, larger and smaller than what models take.
SIZES = ((640, 480), (480, 640), (1024, 683), (333, 500), (225, 224), (120, 90), (800, 200), (384, 384))


def find(directory: Path) -> list[Path]:
    """The first images in the directory, by path."""
    paths = sorted(path for path in directory.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not paths:
        raise ClassifyError(f"--images {directory}: no images there ({', '.join(sorted(EXTENSIONS))})")
    return paths[:MOST]


def make(directory: Path) -> list[Path]:
    """Writes JPEG files with the spectrum of photographs: noise whose strength falls with its frequency."""
    paths = []
    for number, (width, height) in enumerate(SIZES):
        random = np.random.default_rng(number)
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
        frequency[0, 0] = 1
        spectrum = np.fft.rfft2(random.standard_normal((3, height, width))) / frequency**1.2
        pixels = np.fft.irfft2(spectrum, s=(height, width))
        pixels = (pixels - pixels.mean((1, 2), keepdims=True)) / pixels.std((1, 2), keepdims=True)
        # A cast of colour, as of light, tells the images apart.
        pixels = pixels * 45 + random.uniform(70, 185, (3, 1, 1))
        path = directory / f"synthetic_{number}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)).save(path, quality=92)
        paths.append(path)
    return paths


def open_rgb(path: Path) -> Image.Image:
    """The image as the core decodes it: RGB, without alpha, not turned."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except Exception as cause:
        raise ClassifyError(f"{path}: cannot be read as an image: {cause}") from cause
