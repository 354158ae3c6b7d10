package io.sparkclassify.conf

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.catalog.SQLFunction
import org.apache.spark.sql.classic

/** SQL functions in the catalog, with the settings that Spark has stored with each. */
object StoredFunctions {

  private val prefix = "sqlConfig."

  /** Writes settings into what is stored of a function, as whoever may write to the catalog can. */
  def plant(spark: SparkSession, function: String, settings: Seq[(String, String)]): Unit = {
    val session = spark.asInstanceOf[classic.SparkSession].sessionState
    val name = FunctionIdentifier(function)
    val stored = SQLFunction.fromCatalogFunction(session.catalog.getFunctionMetadata(name), session.sqlParser)
    require(stored.properties.keys.exists(_.startsWith(prefix)), stored.properties)
    val properties = stored.properties ++ settings.map { case (key, value) => prefix + key -> value }
    // By its fields: of what `copy` is called with, releases of Spark have different numbers.
    val fields = stored.productIterator.map(field => if (field == stored.properties) properties else field)
    val planted = stored.getClass.getConstructors.head.newInstance(fields.map(_.asInstanceOf[AnyRef]).toSeq: _*)
    session.catalog.alterFunction(planted.asInstanceOf[SQLFunction].toCatalogFunction)
    val resources = session.catalog.getFunctionMetadata(name).resources.map(_.uri)
    settings.foreach { case (_, value) => require(resources.exists(_.contains(value)), resources) }
  }
}
