package io.sparkclassify.sql

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo

/** What `DESCRIBE FUNCTION EXTENDED` prints. Spark indents these texts by four. */
object FunctionDocs {

  private val input =
    """      * input - the image: a STRING with the path or URI of a file (JPEG, PNG, ...) on any file system that Spark
          reads, a BINARY with the content of such a file, or the struct of Spark's image data source. NULL gives NULL.
"""

  private val options =
    """      * backend - the engine, a constant: 'pytorch', 'onnx' or 'auto'. The default is spark.classify.backend.
      * model - a constant: the name of a model of the configuration (spark.classify.models.NAME). The default is
          spark.classify.model.
      NULL stands for the default. Arguments can be given by name: _FUNC_(content, model => 'resnet50').
"""

  val classify: ExpressionInfo = info(
    Functions.Classify,
    "input[, backend[, model]]",
    "Classifies the image `input` with a neural network.",
    input + options,
    """
      > SET spark.classify.model=/models/id-card;
      > SELECT _FUNC_('/images/card.jpg', 'onnx').class;
       valid_id
      > SELECT path, c.class, c.confidence FROM (SELECT path, _FUNC_(content) AS c FROM images);
       file:/images/card.jpg	valid_id	0.998
    """,
    """
    The result is a STRUCT<class: STRING, class_id: INT, confidence: FLOAT, probabilities: ARRAY<FLOAT>>, whose
    probabilities stand in class-id order; their sum is 1, but for a model of several labels an image. An image that
    cannot be read or decoded fails the query; try_classify keeps its row.
    """
  )

  val tryClassify: ExpressionInfo = info(
    Functions.TryClassify,
    "input[, backend[, model]]",
    "Classifies the image `input` like classify, but keeps the rows of bad images and says what is wrong with them.",
    input + options,
    """
      > SELECT path, c.error FROM (SELECT path, _FUNC_(path) AS c FROM images) WHERE c.error IS NOT NULL;
       /images/none.jpg	[CLASSIFY_UNREADABLE_IMAGE] cannot read /images/none.jpg: the file does not exist
    """,
    """
    The result is a STRUCT<class, class_id, confidence, probabilities, error: STRING>, that of classify with one more
    field. The error of a good image is NULL; of a bad one, all but the error is NULL. A model or configuration that
    cannot be used fails the query all the same.
    """
  )

  val classifyTopK: ExpressionInfo = info(
    Functions.ClassifyTopK,
    "input, k[, backend[, model]]",
    "The `k` most probable classes of the image `input`, the most probable first.",
    input + "      * k - how many, a constant INT from 1 on. A model with fewer classes gives them all.\n" + options,
    """
      > SELECT _FUNC_('/images/card.jpg', 2, 'onnx');
       [{"class":"valid_id","class_id":2,"confidence":0.998},{"class":"font_issue","class_id":1,"confidence":0.002}]
    """,
    """
    The result is an ARRAY<STRUCT<class: STRING, class_id: INT, confidence: FLOAT>>. An image that cannot be read or
    decoded fails the query.
    """
  )

  val embedImage: ExpressionInfo = info(
    Functions.EmbedImage,
    "input[, backend[, model]]",
    "The vector (embedding) that a neural network makes of the image `input`: those of like images are close.",
    input + options,
    """
      > SET spark.classify.models.clip=/models/clip-vit-base-patch32;
      > SELECT _FUNC_('/images/card.jpg', model => 'clip');
       [0.013,-0.041,...]
    """,
    """
    The result is an ARRAY<FLOAT> of length 1 (L2), unless config.json of the model has "normalize": false. The dot
    product of two such vectors is the cosine of the angle between them: 1 for equal images. An image that cannot be
    read or decoded fails the query; try_embed_image keeps its row. The model is one with an output for embeddings,
    as `spark-classify export --embeddings` makes it. With classify of the same image and model it shares the run.
    """
  )

  val tryEmbedImage: ExpressionInfo = info(
    Functions.TryEmbedImage,
    "input[, backend[, model]]",
    "The embedding of the image `input`, like embed_image, but keeps the rows of bad images and says what is wrong.",
    input + options,
    """
      > SET spark.classify.models.clip=/models/clip-vit-base-patch32;
      > SELECT e.error FROM (SELECT _FUNC_(path, model => 'clip') AS e FROM images) WHERE e.error IS NOT NULL;
       [CLASSIFY_UNREADABLE_IMAGE] cannot read /images/none.jpg: the file does not exist
    """,
    """
    The result is a STRUCT<embedding: ARRAY<FLOAT>, error: STRING>. The error of a good image is NULL; of a bad one,
    the embedding is NULL. A model or configuration that cannot be used fails the query all the same.
    """
  )

  val imageHash: ExpressionInfo = info(
    Functions.ImageHash,
    "input",
    "Two hashes of what the image `input` looks like, without a model: those of copies differ in few bits.",
    input,
    """
      > SELECT _FUNC_('/images/card.jpg');
       {"phash":-2727732929914832203,"dhash":-8916488027628814080}
      > SELECT bit_count(_FUNC_('/images/card.jpg').phash ^ _FUNC_('/images/card-small.jpg').phash);
       2
    """,
    """
    The result is a STRUCT<phash: BIGINT, dhash: BIGINT>, with the 64 bits that phash and dhash of Python's imagehash
    give. Up to 6 bits that differ mostly mean the same picture, resized, recoded or retouched. An image that cannot
    be read or decoded fails the query; try_image_hash keeps its row.
    """
  )

  val tryImageHash: ExpressionInfo = info(
    Functions.TryImageHash,
    "input",
    "The hashes of the image `input`, like image_hash, but keeps the rows of bad images and says what is wrong.",
    input,
    """
      > SELECT path, h.error FROM (SELECT path, _FUNC_(path) AS h FROM images) WHERE h.error IS NOT NULL;
       /images/none.jpg	[CLASSIFY_UNREADABLE_IMAGE] cannot read /images/none.jpg: the file does not exist
    """,
    """
    The result is a STRUCT<phash: BIGINT, dhash: BIGINT, error: STRING>. The error of a good image is NULL; of a bad
    one, the hashes are NULL.
    """
  )

  private def info(
      name: String,
      parameters: String,
      usage: String,
      arguments: String,
      examples: String,
      note: String
  ): ExpressionInfo = new ExpressionInfo(
    classOf[ImageInference].getName,
    null,
    name,
    s"_FUNC_($parameters) - $usage",
    s"\n    Arguments:\n$arguments    ",
    s"\n    Examples:$examples",
    // Spark puts the first line two columns further in than it stands here.
    note.stripTrailing.linesIterator.drop(1).map(_.trim).mkString("\n    ", "\n      ", "\n  "),
    "misc_funcs",
    "0.1.0",
    "",
    "scala_udf"
  )
}
