package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A regular file of this machine that is open for reading. For one thread at a time.
 *
 * <p>Java opens a FIFO only when it has a writer, and ignores interrupts meanwhile. It can look at
 * what it opens beforehand only, and what it has looked at may be another thing then.
 */
public final class LocalFile implements AutoCloseable {

  /** How much is read at once: a thread that is interrupted ends after it. */
  private static final int PIECE = 8 << 20;

  private final NativeEngine natives;
  private final long handle;
  private boolean closed;

  private LocalFile(NativeEngine natives, long handle) {
    this.natives = natives;
    this.handle = handle;
  }

  /**
   * Opens a file.
   *
   * @param name an absolute one, which means what it means to {@code open()}
   * @throws IllegalArgumentException when no file can have the name
   * @throws IOException as {@link NativeEngine#openFile} says
   */
  public static LocalFile open(NativeEngine natives, String name) throws IOException {
    return new LocalFile(natives, natives.openFile(FileNames.bytes(name)));
  }

  /** How many bytes it had when it was opened. */
  public long size() {
    return natives.fileSize(handle);
  }

  /**
   * Reads the next bytes, and moves the position of the buffer behind them.
   *
   * @param buffer a direct one, with room for a byte or more
   * @return how many; -1 at the end of the file
   * @throws InterruptedException when the thread has been interrupted
   */
  public int read(ByteBuffer buffer) throws IOException, InterruptedException {
    if (Thread.interrupted()) {
      throw new InterruptedException("interrupted while it read a file");
    }
    int from = buffer.position();
    int count = natives.readFile(handle, buffer, from, from + Math.min(buffer.remaining(), PIECE));
    buffer.position(from + count);
    return count == 0 ? -1 : count;
  }

  /** Closes it; once is enough. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      natives.closeFile(handle);
    }
  }
}
