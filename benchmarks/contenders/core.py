"""The Rust core without Spark: `classify-bench`, and its limit mode. Its own clock counts: it starts after loading."""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
from pathlib import Path

from contender import Pass, Prediction, contend, options

ROOT = Path(__file__).resolve().parents[2]
# Larger batches bring a bare loop nothing but cache misses, with libtorch many.
LIMIT_BATCH_SIZE = 8


def main() -> None:
    arguments = options(engine=("onnx", "pytorch"), mode=("pipeline", "limit"))
    is_limit = arguments.mode == "limit"
    versions = {}

    def run(paths: list[str]) -> Pass:
        with tempfile.TemporaryDirectory() as folder:
            images, predictions = Path(folder, "images.csv"), Path(folder, "predictions.csv")
            images.write_text("\n".join(["image_path", *paths]), encoding="utf-8")
            command = [
                *[str(ROOT / "target/release/classify-bench"), "--json", "--backend", arguments.engine],
                *["--images", str(images), "--model", str(arguments.model), "--output", str(predictions)],
                *["--tasks", str(arguments.cores)],
                *["--batch-size", str(LIMIT_BATCH_SIZE if is_limit else arguments.batch_size)],
                *(["--limit"] if is_limit else []),
            ]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            report = json.loads(done.stdout)
            versions[arguments.engine] = report["engine_version"]
            with predictions.open(newline="", encoding="utf-8") as file:
                rows = [
                    Prediction(
                        row["image_path"],
                        int(row["predicted_class_id"]),
                        [float(value) for name, value in row.items() if name.startswith("prob_")],
                    )
                    for row in csv.DictReader(file)
                ]
            return Pass(report["wall_millis"] / 1e3, rows)

    contend(arguments, run, versions)


if __name__ == "__main__":
    main()
