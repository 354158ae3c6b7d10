package io.sparkclassify;

import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.execution.ui.SQLAppStatusStore;
import org.apache.spark.sql.internal.SessionState;

/**
 * What Spark keeps for itself of a session. It is Java because Scala calls these private, and apart
 * because of the class that has them, which is another one since Spark 4.
 */
public final class SessionInternals {
  private SessionInternals() {}

  /** The rules of a session, which it asks for anew for every query. */
  public static SparkSessionExtensions extensions(SparkSession session) {
    return session.extensions();
  }

  /** The registries of functions. */
  public static SessionState state(SparkSession session) {
    return session.sessionState();
  }

  /** What the UI knows of queries, whether or not there is a UI. */
  public static SQLAppStatusStore statusStore(SparkSession session) {
    return session.sharedState().statusStore();
  }
}
