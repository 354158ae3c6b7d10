package io.sparkclassify.job

/** The CSV files that the job reads and writes, as RFC 4180 and Python's `csv` have them. */
object CsvFiles {

  /** For the list of images: a quoted field may hold line breaks, and two quotes in it are one. */
  val ListOptions: Map[String, String] = Map("header" -> "true", "escape" -> "\"", "multiLine" -> "true")

  /**
   * For the predictions. Spark would else take the first line break, and that may be one in a label, for the file's.
   */
  val ReadOptions: Map[String, String] = ListOptions + ("lineSep" -> "\n")

  /** Writes what [[ReadOptions]] read: labels and paths as they are, with the spaces around them. */
  val WriteOptions: Map[String, String] = Map(
    "header" -> "true",
    "escape" -> "\"",
    "lineSep" -> "\n",
    "quoteAll" -> "true",
    "ignoreLeadingWhiteSpace" -> "false",
    "ignoreTrailingWhiteSpace" -> "false"
  )
}
