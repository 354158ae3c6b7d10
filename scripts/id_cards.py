"""Draws synthetic identity cards, genuine and forged, with Pillow.

`draw_card(kind, rng)` gives one 600x375 RGB image. Everything random comes from the generator passed in, so a seed
always gives the same card. Genuine cards vary in layout, colours, typeface, portrait, lighting and noise; a forger's
work is then a difference *within* a card: one field set unlike the others, or a photo that does not sit in its place.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from portraits import draw_portrait

CARD_SIZE = (600, 375)

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]

FONT_ROOT = Path("/usr/share/fonts/truetype")
# family: (package, style, regular, bold); the style tells which families look alike.
FONTS = {
    "dejavu-sans": ("fonts-dejavu-core", "sans", "dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf"),
    "dejavu-serif": ("fonts-dejavu-core", "serif", "dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSerif-Bold.ttf"),
    "dejavu-mono": ("fonts-dejavu-core", "mono", "dejavu/DejaVuSansMono.ttf", "dejavu/DejaVuSansMono-Bold.ttf"),
    "liberation-sans": (
        "fonts-liberation",
        "sans",
        "liberation/LiberationSans-Regular.ttf",
        "liberation/LiberationSans-Bold.ttf",
    ),
    "liberation-serif": (
        "fonts-liberation",
        "serif",
        "liberation/LiberationSerif-Regular.ttf",
        "liberation/LiberationSerif-Bold.ttf",
    ),
    "liberation-mono": (
        "fonts-liberation",
        "mono",
        "liberation/LiberationMono-Regular.ttf",
        "liberation/LiberationMono-Bold.ttf",
    ),
}
CARD_FAMILIES = ("dejavu-sans", "dejavu-serif", "liberation-sans", "liberation-serif")

STATES = ("NORVANIA", "EAST CALDERA", "SOLVENMARK", "TIRRENIA", "VELMORA", "OSTREGARD", "KALINOVA", "LUMERIA")
GIVEN = ("ALMA", "BORIS", "CELIA", "DARIO", "ELENA", "FARID", "GRETA", "HUGO", "INES", "JONAS", "KIRA", "LEO", "MAYA")
FAMILY = ("ANDRADE", "BERGER", "COSTA", "DUVAL", "ERIKSEN", "FARKAS", "GRUBER", "HOLM", "IVANOV", "JANSEN", "KOVACS")
PLACES = ("PORT ELIN", "GRANDVAL", "MIRABEL", "NORTHWICK", "SAN TELO", "ALTMARK", "RIVA", "KESTREL BAY")


class MissingFontError(RuntimeError):
    """A typeface the cards are set in is not installed."""


@cache
def font(family: str, bold: bool, size: int) -> ImageFont.FreeTypeFont:
    """Loads a typeface at a size in pixels."""
    package, _, regular_file, bold_file = FONTS[family]
    path = FONT_ROOT / (bold_file if bold else regular_file)
    try:
        return ImageFont.truetype(str(path), size)
    except OSError as error:
        raise MissingFontError(
            f"{path}: {error}; the cards need the Debian packages fonts-dejavu-core and fonts-liberation "
            f"(this file is in {package}): apt-get install fonts-dejavu-core fonts-liberation"
        ) from error


@dataclass(frozen=True)
class Lettering:
    """How a field is set."""

    family: str
    bold: bool
    size: int
    ink: Color
    spacing: float = 0.0
    baseline: float = 0.0


@dataclass(frozen=True)
class Style:
    """What all cards of one issuer share: paper, print and layout."""

    paper: tuple[Color, Color]
    accent: Color
    photo: Box
    text_left: int
    first_line: int
    line_height: int
    has_zone: bool
    frame: Color | None
    value: Lettering
    label: Lettering


def shade(color: Color, factor: float) -> Color:
    """Multiplies a colour, clipped to 0..255."""
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in color)
    return red, green, blue


def hue_color(rng: random.Random, saturation: tuple[float, float], value: tuple[float, float]) -> Color:
    """A random hue within ranges of saturation and value."""
    hsv = (rng.randrange(256), round(255 * rng.uniform(*saturation)), round(255 * rng.uniform(*value)))
    return Image.new("HSV", (1, 1), hsv).convert("RGB").getpixel((0, 0))


def draw_style(rng: random.Random) -> Style:
    """Draws an issuer's style."""
    photo_width = rng.randint(138, 160)
    photo_height = round(photo_width * rng.uniform(1.2, 1.32))
    on_right = rng.random() < 0.35
    left = 600 - photo_width - rng.randint(26, 38) if on_right else rng.randint(26, 38)
    top = rng.randint(82, 96)
    ink = hue_color(rng, (0.2, 0.7), (0.1, 0.28))
    family = rng.choice(CARD_FAMILIES)
    has_zone = rng.random() < 0.5
    return Style(
        paper=(hue_color(rng, (0.05, 0.28), (0.82, 0.98)), hue_color(rng, (0.05, 0.28), (0.82, 0.98))),
        accent=hue_color(rng, (0.45, 0.9), (0.3, 0.65)),
        photo=(left, top, left + photo_width, top + photo_height),
        text_left=rng.randint(30, 44) if on_right else left + photo_width + rng.randint(24, 36),
        first_line=rng.randint(78, 88),
        line_height=rng.randint(37, 40) if has_zone else rng.randint(41, 46),
        has_zone=has_zone,
        frame=rng.choice((None, (255, 255, 255), (60, 60, 66))),
        value=Lettering(family, rng.random() < 0.4, rng.randint(18, 21), ink),
        label=Lettering(family, False, rng.randint(10, 12), shade(ink, 1.9)),
    )


def draw_text(draw: ImageDraw.ImageDraw, x: float, baseline: float, text: str, lettering: Lettering) -> float:
    """Sets a line on its baseline; returns where it ends."""
    face = font(lettering.family, lettering.bold, lettering.size)
    y = baseline + lettering.baseline
    if not lettering.spacing:
        draw.text((x, y), text, lettering.ink, face, anchor="ls")
        return x + face.getlength(text)
    for letter in text:
        draw.text((x, y), letter, lettering.ink, face, anchor="ls")
        x += face.getlength(letter) + lettering.spacing
    return x


def draw_paper(style: Style, rng: random.Random) -> Image.Image:
    """The card's stock: a colour gradient under a guilloche of interlaced curves, an emblem and a header band."""
    width, height = CARD_SIZE
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(CARD_SIZE)
    card = Image.composite(
        Image.new("RGB", CARD_SIZE, style.paper[0]), Image.new("RGB", CARD_SIZE, style.paper[1]), ramp
    )
    draw = ImageDraw.Draw(card)

    line = shade(style.paper[0], rng.uniform(0.8, 0.9))
    amplitude, waves, phase = rng.uniform(15, 50), rng.uniform(1.0, 4.0), rng.uniform(0, math.tau)
    xs = range(0, width + 12, 12)
    for strand in range(rng.randint(12, 26)):
        shift = phase + strand * rng.uniform(0.18, 0.26)
        middle = 70 + strand * (height - 70) / 20
        draw.line([(x, middle + amplitude * math.sin(math.tau * waves * x / width + shift)) for x in xs], line, 1)
    cx, cy, radius = rng.randint(330, 520), rng.randint(150, 300), rng.uniform(40, 80)
    petals, depth = rng.randint(5, 14), rng.uniform(0.15, 0.45)
    for ring in range(5):
        scale = radius * (1 - ring * 0.14)
        turns = [math.tau * step / 180 for step in range(181)]
        radii = [scale * (1 + depth * math.sin(petals * turn + ring)) for turn in turns]
        draw.line([(cx + r * math.cos(t), cy + r * math.sin(t)) for r, t in zip(radii, turns, strict=True)], line, 1)

    draw.rectangle((0, 0, width, rng.randint(50, 60)), style.accent)
    light = shade(style.paper[1], 1.1)
    draw_text(draw, 70, 28, f"REPUBLIC OF {rng.choice(STATES)}", Lettering(style.value.family, True, 20, light))
    draw_text(draw, 70, 46, "IDENTITY CARD", Lettering(style.value.family, False, 13, light))
    draw.ellipse((18, 8, 56, 46), shade(style.accent, 1.5))
    points = [
        (37 + r * math.sin(k * math.pi / 5), 27 - r * math.cos(k * math.pi / 5)) for k, r in enumerate([15, 6] * 5)
    ]
    draw.polygon(points, light)
    return card


def draw_photo(card: Image.Image, style: Style, rng: random.Random) -> None:
    """Prints a portrait into the card's photo box."""
    left, top, right, bottom = style.photo
    if style.frame:
        ImageDraw.Draw(card).rectangle((left - 3, top - 3, right + 2, bottom + 2), style.frame)
    card.paste(draw_portrait((right - left, bottom - top), rng), (left, top))


def field_values(rng: random.Random) -> list[tuple[str, str]]:
    """Labels and values of one holder."""
    birth, expiry = (f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}." for _ in range(2))
    return [
        ("SURNAME", rng.choice(FAMILY)),
        ("GIVEN NAMES", " ".join(rng.sample(GIVEN, rng.randint(1, 2)))),
        ("DATE OF BIRTH", f"{birth}{rng.randint(1945, 2005)}"),
        ("PLACE OF BIRTH", rng.choice(PLACES)),
        ("DOCUMENT NO", f"{rng.choice('ABCDEFGHKLMNPRTX')}{rng.randint(10**7, 10**8 - 1)}"),
        ("EXPIRES", f"{expiry}{rng.randint(2026, 2036)}"),
    ]


def draw_fields(card: Image.Image, style: Style, forged: dict[int, Lettering], rng: random.Random) -> None:
    """Prints the holder's fields, and the machine-readable zone where the style has one."""
    draw = ImageDraw.Draw(card)
    fields = field_values(rng)
    for index, (label, value) in enumerate(fields):
        baseline = style.first_line + style.line_height * index
        draw_text(draw, style.text_left, baseline, label, style.label)
        draw_text(draw, style.text_left, baseline + 20, value, forged.get(index, style.value))
    if style.has_zone:
        zone = Lettering("dejavu-mono", False, 17, style.value.ink)
        names = f"{fields[0][1]}<<{fields[1][1].replace(' ', '<')}"
        for row, text in enumerate((f"ID{fields[4][1]}<{fields[2][1].replace('.', '')}", names)):
            draw_text(draw, 30, 340 + 22 * row, f"{text:<<52}", zone)
    else:
        left, _, right, bottom = style.photo
        xs = np.linspace(left + 10, right - 10, 40)
        first, second = rng.uniform(3, 6), rng.uniform(8, 13)
        ys = bottom + 32 + 8 * np.sin(first * xs / 20) * np.cos(second * xs / 40)
        draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), style.value.ink, 2)


def forge_letterings(genuine: Lettering, rng: random.Random) -> dict[int, Lettering]:
    """Some fields set over with what the forger had: one wrong typeface in another ink, and no eye for the setting."""
    style = FONTS[genuine.family][1]
    family = rng.choice([name for name, entry in FONTS.items() if entry[1] != style])
    ink = hue_color(rng, (0.0, 0.8), (0.02, 0.4))
    bold = rng.random() < 0.5
    scale = rng.choice((rng.uniform(0.62, 0.78), rng.uniform(1.25, 1.45))) if bold == genuine.bold else 1.0
    forged = {}
    for field in rng.sample(range(6), rng.choice((1, 2, 3, 3, 4))):
        changes = rng.choice((("spacing",), ("baseline",), ("spacing", "baseline")))
        spacing = rng.choice((rng.uniform(3.5, 7.0), rng.uniform(-3.5, -2.5))) if "spacing" in changes else 0.0
        baseline = rng.choice((-1, 1)) * rng.uniform(5, 9) if "baseline" in changes else 0.0
        forged[field] = Lettering(family, bold, round(genuine.size * scale), ink, spacing, baseline)
    return forged


def replace_photo(card: Image.Image, style: Style, rng: random.Random) -> None:
    """Pastes a photo cut from another card over the genuine one: offset, tilted, of another tone, with a seam."""
    left, top, right, bottom = style.photo
    donor_style = draw_style(rng)
    donor = draw_paper(donor_style, rng)
    draw_photo(donor, donor_style, rng)
    # The cut takes in a strip of the donor's paper on some sides and cuts into the photo on others.
    edges = [rng.randint(-4, 9) for _ in range(4)]
    donor_left, donor_top, donor_right, donor_bottom = donor_style.photo
    cut = donor.crop((donor_left - edges[0], donor_top - edges[1], donor_right + edges[2], donor_bottom + edges[3]))
    scale = rng.uniform(0.9, 1.1)
    cut = cut.resize((round((right - left) * scale), round((bottom - top) * scale)), Image.Resampling.BICUBIC)
    cut = ImageEnhance.Brightness(cut).enhance(rng.choice((rng.uniform(0.72, 0.9), rng.uniform(1.1, 1.25))))
    cut = ImageEnhance.Color(cut).enhance(rng.uniform(0.45, 1.3))
    if rng.random() < 0.4:
        cut = cut.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 1.6)))
    angle = rng.choice((-1, 1)) * rng.uniform(0.8, 5.0)
    mask = Image.new("L", cut.size, 255).rotate(angle, Image.Resampling.BICUBIC, expand=True)
    cut = cut.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    distance, direction = rng.uniform(4, 14), rng.uniform(0, math.tau)
    x = (left + right - cut.width) / 2 + distance * math.cos(direction)
    y = (top + bottom - cut.height) / 2 + distance * math.sin(direction)
    card.paste(cut, (round(x), round(y)), mask)


def digitise(card: Image.Image, rng: random.Random, camera: bool) -> Image.Image:
    """The card as a camera or a scanner sees it: a little turned, not quite sharp; a camera's light is uneven, too.

    Noise and gradients hardly compress without loss, so a scanner (whose images become PNG) has almost none.
    """
    width, height = CARD_SIZE
    scene = card
    if rng.random() < 0.6:
        scale, angle = rng.uniform(0.93, 0.985), rng.uniform(-2.0, 2.0)
        small = card.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
        mask = Image.new("L", small.size, 255).rotate(angle, Image.Resampling.BICUBIC, expand=True)
        small = small.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        scene = Image.new("RGB", CARD_SIZE, hue_color(rng, (0.05, 0.5), (0.15, 0.7)))
        scene.paste(small, ((width - small.width) // 2, (height - small.height) // 2), mask)
    if rng.random() < 0.5:
        scene = scene.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    pixels = np.asarray(scene, dtype=np.float32)
    light = np.float32(rng.uniform(0.85, 1.1))
    if camera:
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None] * rng.uniform(-0.12, 0.12)
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None] * rng.uniform(-0.12, 0.12)
        light = light + across + down
    tint = np.array([rng.uniform(0.94, 1.06) for _ in range(3)], dtype=np.float32)
    pixels = pixels * light * tint
    noise = rng.uniform(0, 7) if camera else rng.choice((0, 0, 0, 0.6))
    if noise:
        grain = np.random.default_rng(rng.getrandbits(64)).standard_normal(pixels.shape, dtype=np.float32)
        pixels = pixels + noise * grain
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def draw_card(kind: str, rng: random.Random, camera: bool) -> Image.Image:
    """Draws one card: `kind` is `valid_id`, `font_issue` or `crop_and_replace`; seen by a camera, or by a scanner.

    The forger has a generator of its own, so that the three kinds drawn from one seed differ in the forgery alone.
    """
    forger = random.Random(rng.getrandbits(64))
    style = draw_style(rng)
    card = draw_paper(style, rng)
    draw_photo(card, style, rng)
    forged = forge_letterings(style.value, forger) if kind == "font_issue" else {}
    draw_fields(card, style, forged, rng)
    if kind == "crop_and_replace":
        replace_photo(card, style, forger)
    return digitise(card, rng, camera)
