"""Writes `tests/golden/photo.jpg` and `photo.json`: a photograph of 12 megapixels, and what Pillow makes of it.

    python scripts/photo_cases.py

The file is as phones write it, baseline, 4:2:0 and on its side, but drawn so that it has few bytes. For each case the
side that the upright image is resized to, the filter's number, and the SHA-256 of the RGB pixels. Needs the reference
environment.
"""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, ImageOps

GOLDEN = Path(__file__).resolve().parent.parent / "tests/golden"
SIZE = (4000, 3000)
TILE = 80
ON_ITS_SIDE = 6
SIDES = ((224, 224), (341, 256), (3000, 17), (1200, 1333))


def draw() -> Image.Image:
    rng = random.Random(12)
    tiles = Image.new("RGB", (SIZE[0] // TILE, -(-SIZE[1] // TILE)))
    tiles.putdata([tuple(rng.randrange(256) for _ in range(3)) for _ in range(tiles.width * tiles.height)])
    picture = tiles.resize((tiles.width * TILE, tiles.height * TILE), Image.Resampling.NEAREST).crop((0, 0, *SIZE))
    draw = ImageDraw.Draw(picture)
    for _ in range(6):
        ends = [(rng.randrange(SIZE[0]), rng.randrange(SIZE[1])) for _ in range(2)]
        draw.line(ends, tuple(rng.randrange(256) for _ in range(3)), rng.randrange(1, 9))
    return picture


def main() -> None:
    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    path = GOLDEN / "photo.jpg"
    draw().save(path, quality=90, subsampling="4:2:0", optimize=True, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(path))
    cases = [
        {
            "size": side,
            "resample": int(resampling),
            "sha256": hashlib.sha256(upright.resize(side, resampling).tobytes()).hexdigest(),
        }
        for side in SIDES
        for resampling in Image.Resampling
    ]
    content = {"versions": {"pillow": PIL.__version__}, "cases": cases}
    (GOLDEN / "photo.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
