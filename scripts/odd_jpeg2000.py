"""Odd JPEG 2000 files: as Pillow writes them, and put together of components and boxes where it does not."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

SOC, SIZ, COD, QCD, SOT, SOD, EOC = (
    b"\xff\x4f",
    b"\xff\x51",
    b"\xff\x52",
    b"\xff\x5c",
    b"\xff\x90",
    b"\xff\x93",
    b"\xff\xd9",
)
# Colour spaces that a container enumerates.
CMYK, SRGB, GREY, SYCC = 12, 16, 17, 18


def encode(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG2000", **options)
    return file.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def container(
    codestream: bytes, size: tuple[int, int], components: int, bits: int, space: int, extra: bytes = b""
) -> bytes:
    """A JP2 file; `extra` are boxes of its header."""
    header = box(b"ihdr", struct.pack(">IIHBBBB", size[1], size[0], components, bits - 1, 7, 0, 0))
    header += box(b"colr", struct.pack(">BBBI", 1, 0, 0, space)) + extra
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", codestream)


def markers(codestream: bytes) -> dict[bytes, bytes]:
    """The contents of the markers, with their lengths, before the pixels; the last one is what follows those."""
    found, at = {}, 2
    while codestream[at : at + 2] != SOD:
        length = int.from_bytes(codestream[at + 2 : at + 4], "big")
        found[codestream[at : at + 2]] = codestream[at + 2 : at + 2 + length]
        at += 2 + length
    return found | {SOD: codestream[at + 2 : -2]}


def components(
    planes: list[Image.Image], samplings: list[tuple[int, int]], size: tuple[int, int], signed: bool = False
) -> bytes:
    """A codestream of one tile with a component for each plane, whose samples stand for so many columns and rows."""
    resolutions = min(3, min(side for plane in planes for side in plane.size).bit_length())
    options = {"no_jp2": True, "progression": "CPRL", "num_resolutions": resolutions}
    parts = [markers(encode(plane, **options)) for plane in planes]
    siz = parts[0][SIZ]
    bits = bytes([siz[38] | (128 if signed else 0)])
    siz = struct.pack(">HHIIIIIIIIH", 38 + 3 * len(planes), 0, *size, 0, 0, *size, 0, 0, len(planes))
    siz += b"".join(bits + bytes(sampling) for sampling in samplings)
    # Component by component, which is the order of the packets, too.
    data = b"".join(part[SOD] for part in parts)
    sot = SOT + struct.pack(">HHIBB", 10, 0, len(data) + 14, 0, 1)
    return SOC + SIZ + siz + COD + parts[0][COD] + QCD + parts[0][QCD] + sot + SOD + data + EOC


def halved(plane: Image.Image) -> Image.Image:
    return plane.resize(((plane.width + 1) // 2, (plane.height + 1) // 2))


def palette(colors: np.ndarray) -> bytes:
    count, channels = colors.shape
    header = struct.pack(">HB", count, channels) + bytes([7] * channels)
    mapping = b"".join(struct.pack(">HBB", 0, 1, channel) for channel in range(channels))
    return box(b"pclr", header + colors.astype(np.uint8).tobytes()) + box(b"cmap", mapping)


def odd_jpeg2000(picture: Image.Image) -> dict[str, tuple[str, bytes]]:
    """Every file with what it is, by name."""
    size = picture.size
    grey, indexed = picture.convert("L"), picture.quantize(16, dither=Image.Dither.NONE)
    rgba = picture.copy()
    rgba.putalpha(grey)
    deep = [Image.fromarray(np.asarray(band).astype(np.uint16) * 201) for band in picture.split()]
    luma, *chroma = picture.convert("YCbCr").split()
    ycc = components([luma, *map(halved, chroma)], [(1, 1), (2, 2), (2, 2)], size)
    indices = Image.fromarray(np.asarray(indexed))
    colors = np.array(indexed.getpalette()[: 16 * 3]).reshape(-1, 3)
    repeated = colors.copy()
    repeated[5] = repeated[2]
    full = [(1, 1)] * 4
    tiled = encode(picture, tile_size=(16, 16), no_jp2=True)
    last_tile = tiled.rindex(SOT + b"\0\x0a")
    return {
        "lossless.jp2": ("RGB without loss, several resolutions", encode(picture, num_resolutions=4, mct=1)),
        "lossy.jp2": (
            "RGB with loss, in layers and tiles",
            encode(picture, irreversible=True, quality_layers=[40, 20, 10], tile_size=(32, 16), mct=1),
        ),
        "grey.j2k": ("a codestream of one component", encode(grey, no_jp2=True, irreversible=True)),
        "grey_alpha.jp2": ("grey with alpha", encode(rgba.convert("LA"))),
        "alpha.jp2": ("RGB with alpha", encode(rgba, progression="RPCL", precinct_size=(64, 64))),
        "grey_16.jp2": (
            "16 bits, which Pillow clips to 8",
            encode(Image.fromarray(np.asarray(grey).astype(np.uint16) * 3)),
        ),
        "rgb_16.jp2": ("16 bits a channel", container(components(deep, full[:3], size), size, 3, 16, SRGB)),
        "signed.jp2": ("samples with a sign", encode(picture, signed=True)),
        "signed_16.j2k": ("16 bits with a sign", components(deep, full[:3], size, signed=True)),
        "ycc_420.jp2": ("YCbCr with chroma of half the size", container(ycc, size, 3, 8, SYCC)),
        "ycc_420.j2k": ("YCbCr that is told by its sizes alone", ycc),
        "cmyk.jp2": (
            "CMYK",
            container(components(list(picture.convert("CMYK").split()), full, size), size, 4, 8, CMYK),
        ),
        "palette.jp2": (
            "a palette",
            container(components([indices], full[:1], size), size, 1, 8, SRGB, palette(colors)),
        ),
        "repeated_palette.jp2": (
            "a palette with a colour that is there twice, whose indices Pillow takes otherwise",
            container(components([indices], full[:1], size), size, 1, 8, SRGB, palette(repeated)),
        ),
        "palette_alpha.jp2": (
            "a palette with alpha",
            container(
                components([indices, grey], full[:2], size), size, 2, 8, SRGB, palette(np.c_[colors, colors[:, 0]])
            ),
        ),
        "missing_tile.j2k": ("tiles, the last of which is not there", tiled[:last_tile] + EOC),
        "smaller.jp2": (
            "a codestream of fewer pixels than its container tells",
            container(components([grey], full[:1], size), (50, 60), 1, 8, GREY),
        ),
        "larger.jp2": (
            "a codestream of more pixels than its container tells",
            container(components([grey], full[:1], size), (40, 30), 1, 8, GREY),
        ),
        "truncated.jp2": ("a JPEG 2000 file's first half", encode(picture)[:2000]),
        "five.j2k": ("five components", components([grey] * 5, [(1, 1)] * 5, size)),
    }
