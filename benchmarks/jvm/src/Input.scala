package benchmarks

import java.awt.RenderingHints
import java.awt.image.{BufferedImage, DataBufferByte}
import java.io.ByteArrayInputStream
import java.nio.FloatBuffer
import javax.imageio.ImageIO

/** From an image file's bytes to the network's input: the ID-card model's preprocessing. */
trait Input extends Serializable {

  /** The resized pixels, in the order blue, green, red. */
  protected def resize(image: BufferedImage): Array[Byte]

  final def write(bytes: Array[Byte], slot: FloatBuffer): Unit = {
    val decoded = ImageIO.read(new ByteArrayInputStream(bytes))
    val pixels = resize(if (decoded.getType == BufferedImage.TYPE_3BYTE_BGR) decoded else Input.toBgr(decoded))
    for (channel <- 0 until 3) {
      val (scale, shift) = (1 / (255f * Input.Std(channel)), -Input.Mean(channel) / Input.Std(channel))
      var pixel = 2 - channel
      while (pixel < pixels.length) {
        slot.put((pixels(pixel) & 0xff) * scale + shift)
        pixel += 3
      }
    }
  }
}

object Input {
  val Side = 128
  val Length: Int = 3 * Side * Side
  private val Mean = Array(0.485f, 0.456f, 0.406f)
  private val Std = Array(0.229f, 0.224f, 0.225f)

  ImageIO.setUseCache(false)

  def bytes(image: BufferedImage): Array[Byte] = image.getRaster.getDataBuffer.asInstanceOf[DataBufferByte].getData

  private def toBgr(image: BufferedImage): BufferedImage = {
    val copy = new BufferedImage(image.getWidth, image.getHeight, BufferedImage.TYPE_3BYTE_BGR)
    copy.createGraphics().drawImage(image, 0, 0, null)
    copy
  }
}

/** Java2D's bilinear resize, which looks at four pixels only, however much smaller the image becomes. */
object Java2D extends Input {
  override protected def resize(image: BufferedImage): Array[Byte] = {
    val resized = new BufferedImage(Input.Side, Input.Side, BufferedImage.TYPE_3BYTE_BGR)
    val graphics = resized.createGraphics()
    graphics.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR)
    graphics.drawImage(image, 0, 0, Input.Side, Input.Side, null)
    graphics.dispose()
    Input.bytes(resized)
  }
}

/** Pillow's antialiased bilinear resize, in its fixed-point arithmetic. */
object Pillow extends Input {
  private val Bits = 22

  /** For each position of the output, the first position of the input that counts, and the weights from there on. */
  private final case class Weights(first: Array[Int], weights: Array[Array[Int]])

  private val known = new java.util.concurrent.ConcurrentHashMap[Int, Weights]

  private def weights(length: Int): Weights = known.computeIfAbsent(
    length,
    _ => {
      val scale = length.toDouble / Input.Side
      val support = math.max(scale, 1.0)
      val axis = Array.tabulate(Input.Side) { position =>
        val center = (position + 0.5) * scale
        val first = math.max(0, (center - support + 0.5).toInt)
        val last = math.min(length, (center + support + 0.5).toInt)
        val values =
          Array.tabulate(last - first)(i => math.max(0.0, 1 - math.abs((i + first - center + 0.5) / support)))
        val sum = values.sum
        (first, values.map(value => (0.5 + value / sum * (1 << Bits)).toInt))
      }
      Weights(axis.map(_._1), axis.map(_._2))
    }
  )

  private def clip(sum: Int): Byte = math.max(0, math.min(255, sum >> Bits)).toByte

  override protected def resize(image: BufferedImage): Array[Byte] = {
    val (width, height, source) = (image.getWidth, image.getHeight, Input.bytes(image))
    val (across, down) = (weights(width), weights(height))
    val rowLength = 3 * Input.Side
    val narrow = new Array[Byte](height * rowLength)
    var y = 0
    while (y < height) {
      var x = 0
      while (x < Input.Side) {
        val taps = across.weights(x)
        var from = 3 * (y * width + across.first(x))
        var blue, green, red = 1 << (Bits - 1)
        var tap = 0
        while (tap < taps.length) {
          blue += (source(from) & 0xff) * taps(tap)
          green += (source(from + 1) & 0xff) * taps(tap)
          red += (source(from + 2) & 0xff) * taps(tap)
          from += 3
          tap += 1
        }
        val to = y * rowLength + 3 * x
        narrow(to) = clip(blue)
        narrow(to + 1) = clip(green)
        narrow(to + 2) = clip(red)
        x += 1
      }
      y += 1
    }
    val small = new Array[Byte](Input.Side * rowLength)
    val sums = new Array[Int](rowLength)
    y = 0
    while (y < Input.Side) {
      java.util.Arrays.fill(sums, 1 << (Bits - 1))
      val taps = down.weights(y)
      var tap = 0
      while (tap < taps.length) {
        val (from, weight) = ((down.first(y) + tap) * rowLength, taps(tap))
        var i = 0
        while (i < rowLength) {
          sums(i) += (narrow(from + i) & 0xff) * weight
          i += 1
        }
        tap += 1
      }
      var i = 0
      while (i < rowLength) {
        small(y * rowLength + i) = clip(sums(i))
        i += 1
      }
      y += 1
    }
    small
  }
}
