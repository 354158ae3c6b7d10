package io.sparkclassify

import io.sparkclassify.conf.ConfigurationPage
import io.sparkclassify.job.JobPage

/** What `gradle configurationDocs` runs. */
object GeneratedPages {
  def main(arguments: Array[String]): Unit = {
    ConfigurationPage.main(arguments)
    JobPage.main(arguments)
  }
}
