package io.sparkclassify

import java.awt.RenderingHints
import java.awt.image.BufferedImage
import java.io.ByteArrayOutputStream
import java.nio.file.{Files, Path}

import scala.util.Random

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.model.ClassifyEngine
import javax.imageio.ImageIO

/** The keys about decoding, from the session to the pixels. */
class DecodeSuite extends SharedSession {

  private def results(images: Seq[Path], engine: String): Seq[(String, Seq[Double])] = {
    val rows = images.map(image => s"('$image')").mkString(", ")
    sql(s"SELECT classify(path, '$engine') AS c FROM VALUES $rows AS t(path)").select("c.*").collect().toSeq.map {
      row =>
        row.getAs[String]("class") -> probabilities(row)
    }
  }

  private def result(image: Path, engine: String): Seq[Double] = results(Seq(image), engine).head._2

  private def difference(one: Seq[Double], other: Seq[Double]): Double =
    one.zip(other).map { case (a, b) => math.abs(a - b) }.max

  private def jpeg(image: BufferedImage): Array[Byte] = {
    val bytes = new ByteArrayOutputStream
    ImageIO.write(image, "jpg", bytes)
    bytes.toByteArray
  }

  /** Grey blocks of 8 x 8 pixels, each of which a JPEG keeps as it is, wherever it lies. */
  private def blocks(width: Int, height: Int)(level: (Int, Int) => Int): Array[Byte] = {
    val image = new BufferedImage(8 * width, 8 * height, BufferedImage.TYPE_BYTE_GRAY)
    for (x <- 0 until image.getWidth; y <- 0 until image.getHeight)
      image.getRaster.setSample(x, y, 0, level(x / 8, y / 8))
    jpeg(image)
  }

  /** With an EXIF orientation, as the segment behind the one that every JPEG of ours begins with. */
  private def orientated(jpeg: Array[Byte], orientation: Int): Array[Byte] = {
    val exif = "Exif\u0000\u0000MM\u0000*\u0000\u0000\u0000\u0008\u0000\u0001\u0001\u0012\u0000\u0003\u0000\u0000" +
      s"\u0000\u0001\u0000${orientation.toChar}\u0000\u0000\u0000\u0000\u0000\u0000"
    val segment = Array(0xff.toByte, 0xe1.toByte, 0.toByte, (exif.length + 2).toByte) ++ exif.getBytes("ISO-8859-1")
    val (start, rest) = jpeg.splitAt(4 + (jpeg(4) & 0xff) * 256 + (jpeg(5) & 0xff))
    start ++ segment ++ rest
  }

  private def enlarged(image: Path, times: Int): Array[Byte] = {
    val small = ImageIO.read(image.toFile)
    val large =
      new BufferedImage(times * small.getWidth, times * small.getHeight, BufferedImage.TYPE_INT_RGB)
    val graphics = large.createGraphics()
    graphics.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BICUBIC)
    graphics.drawImage(small, 0, 0, large.getWidth, large.getHeight, null)
    graphics.dispose()
    jpeg(large)
  }

  TestData.engines.foreach { engine =>
    test(s"$engine: a JPEG with an EXIF orientation is turned upright with the key, and only then") {
      TestData.withFolder { folder =>
        val random = new Random(1)
        val levels = Array.fill(20, 12)(random.nextInt(256))
        val lying = blocks(20, 12)(levels(_)(_))
        // Orientation 6: the top of the upright image is on the right of the stored one's left side.
        val upright = Files.write(folder.resolve("upright.jpg"), blocks(12, 20)((x, y) => levels(y)(11 - x)))
        val turned = Files.write(folder.resolve("turned.jpg"), orientated(lying, 6))
        val plain = Files.write(folder.resolve("plain.jpg"), lying)
        assert(difference(result(turned, engine), result(plain, engine)) == 0)
        withConf(ClassifyConf.ImageExifTranspose.key -> "true") {
          assert(difference(result(turned, engine), result(upright, engine)) == 0)
          assert(difference(result(turned, engine), result(plain, engine)) > 1e-3)
        }
      }
    }

    test(s"$engine: an image with more pixels than allowed is refused, and the error names the key") {
      val image = TestData.image(".jpg")
      val size = ImageIO.read(image.toFile)
      val pixels = size.getWidth * size.getHeight
      val query = s"SELECT classify(path, '$engine') FROM VALUES ('$image') AS t(path)"
      withConf(ClassifyConf.ImageMaxPixels.key -> s"${pixels - 1}") {
        val limit = s"size in pixels is $pixels, over the limit of ${pixels - 1} (${ClassifyConf.ImageMaxPixels.key})"
        assertError(failure(query), "CLASSIFY_BAD_IMAGE", image.toString, limit)
        // Outside of the operator, too.
        val inLambda = s"SELECT transform(array('$image'), p -> try_classify(p, '$engine').error)[0]"
        assert(sql(inLambda).head().getString(0).contains(limit))
      }
      withConf(ClassifyConf.ImageMaxPixels.key -> s"$pixels")(assert(sql(query).count() == 1))
    }

    test(s"$engine: an image that takes more memory than allowed is refused, and the error names the key") {
      val image = TestData.image(".jpg")
      val query = s"SELECT classify(path, '$engine') FROM VALUES ('$image') AS t(path)"
      withConf(ClassifyConf.ImageMaxMemory.key -> "64k") {
        val limit = s"over the limit of 65536 (${ClassifyConf.ImageMaxMemory.key})"
        assertError(failure(query), "CLASSIFY_BAD_IMAGE", image.toString, "memory for decoding in bytes is ", limit)
      }
      withConf(ClassifyConf.ImageMaxMemory.key -> "64m")(assert(sql(query).count() == 1))
    }

    test(s"$engine: fast decoding of large JPEGs gives other probabilities and the same classes") {
      TestData.withFolder { folder =>
        val images = TestData.golden(engine).keys.filter(_.endsWith(".jpg")).toSeq.sorted.take(6).map { name =>
          Files.write(folder.resolve(name), enlarged(TestData.images.resolve(name), 4))
        }
        val exact = results(images, engine)
        withConf(ClassifyConf.Decode.key -> "FAST") {
          val fast = results(images, engine)
          assert(fast.map(_._1) == exact.map(_._1))
          val differences = fast.zip(exact).map { case (one, other) => difference(one._2, other._2) }
          assert(differences.forall(difference => difference > 0 && difference < 0.05), differences)
        }
      }
    }
  }

  test("calls with different settings have each their own model, in one session and in one operator") {
    TestData.withFolder { folder =>
      val image = Files.write(folder.resolve("large.jpg"), enlarged(TestData.image(".jpg"), 4))
      // A directory that no other test has loaded.
      val call = s"classify(path, 'onnx', '${TestData.copyModel(folder)}').probabilities"
      val exact = sql(s"SELECT path, $call AS exact FROM VALUES ('$image') AS t(path)")
      val both = withConf(ClassifyConf.Decode.key -> "fast")(exact.selectExpr("*", s"$call AS fast"))

      val before = ClassifyEngine.modelsLoaded
      val row = both.selectExpr("exact", "fast").head()
      assert(ClassifyEngine.modelsLoaded == before + 2)
      val (first, second) = (row.getSeq[Float](0), row.getSeq[Float](1))
      assert(first != second)
      assert(exact.select("exact").head().getSeq[Float](0) == first)
      withConf(ClassifyConf.Decode.key -> "fast") {
        val alone = sql(s"SELECT $call FROM VALUES ('$image') AS t(path)").head()
        assert(alone.getSeq[Float](0) == second)
      }
      assert(ClassifyEngine.modelsLoaded == before + 2)
    }
  }
}
