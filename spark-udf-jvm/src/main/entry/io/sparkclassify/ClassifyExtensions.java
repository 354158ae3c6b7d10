package io.sparkclassify;

import io.sparkclassify.sql.Registration;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * Adds the functions to Spark. A session finds it by itself where the jar is on the class path of
 * the application ({@code --jars}, {@code --packages}); {@code --conf
 * spark.sql.extensions=io.sparkclassify.ClassifyExtensions} names it besides.
 */
public final class ClassifyExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {

  /**
   * Adds the functions.
   *
   * @throws UnsupportedOperationException when this jar is not for this Spark; where Spark has
   *     found this class by itself, it only logs what it throws, and every query fails with the
   *     same
   */
  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    try {
      RunningSpark.check();
    } catch (UnsupportedOperationException unfit) {
      extensions.injectResolutionRule(
          session -> {
            throw unfit;
          });
      throw unfit;
    }
    Registration.apply(extensions);
    return BoxedUnit.UNIT;
  }

  /**
   * Adds the functions to a session that runs already: where the jar is on the class path, but the
   * session was made without looking for it, as PySpark 3.5 makes them. Nothing happens where it
   * has them. Sessions that are made of it later have them too.
   *
   * @throws UnsupportedOperationException when this jar is not for this Spark
   */
  public static void register(SparkSession session) {
    RunningSpark.check();
    Registration.apply(session);
  }
}
