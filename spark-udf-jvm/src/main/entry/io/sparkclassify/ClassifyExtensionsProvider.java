package io.sparkclassify;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.SparkSessionExtensionsProvider;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * What Spark finds by itself in the jar. It is not {@link ClassifyExtensions} because Spark before
 * 3.2, which lacks the interface, could not tell what is wrong with it then.
 */
public final class ClassifyExtensionsProvider
    extends AbstractFunction1<SparkSessionExtensions, BoxedUnit>
    implements SparkSessionExtensionsProvider {

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    return new ClassifyExtensions().apply(extensions);
  }
}
