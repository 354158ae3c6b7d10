"""Random image files of every kind that is decoded, for comparison with a live Pillow.

`KINDS` maps a format and a kind to a function that makes a file of it by chance. What Pillow does not write is put
together by hand.
"""

from __future__ import annotations

import random
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from make_odd_images import ADAM7, png_chunk
from odd_formats import BMP_BITFIELDS, BMP_RLE4, BMP_RLE8, bmp, encode, moved_gif, run_lengths, tags, tiff
from odd_jpeg2000 import CMYK, GREY, SRGB, SYCC, components, container, palette

ORIENTATION = 0x0112
# Samples of a pixel by the colour type of a PNG.
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def pixels(chance: random.Random, channels: int, bits: int = 8) -> np.ndarray:
    """Waves, noise or both, up to 150 pixels a side: rows, columns, channels of that many bits."""
    width, height = (chance.randint(1, chance.choice((8, 40, 150))) for _ in range(2))
    y, x = np.mgrid[0:height, 0:width]
    generator = np.random.default_rng(chance.randrange(1 << 32))
    waves = [127 + 120 * np.sin(x / (1 + 29 * generator.random())) * np.cos(y / 9 + phase) for phase in range(channels)]
    noise = generator.normal(0, chance.choice((0, 10, 80)), (height, width, channels))
    values = np.clip(np.dstack(waves) + noise, 0, 255) / 255 * ((1 << bits) - 1)
    return values.astype(np.uint16 if bits > 8 else np.uint8)


def picture(chance: random.Random, mode: str) -> Image.Image:
    """The same as an image of Pillow's."""
    image = Image.fromarray(pixels(chance, 4), "RGBA")
    if mode == "P":
        return image.convert("RGB").quantize(chance.choice((2, 3, 16, 17, 256)))
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def orientation(chance: random.Random) -> dict[str, object]:
    """EXIF data with an orientation, now and then."""
    if chance.random() < 0.6:
        return {}
    exif = Image.Exif()
    exif[ORIENTATION] = chance.randint(1, 8)
    return {"exif": exif}


def jpeg(mode: str = "RGB", **options: object) -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        chosen = {"quality": chance.randint(1, 100), "optimize": chance.random() < 0.3, **options}
        if "restart_marker_blocks" in options:
            chosen["restart_marker_blocks"] = chance.randint(1, 20)
        if "progressive" in options:
            chosen["subsampling"] = chance.randint(0, 2)
        return encode(picture(chance, mode), "JPEG", **chosen, **orientation(chance))

    return make


def ycck(chance: random.Random) -> bytes:
    """CMYK whose marker says that it is YCCK."""
    data = bytearray(encode(picture(chance, "CMYK"), "JPEG", quality=chance.randint(1, 100)))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def packed(rows: np.ndarray, bits: int) -> list[bytes]:
    """Rows of samples, several to a byte or several bytes each."""
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    places = np.arange(bits - 1, -1, -1)
    bit_rows = (rows[:, :, None] >> places & 1).reshape(len(rows), -1).astype(np.uint8)
    return [row.tobytes() for row in np.packbits(bit_rows, axis=1)]


def filtered(chance: random.Random, rows: list[bytes], distance: int) -> bytes:
    """Rows of a PNG, each with a filter of its own."""
    out = bytearray()
    above = np.zeros(len(rows[0]), np.int16)
    for stored in rows:
        row = np.frombuffer(stored, np.uint8).astype(np.int16)
        left, corner = (np.concatenate([np.zeros(distance, np.int16), line])[: len(row)] for line in (row, above))
        far = [np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)]
        paeth = np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner))
        kind = chance.randrange(5)
        predicted = (0, left, above, (left + above) // 2, paeth)[kind]
        out += bytes([kind]) + (row - predicted).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def png(colors: tuple[int, ...], depths: tuple[int, ...], interlaced: bool = False) -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        color, bits = chance.choice(colors), chance.choice(depths)
        samples = PNG_SAMPLES[color]
        values = pixels(chance, samples, bits)
        if bits == 16:
            # Grey of up to 255 is not cut off.
            values >>= chance.choice((0, 7, 8))
        height, width = values.shape[:2]
        steps = ADAM7 if interlaced else ((0, 0, 1, 1),)
        parts = (values[row::row_step, column::column_step] for column, row, column_step, row_step in steps)
        distance = max(1, samples * bits // 8)
        data = b"".join(
            filtered(chance, packed(part.reshape(len(part), -1), bits), distance) for part in parts if part.size
        )
        chunks = [png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced))]
        if color == 3:
            size = chance.randint(1, 1 << bits)
            chunks.append(png_chunk(b"PLTE", chance.randbytes(3 * size)))
        if color in (0, 2, 3) and chance.random() < 0.4:
            content = chance.randbytes(size) if color == 3 else struct.pack(f">{samples}H", *([1] * samples))
            chunks.append(png_chunk(b"tRNS", content))
        stored = zlib.compress(data, chance.choice((0, 1, 9)))
        cut = chance.randint(0, len(stored))
        chunks += [png_chunk(b"IDAT", stored[:cut]), png_chunk(b"IDAT", stored[cut:]), png_chunk(b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

    return make


def webp(mode: str, animated: bool = False, **options: object) -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        image = picture(chance, mode)
        chosen = {"quality": chance.randint(0, 100), "method": chance.randint(0, 4), "exact": chance.random() < 0.5}
        if animated:
            other = image.transpose(Image.Transpose.ROTATE_180)
            chosen |= {"save_all": True, "append_images": [other], "lossless": chance.random() < 0.5}
        return encode(image, "WEBP", **chosen, **options, **orientation(chance))

    return make


def avif(*modes: str, **options: object) -> Callable[[random.Random], bytes]:
    def make(chance: random.Random) -> bytes:
        image = picture(chance, chance.choice(modes))
        chosen = {
            "quality": chance.randint(0, 100),
            "subsampling": chance.choice(("4:2:0", "4:2:2", "4:4:4", "4:0:0")),
            "range": chance.choice(("full", "limited")),
            "alpha_premultiplied": chance.random() < 0.5,
            "speed": 9,
        }
        if options.get("save_all"):
            chosen |= {"append_images": [image.transpose(Image.Transpose.ROTATE_180)], "duration": 100}
            return encode(image, "AVIF", **chosen, **options)
        return encode(image, "AVIF", **chosen, **options, **orientation(chance))

    return make


def gif(chance: random.Random) -> bytes:
    image = picture(chance, chance.choice(("1", "L", "P", "RGB")))
    chosen: dict[str, object] = {"interlace": chance.randint(0, 1)}
    if image.mode in ("L", "P") and chance.random() < 0.4:
        chosen["transparency"] = chance.randint(0, 5)
    if chance.random() < 0.3:
        chosen |= {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    return encode(image, "GIF", **chosen)


def laid_gif(chance: random.Random) -> bytes:
    """A frame that lies on a larger screen, or reaches beyond it."""
    chosen = {"transparency": chance.randint(0, 5)} if chance.random() < 0.5 else {}
    screen = (chance.randint(1, 200), chance.randint(1, 200))
    return moved_gif(picture(chance, "P"), screen, (chance.randint(0, 50), chance.randint(0, 50)), **chosen)


def local_gif(chance: random.Random) -> bytes:
    """The only palette, if any, is the frame's; or it stays the screen's, and that of the frame is all greys."""
    image = picture(chance, "P")
    data = encode(image, "GIF")
    size = 3 * (2 << (data[10] & 7))
    start = data.index(b",", 13 + size)
    palettes = [data[13 : 13 + size], bytes(value // 3 for value in range(size)), b""]
    screen, frame = chance.choice(palettes), chance.choice(palettes)
    flags = [128 | data[10] & 7 if palette else 0 for palette in (screen, frame)]
    head = data[:10] + bytes([flags[0]]) + data[11:13] + screen + data[13 + size : start + 9]
    return head + bytes([flags[1]]) + frame + data[start + 10 :]


def bmp_rows(rows: list[bytes]) -> bytes:
    return b"".join(row + bytes(-len(row) % 4) for row in rows)


def indexed_bmp(chance: random.Random) -> bytes:
    bits = chance.choice((1, 4, 8))
    values = pixels(chance, 1, bits)[:, :, 0]
    palette = chance.randbytes(4 * chance.randint(1, 1 << bits))
    height = len(values) * chance.choice((-1, 1))
    return bmp(values.shape[1], height, bits, bmp_rows(packed(values, bits)), palette=palette)


def packed_bmp(chance: random.Random) -> bytes:
    bits = chance.choice((4, 8))
    values = np.resize(pixels(chance, 1, bits)[:, :, 0], (chance.randint(2, 60), chance.randint(10, 200)))
    palette = chance.randbytes(4 << bits)
    data = run_lengths(values, bits)
    return bmp(*values.shape[::-1], bits, data, compression=BMP_RLE8 if bits == 8 else BMP_RLE4, palette=palette)


def deep_bmp(chance: random.Random) -> bytes:
    bits = chance.choice((16, 24, 32))
    masks = {
        16: ((), (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)),
        24: ((),),
        32: ((), (0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00)),
    }
    chosen = chance.choice(masks[bits])
    values = pixels(chance, bits // 8)
    height = len(values) * chance.choice((-1, 1))
    rows = bmp_rows([row.tobytes() for row in values])
    return bmp(values.shape[1], height, bits, rows, compression=BMP_BITFIELDS if chosen else 0, masks=chosen)


def saved_tiff(*modes: str, **options: object) -> Callable[[random.Random], bytes]:
    """As Pillow writes it, through libtiff where it is compressed."""

    def make(chance: random.Random) -> bytes:
        mode = chance.choice(modes)
        if mode == "I;16":
            image = Image.fromarray(pixels(chance, 1, 16)[:, :, 0] >> chance.choice((0, 8)))
        else:
            image = picture(chance, mode)
        strips = {"strip_size": chance.choice((100, 1000, 10000))} if options else {}
        return encode(image, "TIFF", **options, **strips, **orientation(chance))

    return make


def jpeg_tiff(chance: random.Random) -> bytes:
    """One strip with colours of any size, or several strips with all of the same."""
    strips = {"tiffinfo": {530: (1, 1)}, "strip_size": chance.choice((1000, 10_000))}
    chosen = chance.choice((strips, {"strip_size": 1_000_000}))
    image = picture(chance, chance.choice(("L", "RGB", "CMYK")))
    return encode(image, "TIFF", compression="jpeg", quality=chance.randint(1, 100), **chosen, **orientation(chance))


def laid_tiff(chance: random.Random) -> bytes:
    """Strips, tiles or planes in either byte order, of every colour."""
    photometric, bits, samples = chance.choice(
        ((0, 1, 1), (1, 2, 1), (0, 4, 1), (1, 8, 1), (1, 16, 1), (2, 8, 3), (2, 16, 3), (2, 8, 4), (3, 4, 1), (5, 8, 4))
    )
    big_endian, tiled = chance.random() < 0.5, chance.random() < 0.5
    compressed = chance.random() < 0.5
    planar = samples == 3 and bits == 8 and chance.random() < 0.4
    predictor = compressed and bits >= 8 and chance.random() < 0.5
    values = pixels(chance, samples, bits)
    height, width = values.shape[:2]
    side = (16, 32) if tiled else (width, chance.randint(1, height))
    named = {"tile_width": side[0], "tile_height": side[1]} if tiled else {"rows": side[1]}
    named |= {"planar": 2 if planar else 1, "compression": 8 if compressed else 1}
    named |= {"predictor": 2} if predictor else {}
    chunks = []
    for plane in np.split(values, samples, axis=2) if planar else [values]:
        for y in range(0, height, side[1]):
            for x in range(0, width, side[0]):
                part = plane[y : y + side[1], x : x + side[0]]
                if tiled:
                    missing = [(0, side[1] - part.shape[0]), (0, side[0] - part.shape[1]), (0, 0)]
                    part = np.pad(part, missing)
                if predictor:
                    part = np.diff(part, axis=1, prepend=part[:, :1] * 0)
                rows = packed(part.reshape(len(part), -1), bits)
                if bits == 16 and not big_endian:
                    rows = [np.frombuffer(row, ">u2").astype("<u2").tobytes() for row in rows]
                chunks.append(zlib.compress(b"".join(rows)) if compressed else b"".join(rows))
    fields = tags((width, height), bits, samples, photometric, **named)
    if photometric == 3:
        fields[320] = (3, [chance.randrange(1 << 16) for _ in range(3 << bits)])
    return tiff(fields, chunks, big_endian, tiled)


def saved(file_format: str, *modes: str, **options: object) -> Callable[[random.Random], bytes]:
    """As Pillow writes it."""
    return lambda chance: encode(picture(chance, chance.choice(modes)), file_format, **options)


def ico(chance: random.Random) -> bytes:
    """Several images, as PNG or as bitmaps with a mask."""
    sides = chance.sample(range(1, 60), chance.randint(1, 4))
    image = picture(chance, chance.choice(("1", "L", "P", "RGB", "RGBA"))).resize((64, 64))
    chosen = {"bitmap_format": chance.choice(("bmp", "png")), "sizes": [(side, side) for side in sides]}
    return encode(image, "ICO", **chosen)


def pnm(chance: random.Random) -> bytes:
    """Text or bytes, of any largest value, with comments."""
    kind = chance.randint(1, 6)
    samples = 3 if kind in (3, 6) else 1
    largest = 1 if kind in (1, 4) else chance.choice((1, 7, 100, 255, 256, 1000, 65535))
    values = (pixels(chance, samples, 16).astype(np.uint32) * largest // 65535).astype(np.uint16)
    height, width = values.shape[:2]
    header = f"P{kind}\n# a comment\n{width} {height}{chance.choice((' ', chr(10)))}"
    header += "" if kind in (1, 4) else f"{largest}\n"
    if kind <= 3:
        rows = ("".join(f"{value} " for value in row) for row in values.reshape(height, -1))
        return (header + "\n".join(rows)).encode()
    if kind == 4:
        return header.strip().encode() + b"\n" + b"".join(packed(values[:, :, 0], 1))
    return header.encode() + values.astype(">u2" if largest > 255 else "u1").tobytes()


def jpeg_2000(irreversible: bool) -> Callable[[random.Random], bytes]:
    """Of every mode of Pillow's, in tiles, layers, resolutions and orders of all kinds."""

    def make(chance: random.Random) -> bytes:
        image = picture(chance, chance.choice(("L", "LA", "RGB", "RGBA", "YCbCr", "I;16")))
        side = min(image.size)
        chosen = {
            "irreversible": irreversible,
            "num_resolutions": chance.randint(1, min(6, side.bit_length())),
            "progression": chance.choice(("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")),
            "codeblock_size": chance.choice(((64, 64), (4, 4), (32, 16))),
            "mct": chance.randint(0, 1),
            "signed": chance.random() < 0.2,
            "no_jp2": chance.random() < 0.3,
        }
        if side > 1 and chance.random() < 0.5:
            chosen["quality_layers"] = sorted(chance.choices((5, 10, 20, 40), k=chance.randint(1, 3)), reverse=True)
        if chance.random() < 0.4:
            chosen["tile_size"] = (chance.choice((16, 32, 64)), chance.choice((16, 32, 64)))
            # The last tile may be of one row.
            chosen["num_resolutions"] = 1
        return encode(image, "JPEG2000", **chosen)

    return make


def odd_jpeg_2000(chance: random.Random) -> bytes:
    """Channels of several sizes, palettes, CMYK, 16 bits, with and without a container."""
    image = picture(chance, "RGB")
    kind = chance.choice(("sizes", "palette", "cmyk", "deep"))
    if kind == "palette":
        indexed = image.quantize(chance.choice((2, 16, 256)))
        colors = np.array(indexed.getpalette()).reshape(-1, 3)
        stream = components([Image.fromarray(np.asarray(indexed))], [(1, 1)], image.size)
        return container(stream, image.size, 1, 8, SRGB, palette(colors))
    bands = image.convert("CMYK" if kind == "cmyk" else "RGB").split()
    samplings = [(1, 1)] * len(bands)
    if kind == "sizes":
        samplings[1:] = [(chance.randint(1, 3), chance.randint(1, 2))] * 2
        sizes = [(-(-image.width // columns), -(-image.height // rows)) for columns, rows in samplings]
        bands = [band.resize(size) for band, size in zip(bands, sizes, strict=True)]
    if kind == "deep":
        bands = [Image.fromarray(np.asarray(band).astype(np.uint16) * 257) for band in bands[: chance.choice((1, 3))]]
    stream = components(list(bands), samplings[: len(bands)], image.size)
    if chance.random() < 0.4 and kind != "cmyk":
        return stream
    space = {"cmyk": CMYK, "sizes": SYCC}.get(kind, GREY if len(bands) == 1 else SRGB)
    return container(stream, image.size, len(bands), 16 if kind == "deep" else 8, space)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
KINDS: dict[tuple[str, str], Callable[[random.Random], bytes]] = {
    **{("JPEG", f"baseline, {name}"): jpeg(subsampling=number) for name, number in SUBSAMPLINGS.items()},
    ("JPEG", "progressive"): jpeg(progressive=True),
    ("JPEG", "restart markers"): jpeg(restart_marker_blocks=1),
    ("JPEG", "grey"): jpeg("L"),
    ("JPEG", "CMYK"): jpeg("CMYK"),
    ("JPEG", "YCCK"): ycck,
    ("JPEG", "with a colour profile"): jpeg(icc_profile=PROFILE, comment=b"a comment"),
    ("PNG", "grey, 1 to 8 bits, with and without tRNS"): png((0,), (1, 2, 4, 8)),
    ("PNG", "palette, 1 to 8 bits, with and without tRNS"): png((3,), (1, 2, 4, 8)),
    ("PNG", "RGB, grey with alpha, RGBA"): png((2, 4, 6), (8,)),
    ("PNG", "16 bits, every colour type"): png((0, 2, 4, 6), (16,)),
    ("PNG", "interlaced, 1 to 8 bits"): png((0, 3), (1, 2, 4, 8), interlaced=True),
    ("PNG", "interlaced, 8 and 16 bits"): png((0, 2, 4, 6), (8, 16), interlaced=True),
    ("WebP", "lossy"): webp("RGB"),
    ("WebP", "lossy with alpha"): webp("RGBA"),
    ("WebP", "lossless, with and without alpha"): webp("RGBA", lossless=True),
    ("WebP", "animated"): webp("RGBA", animated=True),
    ("AVIF", "8 bits, every subsampling and range"): avif("L", "RGB"),
    ("AVIF", "with alpha, also multiplied"): avif("RGBA"),
    ("AVIF", "sequences"): avif("L", "RGB", "RGBA", save_all=True),
    ("GIF", "plain, interlaced, transparent, animated"): gif,
    ("GIF", "a frame beside or beyond its screen"): laid_gif,
    ("GIF", "palettes of screen and frame, or none"): local_gif,
    ("BMP", "palette, 1, 4 and 8 bits"): indexed_bmp,
    ("BMP", "run lengths"): packed_bmp,
    ("BMP", "16, 24 and 32 bits, with and without masks"): deep_bmp,
    ("TIFF", "uncompressed, every mode of Pillow's"): saved_tiff(
        "1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"
    ),
    ("TIFF", "LZW"): saved_tiff("L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", compression="tiff_lzw"),
    ("TIFF", "Deflate"): saved_tiff("1", "L", "RGB", "RGBA", "CMYK", compression="tiff_adobe_deflate"),
    ("TIFF", "LZMA"): saved_tiff("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", compression="lzma"),
    ("TIFF", "PackBits"): saved_tiff("1", "L", "P", "RGB", "RGBA", compression="packbits"),
    ("TIFF", "JPEG"): jpeg_tiff,
    ("TIFF", "fax, group 4"): saved_tiff("1", compression="group4"),
    ("TIFF", "strips, tiles, planes, both byte orders"): laid_tiff,
    ("DIB", "every mode of Pillow's"): saved("DIB", "1", "L", "P", "RGB", "RGBA"),
    ("ICO", "bitmaps with masks, PNG, several sizes"): ico,
    ("JPEG 2000", "without loss, every mode of Pillow's"): jpeg_2000(irreversible=False),
    ("JPEG 2000", "with loss, every mode of Pillow's"): jpeg_2000(irreversible=True),
    ("JPEG 2000", "channels of several sizes, palettes, CMYK, 16 bits"): odd_jpeg_2000,
    ("PNM", "P1 to P6, every largest value"): pnm,
    ("PNM", "floating point"): saved("PPM", "F"),
    ("QOI", "with and without alpha"): saved("QOI", "RGB", "RGBA"),
}
