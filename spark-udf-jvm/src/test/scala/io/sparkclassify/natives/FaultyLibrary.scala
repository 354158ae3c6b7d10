package io.sparkclassify.natives

import java.nio.file.{Path, Paths}

/** The library whose backend fails on purpose, loaded once as the JVM demands. */
object FaultyLibrary {
  val path: Path =
    Paths.get(
      System.getProperty("sparkclassify.native.dir", "target/release"),
      "libspark_classify_faulty.so"
    ).toAbsolutePath

  lazy val natives: NativeEngine = NativeLoader.start(new FaultyNative, path, null)
}
