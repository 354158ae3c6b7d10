"""PySpark's predict_batch_udf: batches of paths to probabilities; Spark keeps the model of each Python worker."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pyspark
from contender import Prediction, contend, options, prediction, timed
from pillow_input import Preprocessor
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql.types import ArrayType, FloatType
from spark_session import images, session


def main() -> None:
    arguments = options(engine=networks.ENGINES)
    model, engine = str(arguments.model), arguments.engine
    spark = session(arguments, {})

    def load():
        preprocess, network = Preprocessor(Path(model)), networks.load(Path(model), engine)
        return lambda paths: network(np.stack([preprocess.file(path) for path in paths]))

    probabilities = predict_batch_udf(load, return_type=ArrayType(FloatType()), batch_size=arguments.batch_size)

    def classify(paths: list[str]) -> list[Prediction]:
        rows = images(spark, paths).select("path", probabilities("path"))
        return [prediction(*row) for row in rows.collect()]

    contend(arguments, timed(classify), {"spark": pyspark.__version__} | networks.version(engine))
    spark.stop()


if __name__ == "__main__":
    main()
