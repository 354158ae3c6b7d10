package io.sparkclassify;

import java.util.Map;
import org.apache.spark.QueryContext;
import org.apache.spark.SparkRuntimeException;

/**
 * An error of this project, with its condition and SQLSTATE as Spark reports its own.
 *
 * <p>It is a SparkRuntimeException because PySpark knows errors by their Java class: of one that it
 * does not know it shows a page of Java, and no condition.
 *
 * <p>The native libraries throw it too, through the constructor with two strings.
 */
public final class ClassifyException extends SparkRuntimeException {
  private static final long serialVersionUID = 1L;
  private static final String PARAMETER = "message";

  // Spark's constructor makes its message of a condition of its own table. This one is in the table
  // of every release, and whatever is asked of it is answered by the methods below.
  private static final String CONDITION_OF_SPARK = "INTERNAL_ERROR";

  private final String condition;
  private final String reason;
  private final String message;

  /**
   * @param condition one of {@code error-conditions.json}
   * @param reason what went wrong with which thing, and the way out; it is made {@link Printable}
   */
  public ClassifyException(String condition, String reason) {
    this(condition, reason, null);
  }

  /** The same, with the error after it. */
  public ClassifyException(String condition, String reason, Throwable cause) {
    super(
        CONDITION_OF_SPARK,
        new scala.collection.immutable.Map.Map1<>(PARAMETER, ""),
        Printable.cause(cause),
        new QueryContext[0],
        "");
    this.condition = condition;
    this.reason = Printable.escape(reason);
    message =
        "["
            + condition
            + "] "
            + ended(
                ErrorConditions.messageTemplate(condition)
                    .replace("<" + PARAMETER + ">", this.reason))
            + " SQLSTATE: "
            + ErrorConditions.sqlState(condition);
  }

  private static String ended(String sentence) {
    return sentence.endsWith(".") ? sentence : sentence + ".";
  }

  @Override
  public String getMessage() {
    return message;
  }

  /** What went wrong, without condition and SQLSTATE. */
  public String getReason() {
    return reason;
  }

  // Spark 3.5 has only getErrorClass, Spark 4 asks getCondition, and 4.1 has the template too: no
  // @Override fits all.

  /** The error condition. */
  public String getCondition() {
    return condition;
  }

  /** The error condition, under the name it has in Spark 3.5. */
  @SuppressWarnings({"deprecation", "RedundantSuppression"})
  public String getErrorClass() {
    return condition;
  }

  /** The condition's message with its parameter unfilled. */
  public String getDefaultMessageTemplate() {
    return ErrorConditions.messageTemplate(condition);
  }

  @Override
  public String getSqlState() {
    return ErrorConditions.sqlState(condition);
  }

  @Override
  public Map<String, String> getMessageParameters() {
    return Map.of(PARAMETER, reason);
  }
}
