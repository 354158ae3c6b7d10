"""Writes `tests/golden/hashes.json`: what the Python package imagehash makes of images of many kinds.

    python scripts/hash_cases.py

By the path of an image its `phash` and `dhash`, as hexadecimal numbers of 16 digits, for every image of
`tests/golden/images` and `tests/cases/images` that both Pillow and the imaging crate read, and some of the dataset; for
each the mode that Pillow opens it in, too. Needs the reference environment, of which imagehash is a part.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import imagehash
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tests/golden/images", "tests/cases/images")
# Of what Pillow reads, what the imaging crate does not, as docs/parity.md says.
UNREAD = {"DDS", "PCX", "SGI", "TGA"}
DATASET = "dataset/all_images"
DATASET_IMAGES = 12


def hashes(path: Path) -> dict[str, str] | None:
    """The hashes of an image; None of one that is not read by both."""
    try:
        with Image.open(path) as image:
            if image.format in UNREAD:
                return None
            mode = image.mode
            return {"mode": mode, "phash": str(imagehash.phash(image)), "dhash": str(imagehash.dhash(image))}
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def main() -> None:
    warnings.simplefilter("ignore")
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).iterdir())]
    paths += sorted((ROOT / DATASET).iterdir())[:DATASET_IMAGES]
    images = {str(path.relative_to(ROOT)): hashes(path) for path in paths}
    content = {
        "versions": {name: version(name) for name in ("imagehash", "pillow", "scipy", "numpy")},
        "images": {path: values for path, values in images.items() if values},
    }
    golden = ROOT / "tests/golden/hashes.json"
    golden.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{len(content['images'])} of {len(paths)} images")


if __name__ == "__main__":
    main()
