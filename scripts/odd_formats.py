"""Odd BMP, GIF, WebP and TIFF files, put together by hand where Pillow does not write them."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

BMP_RLE8, BMP_RLE4, BMP_BITFIELDS = 1, 2, 3
SHORT, LONG = 3, 4


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def bmp(
    width: int,
    height: int,
    bits: int,
    data: bytes,
    *,
    compression: int = 0,
    palette: bytes = b"",
    masks: tuple[int, ...] = (),
) -> bytes:
    """A BMP with the header of 40 bytes; a negative height means that the rows run from top to bottom."""
    extra = b"".join(struct.pack("<I", mask) for mask in masks) + palette
    start = 14 + 40 + len(extra)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, len(palette) // 4, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + extra + data


def bmp_rows(rows: np.ndarray) -> bytes:
    """Rows from bottom to top, padded to four bytes."""
    lines = (row.tobytes() for row in rows[::-1])
    return b"".join(line + bytes(-len(line) % 4) for line in lines)


def bmp_palette(colors: int) -> bytes:
    return np.random.default_rng(colors).integers(0, 256, colors * 4, dtype=np.uint8).tobytes()


def run_lengths(indices: np.ndarray, bits: int) -> bytes:
    """Every row as literals, then runs; the second row jumps over some pixels, the last one ends early."""
    data = bytearray()
    for y, row in enumerate(indices[::-1]):
        if y == 1:
            data += bytes((0, 2, 5, 0, 4, int(row[5]) * (17 if bits == 4 else 1), 0, 0))
            continue
        literals, (run, value) = row[:7], (len(row) - 7, int(row[7]))
        if y == len(indices) - 1:
            run -= 3
        if bits == 8:
            data += bytes((0, 7)) + literals.tobytes() + b"\0"
            data += bytes((run, value))
        else:
            nibbles = [*literals.tolist(), 0]
            data += bytes((0, 7)) + bytes(a << 4 | b for a, b in zip(nibbles[::2], nibbles[1::2], strict=True))
            data += bytes((run, value << 4 | 3))
        data += b"\0\0"
    return bytes(data + b"\0\1")


def moved_gif(image: Image.Image, screen: tuple[int, int], corner: tuple[int, int], **options: object) -> bytes:
    """A GIF whose frame lies somewhere on another screen than its own."""
    data = bytearray(encode(image, "GIF", **options))
    frame = 13 + (3 * (2 << (data[10] & 7)) if data[10] & 128 else 0)
    while data[frame] != ord(","):
        frame += 2
        while data[frame]:
            frame += data[frame] + 1
        frame += 1
    struct.pack_into("<HH", data, 6, *screen)
    struct.pack_into("<HH", data, frame + 1, *corner)
    return bytes(data)


def edited_gif(
    image: Image.Image, *, screen: bytes | None, frame: bytes = b"", before: bytes = b"", end: bytes = b";"
) -> bytes:
    """A GIF with another palette, or none, of the screen, with one of the frame, and with bytes before the frame."""
    data = encode(image, "GIF")
    size = 2 << (data[10] & 7)
    start = 13 + 3 * size
    while data[start] != ord(","):
        start += data[start + 2] + 4
    flags = bytes([data[10] if screen else 0])
    local = bytes([128 | data[10] & 7]) if frame else b"\0"
    head = data[:10] + flags + data[11:13] + (screen or b"")[: 3 * size] + before
    return head + data[start : start + 9] + local + frame[: 3 * size] + data[start + 10 : -1] + end


def wide_codes_gif() -> bytes:
    """A GIF whose codes have 10 bits. Each of its 512 pixels has the next one, of which the lower 8 bits count."""
    clear, end = 512, 513
    codes = [code for row in range(16) for code in (clear, *range(row * 32, row * 32 + 32))] + [end]
    bits = sum(code << 10 * index for index, code in enumerate(codes))
    data = bits.to_bytes(-(-len(codes) * 10 // 8), "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    head = b"GIF89a" + struct.pack("<HHBBB", 32, 16, 0xF7, 0, 0) + bmp_palette(192)
    return head + b"," + struct.pack("<HHHHBB", 0, 0, 32, 16, 0, 9) + blocks + b"\0;"


def moved_webp(image: Image.Image, grow: tuple[int, int], corner: tuple[int, int]) -> bytes:
    """An animation whose first frame lies somewhere on a larger canvas; everything is a multiple of two pixels."""
    other = image.transpose(Image.Transpose.ROTATE_180)
    data = bytearray(encode(image, "WEBP", save_all=True, append_images=[other], quality=70))
    frame = data.find(b"ANMF") + 8
    for axis in range(2):
        size = (image.width, image.height)[axis] + grow[axis]
        data[24 + 3 * axis : 27 + 3 * axis] = (size - 1).to_bytes(3, "little")
        data[frame + 3 * axis : frame + 3 + 3 * axis] = (corner[axis] // 2).to_bytes(3, "little")
    return bytes(data)


def tiff(tags: dict[int, tuple[int, list[int]]], chunks: list[bytes], big_endian: bool, tiled: bool = False) -> bytes:
    """A TIFF of these chunks; the tags that tell where they are get added."""
    order = ">" if big_endian else "<"
    offsets = [8 + sum(map(len, chunks[:index])) for index in range(len(chunks))]
    tags |= {324 if tiled else 273: (LONG, offsets), 325 if tiled else 279: (LONG, [len(chunk) for chunk in chunks])}
    start = 8 + sum(map(len, chunks))
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(values)
            values += packed
            packed = struct.pack(order + "I", place)
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    directory = struct.pack(order + "H", len(tags)) + entries + bytes(4) + values
    header = (b"MM" if big_endian else b"II") + struct.pack(order + "HI", 42, start)
    return header + b"".join(chunks) + directory


def tags(
    size: tuple[int, int], bits: int, samples: int, photometric: int, **more: int
) -> dict[int, tuple[int, list[int]]]:
    named = {"planar": 284, "fill_order": 266, "tile_width": 322, "tile_height": 323, "extra": 338, "rows": 278}
    named |= {"format": 339, "compression": 259, "predictor": 317}
    result = {
        256: (LONG, [size[0]]),
        257: (LONG, [size[1]]),
        258: (SHORT, [bits] * samples),
        262: (SHORT, [photometric]),
    }
    result |= {277: (SHORT, [samples])}
    return result | {named[name]: (SHORT, [value]) for name, value in more.items()}


def tiled_tiff(image: Image.Image, side: int) -> bytes:
    padded = np.zeros((-(-image.height // side) * side, -(-image.width // side) * side, 3), np.uint8)
    padded[: image.height, : image.width] = np.asarray(image)
    tiles = [
        padded[y : y + side, x : x + side].tobytes()
        for y in range(0, image.height, side)
        for x in range(0, image.width, side)
    ]
    return tiff(tags(image.size, 8, 3, 2, tile_width=side, tile_height=side), tiles, big_endian=True, tiled=True)


def jpeg_tiles_tiff(image: Image.Image, side: int) -> bytes:
    """RGB in JPEGs that say nothing of their colours, each with its own tables."""
    tiles = [
        encode(image.crop((x, y, x + side, y + side)), "JPEG", quality=80, keep_rgb=True)
        for y in range(0, image.height, side)
        for x in range(0, image.width, side)
    ]
    named = {"tile_width": side, "tile_height": side, "compression": 7}
    return tiff(tags(image.size, 8, 3, 2, **named), tiles, big_endian=False, tiled=True)


def planar_tiff(image: Image.Image) -> bytes:
    planes = [band.tobytes() for band in image.split()]
    return tiff(tags(image.size, 8, 3, 2, planar=2, rows=image.height), planes, big_endian=False)


def deep_tiff(image: Image.Image) -> bytes:
    """16 bits a channel, with alpha that the colours are multiplied with."""
    channels = np.dstack([np.asarray(image), np.asarray(image)[:, :, 0]]).astype(">u2") * 257
    return tiff(tags(image.size, 16, 4, 2, extra=1), [channels.tobytes()], big_endian=True)


def reversed_tiff(image: Image.Image) -> bytes:
    """One bit a pixel, the first one in the lowest bit, and 0 is white."""
    packed = np.packbits(np.asarray(image.convert("1")), axis=1, bitorder="little")
    return tiff(tags(image.size, 1, 1, 0, fill_order=2), [packed.tobytes()], big_endian=False)


def cut_tiff(file: bytes) -> bytes:
    """Zeros in place of the second half of the pixels, which come first."""
    end = int.from_bytes(file[4:8], "little")
    return file[: end // 2] + bytes(end - end // 2) + file[end:]


def other_formats(picture: Image.Image) -> dict[str, tuple[str, bytes]]:
    """Every file with what it is, by name."""
    width, height = picture.size
    grey, indexed = picture.convert("L"), picture.quantize(16, dither=Image.Dither.NONE)
    indices = np.asarray(indexed)
    words = np.asarray(picture).astype(np.uint16)
    words_565 = (words[:, :, 0] >> 3 << 11 | words[:, :, 1] >> 2 << 5 | words[:, :, 2] >> 3).astype("<u2")
    words_555 = (words[:, :, 0] >> 3 << 10 | words[:, :, 1] >> 3 << 5 | words[:, :, 2] >> 3).astype("<u2")
    nibbles = np.hstack([indices, np.zeros((height, width % 2), np.uint8)])
    nibbles = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    rgba = picture.copy()
    rgba.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "rgb.bmp": ("24 bits", encode(picture, "BMP")),
        "grey.bmp": ("8 bits with a palette of greys", encode(grey, "BMP")),
        "bilevel.bmp": ("1 bit, black and white", encode(picture.convert("1"), "BMP")),
        "palette_1.bmp": (
            "1 bit, two colours",
            bmp(width, height, 1, bmp_rows(np.packbits(indices & 1, axis=1)), palette=bmp_palette(2)),
        ),
        "palette_4.bmp": ("4 bits", bmp(width, height, 4, bmp_rows(nibbles), palette=bmp_palette(16))),
        "palette_8_short.bmp": (
            "8 bits, indices beyond the palette",
            bmp(width, height, 8, bmp_rows(indices), palette=bmp_palette(10)),
        ),
        "rle_8.bmp": (
            "8-bit run lengths",
            bmp(width, height, 8, run_lengths(indices, 8), compression=BMP_RLE8, palette=bmp_palette(16)),
        ),
        "rle_4.bmp": (
            "4-bit run lengths",
            bmp(width, height, 4, run_lengths(indices, 4), compression=BMP_RLE4, palette=bmp_palette(16)),
        ),
        "rle_two.bmp": (
            "8-bit run lengths of black and white",
            bmp(width, height, 8, run_lengths(indices, 8), compression=BMP_RLE8, palette=b"\0\0\0\0\xff\xff\xff\0"),
        ),
        "words_555.bmp": ("16 bits", bmp(width, height, 16, bmp_rows(words_555))),
        "words_565.bmp": (
            "16 bits with masks",
            bmp(width, height, 16, bmp_rows(words_565), compression=BMP_BITFIELDS, masks=(0xF800, 0x7E0, 0x1F)),
        ),
        "words_444.bmp": (
            "masks that Pillow does not know",
            bmp(width, height, 16, bmp_rows(words_565), compression=BMP_BITFIELDS, masks=(0xF00, 0xF0, 0xF)),
        ),
        "top_down.bmp": (
            "32 bits, rows from top to bottom",
            bmp(width, -height, 32, np.asarray(rgba)[:, :, [2, 1, 0, 3]].tobytes()),
        ),
        "alpha.bmp": ("32 bits with alpha", encode(rgba, "BMP")),
        "truncated.bmp": ("a BMP's first half", encode(picture, "BMP")[: width * height * 3 // 2]),
        "palette.gif": ("16 colours", encode(indexed, "GIF")),
        "grey.gif": ("grey, interlaced", encode(grey, "GIF", interlace=1)),
        "transparent.gif": ("a transparent colour", encode(indexed, "GIF", transparency=3)),
        "offset.gif": ("a frame on a larger screen", moved_gif(indexed, (80, 70), (9, 5))),
        "offset_transparent.gif": (
            "a frame with a transparent colour on a larger screen",
            moved_gif(indexed, (80, 70), (9, 5), transparency=3),
        ),
        "beyond.gif": ("a frame that reaches beyond its screen", moved_gif(indexed, (20, 10), (3, 0))),
        "animated.gif": ("the first of two frames", encode(indexed, "GIF", save_all=True, append_images=[grey])),
        "truncated.gif": ("a GIF's first half", encode(indexed, "GIF")[:500]),
        "no_palette.gif": ("no palette at all", edited_gif(indexed, screen=None)),
        "grey_ramp.gif": (
            "a frame whose palette is all greys, in order, for which Pillow takes the screen's",
            edited_gif(indexed, screen=bmp_palette(256), frame=bytes(value // 3 for value in range(768))),
        ),
        "own_palette.gif": (
            "a palette of the frame",
            edited_gif(indexed, screen=bmp_palette(256), frame=bmp_palette(300)),
        ),
        "stray.gif": (
            "stray bytes and unknown extensions before the frame, and no end",
            edited_gif(indexed, screen=bmp_palette(256), before=b"Z\0!\x99\3abc\0!\xaa\0\2xy\0", end=b""),
        ),
        "wide_codes.gif": ("literal codes of more than 8 bits", wide_codes_gif()),
        "lossy.webp": ("lossy", encode(picture, "WEBP", quality=60)),
        "lossless.webp": ("lossless", encode(picture, "WEBP", lossless=True)),
        "lossy_alpha.webp": ("lossy with alpha", encode(rgba, "WEBP", quality=80)),
        "lossless_alpha.webp": (
            "lossless with alpha, colours kept under it",
            encode(rgba, "WEBP", lossless=True, exact=True),
        ),
        "animated.webp": (
            "the first of two frames",
            encode(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], quality=70),
        ),
        "offset.webp": ("a frame on a larger canvas", moved_webp(picture, (20, 10), (6, 8))),
        "offset_alpha.webp": ("a frame with alpha on a larger canvas", moved_webp(rgba, (20, 10), (6, 8))),
        "exif_rotated.webp": (
            "EXIF orientation 6, which is not applied",
            encode(picture, "WEBP", quality=50, exif=exif),
        ),
        "short.webp": (
            "a WebP that says it is shorter than its chunk",
            (lossless := encode(picture, "WEBP", lossless=True))[:4]
            + struct.pack("<I", len(lossless) - 40)
            + lossless[8:],
        ),
        "truncated.webp": ("a WebP's first half", encode(picture, "WEBP", lossless=True)[:3000]),
        "rgb.tiff": ("uncompressed", encode(picture, "TIFF")),
        "lzw.tiff": ("LZW with predictor", encode(picture, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})),
        "deflate.tiff": (
            "Deflate in short strips",
            encode(picture, "TIFF", compression="tiff_adobe_deflate", strip_size=999),
        ),
        "lzma.tiff": (
            "LZMA with predictor in short strips",
            encode(picture, "TIFF", compression="lzma", tiffinfo={317: 2}, strip_size=1999),
        ),
        "lzma_grey_16.tiff": (
            "LZMA, 16 bits",
            encode(Image.fromarray(np.asarray(grey).astype(np.uint16) * 3), "TIFF", compression="lzma"),
        ),
        "truncated_lzma.tiff": ("strips of LZMA beyond the end", cut_tiff(encode(picture, "TIFF", compression="lzma"))),
        "packbits.tiff": ("PackBits, alpha", encode(rgba, "TIFF", compression="packbits")),
        "jpeg.tiff": (
            "YCbCr in JPEG strips with common tables",
            encode(picture, "TIFF", compression="jpeg", quality=70, strip_size=2500),
        ),
        "jpeg_tiles.tiff": ("RGB in JPEG tiles", jpeg_tiles_tiff(picture, 16)),
        "jpeg_cmyk.tiff": ("CMYK in JPEG", encode(picture.convert("CMYK"), "TIFF", compression="jpeg")),
        "group_4.tiff": ("fax compression", encode(picture.convert("1"), "TIFF", compression="group4")),
        "palette.tiff": ("palette", encode(indexed, "TIFF")),
        "bilevel.tiff": ("1 bit", encode(picture.convert("1"), "TIFF")),
        "reversed.tiff": ("1 bit in reversed order, 0 is white", reversed_tiff(picture)),
        "cmyk.tiff": ("CMYK", encode(picture.convert("CMYK"), "TIFF", compression="tiff_lzw")),
        "grey_16.tiff": (
            "grey, 16 bits",
            encode(Image.fromarray(np.asarray(grey).astype(np.uint16) * 3), "TIFF"),
        ),
        "float.tiff": ("grey, floating point", encode(grey.convert("F"), "TIFF")),
        "deep_alpha.tiff": ("16 bits a channel, premultiplied alpha", deep_tiff(picture)),
        "tiles.tiff": ("tiles, big-endian", tiled_tiff(picture, 16)),
        "planar.tiff": ("separate planes", planar_tiff(picture)),
        "big.tiff": ("BigTIFF", encode(picture.resize((20, 15)), "TIFF", big_tiff=True)),
        "rotated.tiff": (
            "orientation 6, which Pillow applies",
            encode(picture, "TIFF", exif=exif, compression="tiff_lzw"),
        ),
        "truncated.tiff": ("strips beyond the end", encode(picture, "TIFF")[:-4000]),
    }
