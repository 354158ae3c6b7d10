"""Writes `tests/golden/faxes.json`: TIFFs with fax compressions, and the SHA-256 of the RGB pixels that Pillow gives.

python scripts/fax_cases.py
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

T4_OPTIONS, FILL_ORDER, ROWS_PER_STRIP = 292, 266, 278


def pictures() -> dict[str, Image.Image]:
    """Noise, long runs, text-like rows, and widths that end within a byte."""
    noise = np.random.default_rng(3)
    wide = np.zeros((5, 6000), bool)
    wide[1:3, 17:5400] = True
    smooth = np.add.outer(np.arange(37) ** 2, np.arange(61) * 9) % 160 > 70
    return {
        "noise": Image.fromarray(noise.random((23, 45)) > 0.5),
        "sparse": Image.fromarray(noise.random((40, 131)) > 0.95),
        "wide": Image.fromarray(wide),
        "smooth": Image.fromarray(smooth),
        "white": Image.new("1", (33, 9), 1),
        "black": Image.new("1", (33, 9), 0),
        "pixel": Image.new("1", (1, 1), 0),
    }


def main() -> None:
    cases = {}
    for name, image in pictures().items():
        for compression in ("tiff_ccitt", "group3", "group4"):
            for options in (0, 1, 4, 5) if compression == "group3" else (None,):
                for rows in (image.height, 4):
                    tags = {ROWS_PER_STRIP: rows} | ({} if options is None else {T4_OPTIONS: options})
                    buffer = io.BytesIO()
                    image.save(buffer, "TIFF", compression=compression, tiffinfo=tags)
                    data = buffer.getvalue()
                    decoded = Image.open(io.BytesIO(data)).convert("RGB")
                    cases[f"{name}/{compression}/{options}/{rows}"] = {
                        "file": base64.b64encode(data).decode(),
                        "width": decoded.width,
                        "height": decoded.height,
                        "sha256": hashlib.sha256(decoded.tobytes()).hexdigest(),
                    }
    path = Path(__file__).parents[1] / "tests/golden/faxes.json"
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    path.write_text(f'{{\n  "pillow": "{PIL.__version__}",\n  "cases": {{\n{lines}\n  }}\n}}\n')
    print(f"{path}: {len(cases)} cases")


if __name__ == "__main__":
    main()
