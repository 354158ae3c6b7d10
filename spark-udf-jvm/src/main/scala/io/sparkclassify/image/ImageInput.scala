package io.sparkclassify.image

import java.nio.{ByteBuffer, ByteOrder}

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** How a column gives images. */
sealed trait ImageInput extends Serializable {

  /**
   * The image that a value of the column stands for.
   *
   * @param value
   *   not null
   */
  def image(value: Any): ImageSource
}

/** Where the bytes of an image come from. */
sealed trait ImageSource

object ImageSource {

  /** A file that is still to be read. */
  final case class File(path: String) extends ImageSource

  /**
   * Bytes that are there.
   *
   * @param name
   *   what errors call the image
   */
  final case class Content(name: String, bytes: Array[Byte]) extends ImageSource

  /** An image that cannot be had. */
  final case class Invalid(name: String, reason: String) extends ImageSource
}

object ImageInput {

  /** Paths or URIs. */
  case object Paths extends ImageInput {
    override def image(value: Any): ImageSource = ImageSource.File(value.toString)
  }

  /** The bytes of image files. */
  case object Contents extends ImageInput {
    override def image(value: Any): ImageSource = {
      val bytes = value.asInstanceOf[Array[Byte]]
      ImageSource.Content(s"BINARY value of ${bytes.length} bytes", bytes)
    }
  }

  /** Pixels, as Spark's `image` data source gives them. */
  case object Pixels extends ImageInput {

    /** `org.apache.spark.ml.image.ImageSchema.columnSchema`, which lives in a module that need not be there. */
    private[sparkclassify] val fields = Seq(
      "origin" -> StringType,
      "height" -> IntegerType,
      "width" -> IntegerType,
      "nChannels" -> IntegerType,
      "mode" -> IntegerType,
      "data" -> BinaryType
    )

    override def image(value: Any): ImageSource = {
      val struct = value.asInstanceOf[InternalRow]
      def text(field: Int): UTF8String = if (struct.isNullAt(field)) null else struct.getUTF8String(field)
      def int(field: Int): Int = if (struct.isNullAt(field)) -1 else struct.getInt(field)
      val name = Option(text(0)).fold("image struct")(_.toString)
      val (height, width, channels) = (int(1), int(2), int(3))
      val data = if (struct.isNullAt(5)) Array.emptyByteArray else struct.getBinary(5)
      def size = s"$width x $height pixels of $channels channels"
      if (height <= 0 || width <= 0) ImageSource.Invalid(name, "the image data source could not decode it")
      else if (channels != 1 && channels != 3 && channels != 4)
        ImageSource.Invalid(name, s"it has $channels channels, and only 1, 3 and 4 mean something")
      else if (data.length != height.toLong * width * channels)
        ImageSource.Invalid(name, s"${data.length} bytes of data are not $size")
      else if (Bitmap.size(width, height, channels) > Int.MaxValue) ImageSource.Invalid(name, s"$size are too many")
      else ImageSource.Content(name, Bitmap.encode(width, height, channels, data))
    }
  }

  /** The kind of input that a column of this type is; None when it is none. NULL without a type counts as a path. */
  def find(dataType: DataType): Option[ImageInput] = dataType match {
    case _: StringType | NullType => Some(Paths)
    case BinaryType               => Some(Contents)
    case StructType(fields) if fields.map(field => field.name -> field.dataType).toSeq == Pixels.fields => Some(Pixels)
    case _                                                                                              => None
  }

  /** The same for a type that analysis has let through. */
  def of(dataType: DataType): ImageInput =
    find(dataType).getOrElse(throw new IllegalArgumentException(s"no image comes as ${dataType.sql}"))
}

/**
 * Pixels as an uncompressed BMP file, which is nothing but a header before them: the native library then needs no
 * second way in. Both have blue, green, red (and alpha) bytes; the height is negative because their first row is the
 * top one.
 */
private[sparkclassify] object Bitmap {
  private val HeaderBytes = 54
  private val GreyPalette = 256

  private def stride(width: Int, channels: Int): Long = (width.toLong * channels + 3) / 4 * 4
  private def pixelStart(channels: Int): Int = HeaderBytes + (if (channels == 1) 4 * GreyPalette else 0)

  /** The bytes of the file. */
  def size(width: Int, height: Int, channels: Int): Long = pixelStart(channels) + stride(width, channels) * height

  /** @param channels 1 for grey, 3 for BGR, 4 for BGRA */
  def encode(width: Int, height: Int, channels: Int, data: Array[Byte]): Array[Byte] = {
    val file = ByteBuffer.allocate(size(width, height, channels).toInt).order(ByteOrder.LITTLE_ENDIAN)
    file.put('B'.toByte).put('M'.toByte).putInt(file.capacity).putInt(0).putInt(pixelStart(channels))
    file.putInt(40).putInt(width).putInt(-height).putShort(1).putShort((8 * channels).toShort)
    file.putInt(0).putInt(0).putInt(0).putInt(0).putInt(if (channels == 1) GreyPalette else 0).putInt(0)
    if (channels == 1) (0 until GreyPalette).foreach(grey => file.putInt(grey * 0x010101))
    val row = width * channels
    val padding = stride(width, channels).toInt - row
    (0 until height).foreach { y =>
      file.put(data, y * row, row)
      file.position(file.position() + padding)
    }
    file.array
  }
}
