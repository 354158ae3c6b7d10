package io.sparkclassify.image

import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.AtomicInteger

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import io.sparkclassify.{BlockingFileSystem, ColourImages, Concurrently, SharedSession, TestData}
import io.sparkclassify.conf.{ClassifyConf, FileSpec, ImageSpec, Schemes}
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.natives.FaultyLibrary
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

  test("what is not a regular file is a bad image at once, and says what it is") {
    withImages("good.png") { folder =>
      def there(name: String) = folder.resolve(name)
      TestData.fifo(there("fifo.png"))
      // One that has checksums is Hadoop's to read.
      Files.copy(there("good.png"), there(".fifo.png.crc"))
      Files.createSymbolicLink(there("link.png"), there("fifo.png"))
      Files.createSymbolicLink(there("dangling.png"), there("none.png"))
      TestData.socket(there("socket"))
      def not(kind: String) = s"it is $kind, not a regular file"
      val cases = Seq(
        s"${there("fifo.png")}" -> not("a FIFO"),
        s"file:${there("fifo.png")}" -> not("a FIFO"),
        s"${there("link.png")}" -> not("a FIFO"),
        s"${there("socket")}" -> not("a socket"),
        s"$folder" -> not("a directory"),
        s"$folder/" -> not("a directory"),
        "/dev/zero" -> not("a character device"),
        "/dev/null" -> not("a character device"),
        "/dev/tty" -> not("a character device"),
        s"${there("dangling.png")}" -> "the file does not exist",
        s"${there("good.png")}/" -> "Not a directory",
        s"/${"x" * 300}.png" -> "File name too long",
        "/proc/kmsg" -> ""
      )
      val values = (cases.map(_._1) :+ s"$folder/good.png").zipWithIndex.map { case (path, id) => s"($id, '$path')" }
      // In the operator, and row by row.
      Seq(classify("path"), s"transform(array(path), p -> ${classify("p")})[0]").foreach { call =>
        val found =
          sql(s"SELECT $call.error FROM VALUES ${values.mkString(", ")} AS t(id, path) ORDER BY id").collect()
        assert(found.last.isNullAt(0) && found.length == cases.length + 1)
        found.map(_.getString(0)).zip(cases).foreach { case (error, (path, reason)) =>
          assert(error.contains(" cannot ") && error.contains(reason), s"$path: $error")
        }
      }
    }
  }

  test("a FIFO that takes the place of a file holds no thread, while it is read 5,000 times and more") {
    withImages("path.png") { folder =>
      val (path, fifo, aside) = (folder.resolve("path.png"), folder.resolve("fifo.png"), folder.resolve("aside.png"))
      TestData.fifo(fifo)
      val spec = ImageSpec("file:/", 1 << 20, FileSpec(Long.MaxValue, retries = 0, Schemes(Set("file"))))
      val reader = new ImageReader(spec, spark.sessionState.newHadoopConf(), FaultyLibrary.natives)
      val expected = ColourImages.file(1).toSeq
      val (read, refused, readers) = (new AtomicInteger, new AtomicInteger, new AtomicInteger(4))
      Concurrently(5) {
        case 0 => while (readers.get > 0) {
            Files.move(path, aside)
            Files.move(fifo, path)
            Files.move(path, fifo)
            Files.move(aside, path)
          }
        case _ =>
          try while (read.get < 5000 || refused.get < 5000)
              reader.read(ImageSource.File(path.toString), DirectBuffers.memory.take(_)(())) match {
                case Right(image) =>
                  val bytes = new Array[Byte](image.length)
                  image.content.get(bytes)
                  image.release()
                  assert(bytes.toSeq == expected)
                  read.incrementAndGet()
                case Left(bad) =>
                  val missing = bad.reason.contains("does not exist")
                  assert(missing || bad.reason.contains("it is a FIFO, not a regular file"), bad)
                  if (!missing) refused.incrementAndGet()
              }
          finally readers.decrementAndGet()
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
      val spec = ImageSpec("file:/", 1 << 20, FileSpec(timeoutMillis = 100, retries = 0, Schemes(Set("blocking"))))
      val reader = new ImageReader(spec, spark.sessionState.newHadoopConf(), FaultyLibrary.natives)
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
      val patient =
        new ImageReader(
          spec.copy(files = spec.files.copy(timeoutMillis = Long.MaxValue)),
          spark.sessionState.newHadoopConf(),
          FaultyLibrary.natives
        )
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

  test("where reads that were given up have the memory, the others' rows are errors soon") {
    withImages("read.png", "good.png") { folder =>
      val memory = DirectBuffers.memory
      val spec = ImageSpec("file:/", 1 << 20, FileSpec(timeoutMillis = 100, retries = 0, Schemes(Set("blocking"))))
      def images(spec: ImageSpec) = new ReadAhead(
        new ImageReader(spec, spark.sessionState.newHadoopConf(), FaultyLibrary.natives),
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
      val task = images(spec.copy(files = spec.files.copy(timeoutMillis = Long.MaxValue)))
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

  test("reads that a task has just given up are waited for, and make no errors of other tasks' rows") {
    withImages("open.png", "good.png") { folder =>
      val spec = ImageSpec("file:/", 1 << 20, FileSpec(timeoutMillis = 60000, retries = 0, Schemes(Set("blocking"))))
      val reader = new ImageReader(spec, spark.sessionState.newHadoopConf(), FaultyLibrary.natives)
      val cap = 2
      def images = new ReadAhead(reader, threads = cap, maxBytes = 1 << 20, None, ReadThreads.identity(cap))
      val ended = images
      (1 to cap).foreach(_ => ended.ask(ImageSource.File(s"blocking:$folder/open.png")))
      eventually(assert(BlockingFileSystem.blocked == cap))
      ended.close()
      ended.free()
      assert(ReadThreads.stuck == cap)
      val task = images
      try {
        val image = task.ask(ImageSource.File(s"blocking:$folder/good.png"))
        Future {
          Thread.sleep(500)
          BlockingFileSystem.answer()
        }
        assert(image.take().isRight)
      } finally {
        task.close()
        task.free()
      }
    }
  }
}
