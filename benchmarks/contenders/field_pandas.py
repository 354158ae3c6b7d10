"""The field's workload in Spark with pandas functions, as Daft's own benchmark has it: Spark's source of binary files,
one function that decodes and transforms, and one with the network, which takes the pixels as a list.

The network is kept in a global variable of the program, as there in one of the notebook. Spark sends the functions with
their variables to each task, so that each task loads the network anew.
"""

from __future__ import annotations

import io

import field
import numpy as np
import pandas
import pyspark
import torch
from contender import contend, options
from PIL import Image
from pyspark.sql.functions import col, pandas_udf
from spark_session import session

KEPT = {}


def main() -> None:
    arguments = options()
    model, device = str(arguments.model), arguments.device
    transform = field.transforms()
    spark = session(arguments, {"spark.sql.execution.arrow.maxRecordsPerBatch": field.BATCH_SIZE})

    @pandas_udf("array<float>")
    def pixels(contents: pandas.Series) -> pandas.Series:
        images = (np.array(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents)
        return pandas.Series([transform(image).flatten().tolist() for image in images])

    @pandas_udf("string")
    def label(inputs: pandas.Series) -> pandas.Series:
        if not KEPT:
            KEPT.update(network=field.network(model, device), labels=field.labels(model))
        batch = np.vstack(inputs.tolist()).reshape(-1, *field.SHAPE).astype(np.float32)
        with torch.inference_mode():
            classes = KEPT["network"](torch.from_numpy(batch).to(device)).argmax(1).cpu()
        return pandas.Series([KEPT["labels"][index] for index in classes])

    def classify(source: str, target: str) -> None:
        paths = [row[0] for row in spark.read.parquet(source).collect()]
        data = spark.read.format("binaryFile").load(paths).withColumn("pixels", pixels(col("content")))
        data = data.filter(col("pixels").isNotNull()).withColumn("label", label(col("pixels")))
        data.select("path", "label").write.mode("overwrite").parquet(target)

    contend(arguments, field.table_job(model, classify), {"spark": pyspark.__version__, "torch": torch.__version__})
    spark.stop()


if __name__ == "__main__":
    main()
