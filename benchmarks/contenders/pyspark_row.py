"""PySpark's row UDF: a path to probabilities, with a model that each Python worker loads once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import networks
import pyspark
from contender import Prediction, contend, options, prediction, timed
from pillow_input import Preprocessor
from pyspark.sql.functions import udf
from spark_session import images, session


@cache
def load(model: str, engine: str) -> tuple[Preprocessor, networks.Network]:
    """The model of this Python worker."""
    return Preprocessor(Path(model)), networks.load(Path(model), engine)


def main() -> None:
    arguments = options(engine=networks.ENGINES)
    model, engine = str(arguments.model), arguments.engine
    spark = session(arguments, {})

    @udf("array<float>")
    def probabilities(path: str) -> list[float]:
        # Imported, so that workers keep the function's cache: this script itself is sent to them anew with each query.
        from pyspark_row import load

        preprocess, network = load(model, engine)
        return network(preprocess.file(path)[None])[0].tolist()

    def classify(paths: list[str]) -> list[Prediction]:
        rows = images(spark, paths).select("path", probabilities("path"))
        return [prediction(*row) for row in rows.collect()]

    contend(arguments, timed(classify), {"spark": pyspark.__version__} | networks.version(engine))
    spark.stop()


if __name__ == "__main__":
    main()
