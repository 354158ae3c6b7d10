"""Ray Data: batches of paths through tasks, whose worker processes live on and keep their model.

A pool of actors would be the other form; Ray Data starts that anew with each data set, model and all.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import networks
import numpy as np
import ray
from contender import Prediction, contend, options, prediction, timed
from pillow_input import Preprocessor


@cache
def load(model: str, engine: str) -> tuple[Preprocessor, networks.Network]:
    """The model of this worker process."""
    return Preprocessor(Path(model)), networks.load(Path(model), engine)


def main() -> None:
    arguments = options(engine=networks.ENGINES)
    model, engine = str(arguments.model), arguments.engine
    ray.init(
        num_cpus=arguments.cores,
        include_dashboard=False,
        object_store_memory=200_000_000,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False

    def probabilities(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        # Imported, so that workers keep the function's cache: this script itself is sent to them anew.
        from ray_data import load

        preprocess, network = load(model, engine)
        inputs = np.stack([preprocess.file(path) for path in batch["item"]])
        return {"path": batch["item"], "probabilities": network(inputs)}

    def classify(paths: list[str]) -> list[Prediction]:
        blocks = -(-len(paths) // arguments.batch_size)
        data = ray.data.from_items(paths, override_num_blocks=blocks)
        rows = data.map_batches(probabilities, batch_size=arguments.batch_size, num_cpus=1).take_all()
        return [prediction(row["path"], row["probabilities"]) for row in rows]

    contend(arguments, timed(classify), {"ray": ray.__version__} | networks.version(engine))
    ray.shutdown()


if __name__ == "__main__":
    main()
