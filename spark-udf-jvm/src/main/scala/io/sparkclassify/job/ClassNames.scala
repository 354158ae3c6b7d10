package io.sparkclassify.job

import java.util.Locale

/** Names for classes that a table can have as columns. */
object ClassNames {

  /**
   * The labels, each with its class id after it (`crane (134)`) where another label differs from it in upper and lower
   * case at most: ImageNet has two classes `crane`, and Spark takes `Crane` and `crane` for one column.
   */
  def unique(labels: Seq[String]): Seq[String] = {
    val sharing =
      labels.indices.groupBy(id => labels(id).toLowerCase(Locale.ROOT)).values.filter(_.size > 1).flatten.toSet
    if (sharing.isEmpty) labels
    else {
      // Again, should such a name be another class's label: it ends, as names that got their ids differ by them.
      unique(labels.zipWithIndex.map { case (label, id) => if (sharing(id)) s"$label ($id)" else label })
    }
  }
}
