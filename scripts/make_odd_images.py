"""Writes small image files that a decoder may stumble over: rare kinds of every format, and broken ones."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from odd_formats import encode, other_formats
from odd_jpeg2000 import odd_jpeg2000
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rare_jpegs import RARE_JPEGS

ORIENTATION_TAG = 0x0112
ROTATED_90 = 6
ROTATED_180_XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
# First column, first row, column step and row step of the seven passes of PNG's interlacing (PNG specification, 8.2).
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def picture(width: int, height: int) -> Image.Image:
    """A colourful test picture of smooth waves, a hard edge and some noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = [
        127 + 120 * np.sin(x / 7 + phase) * np.cos(y / (5 + phase)) + 40 * (x > width * 0.6) for phase in range(3)
    ]
    noise = np.random.default_rng(5).normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(np.stack(channels, axis=2) + noise, 0, 255).astype(np.uint8))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, interlace: int, data: bytes) -> bytes:
    """An 8-bit RGB PNG put together by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlace)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(data)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def interlaced_png(image: Image.Image) -> bytes:
    """The image as an interlaced PNG; every row has filter type 0."""
    pixels = np.asarray(image)
    passes = (pixels[row::row_step, column::column_step] for column, row, column_step, row_step in ADAM7)
    rows = (b"\0" + row.tobytes() for part in passes if part.size for row in part)
    return png(image.width, image.height, 1, b"".join(rows))


def indexed_png(image: Image.Image, palette: bytes | None, *, extra: bytes = b"", rows: int | None = None) -> bytes:
    """An 8-bit palette PNG put together by hand; `rows` leaves out the others."""
    indices = np.asarray(image.convert("L"))[:rows]
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 3, 0, 0, 0)
    colors = b"" if palette is None else png_chunk(b"PLTE", palette)
    data = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in indices)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + colors + extra + data + png_chunk(b"IEND", b"")


def transparent_palette(image: Image.Image) -> bytes:
    """A palette PNG with a tRNS chunk: some entries transparent, some half so."""
    indexed = image.quantize(32, dither=Image.Dither.NONE)
    alpha = bytes((0, 128, 255, 64)) * 8
    return encode(indexed, "PNG", transparency=alpha)


def with_alpha(image: Image.Image, mode: str) -> bytes:
    """An RGBA or LA PNG whose alpha runs from transparent to opaque."""
    ramp = np.linspace(0, 255, image.width * image.height).astype(np.uint8).reshape(image.height, image.width)
    result = image.convert(mode)
    result.putalpha(Image.fromarray(ramp))
    return encode(result, "PNG")


def rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ROTATED_90
    return exif


def wrong_data_crc(file: bytes) -> bytes:
    at = file.index(b"IDAT")
    end = at + 4 + int.from_bytes(file[at - 4 : at], "big")
    return file[:end] + b"\0\0\0\0" + file[end + 4 :]


def write_odd_images(folder: Path) -> dict[str, str]:
    """Writes every file into `folder`, which it empties first; returns what each is."""
    odd, even = picture(61, 47), picture(64, 48)
    baseline, plain_png = encode(odd, "JPEG", quality=80), encode(odd, "PNG")
    xmp = PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", ROTATED_180_XMP.decode(), zip=True)
    palette = np.random.default_rng(7).integers(0, 256, 800, dtype=np.uint8).tobytes()
    files: dict[str, tuple[str, bytes]] = {
        "grey.jpg": ("one component", encode(odd.convert("L"), "JPEG", quality=85)),
        "cmyk.jpg": ("four components, Adobe marker", encode(odd.convert("CMYK"), "JPEG", quality=85)),
        "progressive_444.jpg": ("progressive, 4:4:4", encode(odd, "JPEG", quality=90, subsampling=0, progressive=True)),
        "baseline_420.jpg": ("4:2:0, odd size", encode(odd, "JPEG", quality=75, subsampling=2)),
        "baseline_422.jpg": ("4:2:2, odd size", encode(odd, "JPEG", quality=75, subsampling=1)),
        "progressive_420.jpg": ("progressive, 4:2:0", encode(odd, "JPEG", quality=60, progressive=True)),
        "restart.jpg": ("restart markers", encode(even, "JPEG", quality=80, restart_marker_blocks=3)),
        "exif_rotated.jpg": (
            "EXIF orientation 6, which is not applied",
            encode(odd, "JPEG", quality=85, exif=rotated_exif()),
        ),
        "xmp_rotated.jpg": (
            "XMP orientation 3, which is not applied",
            encode(odd, "JPEG", quality=75, xmp=ROTATED_180_XMP),
        ),
        "one_pixel.jpg": ("1 x 1 pixel", encode(picture(1, 1), "JPEG", quality=85)),
        "grey.png": ("grey, 8 bits", encode(odd.convert("L"), "PNG")),
        "bilevel.png": ("grey, 1 bit", encode(odd.convert("1"), "PNG")),
        "palette.png": ("palette, 4 bits", encode(odd.quantize(16, dither=Image.Dither.NONE), "PNG")),
        "palette_trns.png": ("palette with tRNS", transparent_palette(odd)),
        "grey_trns.png": ("grey with tRNS", encode(odd.convert("L"), "PNG", transparency=127)),
        "rgb_trns.png": ("RGB with tRNS", encode(odd, "PNG", transparency=odd.getpixel((3, 3)))),
        "rgba.png": ("RGB with alpha", with_alpha(odd, "RGB")),
        "la.png": ("grey with alpha", with_alpha(odd, "L")),
        "interlaced.png": ("interlaced RGB", interlaced_png(odd)),
        "exif_rotated.png": ("EXIF orientation 6, which is not applied", encode(odd, "PNG", exif=rotated_exif())),
        "xmp_rotated.png": ("compressed XMP orientation 3, which is not applied", encode(odd, "PNG", pnginfo=xmp)),
        "one_pixel.png": ("1 x 1 pixel", encode(picture(1, 1), "PNG")),
        "jpeg_called.png": ("a JPEG under a PNG's name: the content decides", baseline),
        "empty.jpg": ("no bytes", b""),
        "text.png": ("a text file", b"This is not an image.\n"),
        "truncated.jpg": ("a JPEG's first half", baseline[: len(baseline) // 2]),
        "truncated.png": ("a PNG's first half", plain_png[: len(plain_png) // 2]),
        "header_only.jpg": ("a JPEG's first 20 bytes", baseline[:20]),
        "bad_crc.png": ("a PNG with a wrong checksum in its header", plain_png[:29] + b"\0\0\0\0" + plain_png[33:]),
        "bad_data_crc.png": ("a PNG with a wrong checksum of its pixels' chunk", wrong_data_crc(plain_png)),
        "no_end.png": ("a PNG that ends after its pixels", plain_png[:-20]),
        "interlaced_no_end.png": ("interlaced, ends after its pixels", interlaced_png(odd)[:-20]),
        "unknown_chunk.png": (
            "a critical chunk that nobody knows",
            indexed_png(odd, palette[:768], extra=png_chunk(b"ABCD", b"?")),
        ),
        "half_color.png": ("a palette that ends within a colour", indexed_png(odd, palette[:500])),
        "no_palette.png": ("a palette image without a palette", indexed_png(odd, None)),
        "long_palette.png": ("a palette of 257 colours", indexed_png(odd, palette[:771])),
        "fewer_rows.png": ("fewer rows than its header tells", indexed_png(odd, palette[:768], rows=30)),
        "huge.png": ("a header that claims 60000 x 60000 pixels", png(60000, 60000, 0, b"\0" * 100)),
    }
    files |= RARE_JPEGS | other_formats(picture(45, 38)) | odd_jpeg2000(picture(45, 38))
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, (_, data) in files.items():
        (folder / name).write_bytes(data)
    return {name: meaning for name, (meaning, _) in files.items()}
