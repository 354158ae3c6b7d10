"""Draws the images of a benchmark: ID cards at a wanted size, some JPEG and some PNG, or what is like photos.

    python benchmarks/images.py --images 1000 --size 600x375 --jpeg-share 0.5

The same options and the same Pillow give the same bytes. Nothing is drawn twice: the folder's name tells the options.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from photos import draw_photo, encode_photo
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks/.images"

sys.path.append(str(ROOT / "scripts"))
from id_cards import MissingFontError, draw_card  # noqa: E402
from make_dataset import LABELS  # noqa: E402

SEED = 4


@dataclass(frozen=True)
class ImageSet:
    """What images there are; pixels as width and height. `are_photos`: photos.py draws them, all JPEG, not ID cards."""

    count: int
    size: tuple[int, int]
    jpeg_share: float = 1.0
    are_photos: bool = False

    @property
    def folder(self) -> Path:
        width, height = self.size
        kind = "photos" if self.are_photos else f"jpeg{self.jpeg_share:g}"
        return FOLDER / f"{self.count}-{width}x{height}-{kind}"


def draw(images: ImageSet, folder: Path, index: int) -> None:
    """Draws and writes one image."""
    rng = random.Random(f"benchmark {SEED} {index}")
    if images.are_photos:
        (folder / f"{index:06}.jpg").write_bytes(encode_photo(draw_photo(images.size, rng), rng))
        return
    # The share is kept in every part of the set, so that no worker gets all of one kind.
    is_jpeg = int((index + 1) * images.jpeg_share) > int(index * images.jpeg_share)
    card = draw_card(LABELS[rng.randrange(len(LABELS))], rng, camera=is_jpeg)
    if card.size != images.size:
        card = card.resize(images.size, Image.Resampling.BICUBIC)
    if is_jpeg:
        card.save(folder / f"{index:06}.jpg", quality=rng.randint(60, 95), subsampling=rng.choice((0, 2, 2)))
    else:
        card.save(folder / f"{index:06}.png")


def make(images: ImageSet) -> list[Path]:
    """The paths of the images, drawn now if they are not there yet."""
    folder = images.folder
    if not folder.is_dir():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(partial(draw, images, unfinished), range(images.count), chunksize=16))
        unfinished.rename(folder)
    return sorted(folder.iterdir())


def size(text: str) -> tuple[int, int]:
    """Reads `WIDTHxHEIGHT`."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"`{text}` is not WIDTHxHEIGHT in pixels, such as 600x375")
    return int(width), int(height)


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number from 0 to 1")
    return value


def positive(text: str) -> int:
    """Reads a whole number above 0."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number above 0")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say what images to use."""
    parser.add_argument("--images", type=positive, default=1000, help="how many images (default: %(default)s)")
    parser.add_argument("--size", type=size, default=(600, 375), help="their size in pixels (default: 600x375)")
    parser.add_argument(
        "--jpeg-share", type=share, default=0.5, help="the share of JPEG; the others are PNG (default: %(default)s)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    options = parser.parse_args()
    images = ImageSet(options.images, options.size, options.jpeg_share)
    try:
        paths = make(images)
    except MissingFontError as error:
        raise SystemExit(f"images: {error}") from error
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{images.folder}: {len(paths)} images, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
