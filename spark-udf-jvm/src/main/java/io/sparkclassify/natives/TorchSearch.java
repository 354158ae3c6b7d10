package io.sparkclassify.natives;

import io.sparkclassify.ClassifyException;
import io.sparkclassify.SparkLog;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Whether this machine has a libtorch. Answers are kept, since it may take a Python process to get
 * one, and every function of every query asks.
 *
 * <p>A libtorch that was found stays found. One that was not is looked for again after a while:
 * somebody may install it.
 */
final class TorchSearch {
  static final long ABSENT_NANOS = TimeUnit.MINUTES.toNanos(5);

  /** When Python has not answered, which says nothing about libtorch. */
  static final long UNKNOWN_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final Consumer<String> search;
  private final LongSupplier nanoTime;

  // By the configured home of torch, if there is one; the environment stays as it is.
  private final Set<Optional<String>> found = ConcurrentHashMap.newKeySet();
  private final Map<Optional<String>, Long> searchAgain = new ConcurrentHashMap<>();
  private final AtomicBoolean hasWarned = new AtomicBoolean();

  /**
   * @param search takes the configured home, or null, and throws as {@link TorchHome#find} does
   */
  TorchSearch(Consumer<String> search, LongSupplier nanoTime) {
    this.search = search;
    this.nanoTime = nanoTime;
  }

  /**
   * @param home {@code spark.classify.torch.home}, or null
   */
  boolean finds(String home) {
    Optional<String> key = Optional.ofNullable(home);
    Long again = searchAgain.get(key);
    if (!found.contains(key) && (again == null || nanoTime.getAsLong() - again >= 0)) {
      try {
        search.accept(home);
        found.add(key);
      } catch (ClassifyException missing) {
        remember(key, missing.getCause());
      }
    }
    return found.contains(key);
  }

  private void remember(Optional<String> key, Throwable reason) {
    // A query that was cancelled knows nothing.
    if (!(reason instanceof InterruptedException)) {
      boolean isUnknown = reason instanceof TimeoutException;
      searchAgain.put(key, nanoTime.getAsLong() + (isUnknown ? UNKNOWN_NANOS : ABSENT_NANOS));
      if (isUnknown && hasWarned.compareAndSet(false, true)) {
        SparkLog.named(TorchSearch.class.getName())
            .warn(
                "{} when it was asked for torch, and so the backend 'auto' does without libtorch."
                    + " To ask no Python, set {} to the folder of libtorch, or"
                    + " spark.classify.backend to pytorch or onnx",
                reason.getMessage(),
                NativeOptions.TORCH_HOME_KEY);
      }
    }
  }
}
