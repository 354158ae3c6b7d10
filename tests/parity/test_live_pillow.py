"""Decoding, turning and resizing of random images, byte for byte against the Pillow of this environment (13.0.0).

    cargo build --release -p spark-classify-core --example preprocess
    python -m pytest tests/parity/test_live_pillow.py

LIVE_IMAGES says how many images of each format, LIVE_SEED which ones.
"""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

PIL = pytest.importorskip("PIL", reason="Pillow is needed", minversion="13.0.0")
from PIL import Image, ImageOps  # noqa: E402

REPOSITORY = Path(__file__).parents[2]
PROGRAM = REPOSITORY / "target/release/examples/preprocess"
COUNT = int(os.environ.get("LIVE_IMAGES", "100"))
SEED = int(os.environ.get("LIVE_SEED", "1"))
ORIENTATION = 0x0112
MODES = {
    "JPEG": ("L", "RGB", "RGB", "CMYK"),
    "PNG": ("1", "L", "P", "LA", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
}

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not built")


class Preprocess:
    """The example program, which decodes and resizes as the library does."""

    def __init__(self, *arguments: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(PROGRAM), *arguments], **pipes)

    def __call__(self, line: str) -> tuple[tuple[int, int], bytes]:
        """Size and pixels; no size for an image that was refused."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        width, height = struct.unpack("<II", self.process.stdout.read(8))
        return (width, height), self.process.stdout.read(width * height * 3)

    def __enter__(self) -> Preprocess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def picture(chance: random.Random, mode: str) -> Image.Image:
    """Waves, noise or both, up to 150 pixels a side."""
    width, height = (chance.randint(1, chance.choice((8, 40, 150))) for _ in range(2))
    y, x = np.mgrid[0:height, 0:width]
    generator = np.random.default_rng(chance.randrange(1 << 32))
    waves = [127 + 120 * np.sin(x / (1 + 29 * generator.random())) * np.cos(y / 9 + phase) for phase in range(4)]
    noise = generator.normal(0, chance.choice((0, 10, 80)), (height, width, 4))
    image = Image.fromarray(np.clip(np.dstack(waves) + noise, 0, 255).astype(np.uint8), "RGBA")
    if mode == "P":
        return image.convert("RGB").quantize(chance.choice((2, 3, 16, 17, 256)))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * chance.choice((1, 2, 257)))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def options(chance: random.Random, file_format: str, image: Image.Image) -> dict[str, object]:
    """What to save with."""
    result: dict[str, object] = {}
    if file_format == "JPEG":
        result = {"quality": chance.randint(1, 100), "subsampling": chance.randint(0, 2)}
        result["progressive"] = chance.random() < 0.3
    elif file_format == "WEBP":
        result = {"quality": chance.randint(0, 100), "method": chance.randint(0, 4)}
        result |= {"lossless": chance.random() < 0.3, "exact": chance.random() < 0.5}
    elif file_format == "TIFF":
        compression = chance.choice((None, "tiff_lzw", "tiff_adobe_deflate", "packbits"))
        result = {"compression": compression} if compression else {}
    if file_format in ("GIF", "WEBP") and chance.random() < 0.3:
        result |= {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    if file_format in ("GIF", "PNG") and image.mode in ("L", "P") and chance.random() < 0.4:
        result["transparency"] = chance.randint(0, 5)
    if file_format in ("JPEG", "PNG", "WEBP", "TIFF") and chance.random() < 0.4:
        exif = Image.Exif()
        exif[ORIENTATION] = chance.randint(1, 8)
        result["exif"] = exif
    return result


def files(file_format: str) -> Iterator[bytes]:
    chance = random.Random(f"{SEED} {file_format}")
    for _ in range(COUNT):
        image = picture(chance, chance.choice(MODES[file_format]))
        file = io.BytesIO()
        image.save(file, file_format, **options(chance, file_format, image))
        data = file.getvalue()
        yield data[: chance.randint(1, len(data))] if chance.random() < 0.2 else data


def pillow(data: bytes, upright: bool) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(data))
        return (ImageOps.exif_transpose(image) if upright else image).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError):
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("upright", [False, True], ids=["as stored", "upright"])
@pytest.mark.parametrize("file_format", MODES)
def test_decoding(file_format: str, upright: bool, tmp_path: Path) -> None:
    decoded = 0
    with Preprocess(*["--exif-transpose"][:upright]) as program:
        for number, data in enumerate(files(file_format)):
            path = tmp_path / f"{number}.{file_format.lower()}"
            path.write_bytes(data)
            expected = pillow(data, upright)
            size, pixels = program(str(path))
            if expected is None:
                assert size == (0, 0), f"Pillow refuses {path}"
            elif size == (0, 0):
                # Cut off within the last bytes, which hold no pixels, but which the decoders here insist on.
                assert file_format in ("GIF", "TIFF"), f"Pillow reads {path}"
            else:
                assert size == expected.size, path
                assert pixels == expected.tobytes(), path
                decoded += 1
    assert decoded > COUNT / 2


@pytest.mark.parametrize("resampling", Image.Resampling, ids=lambda resampling: resampling.name.lower())
def test_resizing(resampling: Image.Resampling, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {resampling}")
    with Preprocess() as program:
        for number in range(COUNT):
            image = picture(chance, "RGB")
            path = tmp_path / f"{number}.png"
            image.save(path)
            size = (chance.randint(1, 200), chance.randint(1, 200))
            expected = image.resize(size, resampling)
            assert program(f"{path} {size[0]} {size[1]} {int(resampling)}") == (size, expected.tobytes()), path
