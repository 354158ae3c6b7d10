"""The field's workload in Daft, as Daft's own benchmark has it: Daft downloads and decodes, a function of a row
transforms, and a class with a batch method has the network.

There Daft runs on Ray, on many machines; on one, its own runner is the default. The class has an instance for each
core, or one for the GPU.
"""

from __future__ import annotations

import daft
import field
import numpy as np
import torch
from contender import contend, options
from daft import DataType, ImageMode, Series, col


def main() -> None:
    arguments = options()
    model, device = str(arguments.model), arguments.device
    transform = field.transforms()
    resources = {"max_concurrency": arguments.cores} if device == "cpu" else {"max_concurrency": 1, "gpus": 1.0}

    @daft.cls(**resources)
    class Classifier:
        def __init__(self) -> None:
            self.network, self.labels = field.network(model, device), field.labels(model)

        @daft.method.batch(return_dtype=DataType.string(), batch_size=field.BATCH_SIZE)
        def __call__(self, pixels: Series) -> list[str]:
            if not len(pixels):
                return []
            inputs = torch.from_numpy(np.array(pixels.to_pylist())).to(device)
            with torch.inference_mode():
                return [self.labels[index] for index in self.network(inputs).argmax(1).cpu()]

    classifier = Classifier()
    tensor = DataType.tensor(DataType.float32(), shape=field.SHAPE)

    def classify(source: str, target: str) -> None:
        data = daft.read_parquet(source)
        data = data.with_column("image", col(field.PATHS).download().decode_image(mode=ImageMode.RGB))
        data = data.with_column("pixels", col("image").apply(func=lambda image: transform(image), return_dtype=tensor))
        data = data.with_column("label", classifier(col("pixels")))
        data.select(field.PATHS, "label").write_parquet(target)

    contend(arguments, field.table_job(model, classify), {"daft": daft.__version__, "torch": torch.__version__})


if __name__ == "__main__":
    main()
