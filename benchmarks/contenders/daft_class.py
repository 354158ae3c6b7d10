"""Daft: a class with a batch method, one instance a core; or Daft's own image functions before the model."""

from __future__ import annotations

from pathlib import Path

import daft
import networks
import numpy as np
from contender import Prediction, contend, options, prediction, timed
from daft import DataType, Series, col
from pillow_input import Preprocessor


def main() -> None:
    arguments = options(engine=networks.ENGINES, form=("threads", "processes", "own-images"))
    model = str(arguments.model)
    settings = {"max_concurrency": arguments.cores, "use_process": arguments.form == "processes"}
    result = DataType.list(DataType.float32())

    @daft.cls(**settings)
    class Classifier:
        def __init__(self) -> None:
            self.preprocess = Preprocessor(Path(model))
            self.network = networks.load(Path(model), arguments.engine)

        @daft.method.batch(return_dtype=result, batch_size=arguments.batch_size)
        def files(self, paths: Series) -> list:
            return list(self.network(np.stack([self.preprocess.file(path) for path in paths.to_pylist()])))

        @daft.method.batch(return_dtype=result, batch_size=arguments.batch_size)
        def pixels(self, images: Series) -> list:
            values = np.stack(images.to_pylist()) * self.preprocess.scale + self.preprocess.shift
            return list(self.network(values.transpose(0, 3, 1, 2)))

    classifier = Classifier()

    def classify(paths: list[str]) -> list[Prediction]:
        data = daft.from_pydict({"path": paths}).into_batches(arguments.batch_size)
        if arguments.form == "own-images":
            width, height = Preprocessor(arguments.model).size
            image = col("path").download().decode_image(mode="RGB").resize(width, height)
            data = data.select(col("path"), classifier.pixels(image).alias("probabilities"))
        else:
            data = data.select(col("path"), classifier.files(col("path")).alias("probabilities"))
        told = data.to_pydict()
        return [prediction(*row) for row in zip(told["path"], told["probabilities"], strict=True)]

    contend(arguments, timed(classify), {"daft": daft.__version__} | networks.version(arguments.engine))


if __name__ == "__main__":
    main()
