package io.sparkclassify.job

/** Into how many parts the images are spread. */
private[job] object Partitions {

  /** More images in one would be long work to lose with an executor. */
  private val MostImages = 2000L

  /** So that no core waits long for the last one. */
  private val PartsOfCore = 4L

  /**
   * Parts of at least a batch, four for each core where there are so many images, and all cores busy to the end: their
   * number is a multiple of the cores'.
   */
  def number(images: Long, cores: Int, batchSize: Int): Int = {
    def divided(by: Long): Long = (images + by - 1) / by
    val parts = math.max(divided(MostImages), math.min(PartsOfCore * cores, divided(batchSize.toLong)))
    val rounded = (parts + cores - 1) / cores * cores
    math.max(1L, math.min(rounded, math.min(images, Int.MaxValue.toLong))).toInt
  }
}
