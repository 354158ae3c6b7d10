package io.sparkclassify.job

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.{ArrayNode, ObjectNode}
import org.apache.spark.sql.{Column, DataFrame, Row}
import org.apache.spark.sql.expressions.Window
import org.apache.spark.sql.functions._

/**
 * A run as the crate `spark-classify-report` wants it: its `Run`, in JSON. What that counts image by image in a
 * `Collector`, is counted by queries here, over the same steps of confidence and with the same limits.
 */
private[job] final class RunDocument(results: Results) {
  import Results._
  import RunDocument._

  private val json = new ObjectMapper
  private val images = results.images
  private val classified = images.where(col(Predicted).isNotNull)

  /** An image from a column need not have one. */
  private def path: Column = coalesce(col(Path), lit("")).as(Path)

  /** @param head who classified what, and how fast */
  def make(head: ObjectNode): ObjectNode = {
    val run = json.createObjectNode()
    run.set[ObjectNode]("head", head)
    val classes = run.putArray("classes")
    results.classes.names.foreach(name => classes.add(name))
    run.put("model_classes", results.classes.labels.length)
    putCounts(run.putArray("counts"))
    putSamples(run.putObject("samples"))
    putBad(run.putArray("bad"))
    run
  }

  private def putCounts(counts: ArrayNode): Unit = {
    val exact = col(Confidence).cast("double")
    val step = least(floor(exact * Steps), lit(Steps - 1)).cast("int")
    // `greatest` passes over NULL, which is the probability of a class that the model does not have.
    val actual = col(ActualProbability).cast("double")
    val loss = when(actual.isNotNull, -log(greatest(actual, lit(LeastProbability))))
    classified
      .groupBy(col(Actual), col(Predicted), step.as("step"))
      .agg(count(lit(1)), sum(exact), sum(loss))
      .collect()
      .foreach { row =>
        val node = counts.addObject()
        putInt(node, "actual", row, 0)
        node.put("predicted", row.getInt(1)).put("confidence_step", row.getInt(2)).put("images", row.getLong(3))
        node.put("confidence", row.getDouble(4))
        if (row.isNullAt(5)) node.putNull("log_loss") else node.put("log_loss", row.getDouble(5))
      }
  }

  private def putSamples(samples: ObjectNode): Unit = {
    val mistakes = classified.where(col(Actual) =!= col(Predicted))
    put(samples.putArray("uncertain"), first(classified, col(Confidence)))
    put(samples.putArray("mistakes"), first(mistakes, col(Confidence).desc))
    put(samples.putArray("label_errors"), first(mistakes, coalesce(col(ActualProbability), lit(0f))))
    val place = row_number().over(Window.partitionBy(Actual, Predicted).orderBy(Path))
    // Mistakes first, where there are more pairs than a page can show.
    val pairs = classified
      .where(col(Actual).isNotNull)
      .withColumn("place", place)
      .where(col("place") <= PairSamples)
      .orderBy(col(Actual) === col(Predicted), col(Actual), col(Predicted), col("place"))
      .limit(AllPairSamples)
    put(samples.putArray("pairs"), pairs)
  }

  private def first(images: DataFrame, order: Column): DataFrame = images.orderBy(order, col(Path)).limit(Samples)

  private def put(samples: ArrayNode, images: DataFrame): Unit =
    images.select(path, col(Actual), col(Predicted), col(Confidence), col(ActualProbability)).collect().foreach { row =>
      val node = samples.addObject().put("path", row.getString(0))
      putInt(node, "actual", row, 1)
      node.put("predicted", row.getInt(2)).put("confidence", row.getFloat(3))
      if (row.isNullAt(4)) node.putNull("actual_probability") else node.put("actual_probability", row.getFloat(4))
    }

  private def putBad(bad: ArrayNode): Unit = {
    val condition = regexp_extract(col(Error), "^\\[([A-Z0-9_]+)\\] ", 1)
    val kinds = images
      .where(col(Predicted).isNull)
      .select(
        when(length(condition) > 0, condition).otherwise(NoImage).as("condition"),
        path,
        coalesce(regexp_replace(col(Error), "^\\[[A-Z0-9_]+\\] ", ""), lit("")).as("reason")
      )
    val ofKind = Window.partitionBy("condition")
    kinds
      .withColumn("images", count(lit(1)).over(ofKind))
      .withColumn("place", row_number().over(ofKind.orderBy(Path)))
      .where(col("place") <= BadExamples)
      .orderBy("condition", "place")
      .collect()
      .groupBy(_.getAs[String]("condition"))
      .toSeq
      .sortBy(_._1)
      .foreach { case (condition, rows) =>
        val kind = bad.addObject().put("condition", condition).put("images", rows.head.getAs[Long]("images"))
        val examples = kind.putArray("examples")
        rows.foreach { row =>
          examples.addObject().put("path", row.getAs[String](Path)).put("reason", row.getAs[String]("reason"))
        }
      }
  }

  private def putInt(node: ObjectNode, name: String, row: Row, field: Int): Unit =
    if (row.isNullAt(field)) node.putNull(name) else node.put(name, row.getInt(field))
}

private[job] object RunDocument {

  // As in rust-core/report/src: run.rs and collect.rs.
  private val Steps = 100
  private val LeastProbability = 1e-15
  private val Samples = 24
  private val PairSamples = 4
  private val AllPairSamples = 120
  private val BadExamples = 20

  /** Stands for a condition where there is no image at all. */
  private val NoImage = "NO_IMAGE"

  /** The images that have a picture, those first that a page shows first. */
  def shown(run: ObjectNode): Seq[String] = {
    val samples = run.get("samples")
    Seq("uncertain", "mistakes", "label_errors", "pairs").flatMap { list =>
      (0 until samples.get(list).size).map(samples.get(list).get(_).get("path").asText)
    }.distinct
  }
}
