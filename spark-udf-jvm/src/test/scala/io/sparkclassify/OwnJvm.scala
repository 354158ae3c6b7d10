package io.sparkclassify

import java.lang.management.ManagementFactory
import java.util.concurrent.TimeUnit

import scala.jdk.CollectionConverters._

/** A JVM beside the tests' own, for what happens once a process or might end it. */
object OwnJvm {

  /**
   * Runs the `main` of this class on the tests' class path, and gives its exit status and all that it printed.
   *
   * @param within
   *   a command that runs the command behind it
   */
  def run(
      main: String,
      options: Seq[String],
      arguments: Seq[String],
      within: Seq[String] = Seq.empty
  ): (Int, String) = {
    val command =
      within ++ Seq(s"${System.getProperty("java.home")}/bin/java", "-cp", System.getProperty("java.class.path")) ++
        moduleOptions ++ options ++ (main +: arguments)
    val process = new ProcessBuilder(command: _*).redirectErrorStream(true).start()
    try {
      val output = new String(process.getInputStream.readAllBytes())
      (process.waitFor(), output)
    } finally if (!process.waitFor(1, TimeUnit.SECONDS)) process.destroyForcibly()
  }

  /** What Spark needs opened of the JDK. */
  private def moduleOptions: Seq[String] =
    ManagementFactory.getRuntimeMXBean.getInputArguments.asScala.filter(_.startsWith("--add-opens=")).toSeq
}
