package io.sparkclassify.inference;

import org.apache.spark.rdd.InputFileBlockHolder;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Where in its input a thread is: what {@code input_file_name()}, {@code input_file_block_start()}
 * and {@code input_file_block_length()} say. Spark keeps it with the thread and not with its rows.
 *
 * <p>In Java, because Spark lets only its own Scala code use the holder.
 */
public final class InputPosition {

  private final UTF8String path;

  /** -1 outside of files. */
  private final long start;

  private final long length;

  private InputPosition() {
    path = InputFileBlockHolder.getInputFilePath();
    start = InputFileBlockHolder.getStartOffset();
    length = InputFileBlockHolder.getLength();
  }

  /** That of this thread. */
  public static InputPosition current() {
    return new InputPosition();
  }

  /** That of this thread: this very object where it is the same. */
  public InputPosition next() {
    return isCurrent() ? this : new InputPosition();
  }

  /** Makes it that of this thread. */
  public void restore() {
    if (isCurrent()) return;
    if (start < 0) InputFileBlockHolder.unset();
    else InputFileBlockHolder.set(path.toString(), start, length);
  }

  private boolean isCurrent() {
    return start == InputFileBlockHolder.getStartOffset()
        && length == InputFileBlockHolder.getLength()
        && path.equals(InputFileBlockHolder.getInputFilePath());
  }
}
