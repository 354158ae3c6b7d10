package io.sparkclassify.job

import java.util.Locale

import io.sparkclassify.Printable

/**
 * How often each actual class was predicted as each class.
 *
 * @param classes
 *   the names to show, in class-id order; classes that the model does not know stand after the model's
 * @param counts
 *   images by (actual, predicted), both places in `classes`
 */
final case class ConfusionMatrix(classes: Seq[String], counts: Map[(Int, Int), Long]) {

  private def count(actual: Int, predicted: Int): Long = counts.getOrElse((actual, predicted), 0L)

  val total: Long = counts.values.sum
  val correct: Long = classes.indices.map(id => count(id, id)).sum

  /** The share of images predicted right; None without images. */
  def accuracy: Option[Double] = share(correct, total)

  /** Of the images predicted as this class, the share that are of it; None where it was never predicted. */
  def precision(id: Int): Option[Double] = share(count(id, id), classes.indices.map(count(_, id)).sum)

  /** Of the images of this class, the share predicted as it; None where there are none. */
  def recall(id: Int): Option[Double] = share(count(id, id), classes.indices.map(count(id, _)).sum)

  private def share(part: Long, whole: Long): Option[Double] = if (whole == 0) None else Some(part.toDouble / whole)

  /** What the job prints: a table, actual classes down and predicted ones across, or of many classes the worst. */
  def render: String =
    (if (classes.length <= ConfusionMatrix.MostClasses) table else confusedPairs) +
      s"\n\naccuracy: ${percent(accuracy)} ($correct of $total images)"

  private def table: String = {
    val names = classes.map(Printable.escape)
    val header = "actual \\ predicted" +: names :+ "recall"
    val rows = classes.indices.map { actual =>
      names(actual) +: classes.indices.map(count(actual, _).toString) :+ percent(recall(actual))
    }
    val footer = "precision" +: classes.indices.map(id => percent(precision(id))) :+ ""
    aligned(header +: rows :+ footer)
  }

  private def confusedPairs: String = {
    val pairs = counts.toSeq
      .collect { case ((actual, predicted), images) if actual != predicted => (-images, actual, predicted) }
      .sorted
      .take(ConfusionMatrix.MostPairs)
    val rows = pairs.map { case (images, actual, predicted) =>
      Seq(Printable.escape(classes(actual)), Printable.escape(classes(predicted)), (-images).toString)
    }
    s"of ${classes.length} classes, those most often taken for another\n\n" +
      aligned(Seq("actual", "predicted", "images") +: rows)
  }

  private def aligned(table: Seq[Seq[String]]): String = {
    val widths = table.transpose.map(_.map(_.length).max)
    val lines = table.map { row =>
      row.zip(widths).zipWithIndex.map { case ((cell, width), column) =>
        if (column == 0) cell.padTo(width, ' ') else " " * (width - cell.length) + cell
      }
    }
    lines.map(_.mkString("  ").replaceAll(" +$", "")).mkString("\n")
  }

  private def percent(share: Option[Double]): String =
    share.fold("-")(value => String.format(Locale.ROOT, "%.2f%%", Double.box(100 * value)))
}

object ConfusionMatrix {

  /** A table with more columns fits no terminal. */
  private val MostClasses = 30
  private val MostPairs = 20
}
