package io.sparkclassify.inference;

import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Unevaluable;

/** An expression that Spark takes for one without a value; in 3.5 its methods are final. */
abstract class NeverEvaluated extends Expression implements Unevaluable {
  private static final long serialVersionUID = 1L;
}
