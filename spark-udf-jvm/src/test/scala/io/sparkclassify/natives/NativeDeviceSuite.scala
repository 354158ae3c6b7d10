package io.sparkclassify.natives

import java.awt.image.BufferedImage
import java.io.ByteArrayOutputStream
import java.util.concurrent.{Callable, Executors}

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ClassifyException, TestData}
import io.sparkclassify.natives.NativeBatch._
import org.scalatest.funsuite.AnyFunSuite

/**
 * Models on a device, through the boundary: the images of concurrent calls share its batches. The device is a faulty
 * one.
 */
class NativeDeviceSuite extends AnyFunSuite {

  private val natives = FaultyLibrary.natives
  private val png = read(TestData.image(".png"))
  private val black = {
    val bytes = new ByteArrayOutputStream
    javax.imageio.ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "png", bytes)
    bytes.toByteArray
  }

  private def withModel[T](device: String, gpu: String = "")(body: Long => T): T = {
    val request = s"""{"directory": "${TestData.model}", "device": "$device"$gpu}"""
    val model = natives.openModel(request)
    try body(model)
    finally natives.closeModel(model)
  }

  private def isUsual(row: Row): Boolean = row match {
    case Good(classId, probabilities) => classId == classes - 1 && math.abs(probabilities.sum - 1) < 1e-5
    case _                            => false
  }

  /** The results of calls that come at the same time, one each. */
  private def atOnce[T](calls: Seq[() => T]): Seq[Either[ClassifyException, T]] = {
    val pool = Executors.newFixedThreadPool(calls.length)
    try {
      val tasks = calls.map { work =>
        new Callable[Either[ClassifyException, T]] {
          override def call(): Either[ClassifyException, T] =
            try Right(work())
            catch { case e: ClassifyException => Left(e) }
        }
      }
      pool.invokeAll(tasks.asJava).asScala.map(_.get).toSeq
    } finally pool.shutdown()
  }

  test("concurrent calls get their own answers, each row in its place") {
    // A batch that is full, one that never is, and one that the memory does not hold.
    Seq("cuda:0" -> 4, "cuda:0" -> 1000, "cuda:1" -> 64).foreach { case (device, size) =>
      withModel(device, s""", "gpu": {"batch_size": $size}""") { model =>
        val calls = (0 until 6).map { caller => () =>
          val images = Seq.tabulate(20)(at => if (at == caller) "no image".getBytes else png)
          classify(natives, model, images, threads = 1 + caller % 2).rows.zipWithIndex.foreach {
            case (row, at) => assert(if (at == caller) row.isInstanceOf[Bad] else isUsual(row), s"$caller, $at: $row")
          }
        }
        atOnce(calls).foreach(result => assert(result.isRight, result))
      }
    }
  }

  Seq("cuda:2" -> "CLASSIFY_INFERENCE_FAILED", "cuda:3" -> "CLASSIFY_INTERNAL_ERROR").foreach {
    case (device, condition) =>
      test(s"$device: a run that fails fails the call whose image it is, and no other") {
        withModel(device) { model =>
          val calls = (0 until 6).map { caller => () =>
            // The first call of all may come to a lane that has not run yet.
            (0 until 3).map { _ =>
              classify(natives, model, Seq.tabulate(10)(at => if (caller == 2 && at == 7) black else png)).rows
            }
          }
          atOnce(calls).zipWithIndex.foreach {
            case (Left(error), caller) =>
              assert(caller == 2 && error.getCondition == condition, error)
              assert(error.getMessage.contains("provoked in run"), error)
            case (Right(batches), caller) => assert(caller != 2 && batches.forall(_.forall(isUsual)), caller)
          }
          assert(isUsual(classify(natives, model, Seq(png)).rows.head))
        }
      }
  }

  test("a device that is not there, and options that make no sense, are refused") {
    def refused(device: String, gpu: String = ""): ClassifyException =
      intercept[ClassifyException](withModel(device, gpu)(_ => ()))
    val missing = refused("cuda:9")
    assert(missing.getCondition == "CLASSIFY_DEVICE_UNAVAILABLE" && missing.getMessage.contains("device cuda:9: "))
    assert(refused("cuda:0", """, "gpu": {"lanes": 2}""").getMessage.contains("unknown field `lanes`"))
  }
}
