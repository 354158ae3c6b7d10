package io.sparkclassify

import java.awt.Color
import java.awt.image.BufferedImage
import java.nio.file.{Path, Paths}

import io.sparkclassify.conf.ClassifyConf
import javax.imageio.ImageIO

/** A model whose logits are NaN for some images, here for the dark ones; for others they are all the same. */
class NoPredictionSuite extends SharedSession {

  private val models = Seq("onnx" -> "models", "pytorch" -> "torch").map { case (engine, folder) =>
    engine -> Paths.get(s"tests/cases/$folder/nan_for_dark").toAbsolutePath
  }

  private val reason = "the model gives no prediction for this image: its logits are not finite numbers"

  /** Ten images in a table of one partition, of which the dark ones are `dark` alone. */
  private def withImages(dark: Int)(body: Seq[String] => Unit): Unit = TestData.withFolder { folder =>
    val paths = (0 until 10).map { number =>
      grey(folder.resolve(s"$number.png"), if (number == dark) Color.BLACK else Color.WHITE).toString
    }
    spark.createDataFrame(paths.map(Tuple1(_))).toDF("path").coalesce(1).createOrReplaceTempView("greys")
    // All in one batch, so that the dark one has neighbours to lose.
    withConf(ClassifyConf.BatchSize.key -> "10")(body(paths))
  }

  private def grey(file: Path, colour: Color): Path = {
    val image = new BufferedImage(4, 4, BufferedImage.TYPE_INT_RGB)
    (0 until 16).foreach(pixel => image.setRGB(pixel % 4, pixel / 4, colour.getRGB))
    assert(ImageIO.write(image, "png", file.toFile))
    file
  }

  models.foreach { case (engine, model) =>
    val arguments = s"path, backend => '$engine', model => '$model'"

    test(s"$engine: classify and classify_topk fail and name the image") {
      withImages(dark = 4) { paths =>
        Seq(s"classify($arguments)", s"classify_topk($arguments, k => 2)").foreach { call =>
          assertError(failure(s"SELECT $call FROM greys"), "CLASSIFY_BAD_IMAGE", paths(4), reason)
        }
      }
    }

    test(s"$engine: try_classify has the error in that row alone, and keeps the others") {
      withImages(dark = 4) { paths =>
        val rows =
          sql(s"SELECT path, c.class, c.error FROM (SELECT path, try_classify($arguments) AS c FROM greys)").collect()
        assert(rows.map(_.getString(0)).toSeq == paths)
        rows.zipWithIndex.foreach { case (row, number) =>
          if (number == 4) {
            assert(row.isNullAt(1))
            Seq("[CLASSIFY_BAD_IMAGE]", paths(4), reason).foreach(part => assert(row.getString(2).contains(part), row))
          } else assert(row.getString(1) == "c0" && row.isNullAt(2), row)
        }
      }
    }

    test(s"$engine: without a dark image, classify_topk ranks all") {
      withImages(dark = -1) { _ =>
        val best = sql(s"SELECT classify_topk($arguments, k => 2).class FROM greys").collect()
        assert(best.map(_.getSeq[String](0)).toSeq == Seq.fill(10)(Seq("c0", "c1")))
      }
    }
  }
}
