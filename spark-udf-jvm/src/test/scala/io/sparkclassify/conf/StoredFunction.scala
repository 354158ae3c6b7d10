package io.sparkclassify.conf

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.catalog.SQLFunction

/** What Spark has stored of a SQL function, written to as whoever may write to the catalog can. */
object StoredFunction {

  def addSettings(session: SparkSession, function: String, settings: Seq[(String, String)]): Unit = {
    val state = session.asInstanceOf[org.apache.spark.sql.classic.SparkSession].sessionState
    val metadata = state.catalog.getFunctionMetadata(FunctionIdentifier(function))
    val stored = SQLFunction.fromCatalogFunction(metadata, state.sqlParser)
    val prefix = "sqlConfig."
    assert(stored.properties.keys.exists(_.startsWith(prefix)), stored.properties)
    val properties = stored.properties ++ settings.map { case (key, value) => prefix + key -> value }
    // Not by `copy`, which takes another number of fields in other releases of Spark.
    val fields = stored.productIterator.map(field => if (field == stored.properties) properties else field)
    val changed = classOf[SQLFunction].getConstructors.head.newInstance(fields.map(_.asInstanceOf[AnyRef]).toSeq: _*)
    state.catalog.alterFunction(changed.asInstanceOf[SQLFunction].toCatalogFunction)
  }
}
