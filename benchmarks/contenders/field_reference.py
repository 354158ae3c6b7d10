"""The field's workload in plain Python: Pillow, torchvision and PyTorch, one image after the other."""

from __future__ import annotations

import field
import numpy as np
import torch
import torchvision
from contender import Prediction, contend, options, prediction, timed
from PIL import Image


def main() -> None:
    arguments = options()
    transform, network = field.transforms(), field.network(str(arguments.model), arguments.device)

    def one(path: str) -> Prediction:
        with Image.open(path) as image:
            pixels = transform(np.array(image.convert("RGB")))
        return prediction(path, network(pixels[None].to(arguments.device)).softmax(1)[0].tolist())

    def classify(paths: list[str]) -> list[Prediction]:
        with torch.inference_mode():
            return [one(path) for path in paths]

    contend(arguments, timed(classify), {"torch": torch.__version__, "torchvision": torchvision.__version__})


if __name__ == "__main__":
    main()
