package io.sparkclassify

import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo

/** Adds `classify` to Spark: `--conf spark.sql.extensions=io.sparkclassify.ClassifyExtensions`. */
class ClassifyExtensions extends (SparkSessionExtensions => Unit) {

  override def apply(extensions: SparkSessionExtensions): Unit = {
    ClassifyConf.register()
    extensions.injectFunction((FunctionIdentifier(Classify.Name), ClassifyExtensions.info, Classify.build))
  }
}

object ClassifyExtensions {

  /** What `DESCRIBE FUNCTION EXTENDED classify` prints. Spark indents these texts by four. */
  private val info = new ExpressionInfo(
    classOf[Classify].getName,
    null,
    Classify.Name,
    "_FUNC_(input[, backend[, model]]) - Classifies the image `input` with a neural network.",
    """
    Arguments:
      * input - the image: a STRING with the path or URI of a file (JPEG, PNG, ...) on any file system that Spark
          reads, or a BINARY with the content of such a file. NULL gives NULL.
      * backend - the engine, a constant: 'pytorch' or 'onnx'. The default is spark.classify.backend.
      * model - the model directory, a constant path or URI. The default is spark.classify.model.
    """,
    """
    Examples:
      > SET spark.classify.model=/models/id-card;
      > SELECT _FUNC_('/images/card.jpg', 'onnx').class;
       valid_id
      > SELECT path, c.class, c.confidence FROM (SELECT path, _FUNC_(content) AS c FROM images);
       file:/images/card.jpg	valid_id	0.998
    """,
    """
    The result is a STRUCT<class: STRING, class_id: INT, confidence: FLOAT, probabilities: ARRAY<FLOAT>>, whose
    probabilities stand in class-id order. An image that cannot be read or decoded fails the query.
    """,
    "misc_funcs",
    "0.1.0",
    "",
    "scala_udf"
  )
}
