package io.sparkclassify.inference

import java.awt.image.BufferedImage
import java.io.ByteArrayOutputStream
import java.util.concurrent.CountDownLatch
import javax.imageio.ImageIO

import io.sparkclassify.{ColourImages, OtherThread, SharedSession}
import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.ImageInput
import io.sparkclassify.memory.DirectBuffers
import org.apache.spark.TaskContext
import org.apache.spark.sql.types.BinaryType

class RowInferenceSuite extends SharedSession {
  import RowInferenceSuite._

  /** Large enough to be under way while its task ends. */
  private lazy val large: Array[Byte] = {
    val bytes = new ByteArrayOutputStream
    ImageIO.write(new BufferedImage(9000, 9000, BufferedImage.TYPE_3BYTE_BGR), "jpg", bytes)
    bytes.toByteArray
  }

  test("a task that ends while another thread classifies an image leaves that thread its buffer") {
    spark // resolves the specification
    val spec = ClassifySpec.resolve(Some("onnx"), Some(ColourImages.model.toString))
    val image = large
    assert(DirectBuffers.lent == 0)
    spark.sparkContext
      .parallelize(Seq(0), 1)
      .foreach { _ =>
        // The first image loads the model.
        val inference = new RowInference(spec, ImageInput.of(BinaryType), ResultShape.Prediction)
        inference.run(ColourImages.file(1))
        start(inference, image, TaskContext.get())
        called.await()
        while (DirectBuffers.lent == 0) Thread.sleep(1)
        // It has its bytes, and now is in the native call.
        Thread.sleep(20)
        amid = DirectBuffers.lent
      }
    val taskEnd = System.nanoTime()
    assert(DirectBuffers.lent == amid && thread.isAlive, "the image is not large enough for this test")
    while (DirectBuffers.lent == amid) Thread.sleep(1)
    val givenBack = System.nanoTime()
    thread.join()
    // After the call, at the end of which there is little left to do.
    assert(givenBack - taskEnd > System.nanoTime() - givenBack)
    assert(DirectBuffers.lent == 0)
  }
}

/** What the task and the test share. */
object RowInferenceSuite {
  val called = new CountDownLatch(1)
  @volatile var thread: Thread = _
  @volatile var amid = 0

  def start(inference: RowInference, image: Array[Byte], task: TaskContext): Unit = {
    thread = new Thread(() => {
      OtherThread.worksFor(task)
      called.countDown()
      inference.run(image)
    })
    thread.start()
  }
}
