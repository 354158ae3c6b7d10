package io.sparkclassify

import io.sparkclassify.conf.ConfigurationPage
import io.sparkclassify.job.JobPage
import io.sparkclassify.sql.SqlPage

/** What `gradle generatedPages` runs. */
object GeneratedPages {
  def main(arguments: Array[String]): Unit = {
    ConfigurationPage.main(arguments)
    JobPage.main(arguments)
    SqlPage.main(arguments)
  }
}
