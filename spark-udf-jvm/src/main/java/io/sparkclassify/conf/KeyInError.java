package io.sparkclassify.conf;

import org.apache.spark.internal.config.TypedConfigBuilder;
import scala.Function1;

/**
 * Makes the error of a value that cannot be read name its key. Spark does that itself for sizes and
 * times from 4.1 on.
 *
 * <p>It is Java because Spark's {@code TypedConfigBuilder} is public to Java alone.
 */
final class KeyInError {
  private KeyInError() {}

  /** A builder of the same key whose values are read as those of {@code builder}. */
  static <T> TypedConfigBuilder<T> of(TypedConfigBuilder<T> builder) {
    String key = builder.parent().key();
    Function1<String, T> converter = builder.converter();
    return new TypedConfigBuilder<>(
        builder.parent(), text -> read(key, text, converter), builder.stringConverter());
  }

  private static <T> T read(String key, String text, Function1<String, T> converter) {
    try {
      return converter.apply(text);
    } catch (IllegalArgumentException error) {
      if (error.getMessage() != null && error.getMessage().contains(key)) {
        throw error;
      }
      throw new IllegalArgumentException(
          key + " cannot be '" + text + "': " + error.getMessage(), error);
    }
  }
}
