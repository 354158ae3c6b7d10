"""Plain Python: one image after the other, on one core. With ONNX Runtime it is the reference for the answers."""

from __future__ import annotations

import networks
import PIL
from contender import Prediction, contend, options, prediction, timed
from pillow_input import Preprocessor


def main() -> None:
    arguments = options(engine=networks.ENGINES)
    preprocess = Preprocessor(arguments.model)
    network = networks.load(arguments.model, arguments.engine)

    def classify(paths: list[str]) -> list[Prediction]:
        return [prediction(path, network(preprocess.file(path)[None])[0]) for path in paths]

    contend(arguments, timed(classify), {"pillow": PIL.__version__} | networks.version(arguments.engine))


if __name__ == "__main__":
    main()
