"""Draws a data set of synthetic identity cards in three classes: images, and a CSV that labels them.

    python scripts/make_dataset.py --out dataset

writes `all_images/id_0001.jpg`, ... and `image_data.csv` (`image_path,actual_class,actual_class_id`; the paths are
relative to the image folder, and tell nothing of the class). Half of the images are JPEG and half PNG in every class.
The same seed and the same Pillow give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from id_cards import MissingFontError, draw_card

LABELS = ("crop_and_replace", "font_issue", "valid_id")
# The committed images are the held-out set: training draws its images from other seeds.
HELD_OUT_SEED = 20240
HELD_OUT_COUNT = 120
EXTENSIONS = ("jpg", "png")
IMAGE_FOLDER = "all_images"
CSV_FILE = "image_data.csv"


@dataclass(frozen=True)
class Plan:
    """Which image is to be drawn; `draw_image` needs nothing else."""

    seed: int
    index: int
    class_id: int
    extension: str

    @property
    def name(self) -> str:
        return f"id_{self.index + 1:04}.{self.extension}"


def plan(seed: int, count: int) -> list[Plan]:
    """Deals classes and formats evenly over `count` images, in an order that the seed shuffles."""
    deck = [(index % len(LABELS), EXTENSIONS[index // len(LABELS) % 2]) for index in range(count)]
    random.Random(f"deck {seed}").shuffle(deck)
    return [Plan(seed, index, class_id, extension) for index, (class_id, extension) in enumerate(deck)]


def draw_image(item: Plan, optimize: bool = True) -> bytes:
    """Draws and encodes one image file. `optimize` makes smaller PNG files, slowly; the pixels are the same."""
    rng = random.Random(f"card {item.seed} {item.index}")
    file = io.BytesIO()
    card = draw_card(LABELS[item.class_id], rng, camera=item.extension == "jpg")
    if item.extension == "jpg":
        quality, subsampling = rng.randint(45, 95), rng.choice((0, 1, 2, 2))
        card.save(file, "JPEG", quality=quality, subsampling=subsampling, progressive=rng.random() < 0.25)
    else:
        card.save(file, "PNG", optimize=optimize, compress_level=9 if optimize else 1)
    return file.getvalue()


def images(seed: int, count: int) -> Iterator[tuple[Plan, bytes]]:
    """Draws a whole data set, one image after the other."""
    for item in plan(seed, count):
        yield item, draw_image(item)


def write_dataset(out: Path, seed: int, count: int) -> int:
    """Writes images and CSV below `out`; returns the size of the images in bytes."""
    folder = out / IMAGE_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("id_*"):
        old.unlink()
    size = 0
    with (out / CSV_FILE).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("image_path", "actual_class", "actual_class_id"))
        for item, data in images(seed, count):
            (folder / item.name).write_bytes(data)
            rows.writerow((item.name, LABELS[item.class_id], item.class_id))
            size += len(data)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("dataset"), help="folder to write to (default: dataset)")
    parser.add_argument("--count", type=int, default=HELD_OUT_COUNT, help="number of images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED, help="seed (default: %(default)s, the held-out set)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("--count must be at least 1")
    try:
        size = write_dataset(arguments.out, arguments.seed, arguments.count)
    except MissingFontError as error:
        raise SystemExit(f"make_dataset: {error}") from error
    print(f"{arguments.out / IMAGE_FOLDER}: {arguments.count} images, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
