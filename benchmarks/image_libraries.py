"""Compares decoding and resizing with Pillow's, in time and in bytes, and with those of other Rust libraries.

    python benchmarks/image_libraries.py [--rounds 15] [--write]

Prints tables in Markdown, and with --write puts them into docs/parity.md. Libraries take turns in every round, so that
all meet the same load; a turn is 50 ms of calls and counts as its fastest one. The times are the medians over the
rounds, the ratios the medians of the ratios in them. Everything runs on one core.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import PIL
from machine import cpu
from PIL import Image, features

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/classify-image-libraries"
DATASET = ROOT / "dataset/all_images"
PAGE = ROOT / "docs/parity.md"
MARKERS = ("<!-- image libraries -->\n", "<!-- end of image libraries -->\n")
TURN_NS = 50_000_000

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = (("small", (128, 128)), ("large", (224, 224)), ("tiny", (224, 224)))
DECODERS = {"jpeg": ("Pillow", "image", "zune-jpeg"), "png": ("Pillow", "image")}
RESIZERS = ("Pillow", "fast_image_resize", "image")
# These are held to a set of instructions; the others choose for themselves.
HELD_RESIZERS = ("Pillow", "fast_image_resize")
INSTRUCTIONS = {"avx512": "AVX-512", "avx2": "AVX2", "plain": "no vector instructions of ours"}
CRATES = ("image", "zune-jpeg", "fast_image_resize", "turbojpeg-sys", "png")


@dataclass(frozen=True)
class Task:
    """Work that several libraries do; `request` is how the Rust program is asked for it."""

    title: str
    others: tuple[str, ...]
    pillow: Callable[[], Image.Image]
    request: str


class Turn(NamedTuple):
    nanoseconds: int
    pixels: bytes


class Program:
    """The Rust libraries, in a process of their own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, request: str) -> Turn:
        self.process.stdin.write(f"{request}\n".encode())
        self.process.stdin.flush()
        nanoseconds, width, height = struct.unpack("<3I", self.read(12))
        return Turn(nanoseconds, self.read(width * height * 3))

    def read(self, length: int) -> bytes:
        read = self.process.stdout.read(length)
        if len(read) < length:
            raise SystemExit(f"{PROGRAM.name} ended early; its message stands above")
        return read

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def run_pillow(call: Callable[[], Image.Image]) -> Turn:
    begin = time.perf_counter_ns()
    least = None
    while least is None or time.perf_counter_ns() - begin < TURN_NS:
        start = time.perf_counter_ns()
        image = call()
        elapsed = time.perf_counter_ns() - start
        least = min(least or elapsed, elapsed)
    return Turn(least, image.tobytes())


def decode(path: Path) -> Callable[[], Image.Image]:
    content = path.read_bytes()
    return lambda: Image.open(BytesIO(content)).convert("RGB")


def instruction_sets() -> list[str]:
    """Those of this processor, the best first; without any if it has one."""
    told = subprocess.check_output([PROGRAM, "instructions"], text=True).split()
    return told[:0:-1] or told


def tasks(folder: Path, instructions: list[str]) -> Iterator[tuple[str, list[Task]]]:
    """What is decoded and what is resized, with a heading; images that are not in the dataset are written into
    `folder`."""
    paths = {"small": DATASET / "id_0063.jpg", "png": DATASET / "id_0009.png"}
    small = Image.open(paths["small"])
    for name, size in (("large", (2400, 1500)), ("tiny", (128, 80))):
        paths[name] = folder / f"{name}.jpg"
        small.resize(size, Image.Resampling.BICUBIC).save(paths[name], quality=90)
    decoding = []
    for name in ("small", "large", "png"):
        path = paths[name]
        image = decode(path)()
        kind = "png" if name == "png" else "jpeg"
        title = f"{kind.upper()} {image.width} x {image.height}"
        decoding.append(Task(title, DECODERS[kind], decode(path), f"decode {{}} {path}"))
    yield "decoding", decoding
    for index, held in enumerate(instructions):
        resizing = []
        others = HELD_RESIZERS if index else RESIZERS
        for name, size in SIZES:
            path = paths[name]
            image = decode(path)()
            for text, resampling in FILTERS.items():
                title = f"{image.width} x {image.height} to {size[0]} x {size[1]}, {text}"
                request = f"resize {{}} {held} {path} {size[0]} {size[1]} {text}"

                def pillow(image=image, size=size, resampling=resampling) -> Image.Image:
                    return image.resize(size, resampling)

                resizing.append(Task(title, others, pillow, request))
        yield f"resizing with {INSTRUCTIONS[held]}", resizing


def rows(task: Task, rounds: int, program: Program) -> list[str]:
    """A row of the table for each library: time, ratio to ours, bytes that differ from Pillow's."""
    turns: dict[str, list[Turn]] = {}
    for _ in range(rounds):
        for library in ("ours", *task.others):
            turn = run_pillow(task.pillow) if library == "Pillow" else program.run(task.request.format(library))
            turns.setdefault(library, []).append(turn)
    expected = np.frombuffer(turns["Pillow"][-1].pixels, np.uint8)
    told = []
    for library, own in turns.items():
        milliseconds = median(turn.nanoseconds for turn in own) / 1e6
        ratio = median(turn.nanoseconds / ours.nanoseconds for turn, ours in zip(own, turns["ours"], strict=True))
        different = np.count_nonzero(np.frombuffer(own[-1].pixels, np.uint8) != expected)
        share = f"{different} ({different / len(expected):.1%})" if different else "0"
        told.append(f"| {task.title} | {library} | {milliseconds:.3f} | {ratio:.2f} | {share} |")
    return told


def setting() -> str:
    """Machine and versions, in a line."""
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r'^name = "(.*)"\nversion = "(.*)"$', lock, re.MULTILINE))
    crates = ", ".join(f"{name} {versions[name]}" for name in CRATES)
    pillow = f"Pillow {PIL.__version__} (libjpeg-turbo {features.version('libjpeg_turbo')})"
    rust = subprocess.check_output(["rustc", "--version"], text=True).split()[1]
    return f"{date.today()}, {cpu()}, one core, {platform.system()}; {pillow}, {crates}; Rust {rust}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each library (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/parity.md")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    program = Program()
    lines = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    tell(setting())
    with tempfile.TemporaryDirectory() as folder:
        for heading, group in tasks(Path(folder), instruction_sets()):
            tell(f"\n| {heading} | library | ms | time / ours | bytes unlike Pillow's |\n|---|---|--:|--:|--:|")
            for task in group:
                for row in rows(task, options.rounds, program):
                    tell(row)
    program.close()
    if options.write:
        begin, end = MARKERS
        before, rest = PAGE.read_text(encoding="utf-8").split(begin)
        _, after = rest.split(end)
        PAGE.write_text("".join([before, begin, "\n".join(lines), "\n", end, after]), encoding="utf-8")


if __name__ == "__main__":
    main()
