package io.sparkclassify.image

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

/** Pixels row by row from the top, a byte a channel: 1 for grey, 3 for blue, green and red, 4 with alpha after them. */
final case class PixelSize(width: Int, height: Int, channels: Int) {

  /** How many bytes they have. */
  def bytes: Long = width.toLong * height * channels

  override def toString: String = s"$width x $height pixels of $channels channels"
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
   * @param size
   *   of the pixels that the bytes are; None for those of a file
   */
  final case class Content(name: String, bytes: Array[Byte], size: Option[PixelSize] = None) extends ImageSource

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

    /** OpenCV's type of pixels with so many channels of unsigned bytes: CV_8UC1, CV_8UC3 or CV_8UC4. */
    private def bytesOf(channels: Int): Int = (channels - 1) << 3

    override def image(value: Any): ImageSource = {
      val struct = value.asInstanceOf[InternalRow]
      def text(field: Int): UTF8String = if (struct.isNullAt(field)) null else struct.getUTF8String(field)
      def int(field: Int): Int = if (struct.isNullAt(field)) -1 else struct.getInt(field)
      val name = Option(text(0)).fold("image struct")(_.toString)
      val (height, width, channels, mode) = (int(1), int(2), int(3), int(4))
      val size = PixelSize(width, height, channels)
      val data = if (struct.isNullAt(5)) Array.emptyByteArray else struct.getBinary(5)
      if (height <= 0 || width <= 0) ImageSource.Invalid(name, "the image data source could not decode it")
      else if (channels != 1 && channels != 3 && channels != 4)
        ImageSource.Invalid(name, s"it has $channels channels, and only 1, 3 and 4 mean something")
      else if (mode != bytesOf(channels))
        ImageSource.Invalid(name, s"its mode is $mode; $channels channels of bytes have OpenCV's ${bytesOf(channels)}")
      else if (data.length != size.bytes) ImageSource.Invalid(name, s"${data.length} bytes of data are not $size")
      else ImageSource.Content(name, data, Some(size))
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
