package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.ByteBuffer;

/** The native methods of {@code libspark_classify_faulty.so}, whose backend fails on purpose. */
final class FaultyNative implements NativeEngine {
  @Override
  public native String buildInfo();

  @Override
  public native void initialize(String request);

  @Override
  public native String engineInfo();

  @Override
  public native String models();

  @Override
  public native String neededFiles(String request);

  @Override
  public native long openModel(String request);

  @Override
  public native String describeModel(long model);

  @Override
  public native long classify(
      long model, int outputs, ByteBuffer[] images, int[] sizes, int threads, ByteBuffer output);

  @Override
  public native long hash(
      String decode, ByteBuffer[] images, int[] sizes, int threads, ByteBuffer output);

  @Override
  public native String thumbnail(ByteBuffer file);

  @Override
  public native String report(String request);

  @Override
  public native void closeModel(long model);

  @Override
  public native long openFile(byte[] name) throws IOException;

  @Override
  public native long fileSize(long file);

  @Override
  public native int readFile(long file, ByteBuffer buffer, int from, int to) throws IOException;

  @Override
  public native void closeFile(long file);
}
