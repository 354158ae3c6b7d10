"""Writes `tests/golden/orientation.json`: small images that say in many ways which way is up, and what Pillow does.

    python scripts/orientation_cases.py

Each case has the file (base64), and the size and the SHA-256 of the RGB pixels that Pillow gives, plain and after
`ImageOps.exif_transpose`. Where Pillow reads the image, but fails at its metadata, `upright` is the plain image.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
from make_odd_images import png_chunk
from PIL import Image, ImageOps

ORIENTATION = 0x0112
XMP_TAG = 700
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD = range(1, 14)
LONG8 = 16
FORMATS = {
    BYTE: "B",
    SHORT: "H",
    LONG: "I",
    RATIONAL: "II",
    SBYTE: "b",
    UNDEFINED: "B",
    SSHORT: "h",
    SLONG: "i",
    SRATIONAL: "ii",
    FLOAT: "f",
    DOUBLE: "d",
    IFD: "I",
    LONG8: "Q",
}
Entry = tuple[int, int, int, bytes]


def picture() -> Image.Image:
    """Every pixel another colour, and more columns than rows."""
    pixels = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(3, 5, 3) * 5
    return Image.fromarray(pixels)


def entry(kind: int, *numbers: float, order: str, count: int | None = None, tag: int = ORIENTATION) -> Entry:
    """A tag of one number or more, in this byte order."""
    values = struct.pack(order + FORMATS[kind] * (len(numbers) // len(FORMATS[kind])), *numbers)
    return tag, kind, len(numbers) // len(FORMATS[kind]) if count is None else count, values


def exif(*entries: Entry, order: str = "<", magic: bytes | None = None) -> bytes:
    """EXIF data of these tags, in this order."""
    head = (magic or (b"II*\0" if order == "<" else b"MM\0*")) + struct.pack(order + "I", 8)
    place = 8 + 2 + 12 * len(entries) + 4
    directory, elsewhere = struct.pack(order + "H", len(entries)), b""
    for tag, kind, count, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, count)
        if len(value) > 4:
            directory += struct.pack(order + "I", place + len(elsewhere))
            elsewhere += value
        else:
            directory += value.ljust(4, b"\0")
    return head + directory + bytes(4) + elsewhere


def turned(orientation: int) -> bytes:
    return exif(entry(SHORT, orientation, order="<"))


def tag_cases() -> dict[str, bytes]:
    """The tag in every type, count and byte order."""
    cases = {}
    for order, name in (("<", "little"), (">", "big")):
        for value in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 6 + 256):
            cases[f"short_{value}_{name}"] = exif(entry(SHORT, value, order=order), order=order)
        for kind in (BYTE, LONG, SBYTE, UNDEFINED, SSHORT, SLONG, FLOAT, DOUBLE, IFD, LONG8):
            cases[f"type_{kind}_{name}"] = exif(entry(kind, 6, order=order), order=order)
        for kind in (RATIONAL, SRATIONAL):
            for above, below in ((6, 1), (12, 2), (13, 2), (6, 0), (0, 6)):
                cases[f"type_{kind}_{above}_{below}_{name}"] = exif(entry(kind, above, below, order=order), order=order)
        cases[f"negative_rational_{name}"] = exif(entry(SRATIONAL, -6, -1, order=order), order=order)
        for kind in (SBYTE, SSHORT, SLONG):
            cases[f"negative_{kind}_{name}"] = exif(entry(kind, -6, order=order), order=order)
        cases[f"fraction_{name}"] = exif(entry(FLOAT, 6.5, order=order), order=order)
        for kind in (SHORT, LONG, FLOAT):
            for numbers in ((6, 3), (1, 6), (6, 3, 8), (9, 6)):
                label = "_".join(map(str, numbers))
                cases[f"several_{kind}_{label}_{name}"] = exif(entry(kind, *numbers, order=order), order=order)
        for kind in (BYTE, UNDEFINED):
            cases[f"several_{kind}_{name}"] = exif(entry(kind, 6, 0, order=order), order=order)
        cases[f"text_{name}"] = exif((ORIENTATION, ASCII, 2, b"6\0"), order=order)
        cases[f"no_numbers_{name}"] = exif(entry(SHORT, 6, order=order, count=0), order=order)
        cases[f"unknown_type_{name}"] = exif((ORIENTATION, 14, 1, b"\6\0\6\0"), order=order)
        cases[f"twice_{name}"] = exif(entry(SHORT, 6, order=order), entry(SHORT, 3, order=order), order=order)
        cases[f"empty_then_6_{name}"] = exif(
            entry(SHORT, 3, order=order, count=0), entry(SHORT, 6, order=order), order=order
        )
        far = (0x010E, ASCII, 30, struct.pack(order + "I", 60))
        huge = (0x010E, ASCII, 10**6, struct.pack(order + "I", 8))
        cases[f"after_a_value_beyond_the_end_{name}"] = exif(far, entry(SHORT, 6, order=order), order=order)
        cases[f"after_a_value_larger_than_all_{name}"] = exif(huge, entry(SHORT, 6, order=order), order=order)
        whole = exif(entry(SHORT, 6, order=order), order=order)
        cases[f"cut_{name}"] = whole[:-4]
        cases[f"cut_in_the_tag_{name}"] = whole[:-6]
        cases[f"other_tag_{name}"] = exif(entry(SHORT, 6, order=order, tag=0x0113), order=order)
    cases["swapped_little"] = exif(entry(SHORT, 6, order="<"), magic=b"II\0*")
    cases["swapped_big"] = exif(entry(SHORT, 6, order=">"), order=">", magic=b"MM*\0")
    cases["big_tiff_number"] = exif(entry(SHORT, 6, order=">"), order=">", magic=b"MM\0+")
    cases["no_tiff"] = b"nothing of the kind"
    cases["empty"] = b""
    return cases


def xmp_cases() -> dict[str, bytes]:
    return {
        "attribute": b'<x tiff:Orientation="6"/>',
        "element": b"<x><tiff:Orientation>8</tiff:Orientation></x>",
        "single_quotes": b"<x tiff:Orientation='6'/>",
        "blanks": b'<x tiff:Orientation = "6"/>',
        "two_digits": b'<x tiff:Orientation="63"/>',
        "zero": b'<x tiff:Orientation="0"/>',
        "nine": b'<x tiff:Orientation="9"/>',
        "no_digit": b'<x tiff:Orientation=""/><x tiff:Orientation="3"/>',
        "first_counts": b'<x tiff:Orientation="3"/><x tiff:Orientation="6"/>',
        "other_prefix": b'<x exif:Orientation="6"/>',
        "not_utf8": b'\xff\xfe<x tiff:Orientation="6"/>',
        "empty": b"",
    }


def jpeg(*segments: bytes, extra: bytes = b"") -> bytes:
    """The picture with APP1 segments of this content."""
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", quality=95, subsampling=0)
    data = buffer.getvalue()
    packed = b"".join(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    return data[:20] + extra + packed + data[20:]


def xmp_segment(xmp: bytes) -> bytes:
    return b"http://ns.adobe.com/xap/1.0/\0" + xmp


def png(*before: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG")
    data = buffer.getvalue()
    pixels = data.index(b"IDAT") - 4
    return data[:pixels] + b"".join(before) + data[pixels:-12] + b"".join(after) + data[-12:]


def text(keyword: bytes, content: bytes) -> bytes:
    return png_chunk(b"tEXt", keyword + b"\0" + content)


def compressed(keyword: bytes, content: bytes, damage: bool = False, cut: int = 0) -> bytes:
    packed = bytearray(zlib.compress(content))
    if damage:
        packed[2] ^= 0xFF
    return png_chunk(b"zTXt", keyword + b"\0\0" + bytes(packed[: len(packed) - cut]))


def international(
    keyword: bytes, content: bytes, packed: bool = False, method: int = 0, fields: bytes = b"\0\0"
) -> bytes:
    content = zlib.compress(content) if packed else content
    return png_chunk(b"iTXt", keyword + bytes([0, packed, method]) + fields + content)


def profile(data: bytes) -> bytes:
    """As ImageMagick writes EXIF data into text: lines of 72 hexadecimal digits."""
    digits = data.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return f"\nexif\n{len(data):8}\n{chr(10).join(lines)}\n".encode()


def webp(flags: int | None, *chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, "WEBP", lossless=True)
    pixels = buffer.getvalue()[12:]
    head = b""
    if flags is not None:
        width, height = picture().size
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        head = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size
    tail = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    body = b"WEBP" + head + pixels + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(*entries: Entry, order: str = "<", magic: bytes | None = None, packed: bool = False) -> bytes:
    """The picture with these tags beside those it needs; Deflate, or no compression."""
    image = picture()
    data = zlib.compress(image.tobytes()) if packed else image.tobytes()
    numbers = {
        256: image.width,
        257: image.height,
        259: 8 if packed else 1,
        262: 2,
        277: 3,
        278: image.height,
        279: len(data),
    }
    tags = [entry(SHORT, value, order=order, tag=tag) for tag, value in numbers.items()]
    tags.append(entry(SHORT, 8, 8, 8, order=order, tag=258))

    def complete(place: int) -> bytes:
        everything = [*tags, entry(LONG, place, order=order, tag=273), *entries]
        # The order of equal tags stays.
        return exif(*sorted(everything, key=lambda item: item[0]), order=order, magic=magic)

    return complete(len(complete(0))) + data


def mpo() -> bytes:
    """Two images in one file, of which the first is turned."""
    buffer = io.BytesIO()
    first, second = picture(), picture().rotate(180)
    tags = Image.Exif()
    tags[ORIENTATION] = 6
    first.save(buffer, "MPO", save_all=True, append_images=[second], exif=tags)
    return buffer.getvalue()


def apng(after: bytes) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG", save_all=True, append_images=[picture().rotate(180)])
    data = buffer.getvalue()
    at = data.index(b"fcTL", data.index(b"IDAT")) - 4
    return data[:at] + after + data[at:]


def jpeg_cases(exifs: dict[str, bytes], xmps: dict[str, bytes]) -> dict[str, bytes]:
    six, xmp = b"Exif\0\0" + turned(6), xmp_segment(b'<x tiff:Orientation="3"/>')
    middle = len(six) // 2
    return (
        {f"jpeg/exif/{name}": jpeg(b"Exif\0\0" + data) for name, data in exifs.items()}
        | {
            f"jpeg/exif_and_xmp/{name}": jpeg(b"Exif\0\0" + data, xmp)
            for name, data in exifs.items()
            # At which Pillow fails, where its XMP can still be read.
            if name != "no_tiff"
        }
        | {f"jpeg/xmp/{name}": jpeg(xmp_segment(data)) for name, data in xmps.items()}
        | {
            "jpeg/exif_in_two_segments": jpeg(six[:middle], b"Exif\0\0" + six[middle:]),
            "jpeg/exif_twice": jpeg(six, b"Exif\0\0" + turned(3)),
            "jpeg/name_twice": jpeg(b"Exif\0\0" + six),
            "jpeg/name_three_times": jpeg(b"Exif\0\0Exif\0\0" + six),
            "jpeg/xmp_twice": jpeg(xmp_segment(b'<x tiff:Orientation="6"/>'), xmp),
            "jpeg/xmp_then_none": jpeg(xmp, xmp_segment(b"<x/>")),
            "jpeg/xmp_first": jpeg(xmp, six),
            "jpeg/extended_xmp": jpeg(b'http://ns.adobe.com/xmp/extension/\0<x tiff:Orientation="6"/>'),
            "jpeg/stray_bytes_before": jpeg(six, extra=b"\0\0\1\2"),
            "jpeg/padded_marker": jpeg(six, extra=b"\xff\xff\xff"),
            "jpeg/short_name": jpeg(b"Exif\0" + turned(6)),
            "jpeg/mpo": mpo(),
        }
    )


def png_cases(exifs: dict[str, bytes], xmps: dict[str, bytes]) -> dict[str, bytes]:
    keyword, xmp_keyword = b"Raw profile type exif", b"XML:com.adobe.xmp"
    six, xmp = turned(6), b'<x tiff:Orientation="3"/>'
    exif_chunk = png_chunk(b"eXIf", six)
    cases = {f"png/exif/{name}": png(png_chunk(b"eXIf", data)) for name, data in exifs.items()}
    for kind, write in (("text", text), ("compressed", compressed), ("international", international)):
        cases |= {
            f"png/{kind}/profile": png(write(keyword, profile(six))),
            f"png/{kind}/profile_with_name": png(write(keyword, profile(b"Exif\0\0" + six))),
            f"png/{kind}/profile_behind_pixels": png(after=(write(keyword, profile(six)),)),
            f"png/{kind}/profile_and_exif": png(write(keyword, profile(six)), png_chunk(b"eXIf", turned(3))),
            f"png/{kind}/profile_and_xmp": png(write(keyword, profile(six)), text(xmp_keyword, xmp)),
            f"png/{kind}/profile_twice": png(write(keyword, profile(turned(3))), write(keyword, profile(six))),
            f"png/{kind}/profile_without_tag": png(
                write(keyword, profile(exif())), international(xmp_keyword, b'<x tiff:Orientation="6"/>')
            ),
            f"png/{kind}/other_keyword": png(write(b"Raw profile type APP1", profile(six))),
            f"png/{kind}/keyword_exif": png(write(b"exif", six)),
            f"png/{kind}/xmp_profile": png(write(b"Raw profile type xmp", profile(xmp))),
        }
        cases |= {f"png/{kind}/xmp/{name}": png(write(xmp_keyword, data)) for name, data in xmps.items()}
    return cases | {
        "png/exif_behind_pixels": png(after=(exif_chunk,)),
        "png/exif_twice": png(png_chunk(b"eXIf", turned(3)), exif_chunk),
        "png/exif_with_name": png(png_chunk(b"eXIf", b"Exif\0\0" + six)),
        "png/exif_and_xmp": png(exif_chunk, international(xmp_keyword, xmp)),
        "png/empty_exif_and_profile": png(png_chunk(b"eXIf", b""), text(keyword, profile(six))),
        "png/behind_the_end": png() + exif_chunk,
        "png/behind_the_first_frame": apng(exif_chunk),
        "png/profile_upper_case": png(text(keyword, profile(six).upper())),
        "png/profile_with_blanks": png(text(keyword, profile(six).replace(b"00", b"00 \t\r"))),
        "png/profile_with_split_digits": png(text(keyword, profile(six).replace(b"00", b"0 0"))),
        "png/profile_with_odd_digits": png(text(keyword, profile(six)[:-2] + b"\n")),
        "png/profile_no_digits": png(text(keyword, profile(six) + b"xy")),
        "png/profile_one_line": png(text(keyword, b"exif " + six.hex().encode())),
        "png/profile_windows_lines": png(text(keyword, profile(six).replace(b"\n", b"\r\n"))),
        "png/profile_cut": png(compressed(keyword, profile(six), cut=4)),
        "png/profile_broken": png(compressed(keyword, profile(six), damage=True)),
        "png/profile_then_broken": png(text(keyword, profile(six)), compressed(keyword, profile(six), damage=True)),
        "png/xmp_packed": png(international(xmp_keyword, xmp, packed=True)),
        "png/xmp_unknown_packing": png(international(xmp_keyword, xmp, packed=True, method=1)),
        "png/xmp_with_language": png(international(xmp_keyword, xmp, fields=b"de\0\xc3\xbc\0")),
        "png/xmp_broken_language": png(international(xmp_keyword, xmp, fields=b"\xff\0\0")),
        "png/profile_broken_language": png(international(keyword, profile(six), fields=b"\0\xff\0")),
        "png/xmp_text_and_odd": png(
            international(xmp_keyword, b'\xff<x tiff:Orientation="6"/>'), text(xmp_keyword, xmp)
        ),
        "png/xmp_empty_text_and_odd": png(
            international(xmp_keyword, b'\xff<x tiff:Orientation="6"/>'), text(xmp_keyword, b"")
        ),
        "png/xmp_twice": png(text(xmp_keyword, b'<x tiff:Orientation="6"/>'), text(xmp_keyword, xmp)),
    }


def webp_cases() -> dict[str, bytes]:
    six, xmp = turned(6), b'<x tiff:Orientation="3"/>'
    return {
        "webp/exif": webp(8, (b"EXIF", six)),
        "webp/exif_with_name": webp(8, (b"EXIF", b"Exif\0\0" + six)),
        "webp/exif_not_announced": webp(0, (b"EXIF", six)),
        "webp/exif_twice": webp(8, (b"EXIF", six), (b"EXIF", turned(3))),
        "webp/xmp": webp(4, (b"XMP ", xmp)),
        "webp/xmp_not_announced": webp(0, (b"XMP ", xmp)),
        "webp/both": webp(12, (b"EXIF", six), (b"XMP ", xmp)),
        "webp/exif_without_tag": webp(12, (b"EXIF", exif()), (b"XMP ", xmp)),
        "webp/byte": webp(8, (b"EXIF", exif(entry(BYTE, 6, order="<")))),
        "webp/plain_with_chunk": webp(None, (b"EXIF", six)),
    }


def tiff_cases(xmps: dict[str, bytes]) -> dict[str, bytes]:
    cases = {"tiff/none": tiff(), "tiff/twice": tiff(entry(SHORT, 6, order="<"), entry(SHORT, 3, order="<"))}
    for packed in (False, True):
        kind = "packed" if packed else "raw"
        for order, name in (("<", "little"), (">", "big")):
            place = f"tiff/{kind}/{name}"
            xmp = (XMP_TAG, BYTE, 25, b'<x tiff:Orientation="3"/>')
            for value in range(10):
                tag = entry(SHORT, value, order=order)
                cases[f"{place}/{value}"] = tiff(tag, order=order, packed=packed)
                cases[f"{place}/{value}_and_xmp"] = tiff(tag, xmp, order=order, packed=packed)
            for number_kind in (BYTE, LONG, SBYTE, SSHORT, SLONG, FLOAT, DOUBLE, UNDEFINED):
                tag = entry(number_kind, 6, order=order)
                cases[f"{place}/type_{number_kind}"] = tiff(tag, order=order, packed=packed)
                cases[f"{place}/type_{number_kind}_and_xmp"] = tiff(tag, xmp, order=order, packed=packed)
        for xmp_kind in (BYTE, UNDEFINED):
            for name, data in xmps.items():
                tag = (XMP_TAG, xmp_kind, len(data), data)
                cases[f"tiff/{kind}/xmp_{xmp_kind}/{name}"] = tiff(tag, packed=packed)
    for order, magic in (("<", b"II\0*"), (">", b"MM*\0")):
        cases[f"tiff/swapped_{order}"] = tiff(entry(SHORT, 6, order=order), order=order, magic=magic)
    return cases


def describe(image: Image.Image) -> dict[str, object]:
    pixels = image.convert("RGB")
    return {"width": pixels.width, "height": pixels.height, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}


def answer(data: bytes) -> dict[str, object] | None:
    """What Pillow makes of a file; nothing where it refuses the whole of it."""
    try:
        plain = describe(Image.open(io.BytesIO(data)))
    except Exception:  # As below.
        return None
    case: dict[str, object] = {"file": base64.b64encode(data).decode(), "plain": plain, "upright": plain}
    try:
        case["upright"] = describe(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    except Exception as error:  # Whatever it is: Pillow lets many kinds through.
        case["pillow"] = f"{type(error).__name__}: {error}"
    return case


def main() -> None:
    exifs, xmps = tag_cases(), xmp_cases()
    files = jpeg_cases(exifs, xmps) | png_cases(exifs, xmps) | webp_cases() | tiff_cases(xmps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = {name: answer(data) for name, data in files.items()}
    cases = {name: case for name, case in answers.items() if case}
    print("refused by Pillow:", sorted(answers.keys() - cases.keys()))
    turned_cases = sum(case["plain"] != case["upright"] for case in cases.values())
    path = Path(__file__).parents[1] / "tests/golden/orientation.json"
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    path.write_text(f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": {{\n{lines}\n  }}\n}}\n')
    print(f"{path}: {len(cases)} cases, {turned_cases} turned")


if __name__ == "__main__":
    main()
