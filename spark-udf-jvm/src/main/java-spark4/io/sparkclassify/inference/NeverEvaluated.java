package io.sparkclassify.inference;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Unevaluable;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;

/**
 * An expression that Spark takes for one without a value.
 *
 * <p>It is Java because scalac would make calls of methods that Spark's trait has in some releases
 * and inherits in others, so that one jar could not serve both.
 */
abstract class NeverEvaluated extends Expression implements Unevaluable {
  private static final long serialVersionUID = 1L;

  @Override
  public Object eval(InternalRow row) {
    throw new UnsupportedOperationException(this + " has no value");
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    throw new UnsupportedOperationException(this + " has no value");
  }
}
