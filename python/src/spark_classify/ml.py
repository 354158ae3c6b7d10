"""Images in the pipelines of Spark ML: `ImageClassifier` and `ImageEmbedder`, for classic sessions and Spark Connect.

    from spark_classify.ml import ImageClassifier
    predictions = ImageClassifier(inputCol="path", model="id-card").transform(images)

The input column has paths or URIs (STRING), the content of image files (BINARY), or the struct of Spark's `image`
source. Both plan to the operator of the SQL functions, which classifies each image once.

Params that do not fit the data are an `IllegalArgumentException` of `transform`, with the param, its value and the way
out; a model or backend that is not known is an `AnalysisException`. With Spark Connect both come with the query.

A `PipelineModel` that has one of them is saved for Scala and for Python alike. Whoever loads it in Python imports this
module first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import pyspark
from pyspark import keyword_only
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import (
    HasHandleInvalid,
    HasInputCol,
    HasOutputCol,
    HasPredictionCol,
    HasProbabilityCol,
)
from pyspark.ml.util import JavaMLReadable, JavaMLWritable
from pyspark.ml.wrapper import JavaTransformer
from pyspark.sql.utils import is_remote

from spark_classify.errors import ClassifyError

if TYPE_CHECKING:
    from pyspark.ml.util import JavaMLReader

__all__ = ["ImageClassifier", "ImageEmbedder"]

_PACKAGE = "io.sparkclassify.ml"
# By the name of a Java class Spark ML imports the Python class for it, when it loads a pipeline.
sys.modules[_PACKAGE] = sys.modules[__name__]

_T = TypeVar("_T", bound="_ImageTransformer[Any]")
_Read = TypeVar("_Read", bound="_ImageTransformer[Any]")


class _ImageTransformer(JavaTransformer, HasInputCol, HasHandleInvalid, JavaMLReadable[_Read], JavaMLWritable):
    """What the transformers of images have in common."""

    handleInvalid: Param[str] = Param(
        Params._dummy(),
        "handleInvalid",
        "what becomes of a row whose image is NULL or cannot be read or decoded: 'error' fails with its path and the "
        "reason, 'skip' drops the row, 'keep' keeps it without a result and says why in errorCol",
        typeConverter=TypeConverters.toString,
    )
    model: Param[str] = Param(
        Params._dummy(),
        "model",
        "the model: a NAME for which spark.classify.models.NAME is set, or a directory or URI where "
        "spark.classify.model.allowPaths is true. Not set, spark.classify.model counts",
        typeConverter=TypeConverters.toString,
    )
    backend: Param[str] = Param(
        Params._dummy(),
        "backend",
        "the engine that runs the model: 'auto', 'pytorch' or 'onnx'. Not set, spark.classify.backend counts",
        typeConverter=TypeConverters.toString,
    )
    errorCol: Param[str] = Param(
        Params._dummy(),
        "errorCol",
        "the column that says, where handleInvalid is 'keep', why a row has no result; an empty name leaves it out",
        typeConverter=TypeConverters.toString,
    )

    def __init__(self) -> None:
        super().__init__()
        self._java_obj = self._new_peer()
        self._setDefault(handleInvalid="error", errorCol="error")

    def _new_peer(self) -> Any:
        """The Scala transformer; with Spark Connect its name."""
        name = f"{_PACKAGE}.{type(self).__name__}"
        if is_remote():
            if pyspark.__version__.startswith("3."):
                raise ClassifyError(
                    f"{type(self).__name__} cannot be used over Spark Connect with PySpark {pyspark.__version__}, "
                    "whose Spark ML is for classic sessions: use spark_classify.functions, or Spark 4"
                )
        elif pyspark.SparkContext._active_spark_context is None:
            raise ClassifyError(
                f"{type(self).__name__} needs a Spark session, and there is none: start one first, as with "
                "spark_classify.start()"
            )
        try:
            return self._new_java_obj(name, self.uid)
        except TypeError as missing:
            # What py4j makes of a class that is not there.
            raise ClassifyError(
                f"{name} is not in this Spark, which was started without the jar of spark-classify, or with one of an "
                "older release: start the session with spark_classify.configure or start, or spark-submit with "
                '--jars "$(spark-classify jars)"'
            ) from missing

    @classmethod
    def read(cls) -> JavaMLReader[_Read]:
        """A reader of what `write` has written, here or in Scala."""
        # PySpark takes the name of the Java class from where the Python class is.
        peer: Any = type(cls.__name__, (cls,), {"__module__": _PACKAGE})
        return super(_ImageTransformer, peer).read()

    def setInputCol(self: _T, value: str) -> _T:
        """Sets the value of `inputCol`."""
        return self._set(inputCol=value)

    def setHandleInvalid(self: _T, value: str) -> _T:
        """Sets the value of `handleInvalid`: `error`, `skip` or `keep`."""
        return self._set(handleInvalid=value)

    def setModel(self: _T, value: str) -> _T:
        """Sets the value of `model`."""
        return self._set(model=value)

    def getModel(self) -> str:
        """The value of `model`."""
        return self.getOrDefault(self.model)

    def setBackend(self: _T, value: str) -> _T:
        """Sets the value of `backend`: `auto`, `pytorch` or `onnx`."""
        return self._set(backend=value)

    def getBackend(self) -> str:
        """The value of `backend`."""
        return self.getOrDefault(self.backend)

    def setErrorCol(self: _T, value: str) -> _T:
        """Sets the value of `errorCol`."""
        return self._set(errorCol=value)

    def getErrorCol(self) -> str:
        """The value of `errorCol` or its default."""
        return self.getOrDefault(self.errorCol)


class ImageClassifier(_ImageTransformer["ImageClassifier"], HasPredictionCol, HasProbabilityCol):
    """Classifies images with a neural network, as the SQL function `classify` does.

        classifier = ImageClassifier(inputCol="path", model="id-card", handleInvalid="keep")
        MulticlassClassificationEvaluator(labelCol="actual_class_id").evaluate(classifier.transform(images))

    Columns are added after those of the data; one whose param is set to an empty name is left out:

    - `predictionCol` (`prediction`, DOUBLE): the class id of the most probable class; NaN for a kept row without one
    - `probabilityCol` (`probability`, a dense vector): the probabilities in class-id order, each from 0 to 1
    - `predictedLabelCol` (`predictedLabel`, STRING): the name of the class
    - `errorCol` (`error`, STRING): only where `handleInvalid` is `keep`, why a row has none of these

    `model` is a NAME for which `spark.classify.models.NAME` is set (or a directory or URI, where
    `spark.classify.model.allowPaths` is true), and `backend` `auto`, `pytorch` or `onnx`; where they are not set,
    `spark.classify.model` and `spark.classify.backend` count. `handleInvalid` says what becomes of a row whose image is
    NULL or cannot be read or decoded: `error` (the default) fails with its path and the reason, `skip` drops the row,
    `keep` keeps it.

    Raises ClassifyError where the session lacks the jar, or there is none.
    """

    predictedLabelCol: Param[str] = Param(
        Params._dummy(),
        "predictedLabelCol",
        "the column with the name of the most probable class; an empty name leaves it out",
        typeConverter=TypeConverters.toString,
    )

    _input_kwargs: dict[str, Any]

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,
        predictionCol: str = "prediction",
        probabilityCol: str = "probability",
        predictedLabelCol: str = "predictedLabel",
        handleInvalid: str = "error",
        errorCol: str = "error",
        model: str | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        self._setDefault(predictedLabelCol="predictedLabel")
        self.setParams(**self._input_kwargs)

    @keyword_only
    def setParams(
        self,
        *,
        inputCol: str | None = None,
        predictionCol: str = "prediction",
        probabilityCol: str = "probability",
        predictedLabelCol: str = "predictedLabel",
        handleInvalid: str = "error",
        errorCol: str = "error",
        model: str | None = None,
        backend: str | None = None,
    ) -> ImageClassifier:
        """Sets the params that are given."""
        return self._set(**self._input_kwargs)

    def setPredictionCol(self, value: str) -> ImageClassifier:
        """Sets the value of `predictionCol`."""
        return self._set(predictionCol=value)

    def setProbabilityCol(self, value: str) -> ImageClassifier:
        """Sets the value of `probabilityCol`."""
        return self._set(probabilityCol=value)

    def setPredictedLabelCol(self, value: str) -> ImageClassifier:
        """Sets the value of `predictedLabelCol`."""
        return self._set(predictedLabelCol=value)

    def getPredictedLabelCol(self) -> str:
        """The value of `predictedLabelCol` or its default."""
        return self.getOrDefault(self.predictedLabelCol)


class ImageEmbedder(_ImageTransformer["ImageEmbedder"], HasOutputCol):
    """Makes vectors of images with a neural network, as the SQL function `embed_image` does.

        embedder = ImageEmbedder(inputCol="path", outputCol="features", model="clip")
        Pipeline(stages=[embedder, LogisticRegression()]).fit(images)

    Columns are added after those of the data:

    - `outputCol` (a dense vector): as long as the model's output, of length 1 (L2) unless the model's config.json has
      `"normalize": false`; NULL for a kept row without one
    - `errorCol` (`error`, STRING): only where `handleInvalid` is `keep`, why a row has no vector

    `model`, `backend` and `handleInvalid` are those of `ImageClassifier`.

    Raises ClassifyError where the session lacks the jar, or there is none.
    """

    _input_kwargs: dict[str, Any]

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: str | None = None,
        outputCol: str | None = None,
        handleInvalid: str = "error",
        errorCol: str = "error",
        model: str | None = None,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        self.setParams(**self._input_kwargs)

    @keyword_only
    def setParams(
        self,
        *,
        inputCol: str | None = None,
        outputCol: str | None = None,
        handleInvalid: str = "error",
        errorCol: str = "error",
        model: str | None = None,
        backend: str | None = None,
    ) -> ImageEmbedder:
        """Sets the params that are given."""
        return self._set(**self._input_kwargs)

    def setOutputCol(self, value: str) -> ImageEmbedder:
        """Sets the value of `outputCol`."""
        return self._set(outputCol=value)
