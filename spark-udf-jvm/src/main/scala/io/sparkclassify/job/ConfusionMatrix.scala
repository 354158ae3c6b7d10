package io.sparkclassify.job

import java.util.Locale

import io.sparkclassify.Printable

/**
 * How often each actual class was predicted as each class.
 *
 * @param classes
 *   the names to show, in class-id order; classes that the model does not know stand after the model's
 * @param counts
 *   images by (actual, predicted), both places in `classes`: two classes may have one name
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

  /** The table that the job prints: actual classes down, predicted ones across. */
  def render: String = {
    val names = classes.map(Printable.escape)
    val header = "actual \\ predicted" +: names :+ "recall"
    val rows = classes.indices.map { actual =>
      names(actual) +: classes.indices.map(count(actual, _).toString) :+ percent(recall(actual))
    }
    val footer = "precision" +: classes.indices.map(id => percent(precision(id))) :+ ""
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
    share.fold("-")(value => String.format(Locale.ROOT, "%.2f%%", Double.box(100 * value)))
}

object ConfusionMatrix {

  /**
   * Counts images by what the list says of each and what the model said.
   *
   * The name says the class, as a list may number its classes in its own way; the id tells classes of one name apart,
   * and stands alone where there is no name. An image whose id does not tell, is right as any class of its name.
   *
   * @param labels
   *   the model's, in class-id order
   * @param images
   *   how many images have this actual name, actual id and predicted id; images without either are left out
   */
  def of(labels: Seq[String], images: Seq[((Option[String], Option[Int], Int), Long)]): ConfusionMatrix = {
    def shown(id: Int): String = s"class $id"
    val others = images
      .collect {
        case ((Some(name), _, _), _) if !labels.contains(name)        => name
        case ((None, Some(id), _), _) if !labels.indices.contains(id) => shown(id)
      }
      .distinct
      .sorted
    def actual(name: Option[String], id: Option[Int], predicted: Int): Option[Int] = (name, id) match {
      case (Some(name), Some(id)) if labels.lift(id).contains(name) => Some(id)
      case (Some(name), _) if labels.contains(name) =>
        Some(if (labels(predicted) == name) predicted else labels.indexOf(name))
      case (None, Some(id)) if labels.indices.contains(id) => Some(id)
      case (name, id) => name.orElse(id.map(shown)).map(labels.length + others.indexOf(_))
    }
    val counts = for {
      ((name, id, predicted), count) <- images
      known <- actual(name, id, predicted)
    } yield (known, predicted) -> count
    ConfusionMatrix(
      ClassNames.unique(labels) ++ others,
      counts.groupBy(_._1).map { case (pair, same) => pair -> same.map(_._2).sum }
    )
  }
}
