"""Draws pictures that cost a JPEG decoder what photos cost it: colours and edges of all sizes, and grain.

ImageNet's photos have about 500 x 375 pixels and 110 KB, twice to three times the bytes of a drawn card of that size.
"""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw

# Of the mean of the files, in bytes a pixel, and how far a file is from it at most.
BYTES_A_PIXEL = 110_000 / (500 * 375)
SPREAD = 0.4
QUALITIES = range(40, 99)
# Colours change over these lengths, in pixels; the longest changes are the strongest, as in photos.
SCALES = (256, 128, 64, 32, 16, 8, 4, 2, 1)
SHAPES = 12


def draw_photo(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draws a picture of `size` pixels: clouds of colour, shapes with sharp edges over them, grain over all."""
    picture = _noise(size, SCALES[0], rng)
    for number, scale in enumerate(SCALES[1:], 2):
        picture = Image.blend(picture, _noise(size, scale, rng), 1 / (number + 1))
        if scale == SCALES[len(SCALES) // 2]:
            _shapes(picture, rng)
    bright, strong = rng.uniform(-40, 40), rng.uniform(1.2, 2.2)
    return picture.point([round(128 + bright + (value - 128) * strong) for value in range(256)] * 3)


def encode_photo(picture: Image.Image, rng: random.Random) -> bytes:
    """A JPEG with the quality that comes next to the wanted bytes. Half have their colours at half the resolution."""
    wanted = picture.width * picture.height * BYTES_A_PIXEL * rng.uniform(1 - SPREAD, 1 + SPREAD)
    subsampling = rng.choice((0, 2))

    def encode(quality: int) -> bytes:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
        return file.getvalue()

    low, high = QUALITIES[0], QUALITIES[-1]
    while low < high:
        middle = (low + high) // 2
        if len(encode(middle)) < wanted:
            low = middle + 1
        else:
            high = middle
    return encode(low)


def _noise(size: tuple[int, int], scale: int, rng: random.Random) -> Image.Image:
    """Random colours, one for `scale` x `scale` pixels, and smooth changes between them."""
    small = (size[0] // scale + 2, size[1] // scale + 2)
    dots = Image.frombytes("RGB", small, rng.randbytes(small[0] * small[1] * 3))
    return dots.resize(size, Image.Resampling.BICUBIC)


def _shapes(picture: Image.Image, rng: random.Random) -> None:
    """Draws shapes of one colour each onto a picture."""
    draw = ImageDraw.Draw(picture)
    for _ in range(SHAPES):
        x, y = rng.uniform(0, picture.width), rng.uniform(0, picture.height)
        radius, sides = rng.uniform(0.05, 0.3) * picture.height, rng.randint(3, 9)
        colour = tuple(rng.randbytes(3))
        draw.regular_polygon((x, y, radius), sides, rotation=rng.randint(0, 359), fill=colour)
