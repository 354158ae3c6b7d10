package io.sparkclassify.execution

import java.nio.file.{Files, Paths}

import io.sparkclassify.{ColourImages, SharedSession, TestData}

class LeakSuite extends SharedSession {

  /** Resident memory of this process beside the Java heap, in MiB, with the garbage gone. */
  private def resident(): Double = {
    System.gc()
    // G1 gives memory back to the system in the background.
    val samples = (1 to 20).map { _ =>
      Thread.sleep(200)
      val pages = Files.readString(Paths.get("/proc/self/statm")).split(' ')(1).toLong
      pages * 4096 - Runtime.getRuntime.totalMemory
    }
    samples.min / (1024.0 * 1024)
  }

  TestData.engines.foreach { engine =>
    test(s"$engine: 200,000 classifications leave memory as it is") {
      val content = spark.createDataFrame((0 to 2).map(id => (id, ColourImages.file(id)))).toDF("id", "content")
      content.createOrReplaceTempView("colours")
      def classify(count: Int): Unit = {
        val rows = sql(
          s"""SELECT class_id, count(*) FROM
             |(SELECT try_classify(content, '$engine', '${ColourImages.model}').class_id AS class_id FROM
             |  (SELECT /*+ BROADCAST(colours) */ content FROM range(0, $count, 1, 20) r JOIN colours c ON r.id % 4 = c.id))
             |GROUP BY 1""".stripMargin
        ).collect()
        assert(rows.map(_.getLong(1)).sum == count / 4 * 3)
      }
      // Heap, arenas and compiled code have grown by then.
      classify(80000)
      val samples = resident() +: (1 to 4).map { _ =>
        classify(67000)
        resident()
      }
      info(samples.map(sample => f"$sample%.0f").mkString("resident memory beside the heap, in MiB: ", ", ", ""))
      // What grows once, as arenas do, is no leak: each quarter would add its part of one, of a tensor of 8x8 pixels an
      // image for example 37 MiB. On a busy machine G1 gives a shrunk heap back seconds after it says so, and one
      // sample is then too high by hundreds.
      val growths = samples.zip(samples.tail).map { case (before, after) => after - before }.sorted
      assert(growths.head < 4)
      assert(growths(1) < 16)
    }
  }
}
