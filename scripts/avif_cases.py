"""Writes `tests/golden/avif.json`: AVIF images of many kinds, and what Pillow makes of them.

    python scripts/avif_cases.py

Each case has the file (base64), and the size and the SHA-256 of the RGB pixels that Pillow gives, plain and after
`ImageOps.exif_transpose`; `refused` where it gives none. Needs imagecodecs beside the reference environment
(`pip install imagecodecs==2026.3.6`): Pillow's own encoder writes no more than 8 bits.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from itertools import pairwise
from pathlib import Path

import imagecodecs
import numpy as np
import PIL
from odd_formats import encode
from orientation_cases import describe
from PIL import Image, ImageOps

ORIENTATION_TAG = 0x0112
SUBSAMPLINGS = ("4:2:0", "4:2:2", "4:4:4", "4:0:0")
ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
XMP_TYPE = b"application/rdf+xml\0"
# The matrices that have numbers in H.273 or in libavif, and the primaries that a matrix may be derived from.
MATRICES = (0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 15, 16)
PRIMARIES = (1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 22)
DERIVED = 12

Item = dict[str, object]


def pixels(width: int, height: int, channels: int) -> np.ndarray:
    """Slopes with some noise, in strong colours, so that every part of a conversion counts."""
    y, x = np.mgrid[0:height, 0:width]
    slopes = np.stack([x * 9 % 256, y * 11 % 256, (x + y) * 5 % 256, (x * 7 + y * 3) % 256], axis=-1)[..., :channels]
    noise = np.random.default_rng(width + height).integers(-25, 25, slopes.shape)
    samples = np.clip(slopes + noise, 0, 255).astype(np.uint8)
    return samples[..., 0] if channels == 1 else samples


def avif(width: int, height: int, channels: int = 3, **options: object) -> bytes:
    """An image by Pillow's encoder."""
    return encode(Image.fromarray(pixels(width, height, channels)), "AVIF", **{"quality": 70, "speed": 8} | options)


def deep(width: int, height: int, channels: int, bits: int, pixel_format: str) -> bytes:
    """An image of 10 or 12 bits."""
    samples = pixels(width, height, channels).astype(np.uint16) << (bits - 8)
    samples |= np.random.default_rng(bits).integers(0, 1 << (bits - 8), samples.shape).astype(np.uint16)
    return imagecodecs.avif_encode(samples, level=70, speed=8, bitspersample=bits, pixelformat=pixel_format)


def recoded(data: bytes, *, primaries: int = 1, matrix: int, full: bool) -> bytes:
    """The same samples with other colours, as the container tells them."""
    result = bytearray(data)
    at = data.index(b"colrnclx") + 8
    result[at : at + 2] = struct.pack(">H", primaries)
    result[at + 4 : at + 7] = struct.pack(">HB", matrix, full << 7)
    return bytes(result)


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full_box(kind: bytes, version: int, *content: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *content)


def size(width: int, height: int) -> bytes:
    return full_box(b"ispe", 0, struct.pack(">II", width, height))


def streams(data: bytes) -> list[tuple[bytes, bytes]]:
    """The compressed pixels of the items of a file by Pillow, each with its configuration."""
    at = data.index(b"iloc") + 8
    (count,) = struct.unpack(">H", data[at + 2 : at + 4])
    found, configuration = [], 0
    for index in range(count):
        # A number, where the data are, a count of 1, and the place.
        offset, length = struct.unpack(">II", data[at + 4 + index * 14 + 6 :][:8])
        configuration = data.index(b"av1C", configuration + 1)
        (end,) = struct.unpack(">I", data[configuration - 4 : configuration])
        found.append((data[offset : offset + length], data[configuration - 4 : configuration - 4 + end]))
    return found


def item(number: int, kind: bytes, data: bytes, properties: tuple[bytes, ...] = (), **more: object) -> Item:
    """`essential`: the kinds that are; `inside`: whether the data are in their box; `extents`: in how many parts."""
    return {"number": number, "kind": kind, "data": data, "properties": properties} | more


def container(items: list[Item], *, references: tuple = (), primary: int = 1, brands: bytes = b"avifavifmif1") -> bytes:
    """A file of these items; a reference has a kind, the item it is from and those it is to."""
    properties = list(dict.fromkeys(each for entry in items for each in entry["properties"]))
    head = box(b"ftyp", brands[:4], bytes(4), brands[4:])

    def meta(start: int) -> bytes:
        places, infos, inside = b"", b"", b""
        for entry in items:
            data, parts = entry["data"], entry.get("extents", 1)
            base = len(inside) if entry.get("inside") else start
            cuts = [len(data) * cut // parts for cut in range(parts + 1)]
            places += struct.pack(">HHHH", entry["number"], int(bool(entry.get("inside"))), 0, parts)
            places += b"".join(struct.pack(">II", base + a, b - a) for a, b in pairwise(cuts))
            if entry.get("inside"):
                inside += data
            else:
                start += len(data)
            named = struct.pack(">HH", entry["number"], 0) + entry["kind"] + b"\0" + entry.get("type", b"")
            infos += full_box(b"infe", 2, named)
        essential = (b"av1C", b"irot", b"imir", b"clap")
        chosen = b""
        for entry in items:
            barring = entry.get("essential", essential)
            numbers = [properties.index(each) + 1 | (each[4:8] in barring) << 7 for each in entry["properties"]]
            chosen += struct.pack(">HB", entry["number"], len(numbers)) + bytes(numbers)
        relations = b"".join(
            box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to)) for kind, source, to in references
        )
        return full_box(
            b"meta",
            0,
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", primary)),
            full_box(b"iloc", 1, struct.pack(">HH", 0x4400, len(items)), places),
            full_box(b"iinf", 0, struct.pack(">H", len(items)), infos),
            box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", 0, struct.pack(">I", len(items)), chosen)),
            full_box(b"iref", 0, relations),
            box(b"idat", inside) if inside else b"",
        )

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *(entry["data"] for entry in items if not entry.get("inside")))


def coding_cases() -> dict[str, bytes]:
    """Every kind of planes in every size that may matter, and every coding of colours."""
    cases = {}
    for width, height in ((1, 1), (2, 3), (33, 21), (34, 22)):
        for channels, mode in ((1, "grey"), (3, "rgb"), (4, "rgba")):
            for subsampling in SUBSAMPLINGS if (width, channels) == (33, 3) else ("4:2:0", "4:4:4"):
                for extent in ("full", "limited"):
                    name = f"{mode}/{subsampling}/{width}x{height}/{extent}"
                    cases[name] = avif(width, height, channels, subsampling=subsampling, range=extent)
    for bits in (10, 12):
        for pixel_format in ("420", "422", "444"):
            for channels in (3, 4):
                cases[f"deep/{bits}/{pixel_format}/{channels}"] = deep(33, 22, channels, bits, pixel_format)
        cases[f"deep/{bits}/400"] = deep(33, 22, 1, bits, "400")
    for subsampling in SUBSAMPLINGS:
        for extent in ("full", "limited"):
            name = f"multiplied/{subsampling}/{extent}"
            cases[name] = avif(33, 22, 4, subsampling=subsampling, range=extent, alpha_premultiplied=True)
    for name in ("rgb/4:2:0/33x21/full", "rgb/4:4:4/33x21/full", "multiplied/4:4:4/full", "multiplied/4:2:0/full"):
        for matrix in MATRICES:
            for full in (False, True):
                cases[f"matrix/{matrix}/{full}/{name}"] = recoded(cases[name], matrix=matrix, full=full)
        for primaries in PRIMARIES:
            changed = recoded(cases[name], primaries=primaries, matrix=DERIVED, full=primaries % 2 == 0)
            cases[f"derived/{primaries}/{name}"] = changed
    for name in ("deep/10/444/3", "deep/12/420/4"):
        for matrix in (0, 8, 9, 16):
            cases[f"matrix/{matrix}/True/{name}"] = recoded(cases[name], matrix=matrix, full=True)
    return cases


def container_cases() -> dict[str, bytes]:
    """What the boxes may say."""
    (data, configuration), *_ = streams(avif(40, 24))
    plain = (size(40, 24), configuration)
    image = item(1, b"av01", data, plain)
    cases = {
        "boxes/plain": container([image]),
        "boxes/inside": container([image | {"inside": True}]),
        "boxes/extents": container([image | {"extents": 5}]),
        "boxes/main_brand_of_heif": container([image], brands=b"mif1avif"),
        "boxes/unknown_property": container([image | {"properties": (*plain, box(b"zzzz", b"1"))}]),
        "boxes/unknown_essential": container(
            [image | {"properties": (*plain, box(b"zzzz", b"1")), "essential": (b"zzzz",)}]
        ),
        "boxes/clean_aperture": container(
            [image | {"properties": (*plain, box(b"clap", struct.pack(">8I", 20, 1, 10, 1, 0, 1, 0, 1)))}]
        ),
        "boxes/second": container([image, item(2, b"av01", streams(avif(40, 24, quality=30))[0][0], plain)], primary=2),
        "boxes/none": container([image], primary=7),
    }
    turns = [box(b"irot", bytes((turns,))) for turns in range(4)]
    mirrors = [box(b"imir", bytes((axis,))) for axis in range(2)]
    for mirror, mirrored in enumerate(mirrors):
        cases[f"mirrored/{mirror}"] = container([image | {"properties": (*plain, mirrored)}])
    for turn, turned in enumerate(turns):
        cases[f"turned/{turn}"] = container([image | {"properties": (*plain, turned)}])
        for mirror, mirrored in enumerate(mirrors):
            both = container([image | {"properties": (*plain, turned, mirrored)}])
            cases[f"turned/{turn}/mirrored/{mirror}"] = both
    for orientation in (None, 1, 6):
        exif = Image.Exif()
        exif[ORIENTATION_TAG if orientation else 0x010F] = orientation or "maker"
        beside = item(2, b"Exif", bytes(4) + exif.tobytes()[6:])
        packet = item(3, b"mime", XMP, type=XMP_TYPE)
        for properties in ((), (turns[1],)):
            turned = image | {"properties": plain + properties}
            name = f"exif/{orientation}/{len(properties)}"
            cases[name] = container([turned, beside], references=((b"cdsc", 2, (1,)),))
            relations = ((b"cdsc", 2, (1,)), (b"cdsc", 3, (1,)))
            cases[f"{name}/xmp"] = container([turned, beside, packet], references=relations)
    cases["xmp"] = container([image, packet], references=((b"cdsc", 3, (1,)),))
    cases["xmp/of_nothing"] = container([image, packet])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        cases[f"exif/by_pillow/{orientation}"] = avif(20, 12, exif=exif)
    return cases


def grid_cases() -> dict[str, bytes]:
    cases = {}
    for subsampling in SUBSAMPLINGS:
        channels = 1 if subsampling == "4:0:0" else 3
        parts = [streams(avif(64, 64, channels, subsampling=subsampling, quality=quality))[0] for quality in (20, 30)]
        for width, height in ((128, 128), (100, 70), (129, 128)):
            layout = struct.pack(">BBBBHH", 0, 0, 1, 1, width, height)
            whole = item(1, b"grid", layout, (size(width, height),), inside=True)
            tiles = [item(2 + index, b"av01", *parted(parts[index % 2])) for index in range(4)]
            references = ((b"dimg", 1, (2, 3, 4, 5)),)
            cases[f"grid/{subsampling}/{width}x{height}"] = container([whole, *tiles], references=references)
    colors, alpha = streams(avif(64, 64, 4, quality=30))
    whole = item(1, b"grid", struct.pack(">BBBBHH", 0, 0, 0, 1, 128, 64), (size(128, 64),), inside=True)
    tiles = [item(number, b"av01", *parted(colors)) for number in (2, 3)]
    masks = [item(number, b"av01", *parted(alpha, full_box(b"auxC", 0, ALPHA))) for number in (4, 5)]
    references = ((b"dimg", 1, (2, 3)), (b"auxl", 4, (2,)), (b"auxl", 5, (3,)))
    cases["grid/alpha"] = container([whole, *tiles, *masks], references=references)
    return cases


def parted(stream: tuple[bytes, bytes], *properties: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    data, configuration = stream
    return data, (size(64, 64), configuration, *properties)


def other_cases() -> dict[str, bytes]:
    """Sequences, what the compressed pixels may have, and images large enough to tell what decoding takes."""
    cases = {}
    for channels, subsampling in ((3, "4:2:0"), (4, "4:4:4"), (3, "4:0:0")):
        first, *others = (Image.fromarray(pixels(40, 24, channels)) for _ in range(3))
        options = {"save_all": True, "append_images": others, "subsampling": subsampling, "speed": 8, "duration": 100}
        sequence = encode(first, "AVIF", **options)
        cases[f"sequence/{channels}/{subsampling}"] = sequence
        cases[f"sequence/{channels}/{subsampling}/main_image"] = sequence.replace(b"ftypavis", b"ftypavif", 1)
    cases["film_grain"] = avif(64, 48, quality=50, advanced={"film-grain-test": "1"})
    cases["tiles"] = avif(256, 128, quality=10, tile_rows=1, tile_cols=1)
    for subsampling in ("4:2:0", "4:4:4"):
        for channels, multiplied in ((3, False), (4, True)):
            flat = Image.new("RGBA" if channels == 4 else "RGB", (1500, 1100), (200, 100, 50, 128)[:channels])
            options = {"subsampling": subsampling, "alpha_premultiplied": multiplied, "quality": 20, "speed": 9}
            cases[f"large/{subsampling}/{channels}"] = encode(flat, "AVIF", **options)
    flat = np.full((1100, 1500, 3), 700, np.uint16)
    cases["large/deep"] = imagecodecs.avif_encode(flat, level=20, speed=9, bitspersample=12, pixelformat="444")
    grain = {"film-grain-test": "1"}
    cases["large/film_grain"] = encode(Image.new("RGB", (1500, 1100), "tan"), "AVIF", quality=20, advanced=grain)
    (data, configuration), *_ = streams(encode(Image.new("RGB", (512, 512), "tan"), "AVIF", quality=20))
    layout = struct.pack(">BBBBHH", 0, 0, 2, 2, 1400, 1300)
    tiles = [item(2 + index, b"av01", data, (size(512, 512), configuration)) for index in range(9)]
    whole = item(1, b"grid", layout, (size(1400, 1300),), inside=True)
    cases["large/grid"] = container([whole, *tiles], references=((b"dimg", 1, tuple(range(2, 11))),))
    return cases


def answer(data: bytes) -> dict[str, object]:
    case: dict[str, object] = {"file": base64.b64encode(data).decode()}
    try:
        plain = describe(Image.open(io.BytesIO(data)))
        return case | {"plain": plain, "upright": describe(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))}
    except Exception as error:  # Whatever it is: Pillow lets many kinds through.
        return case | {"refused": f"{type(error).__name__}: {error}"}


def main() -> None:
    files = coding_cases() | container_cases() | grid_cases() | other_cases()
    cases = {str(name): answer(data) for name, data in files.items()}
    path = Path(__file__).parents[1] / "tests/golden/avif.json"
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    path.write_text(f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": {{\n{lines}\n  }}\n}}\n')
    print(f"{path}: {len(cases)} cases, {sum('refused' in case for case in cases.values())} refused by Pillow")


if __name__ == "__main__":
    main()
