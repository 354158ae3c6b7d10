"""Draws portrait photos for the synthetic identity cards."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

SKIN = ((255, 224, 196), (241, 194, 160), (224, 172, 132), (198, 134, 96), (141, 85, 54), (92, 58, 40))
HAIR = ((32, 24, 20), (70, 44, 28), (120, 78, 40), (196, 160, 96), (150, 66, 34), (170, 170, 170))
EYES = ((60, 40, 30), (60, 90, 130), (70, 100, 70))
BACKDROP = ((222, 226, 230), (196, 210, 224), (232, 224, 210), (206, 206, 206), (188, 204, 196))
CLOTHES = ((36, 44, 66), (96, 30, 38), (46, 74, 56), (70, 70, 76), (150, 140, 120), (30, 30, 32), (84, 60, 104))

# Shapes are laid out on this grid, drawn at twice the asked size and reduced, which smooths their edges.
GRID = (100, 128)


def draw_portrait(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draws a head-and-shoulders portrait of `size` pixels before a plain backdrop."""
    width, height = size[0] * 2, size[1] * 2
    scale_x, scale_y = width / GRID[0], height / GRID[1]
    photo = Image.new("RGB", (width, height), rng.choice(BACKDROP))
    draw = ImageDraw.Draw(photo)
    skin, hair, eyes, clothes = rng.choice(SKIN), rng.choice(HAIR), rng.choice(EYES), rng.choice(CLOTHES)
    dark = tuple(channel * 7 // 10 for channel in skin)

    centre, eye_line = 50 + rng.uniform(-4, 4), 54 + rng.uniform(-4, 4)
    half_width, half_height = rng.uniform(17, 22), rng.uniform(24, 29)

    def box(x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
        return (x - rx) * scale_x, (y - ry) * scale_y, (x + rx) * scale_x, (y + ry) * scale_y

    def ellipse(x: float, y: float, rx: float, ry: float, fill: tuple[int, ...]) -> None:
        draw.ellipse(box(x, y, rx, ry), fill)

    long_hair, bald = rng.random() < 0.4, rng.random() < 0.12
    if long_hair and not bald:
        ellipse(centre, eye_line + 14, half_width + rng.uniform(5, 9), half_height + 12, hair)
    ellipse(centre, 132, rng.uniform(38, 46), rng.uniform(30, 36), clothes)
    draw.rectangle(box(centre, eye_line + half_height + 6, half_width * 0.5, 16), dark)
    if not bald:
        ellipse(centre, eye_line - 9, half_width + rng.uniform(1.5, 4), half_height - rng.uniform(0, 5), hair)
    ellipse(centre, eye_line + 4, half_width, half_height, skin)
    if not bald:
        parting = rng.uniform(-8, 8)
        ellipse(centre + parting, eye_line - half_height + 5, half_width * 0.9, rng.uniform(7, 11), hair)

    for side in (-1, 1):
        x = centre + side * half_width * 0.45
        ellipse(x, eye_line, 4.2, 2.4, (250, 250, 250))
        ellipse(x, eye_line, 1.9, 2.2, eyes)
        draw.line(
            ((x - 5) * scale_x, (eye_line - 6) * scale_y, (x + 5) * scale_x, (eye_line - 6.5) * scale_y),
            hair,
            round(rng.uniform(1.5, 3) * scale_y),
        )
    draw.line((centre * scale_x, eye_line * scale_y, (centre + 2) * scale_x, (eye_line + 12) * scale_y), dark, 5)
    mouth = box(centre, eye_line + 18, rng.uniform(6, 9), rng.uniform(1.5, 3.5))
    draw.ellipse(mouth, tuple(min(255, channel) for channel in (dark[0] + 30, dark[1] * 8 // 10, dark[2])))
    if rng.random() < 0.25:
        for side in (-1, 1):
            draw.ellipse(box(centre + side * half_width * 0.45, eye_line, 7, 5.5), outline=(40, 40, 44), width=5)
    if rng.random() < 0.2 and not long_hair:
        draw.chord(box(centre, eye_line + 8, half_width, half_height - 3), 20, 160, hair)
        draw.ellipse(mouth, dark)
    return photo.resize(size, Image.Resampling.LANCZOS)
