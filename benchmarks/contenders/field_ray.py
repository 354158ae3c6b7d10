"""The field's workload in Ray Data, as Ray's own benchmark has it: downloads, then tasks that decode and transform,
then actors with the network.

There the actors have a GPU each. On a CPU there is one a core, beside the tasks, so that neither waits for the other.
"""

from __future__ import annotations

import io

import field
import numpy as np
import ray
import torch
from contender import contend, options
from PIL import Image
from ray.data.expressions import download


def main() -> None:
    arguments = options()
    model, device = str(arguments.model), arguments.device
    transform = field.transforms()
    ray.init(num_cpus=arguments.cores, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    ray.data.DataContext.get_current().enable_progress_bars = False
    resources = {"num_gpus": 1, "concurrency": 1}
    if device == "cpu":
        resources = {"num_cpus": 0, "concurrency": arguments.cores}

    def decode(row: dict) -> dict:
        row["image"] = np.array(Image.open(io.BytesIO(row.pop("bytes"))).convert("RGB"))
        return row

    def prepare(row: dict) -> dict:
        row["pixels"] = transform(row.pop("image")).numpy()
        return row

    class Classifier:
        def __init__(self) -> None:
            self.network, self.labels = field.network(model, device), field.labels(model)

        def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            inputs = torch.from_numpy(batch.pop("pixels")).to(device)
            with torch.inference_mode():
                classes = self.network(inputs).argmax(1).cpu()
            batch["label"] = [self.labels[index] for index in classes]
            return batch

    def classify(source: str, target: str) -> None:
        data = ray.data.read_parquet(source).with_column("bytes", download(field.PATHS)).map(decode).map(prepare)
        data = data.map_batches(Classifier, batch_size=field.BATCH_SIZE, **resources)
        data.select_columns([field.PATHS, "label"]).write_parquet(target)

    contend(arguments, field.table_job(model, classify), {"ray": ray.__version__, "torch": torch.__version__})
    ray.shutdown()


if __name__ == "__main__":
    main()
