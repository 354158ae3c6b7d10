package io.sparkclassify.job

import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions.{col, concat, count, lit, udf, when}

/**
 * The classes that images are counted as: those of the model, and those that only the list of images knows.
 *
 * @param labels
 *   the model's, in class-id order
 * @param others
 *   what else the list says that images show
 */
private[sparkclassify] final case class ActualClasses(labels: Seq[String], others: Seq[String]) {
  private lazy val ids = labels.zipWithIndex.reverse.toMap
  private lazy val otherIds = others.zipWithIndex.map { case (name, place) => name -> (labels.length + place) }.toMap

  /** To show, in the order of the numbers that [[of]] gives. */
  def names: Seq[String] = ClassNames.unique(labels) ++ others

  /**
   * The number of the class that an image is known to show; None where nothing is known.
   *
   * The name says the class, as a list may number its classes in its own way; the id tells classes of one name apart,
   * and stands alone where there is no name. An image whose id does not tell, is right as any class of its name.
   */
  def of(name: Option[String], id: Option[Int], predicted: Int): Option[Int] = (name, id) match {
    case (Some(name), Some(id)) if labels.lift(id).contains(name) => Some(id)
    case (Some(name), _) if ids.contains(name) => Some(if (labels(predicted) == name) predicted else ids(name))
    case (None, Some(id)) if labels.indices.contains(id) => Some(id)
    case _ => name.orElse(id.map(ActualClasses.shown)).map(otherIds.getOrElse(_, labels.length + others.length - 1))
  }

  /** The same of the columns of predictions. */
  def column(name: Column, id: Column, predicted: Column): Column = {
    val known = udf { (name: String, id: Integer, predicted: Int) =>
      of(Option(name), Option(id).map(_.intValue), predicted).map(Int.box).orNull
    }
    known(name, id, predicted)
  }
}

private[sparkclassify] object ActualClasses {

  /** A column that names no classes, but each image, would need as many. */
  private val MostOthers = 100
  private val Rest = "(other labels)"

  private def shown(id: Int): String = s"class $id"

  /** Finds those of a table of predictions that the model does not know; of very many, the most frequent. */
  def in(predictions: DataFrame, name: Column, id: Column, labels: Seq[String]): ActualClasses = {
    val known = labels.toSet
    val isKnown = udf((name: String) => known(name))
    val other = when(name.isNotNull && !isKnown(name), name)
      .when(name.isNull && !id.between(0, labels.length - 1), concat(lit("class "), id.cast("string")))
    val frequent = predictions
      .select(other.as("other"))
      .where("other is not null")
      .groupBy("other")
      .agg(count(lit(1)).as("images"))
      .orderBy(col("images").desc, col("other"))
      .limit(MostOthers + 1)
      .collect()
      .map(_.getString(0))
      .toSeq
    ActualClasses(
      labels,
      if (frequent.length > MostOthers) frequent.take(MostOthers).sorted :+ Rest else frequent.sorted
    )
  }
}
