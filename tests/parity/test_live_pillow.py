"""Decoding, turning and resizing of random images, byte for byte against the Pillow of this environment (13.0.0).

    cargo build --release -p classify-tools --bin classify-pixels
    python -m pytest tests/parity/test_live_pillow.py

LIVE_IMAGES says how many images of each kind, LIVE_SEED which ones. `make parity-live` takes thousands.
"""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PAGE, Formats
from image_files import KINDS, picture

PIL = pytest.importorskip("PIL", reason="Pillow is needed", minversion="13.0.0")
from PIL import Image, ImageOps  # noqa: E402

REPOSITORY = Path(__file__).parents[2]
PROGRAM = REPOSITORY / "target/release/classify-pixels"
COUNT = int(os.environ.get("LIVE_IMAGES", "40"))
SEED = int(os.environ.get("LIVE_SEED", "1"))
# The last chunk of a PNG, the checksums of its pixels, and what an inflater reads ahead, in bytes.
PNG_END = 12 + 4 + 4 + 8

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=f"{PROGRAM} is not built")


class Pixels:
    """The program that decodes and resizes as the library does."""

    def __init__(self, *arguments: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(PROGRAM), *arguments], **pipes)

    def __call__(self, line: str) -> tuple[tuple[int, int], bytes]:
        """Size and pixels; no size for an image that was refused."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        width, height = struct.unpack("<II", self.process.stdout.read(8))
        return (width, height), self.process.stdout.read(width * height * 3)

    def __enter__(self) -> Pixels:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def files(kind: tuple[str, str]) -> Iterator[tuple[bytes, int]]:
    """Files of a kind, and how many bytes at their end are missing: one in five ends early."""
    chance = random.Random(f"{SEED} {kind}")
    for _ in range(COUNT):
        data = KINDS[kind](chance)
        length = len(data) if chance.random() < 0.8 else chance.randint(1, len(data) - 1)
        yield data[:length], len(data) - length


def pillow(data: bytes, upright: bool) -> Image.Image | None:
    try:
        image = Image.open(io.BytesIO(data))
        return (ImageOps.exif_transpose(image) if upright else image).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError):
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("upright", [False, True], ids=["as stored", "upright"])
@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
def test_decoding(kind: tuple[str, str], upright: bool, tmp_path: Path, formats: Formats) -> None:
    equal = refused = 0
    with Pixels(*["--exif-transpose"][:upright]) as program:
        for number, (data, missing) in enumerate(files(kind)):
            path = tmp_path / f"{number}.{kind[0].lower().replace(' ', '')}"
            path.write_bytes(data)
            expected = pillow(data, upright)
            size, pixels = program(str(path))
            if expected is None and size == (0, 0):
                assert missing, f"both refuse {path}"
                refused += 1
            elif expected is None:
                # Behind the pixels it takes chance for Pillow to miss the checksums, as its buffers happen to end. Of a
                # sequence only the first picture is looked at here.
                behind = (kind[0] == "PNG" and 0 < missing < PNG_END) or (kind == ("AVIF", "sequences") and missing)
                assert behind, f"Pillow refuses {path}"
            elif size == (0, 0):
                # Pillow does without the last tags of a TIFF, if what it has read of them will do.
                assert kind[0] == "TIFF" and missing, f"Pillow reads {path}"
            else:
                assert size == expected.size, path
                assert pixels == expected.tobytes(), path
                equal += 1
    assert equal > COUNT / 2
    formats.note(kind, equal, refused)


@pytest.mark.parametrize("resampling", Image.Resampling, ids=lambda resampling: resampling.name.lower())
def test_resizing(resampling: Image.Resampling, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {resampling}")
    with Pixels() as program:
        for number in range(COUNT * 3):
            image = picture(chance, "RGB")
            path = tmp_path / f"{number}.png"
            image.save(path)
            size = (chance.randint(1, 200), chance.randint(1, 200))
            expected = image.resize(size, resampling)
            assert program(f"{path} {size[0]} {size[1]} {int(resampling)}") == (size, expected.tobytes()), path


def test_the_page_speaks_of_these_kinds(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-table"):
        pytest.skip("the page is about to be written")
    page = PAGE.read_text()
    for file_format, kind in KINDS:
        assert f"| {file_format} | {kind} | equal |" in page, "run `make parity`"
    assert f"Pillow {PIL.__version__}" in page, "docs/parity.md is of another version: run `make parity`"
