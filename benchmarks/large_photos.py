"""Makes small squares of large photographs, in images a second and in memory, next to other libraries.

    python benchmarks/large_photos.py [--rounds 3] [--seconds 3] [--folder PATH]

Every library decodes a file, turns it upright and makes 224 x 224 pixels of it, in a process of its own, on one core.
Memory is what the process had in RAM at most beyond what it had before the first image, with the library loaded and the
file read. Libraries take turns in every round; what is printed are the medians, in Markdown. A library that is not
installed is left out. Those below the line do less: they decode a JPEG at a fraction of its size, which gives other
pixels.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/classify-photos"
SIDE = 224
ON_ITS_SIDE = 6
MEGAPIXELS = {12: (4000, 3000), 24: (6000, 4000), 48: (8000, 6000)}


def draw(size: tuple[int, int]):
    """A picture with as much to encode as a photograph has: soft shapes, edges and the noise of a sensor."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (size[1] // 100, size[0] // 100, 3), np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    fine = rng.integers(-20, 21, (size[1] // 4, size[0] // 4, 1), np.int16)
    picture += fine.repeat(4, 0).repeat(4, 1)
    picture += rng.integers(-4, 5, (*picture.shape[:2], 1), np.int16)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def write_photographs(folder: Path) -> dict[str, Path]:
    """The files by their names; those that are there already are not drawn again."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    jpeg = {"quality": 90, "subsampling": "4:2:0"}
    paths = {}
    for megapixels, size in MEGAPIXELS.items():
        picture = None
        kinds = {
            "JPEG": jpeg,
            "JPEG on its side": {**jpeg, "exif": exif},
            "progressive JPEG": {**jpeg, "progressive": True},
        }
        if megapixels == min(MEGAPIXELS):
            kinds["PNG"] = {}
        for kind, options in kinds.items():
            path = folder / f"{megapixels}_{kind.replace(' ', '_')}{'.jpg' if options else '.png'}"
            paths[f"{megapixels} MP {kind}"] = path
            if not path.exists():
                picture = picture or draw(size)
                picture.save(path, **options)
    return paths


def pillow(content: bytes, *, draft: bool = False) -> bytes:
    from PIL import Image, ImageOps

    image = Image.open(BytesIO(content))
    if draft:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
    return ImageOps.exif_transpose(image.convert("RGB")).resize((SIDE, SIDE), Image.Resampling.BILINEAR).tobytes()


def pyvips_sequential(content: bytes) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_buffer(content, "", access="sequential")
    # What is on its side has to be in memory before it can be turned.
    image = image.autorot()
    return image.resize(SIDE / image.width, vscale=SIDE / image.height, kernel="linear").write_to_memory()


def pyvips_thumbnail(content: bytes) -> bytes:
    import pyvips

    return pyvips.Image.thumbnail_buffer(content, SIDE, height=SIDE, size="force").write_to_memory()


def daft(content: bytes) -> bytes:
    import daft

    column = daft.col("content").decode_image(mode="RGB").resize(SIDE, SIDE)
    frame = daft.from_pydict({"content": [content]}).select(column)
    return frame.to_pydict()["content"][0].tobytes()


LIBRARIES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "Pillow": ("PIL", pillow),
    "pyvips": ("pyvips", pyvips_sequential),
    "Daft": ("daft", daft),
    "Pillow, draft": ("PIL", lambda content: pillow(content, draft=True)),
    "pyvips, thumbnail": ("pyvips", pyvips_thumbnail),
}
OURS = {"spark-classify": "exact", "spark-classify, fast": "fast"}
ORDER = ("spark-classify", "Pillow", "pyvips", "Daft", "spark-classify, fast", "Pillow, draft", "pyvips, thumbnail")


def kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


def work(library: str, path: Path, seconds: float) -> None:
    """What the process of a Python library does."""
    module, make = LIBRARIES[library]
    importlib.import_module(module)
    if module == "pyvips":
        import pyvips

        pyvips.cache_set_max(0)
    if module == "PIL":
        from PIL import Image, ImageOps  # noqa: F401

        Image.init()
    content = path.read_bytes()
    before, images, start = kilobytes("VmRSS"), 0, time.perf_counter()
    while images == 0 or time.perf_counter() - start < seconds:
        pixels = make(content)
        images += 1
    elapsed = time.perf_counter() - start
    peak = (kilobytes("VmHWM") - before) * 1024
    print(json.dumps({"images": images, "seconds": elapsed, "peak": peak, "checksum": zlib.adler32(pixels)}))


def run(library: str, path: Path, seconds: float, core: int) -> dict:
    if library in OURS:
        command = [PROGRAM, path, str(SIDE), str(seconds), OURS[library]]
    else:
        command = [sys.executable, __file__, "--work", library, "--file", path, "--seconds", str(seconds)]
    environment = {**os.environ, "VIPS_CONCURRENCY": "1", "DAFT_PROGRESS_BAR": "0"}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    return json.loads(done.stdout)


def installed(library: str) -> bool:
    return library in OURS or importlib.util.find_spec(LIBRARIES[library][0]) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="for each library, file and round")
    parser.add_argument("--folder", type=Path, help="where the files are kept; else they are drawn anew")
    parser.add_argument("--work", choices=LIBRARIES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.file, arguments.seconds)
        return
    libraries = [library for library in ORDER if installed(library)]
    core = max(os.sched_getaffinity(0))
    print(f"| file | {' | '.join(libraries)} |\n|---|{'---|' * len(libraries)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in write_photographs(folder).items():
            runs = [
                {library: run(library, path, arguments.seconds, core) for library in libraries}
                for _ in range(arguments.rounds)
            ]
            last = runs[-1]
            if last["spark-classify"]["checksum"] != last["Pillow"]["checksum"]:
                raise SystemExit(f"{name}: other pixels than Pillow's")
            cells = [
                f"{median(run[library]['images'] / run[library]['seconds'] for run in runs):.2f}/s, "
                f"{median(run[library]['peak'] for run in runs) / 1e6:.0f} MB"
                for library in libraries
            ]
            print(f"| {name}, {path.stat().st_size / 1e6:.1f} MB | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
