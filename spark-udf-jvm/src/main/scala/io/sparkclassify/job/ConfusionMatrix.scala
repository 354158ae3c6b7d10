package io.sparkclassify.job

/**
 * How often each actual class was predicted as each class.
 *
 * @param classes
 *   the names, in class-id order; names that only occur as actual classes stand behind the model's
 * @param counts
 *   images by (actual, predicted)
 */
final case class ConfusionMatrix(classes: Seq[String], counts: Map[(String, String), Long]) {

  private def count(actual: String, predicted: String): Long = counts.getOrElse((actual, predicted), 0L)

  val total: Long = counts.values.sum
  val correct: Long = classes.map(name => count(name, name)).sum

  /** The share of images predicted right; None without images. */
  def accuracy: Option[Double] = share(correct, total)

  /** Of the images predicted as this class, the share that are of it; None where it was never predicted. */
  def precision(name: String): Option[Double] = share(count(name, name), classes.map(count(_, name)).sum)

  /** Of the images of this class, the share predicted as it; None where there are none. */
  def recall(name: String): Option[Double] = share(count(name, name), classes.map(count(name, _)).sum)

  private def share(part: Long, whole: Long): Option[Double] = if (whole == 0) None else Some(part.toDouble / whole)

  /** The table that the job prints: actual classes down, predicted ones across. */
  def render: String = {
    val header = "actual \\ predicted" +: classes :+ "recall"
    val rows = classes.map { actual =>
      actual +: classes.map(count(actual, _).toString) :+ percent(recall(actual))
    }
    val footer = "precision" +: classes.map(name => percent(precision(name))) :+ ""
    val table = header +: rows :+ footer
    val widths = table.transpose.map(_.map(_.length).max)
    val lines = table.map { row =>
      row.zip(widths).zipWithIndex.map { case ((cell, width), column) =>
        if (column == 0) cell.padTo(width, ' ') else " " * (width - cell.length) + cell
      }
    }
    lines.map(_.mkString("  ").replaceAll(" +$", "")).mkString("\n") +
      s"\n\naccuracy: ${percent(accuracy)} ($correct of $total images)"
  }

  private def percent(share: Option[Double]): String =
    share.fold("-")(value => String.format(java.util.Locale.ROOT, "%.2f%%", Double.box(100 * value)))
}
