"""SynapseML: Spark's image source, ImageTransformer (OpenCV) and ONNXModel. It needs Spark 3.5 with Scala 2.12."""

from __future__ import annotations

import json
from pathlib import Path

import pyspark
from contender import Prediction, contend, options, prediction, timed
from pyspark.sql.types import FloatType
from spark_session import session

JARS = Path(__file__).resolve().parents[1] / "jvm/build/synapseml.jars"


def main() -> None:
    arguments = options()
    spark = session(arguments, {"spark.jars": JARS.read_text(encoding="utf-8")})
    # They look for their Java classes when they are imported.
    from synapse.ml.onnx import ONNXModel
    from synapse.ml.opencv import ImageTransformer

    config = json.loads((arguments.model / "preprocessor_config.json").read_text(encoding="utf-8"))
    transformer = (
        ImageTransformer(inputCol="image", outputCol="features")
        .resize(config["size"]["height"], config["size"]["width"])
        .normalize(config["image_mean"], config["image_std"], config["rescale_factor"])
        .setTensorElementType(FloatType())
    )
    model = ONNXModel().setModelLocation(str(arguments.model / "model.onnx"))
    (feed,), (fetch,) = model.getModelInputs(), model.getModelOutputs()
    model = (
        model.setFeedDict({feed: "features"})
        .setFetchDict({"logits": fetch})
        .setSoftMaxDict({"logits": "probabilities"})
        .setMiniBatchSize(arguments.batch_size)
        .setDeviceType("CPU")
    )

    def classify(paths: list[str]) -> list[Prediction]:
        images = spark.read.format("image").load(paths).repartition(2 * arguments.cores)
        rows = model.transform(transformer.transform(images)).select("image.origin", "probabilities")
        return [prediction("/" + origin.removeprefix("file:").lstrip("/"), row) for origin, row in rows.collect()]

    contend(arguments, timed(classify), {"spark": pyspark.__version__})
    spark.stop()


if __name__ == "__main__":
    main()
