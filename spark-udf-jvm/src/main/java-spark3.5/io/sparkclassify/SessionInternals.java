package io.sparkclassify;

import java.util.concurrent.TimeoutException;
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

  /** Gives a session the functions of its extensions, which it has had since it began otherwise. */
  public static void registerFunctions(SparkSession session) {
    SessionState state = session.sessionState();
    extensions(session).registerFunctions(state.functionRegistry());
    extensions(session).registerTableFunctions(state.tableFunctionRegistry());
  }

  /** What the UI knows of queries, whether or not there is a UI. */
  public static SQLAppStatusStore statusStore(SparkSession session) {
    return session.sharedState().statusStore();
  }

  /** Waits until all that has happened so far is in the status store, but no longer than a time. */
  public static void waitForEvents(SparkSession session, long millis) {
    try {
      session.sparkContext().listenerBus().waitUntilEmpty(millis);
    } catch (TimeoutException busy) {
      // Then it is in the store a little later.
    }
  }
}
