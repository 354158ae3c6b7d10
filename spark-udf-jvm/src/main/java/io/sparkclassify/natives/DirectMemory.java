package io.sparkclassify.natives;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;

/**
 * Frees direct buffers at once, where the JVM lets us: otherwise they wait for a garbage
 * collection, which may not come.
 */
public final class DirectMemory {

  private static final Object UNSAFE;
  private static final Method INVOKE_CLEANER;

  static {
    Object unsafe = null;
    Method cleaner = null;
    try {
      Class<?> type = Class.forName("sun.misc.Unsafe");
      Field instance = type.getDeclaredField("theUnsafe");
      instance.setAccessible(true);
      unsafe = instance.get(null);
      cleaner = type.getMethod("invokeCleaner", ByteBuffer.class);
    } catch (ReflectiveOperationException | RuntimeException e) {
      // Then it is the garbage collector's.
    }
    UNSAFE = unsafe;
    INVOKE_CLEANER = cleaner;
  }

  private DirectMemory() {}

  /**
   * Frees the memory of a buffer.
   *
   * @param buffer one that {@link ByteBuffer#allocateDirect} made, and nobody, nor a slice or a
   *     duplicate of it, uses any more: there is no memory behind it afterwards
   */
  public static void free(ByteBuffer buffer) {
    if (INVOKE_CLEANER == null) {
      return;
    }
    try {
      INVOKE_CLEANER.invoke(UNSAFE, buffer);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "cannot free a direct buffer of " + buffer.capacity() + " bytes", e);
    }
  }
}
