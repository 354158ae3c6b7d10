package io.sparkclassify.natives;

import io.sparkclassify.ClassifyException;

/** Errors of the condition that a backend cannot be used in this JVM. */
final class Unavailable {
  private static final String CONDITION = "CLASSIFY_BACKEND_UNAVAILABLE";

  private Unavailable() {}

  static ClassifyException because(String reason) {
    return new ClassifyException(CONDITION, reason);
  }

  static ClassifyException because(String reason, Throwable cause) {
    return because(reason, cause.toString(), cause);
  }

  static ClassifyException because(String reason, String details, Throwable cause) {
    return causedBy(cause, reason + ": " + details);
  }

  /**
   * @param cause what the reason has told already, or null
   */
  static ClassifyException causedBy(Throwable cause, String reason) {
    return new ClassifyException(CONDITION, reason, cause);
  }
}
