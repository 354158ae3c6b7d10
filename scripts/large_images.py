"""Writes images of many pixels and few bytes, the costliest kind of each format, for tests of what decoding takes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from odd_formats import encode
from odd_jpeg2000 import encode as encode_jpeg2000
from PIL import Image

SIZE = (1601, 1203)
RGBA, BITS = 6, 16


def png(bits: int, color_type: int, samples: int, interlace: int) -> bytes:
    """A black PNG; interlaced rows are those of the seven passes, which zeros are enough for, too."""
    width, height = SIZE
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, interlace))]
    # Each row has a byte more, for its filter; the rows of all passes are fewer than twice as many.
    length = (1 + width * samples * bits // 8) * height + interlace * 2 * height
    chunks += [(b"IDAT", zlib.compress(bytes(length), 9)), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def write_large_images(folder: Path) -> None:
    """Writes every file into `folder`, which it empties first."""
    rgb, rgba, cmyk = (Image.new(mode, SIZE, 77) for mode in ("RGB", "RGBA", "CMYK"))
    one_strip = {"strip_size": 1 << 30}
    files = {
        "rgba_16.png": png(BITS, RGBA, 4, 0),
        "rgba_16_interlaced.png": png(BITS, RGBA, 4, 1),
        "interlaced.gif": encode(rgb.convert("L"), "GIF", interlace=1),
        "deflate.tiff": encode(cmyk, "TIFF", compression="tiff_adobe_deflate", **one_strip),
        "lzma.tiff": encode(cmyk, "TIFF", compression="lzma", **one_strip),
        "progressive_cmyk.jpg": encode(cmyk, "JPEG", progressive=True, quality=50, subsampling=0),
        "lossless.webp": encode(rgba, "WEBP", lossless=True),
        "lossy_alpha.webp": encode(rgba, "WEBP", quality=1),
        "one_tile.jp2": encode_jpeg2000(rgba, irreversible=True),
        "tiles.jp2": encode_jpeg2000(rgba, tile_size=(512, 512)),
        "signed_16.j2k": encode_jpeg2000(Image.new("I;16", SIZE, 777), signed=True, no_jp2=True),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
