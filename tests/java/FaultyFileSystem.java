import java.io.IOException;
import java.net.URI;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/**
 * The local file system under the scheme {@code faulty:}, as a company's own would be on the class path.
 *
 * <p>Of the files that are opened, {@code fs.faulty.percent} of a hundred (none by default) are refused, late, or end
 * in the middle. {@code fs.faulty.seed}, the file's path, and how often this JVM has opened it say which. All take a
 * while to open, from {@code fs.faulty.delay.least} to {@code fs.faulty.delay.most} milliseconds (none by default).
 */
public final class FaultyFileSystem extends RawLocalFileSystem {
  private static final ConcurrentHashMap<Path, AtomicInteger> OPENED = new ConcurrentHashMap<>();

  @Override
  public URI getUri() {
    return URI.create("faulty:///");
  }

  @Override
  public String getScheme() {
    return "faulty";
  }

  @Override
  public FSDataInputStream open(Path file, int bufferSize) throws IOException {
    int times = OPENED.computeIfAbsent(file, key -> new AtomicInteger()).incrementAndGet();
    long seed = getConf().getLong("fs.faulty.seed", 0);
    // The multiplication spreads what the strings differ in, their ends, over the bits.
    int chance = Math.floorMod((seed + " " + file + " " + times).hashCode() * 0x9E3779B9 >>> 7, 3000);
    int least = getConf().getInt("fs.faulty.delay.least", 0);
    sleep(least + chance % (getConf().getInt("fs.faulty.delay.most", least) - least + 1));
    FSDataInputStream whole = super.open(file, bufferSize);
    if (chance >= 30 * getConf().getInt("fs.faulty.percent", 0)) return whole;
    switch (chance % 3) {
      case 0:
        whole.close();
        throw new IOException("the faulty file system refuses this");
      case 1:
        sleep(300);
        return whole;
      default:
        return new FSDataInputStream(new Half(whole, getFileStatus(file).getLen() / 2));
    }
  }

  private static void sleep(long millis) throws IOException {
    try {
      if (millis > 0) Thread.sleep(millis);
    } catch (InterruptedException interrupted) {
      throw new IOException(interrupted);
    }
  }

  /** A stream that ends after so many bytes. */
  private static final class Half extends FSInputStream {
    private final FSDataInputStream whole;
    private final long end;

    Half(FSDataInputStream whole, long end) {
      this.whole = whole;
      this.end = end;
    }

    @Override
    public int read() throws IOException {
      return whole.getPos() < end ? whole.read() : -1;
    }

    @Override
    public int read(byte[] bytes, int from, int length) throws IOException {
      long left = end - whole.getPos();
      return left <= 0 ? -1 : whole.read(bytes, from, (int) Math.min(length, left));
    }

    @Override
    public void seek(long position) throws IOException {
      whole.seek(position);
    }

    @Override
    public long getPos() throws IOException {
      return whole.getPos();
    }

    @Override
    public boolean seekToNewSource(long position) {
      return false;
    }

    @Override
    public void close() throws IOException {
      whole.close();
    }
  }
}
