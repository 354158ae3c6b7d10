package io.sparkclassify.natives

import java.lang.reflect.Proxy
import java.nio.ByteBuffer
import java.nio.file.Paths

import io.sparkclassify.{ClassifyException, ColourImages, TestData}
import org.scalatest.funsuite.AnyFunSuite

/**
 * The boundary between the JVM and Rust, with a real library whose backend fails on demand. The JVM of the tests runs
 * with -Xcheck:jni, so a broken rule of JNI ends it.
 */
class NativeBoundarySuite extends AnyFunSuite {
  import NativeBatch._

  private lazy val natives = FaultyLibrary.natives
  private lazy val png = read(TestData.image(".png"))
  private lazy val jpeg = read(TestData.image(".jpg"))

  private def open(device: String = "cpu"): Long = natives.openModel(request(TestData.model, device))

  private def withModel[T](device: String)(body: Long => T): T = {
    val model = open(device)
    try body(model)
    finally natives.closeModel(model)
  }

  private def assertFails(condition: String, parts: String*)(action: => Any): Unit = {
    val failure = intercept[ClassifyException](action)
    assert(failure.getCondition == condition, failure)
    parts.foreach(part => assert(failure.getMessage.contains(part)))
  }

  private def assertRefused(parts: String*)(action: => Any): Unit =
    assertFails("CLASSIFY_INTERNAL_ERROR", parts: _*)(action)

  test("a batch comes back row by row, with good and bad images mixed") {
    val long = s"no image ${"x" * 2000}".getBytes
    val results = classify(natives, open(), Seq(png, Array.empty, jpeg, long, png))
    val expected = {
      val weights = (0 until classes).map(logit => math.exp(logit.toDouble))
      weights.map(_ / weights.sum)
    }
    Seq(0, 2, 4).foreach { good =>
      results.rows(good) match {
        case Good(classId, probabilities) =>
          assert(classId == classes - 1)
          probabilities.zip(expected).foreach { case (actual, wanted) => assert(math.abs(actual - wanted) < 1e-6) }
        case bad => fail(bad.toString)
      }
    }
    assert(results.rows(1) == Bad("the file is empty"))
    assert(results.rows(3).asInstanceOf[Bad].message.contains("not an image"))
    assert(results.nanos.forall(_ > 0))
  }

  test("an empty batch, and one of bad images alone, need no run of the model") {
    withModel("panic-in-run") { model =>
      assert(classify(natives, model, Seq.empty).rows.isEmpty)
      assert(classify(natives, model, Seq(Array.empty, Array.empty)).rows == Seq.fill(2)(Bad("the file is empty")))
    }
  }

  test("buffers that break the contract are refused") {
    val model = open()
    val output = direct(capacity(1))
    val good = pack(Seq(png))
    assertRefused("`images`", "null")(natives.classify(model, Classes, null, files(0), 1, output))
    assertRefused("`images`", "image 1 is null")(natives.classify(model, Classes, good :+ null, files(2), 1, output))
    assertRefused("`images`", "image 1 is not a direct buffer")(
      natives.classify(model, Classes, good :+ ByteBuffer.allocate(100), files(2), 1, output)
    )
    assertRefused("`output`", "null")(natives.classify(model, Classes, good, files(1), 1, null))
    assertRefused("`output`", "not a direct buffer")(natives.classify(
      model,
      Classes,
      good,
      files(1),
      1,
      ByteBuffer.allocate(5000)
    ))
    assertRefused("`output`", "read-only")(natives.classify(
      model,
      Classes,
      good,
      files(1),
      1,
      output.asReadOnlyBuffer()
    ))
    assertRefused("`output`", "shares memory with image 0")(natives.classify(
      model,
      Classes,
      good,
      files(1),
      1,
      good.head
    ))
    assertRefused("`output`", "shares memory with image 1")(
      natives.classify(model, Classes, good :+ output.duplicate.position(8).slice(), files(2), 1, output)
    )
    Seq(0, 4, -1).foreach { outputs =>
      assertRefused("`outputs`", s"$outputs is none of 1 (classes)")(
        natives.classify(model, outputs, good, files(1), 1, output)
      )
    }
    assertRefused("the model gives classes alone")(natives.classify(model, Both, good, files(1), 1, output))
    assertRefused("`sizes`", "null")(natives.classify(model, Classes, good, null, 1, output))
    assertRefused("`sizes`", "2 numbers for 1 images")(natives.classify(model, Classes, good, Array(1, 1), 1, output))
    assertRefused("`sizes`", "6 numbers for 1 images")(natives.classify(model, Classes, good, files(2), 1, output))
    Seq(0, -1, Int.MinValue).foreach { threads =>
      assertRefused("`threads`", s"$threads is less than 1")(natives.classify(
        model,
        Classes,
        good,
        files(1),
        threads,
        output
      ))
    }
    assertRefused("`output`", s"${capacity(1) - 1} bytes")(natives.classify(
      model,
      Classes,
      good,
      files(1),
      1,
      direct(capacity(1) - 1)
    ))
    assert(classify(natives, model, Seq(png)).rows.length == 1)
  }

  test("hashes need no model, and buffers that break the contract are refused") {
    def capacity(count: Int): Int = 24 + count * (8 + 16 + 4 + 512)
    val output = direct(capacity(3))
    val images = pack(Seq(png, "no image".getBytes, Array.fill[Byte](12)(7)))
    val sizes = files(2) ++ Array(2, 2, 3)
    val written = natives.hash("{}", images, sizes, 2, output)
    assert(Seq(24, 48, 72).map(output.getInt) == Seq(0, 1, 0))
    val position = output.getInt(52)
    assert(position == 24 + 3 * 24 && written == position + 4 + output.getInt(position))
    // A flat image has one frequency, and no neighbours that differ.
    assert((output.getLong(80), output.getLong(88)) == ((Long.MinValue, 0L)))
    val first = (output.getLong(32), output.getLong(40))
    assert(natives.hash("{}", images.take(1), files(1), 1, output) == 48)
    assert((output.getLong(32), output.getLong(40)) == first)
    natives.hash("""{"max_pixels": 3}""", images.takeRight(1), sizes.takeRight(3), 1, output)
    assert(output.getInt(24) == 2, "the status of an image with too many pixels")

    val good = images.take(1)
    assertRefused("`decode`", "null")(natives.hash(null, good, files(1), 1, output))
    assertRefused("`decode`", "unknown field `faster`")(natives.hash("""{"faster": 1}""", good, files(1), 1, output))
    assertRefused("`images`", "null")(natives.hash("{}", null, files(0), 1, output))
    assertRefused("`sizes`", "6 numbers for 1 images")(natives.hash("{}", good, files(2), 1, output))
    assertRefused("`threads`", "0 is less than 1")(natives.hash("{}", good, files(1), 0, output))
    assertRefused("`output`", "shares memory with image 0")(natives.hash("{}", good, files(1), 1, good.head))
    assertRefused("`output`", s"${capacity(1) - 1} bytes")(
      natives.hash("{}", good, files(1), 1, direct(capacity(1) - 1))
    )
  }

  test("a slice is an image, whatever is around it") {
    val around = direct(png.length + 100)
    around.position(3).put(png)
    val slice = around.position(3).limit(3 + png.length).slice()
    assert(natives.classify(open(), Classes, Array(slice), files(1), 1, direct(capacity(1))) == 24 + 8 + 4 * classes)
  }

  test("pixels stand beside files, and what contradicts itself is its own row's error") {
    val bgr = Array.tabulate[Byte](2 * 3 * 3)(_.toByte)
    val small = ColourImages.file(classId = 0)
    val cases = Seq[(Array[Byte], Seq[Int], Option[String])](
      (png, Seq(0, 0, 0), None),
      (bgr, Seq(2, 3, 3), None),
      (bgr, Seq(18, 1, 1), None),
      (bgr.take(16), Seq(2, 2, 4), None),
      // Nothing in the bytes of either says which it is.
      (small, Seq(small.length, 1, 1), None),
      (bgr, Seq(0, 0, 0), Some("not an image of a supported format")),
      (bgr, Seq(2, 2, 3), Some("18 bytes are not 2 x 2 pixels of 3 channels")),
      (bgr, Seq(2, 4, 3), Some("18 bytes are not 2 x 4 pixels of 3 channels")),
      (bgr, Seq(3, 3, 2), Some("2 channels")),
      (bgr, Seq(-2, 3, -3), Some("it has no pixels")),
      (bgr, Seq(2, 3, Int.MinValue), Some("0 channels")),
      (Array.emptyByteArray, Seq(0, 0, 3), Some("it has no pixels")),
      (bgr, Seq.fill(3)(Int.MaxValue), Some(s"width in pixels is ${Int.MaxValue}, over the limit"))
    )
    val sizes = cases.flatMap(_._2).toArray
    val rows = classifySized(natives, open(), cases.map(_._1), sizes, threads = 2).rows
    rows.zip(cases).foreach {
      case (Bad(message), (_, _, Some(part))) => assert(message.contains(part))
      case (row, (_, size, expected))         => assert(row.isInstanceOf[Good] && expected.isEmpty, s"$size: $row")
    }
  }

  test("a closed model and a handle that never was are refused") {
    val model = open()
    natives.closeModel(model)
    Seq(model, 0L, -1L, Long.MaxValue).foreach { stale =>
      assertRefused(s"handle $stale")(classify(natives, stale, Seq(png)))
      assertRefused(s"handle $stale")(natives.describeModel(stale))
      assertRefused(s"handle $stale")(natives.closeModel(stale))
    }
    val again = open()
    assert(again != model)
    assert(classify(natives, again, Seq(png)).rows.length == 1)
  }

  test("a panic becomes an exception that tells where, and the JVM lives on") {
    assertFails("CLASSIFY_INTERNAL_ERROR", "panic", "provoked in load", "lib.rs")(open("panic-in-load"))
    withModel("panic-in-run") { model =>
      (1 to 3).foreach { _ =>
        assertFails("CLASSIFY_INTERNAL_ERROR", "panic", "provoked in run", "lib.rs")(classify(natives, model, Seq(png)))
      }
    }
    withModel("strange-panic-in-run") { model =>
      assertFails("CLASSIFY_INTERNAL_ERROR", "panic", "no message")(classify(natives, model, Seq(png)))
    }
    assert(classify(natives, open(), Seq(png)).rows.head.isInstanceOf[Good])
  }

  test("a panic on a helper thread becomes an exception too, and the model stays usable") {
    withModel("panic-in-helper") { model =>
      assertFails("CLASSIFY_INTERNAL_ERROR", "panic", "provoked in a helper", "lib.rs") {
        classify(natives, model, Seq.fill(4)(png), threads = 2)
      }
      assert(classify(natives, model, Seq(png, jpeg)).rows.forall(_.isInstanceOf[Good]))
    }
  }

  test("several threads give what one gives, with good and bad images mixed") {
    val images =
      Seq.tabulate(20)(image => if (image % 7 == 3) Array.emptyByteArray else if (image % 2 == 0) png else jpeg)
    val expected = classify(natives, open(), images).rows
    Seq(2, 3, 64, Int.MaxValue).foreach { threads =>
      assert(classify(natives, open(), images, threads).rows == expected, s"$threads threads")
    }
  }

  test("an error of the engine has its own condition") {
    withModel("error-in-run") { model =>
      assertFails("CLASSIFY_INFERENCE_FAILED", "faulty", "provoked in run")(classify(natives, model, Seq(png)))
    }
  }

  test("a model whose output does not fit its labels is refused with both numbers") {
    assertFails("CLASSIFY_BAD_MODEL", "config.json", "id2label", s"$classes", s"${classes + 1}")(open("wrong-classes"))
  }

  test("requests that make no sense are refused") {
    assertFails("CLASSIFY_BAD_CONFIGURATION", "device", "quantum")(open("quantum"))
    val missing = Paths.get("/no/such/model")
    assertFails("CLASSIFY_BAD_MODEL", missing.toString)(natives.openModel(request(missing)))
    assertRefused("`request`", "null")(natives.openModel(null))
    assertRefused("`request`", "unknown field `threads`")(natives.openModel("""{"directory": "/m", "threads": 2}"""))
    assertRefused("`request`")(natives.openModel("no JSON"))
    assertRefused("`request`", "engine_library")(natives.initialize("{\"engine_library\": 7}"))
  }

  test("text outside the basic plane and NUL cross the boundary unharmed") {
    val strange = "/no/\u00e9\u4e2d\ud83d\ude00"
    assertFails("CLASSIFY_BAD_MODEL", strange)(natives.openModel(request(Paths.get(strange))))
    assertFails("CLASSIFY_BAD_CONFIGURATION", "a\\u0000b")(open("a\\u0000b"))
  }

  test("a load that failed is tried again by the next caller") {
    assertFails("CLASSIFY_BAD_MODEL", "model.faulty", "provoked in the first load")(open("fail-first-load"))
    withModel("fail-first-load")(model => assert(classify(natives, model, Seq(png)).rows.length == 1))
  }

  test("each call opens a model of its own, and closes that alone") {
    val first, second = open()
    assert(first != second)
    natives.closeModel(first)
    assertRefused(s"handle $first")(classify(natives, first, Seq(png)))
    assert(classify(natives, second, Seq(png)).rows.head.isInstanceOf[Good])
    natives.closeModel(second)
  }

  test("messages of the library reach the JVM's log") {
    val messages = CapturedLog.of("io.sparkclassify.natives") {
      natives.initialize("""{"engine_library": null}""") // takes over the level
      withModel("cpu")(_ => ())
    }
    val loads = messages.filter(_.message.startsWith(s"loaded ${TestData.model}"))
    assert(loads.length == 1, messages)
    assert(loads.head.level == "INFO")
    assert(loads.head.logger == "io.sparkclassify.natives.spark_classify_core.classify.classifier")
  }

  test("what the library tells about itself") {
    val jar = BuildVersions.read()
    assert(natives.buildInfo() == s"""{"version":"${jar.version}","abi":${jar.abi},"backend":"faulty"}""")
    assert(natives.engineInfo().startsWith("""{"backend":"faulty","version":"0","devices":["cpu"],"no_gpu":"""))
    val description = natives.describeModel(open())
    val labels = TestData.labels.mkString("[\"", "\",\"", "\"]")
    assert(
      description.startsWith(
        s"""{"backend":"faulty","file":null,"labels":$labels,"no_classes":null,"embedding":0,"no_embedding":"""
      ),
      description
    )
    assert(description.contains(""""input":[128,128],"load_millis":"""), description)
  }

  test("open models are listed, closed ones and those that failed to load are not") {
    def entry(device: String) =
      s"""{"directory":"${TestData.model}","device":"$device","precision":"fp32","backend":"faulty",""" +
        s""""classes":$classes,"embedding":null}"""
    intercept[ClassifyException](open("wrong-classes"))
    withModel("error-in-run")(_ => assert(natives.models().contains(entry("error-in-run"))))
    assert(!natives.models().contains("error-in-run"))
    assert(!natives.models().contains("wrong-classes"))
  }

  test("a library of another version is refused, with both versions") {
    val jar = BuildVersions.read()
    val others = Seq(
      new BuildVersions("9.9.9", jar.abi, jar.torch) -> "9.9.9",
      new BuildVersions(jar.version, jar.abi + 1, jar.torch) -> s"ABI ${jar.abi + 1}"
    )
    others.foreach { case (other, named) =>
      assertFails("CLASSIFY_BACKEND_UNAVAILABLE", "libspark_classify_faulty.so", jar.version, named) {
        NativeLoader.requireSameBuild(natives, FaultyLibrary.path, other)
      }
    }
  }

  test("a library that is none of ours is refused") {
    val other = Proxy
      .newProxyInstance(
        getClass.getClassLoader,
        Array(classOf[NativeEngine]),
        (_, method, _) => throw new UnsatisfiedLinkError(method.getName)
      )
      .asInstanceOf[NativeEngine]
    assertFails("CLASSIFY_BACKEND_UNAVAILABLE", "/lib/other.so", "not a library of spark-classify") {
      NativeLoader.requireSameBuild(other, Paths.get("/lib/other.so"), BuildVersions.read())
    }
  }
}
