package io.sparkclassify.image

import java.nio.file.{Files, Path}

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import io.sparkclassify.{BlockingFileSystem, ColourImages, SharedSession, TestData}
import io.sparkclassify.conf.{ClassifyConf, ImageSpec, Schemes}
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.threads.ReadThreads
import org.scalatest.concurrent.Eventually
import org.scalatest.time.{Millis, Seconds, Span}

/** Files and file systems that never answer. */
class StuckReadsSuite extends SharedSession with Eventually {

  implicit override val patienceConfig: PatienceConfig = PatienceConfig(Span(20, Seconds), Span(10, Millis))
  private implicit val executor: ExecutionContext = ExecutionContext.global

  private def withImages(names: String*)(body: Path => Unit): Unit = TestData.withFolder { folder =>
    names.foreach(name => Files.write(folder.resolve(name), ColourImages.file(1)))
    try body(folder)
    finally {
      BlockingFileSystem.answer()
      eventually(assert(ReadThreads.active == 0 && ReadThreads.stuck == 0 && DirectBuffers.lent == 0))
      assert(DirectBuffers.memory.taken == 0)
    }
  }

  private def classify(path: String, function: String = "try_classify"): String =
    s"$function($path, 'onnx', '${ColourImages.model}')"

  test("what is no regular file is a bad image at once") {
    withImages("good.png") { folder =>
      val fifo = folder.resolve("fifo.png")
      assert(new ProcessBuilder("mkfifo", fifo.toString).start().waitFor() == 0)
      val link = Files.createSymbolicLink(folder.resolve("link.png"), fifo)
      val strange = Seq(fifo, link, "/dev/tty", "/dev/zero", "/dev/null").map(_.toString)
      val paths = strange ++ Seq("/proc/kmsg", s"$folder/good.png")
      def values = paths.zipWithIndex.map { case (path, id) => s"($id, '$path')" }.mkString(", ")
      def errors(call: String) =
        sql(s"SELECT id, $call.error FROM VALUES $values AS t(id, path) ORDER BY id").collect().map(
          _.getString(1)
        ).toSeq
      // In the operator, and row by row.
      Seq(classify("path"), s"transform(array(path), p -> ${classify("p")})[0]").foreach { call =>
        val found = errors(call)
        strange.zip(found).foreach { case (path, error) =>
          assert(error.contains(s"cannot classify $path: it is no regular file"), error)
        }
        assert(found(strange.size) != null && found.last == null)
        val uris = sql(s"SELECT ${classify(s"'file:$fifo' || IF(id < 0, '', '')")}.error FROM range(2)").collect()
        assert(uris.forall(_.getString(0).contains("it is no regular file")))
      }
    }
  }

  for (kind <- Seq("open", "read"); interrupt <- Seq(true, false); byRow <- Seq(false, true))
    test(s"a task is killed while a file system never answers ($kind, interrupt: $interrupt, row by row: $byRow)") {
      withImages(s"$kind.png", "good.png") { folder =>
        val path = s"'blocking:$folder/' || IF(id % 2 = 0, '$kind.png', 'good.png')"
        val call = if (byRow) s"transform(array($path), p -> ${classify("p")})[0]" else classify(path)
        val group = s"stuck-$kind-$interrupt-$byRow"
        val rows = Future {
          spark.sparkContext.setJobGroup(group, "to be cancelled", interrupt)
          try sql(s"SELECT $call FROM range(0, 1000, 1, 1)").collect()
          finally spark.sparkContext.clearJobGroup()
        }
        eventually(assert(BlockingFileSystem.blocked > 0))
        spark.sparkContext.cancelJobGroup(group)
        assert(intercept[Exception](Await.result(rows, 10.seconds)).getMessage.contains("cancelled"))
        val tracker = spark.sparkContext.statusTracker
        eventually(timeout(Span(10, Seconds)))(assert(tracker.getExecutorInfos.map(_.numRunningTasks).sum == 0))
        // The task is over, and its threads are not.
        eventually(assert(ReadThreads.stuck == BlockingFileSystem.blocked && ReadThreads.stuck == ReadThreads.active))
        assert(ReadThreads.stuck > 0 && ReadThreads.stuck <= 8)
        val taken = DirectBuffers.lent
        assert(if (kind == "read") taken == BlockingFileSystem.blocked else taken == 0)
        // Others go on, and get no buffer of theirs.
        assert(sql(
          s"SELECT ${classify("path", "classify")}.class_id FROM VALUES ('$folder/good.png') t(path)"
        ).head().getInt(0) == 1)
        assert(DirectBuffers.lent == taken)
      }
    }

  test("a read that takes longer than the limit is its row's error, and the others are classified") {
    withImages("open.png", "read.png", "good.png") { folder =>
      withConf(ClassifyConf.ReadTimeout.key -> "300ms", ClassifyConf.ReadThreads.key -> "2") {
        val query = s"SELECT id, c.class_id, c.error FROM (SELECT id, ${classify(
            s"'blocking:$folder/' || element_at(array('good.png', 'open.png', 'read.png'), CAST(1 + id % 3 AS INT))"
          )} AS c FROM range(0, 12, 1, 1)) ORDER BY id"
        val rows = sql(query).collect()
        assert(rows.length == 12)
        rows.foreach { row =>
          if (row.getLong(0) % 3 == 0) assert(row.getInt(1) == 1 && row.isNullAt(2))
          else Seq("[CLASSIFY_UNREADABLE_IMAGE]", "300 ms", ClassifyConf.ReadTimeout.key).foreach(part =>
            assert(row.getString(2).contains(part))
          )
        }
        assert(BlockingFileSystem.blocked == 8 && ReadThreads.stuck == 8)
      }
    }
  }

  test("no more threads than the cap wait for file systems, and what finds none is its row's error") {
    withImages("open.png") { folder =>
      val spec = ImageSpec("file:/", 1 << 20, timeoutMillis = 100, Schemes(Set("blocking")))
      val reader = new ImageReader(spec, spark.sessionState.newHadoopConf())
      val cap = 3
      def images = new ReadAhead(reader, threads = 2, maxBytes = 1 << 20, None, ReadThreads.identity(cap))
      val reasons = (0 until 4).flatMap { _ =>
        val task = images
        try Seq.fill(3)(task.ask(ImageSource.File(s"blocking:$folder/open.png"))).map(_.take().left.toOption.get.reason)
        finally {
          task.close()
          task.free()
        }
      }
      val slow = reasons.takeWhile(_.contains("it could not be read"))
      assert(slow.size >= cap && slow.forall(_.contains(ClassifyConf.ReadTimeout.key)), reasons)
      assert(reasons.size > slow.size && reasons.drop(slow.size).forall(_.contains("there is no thread")), reasons)
      // A task that began below the cap may add as many as it has threads.
      assert(ReadThreads.stuck >= cap && ReadThreads.stuck <= cap + 1 && ReadThreads.active == ReadThreads.stuck)
      // It does not wait for that.
      val patient = new ImageReader(spec.copy(timeoutMillis = Long.MaxValue), spark.sessionState.newHadoopConf())
      val task = new ReadAhead(patient, threads = 2, maxBytes = 1 << 20, None, ReadThreads.identity(cap))
      try {
        val files = Seq.fill(100)(task.ask(ImageSource.File(s"blocking:$folder/open.png")))
        assert(files.forall(_.take().left.exists(_.reason.contains("there is no thread to read it"))))
      } finally {
        task.close()
        task.free()
      }
    }
  }

  test("where reads that were given up have the memory, the others' rows are errors at once") {
    withImages("read.png", "good.png") { folder =>
      val memory = DirectBuffers.memory
      val spec = ImageSpec("file:/", 1 << 20, timeoutMillis = 100, Schemes(Set("blocking")))
      def images(spec: ImageSpec) = new ReadAhead(
        new ImageReader(spec, spark.sessionState.newHadoopConf()),
        threads = 2,
        maxBytes = 1 << 20,
        None
      )
      val stuck = images(spec)
      assert(stuck.ask(ImageSource.File(s"blocking:$folder/read.png")).take().isLeft)
      // As if that one had nearly all.
      val (had, most) = (memory.taken, memory.total - memory.taken)
      assert(had > 0)
      memory.takeForResults(most)
      memory.lose(most)
      val task = images(spec.copy(timeoutMillis = Long.MaxValue))
      try {
        val file = task.ask(ImageSource.File(s"blocking:$folder/good.png"))
        val content = task.ask(ImageSource.Content("a value", ColourImages.file(1)))
        Seq(file, content).foreach(image =>
          assert(image.take().left.exists(_.reason.contains("there is no memory to read it: 1 reads")))
        )
        memory.find(most)
        memory.give(most)
        val again = task.ask(ImageSource.Content("a value", ColourImages.file(1))).take()
        assert(again.isRight)
      } finally
        Seq(task, stuck).foreach { images =>
          images.close()
          images.free()
        }
      BlockingFileSystem.answer()
      eventually(assert(memory.taken == 0))
      memory.take(memory.largest)(())
      memory.give(memory.largest)
    }
  }
}
