package benchmarks

import java.net.URI

import org.apache.hadoop.fs.{FSDataInputStream, Path, RawLocalFileSystem}

/** Local files behind a latency, as an object store has it. */
abstract class LatentFiles(scheme: String, millis: Long) extends RawLocalFileSystem {
  override def getUri: URI = URI.create(s"$scheme:///")
  override def getScheme: String = scheme

  override def open(file: Path, bufferSize: Int): FSDataInputStream = {
    Thread.sleep(millis)
    super.open(file, bufferSize)
  }
}

final class SlowFiles extends LatentFiles("slow", 50)

/** What slow files are compared with. */
final class QuickFiles extends LatentFiles("quick", 0)
