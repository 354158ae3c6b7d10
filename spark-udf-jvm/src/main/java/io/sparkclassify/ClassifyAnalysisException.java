package io.sparkclassify;

import org.apache.spark.QueryContext;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.catalyst.trees.Origin;
import scala.Option;
import scala.collection.immutable.Map;

/**
 * A call of {@code classify} that cannot be analysed, with a condition of this project, which
 * Spark's own table of conditions does not hold.
 */
public final class ClassifyAnalysisException extends AnalysisException {
  private static final long serialVersionUID = 1L;

  private final String condition;
  private final String reason;

  /**
   * @param condition one of {@code error-conditions.json}
   * @param reason what is wrong and the way out
   */
  public ClassifyAnalysisException(String condition, String reason) {
    this(condition, reason, Option.empty(), Option.empty());
  }

  // Not from an Origin: how one is made, differs between releases of Spark.
  private ClassifyAnalysisException(
      String condition, String reason, Option<Object> line, Option<Object> startPosition) {
    super(
        new ClassifyException(condition, reason).getMessage(),
        line,
        startPosition,
        Option.empty(),
        Option.apply(condition),
        new Map.Map1<>("message", Printable.escape(reason)),
        // With a context, PySpark would look the condition up in Spark's own table, and its failure
        // to find it there would
        // hide this error. Line and position are in the message.
        new QueryContext[0]);
    this.condition = condition;
    this.reason = Printable.escape(reason);
  }

  @Override
  public String getSqlState() {
    return ErrorConditions.sqlState(condition);
  }

  // Spark before 4.1 does not ask for it: no @Override fits all.
  /** The condition's message with its parameter unfilled. */
  public String getDefaultMessageTemplate() {
    return ErrorConditions.messageTemplate(condition);
  }

  /**
   * Spark's own would copy this into a plain AnalysisException, which looks the condition up in
   * Spark's table.
   */
  @Override
  public AnalysisException withPosition(Origin position) {
    ClassifyAnalysisException positioned =
        new ClassifyAnalysisException(condition, reason, position.line(), position.startPosition());
    positioned.setStackTrace(getStackTrace());
    return positioned;
  }
}
