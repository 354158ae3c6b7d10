package io.sparkclassify.natives;

import java.nio.ByteBuffer;

/** The native methods of {@code libspark_classify_torch.so}. */
final class TorchNative implements NativeEngine {
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
  public native void closeModel(long model);
}
