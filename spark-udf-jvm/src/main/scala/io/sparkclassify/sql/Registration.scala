package io.sparkclassify.sql

import java.util.{Collections, WeakHashMap}

import io.sparkclassify.SessionInternals
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.execution.ClassifyStrategy
import io.sparkclassify.info.{ClassifyInfo, ClassifyInfoStrategy}
import io.sparkclassify.plans.{ExtractInferences, PinInferences}
import org.apache.spark.sql.{SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.analysis.{FunctionRegistry, TableFunctionRegistry}
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo

/**
 * Adds the functions to Spark. They are injected, and registered with Spark's own besides: an injected function alone
 * counts as a temporary one, which no permanent view may use.
 *
 * A call goes through Spark like this:
 *
 *   1. analysis makes it a view over an [[io.sparkclassify.inference.ImageInference]];
 *   1. [[PinInferences]] keeps the optimizer from making more inferences of it;
 *   1. after filters have been pushed down, [[ExtractInferences]] moves the inference into
 *      [[io.sparkclassify.plans.ClassifyImages]];
 *   1. [[ClassifyStrategy]] plans that as [[io.sparkclassify.execution.ClassifyExec]].
 */
object Registration {

  /** What has the functions already: a session that finds them by itself may be told of them as well. */
  private val extended = Collections.synchronizedSet(
    Collections.newSetFromMap(new WeakHashMap[SparkSessionExtensions, java.lang.Boolean])
  )

  private val functions: Seq[(FunctionIdentifier, ExpressionInfo, FunctionRegistry.FunctionBuilder)] = Seq(
    (FunctionIdentifier(Functions.Classify), FunctionDocs.classify, Functions.classify),
    (FunctionIdentifier(Functions.TryClassify), FunctionDocs.tryClassify, Functions.tryClassify),
    (FunctionIdentifier(Functions.ClassifyTopK), FunctionDocs.classifyTopK, Functions.classifyTopK),
    (FunctionIdentifier(Functions.EmbedImage), FunctionDocs.embedImage, Functions.embedImage),
    (FunctionIdentifier(Functions.TryEmbedImage), FunctionDocs.tryEmbedImage, Functions.tryEmbedImage),
    (FunctionIdentifier(Functions.ImageHash), FunctionDocs.imageHash, Functions.imageHash),
    (FunctionIdentifier(Functions.TryImageHash), FunctionDocs.tryImageHash, Functions.tryImageHash)
  )

  private val info: (FunctionIdentifier, ExpressionInfo, TableFunctionRegistry.TableFunctionBuilder) =
    (FunctionIdentifier(ClassifyInfo.Name), ClassifyInfo.description, ClassifyInfo.call)

  def apply(extensions: SparkSessionExtensions): Unit = if (extended.add(extensions)) {
    ClassifyConf.register()
    functions.foreach { function =>
      extensions.injectFunction(function)
      FunctionRegistry.builtin.registerFunction(function._1, function._2, function._3)
    }
    extensions.injectTableFunction(info)
    TableFunctionRegistry.builtin.registerFunction(info._1, info._2, info._3)
    extensions.injectOptimizerRule(_ => PinInferences)
    extensions.injectPreCBORule(_ => ExtractInferences)
    extensions.injectPlannerStrategy(_ => ClassifyStrategy)
    extensions.injectPlannerStrategy(_ => ClassifyInfoStrategy)
  }

  /**
   * Adds what a session lacks that runs. Its rules are asked for with every query, so those that are injected now
   * count; its functions were copied when it began. It may have functions without the rules, of another session's
   * registration, and would classify row by row with them.
   */
  def apply(session: SparkSession): Unit = {
    apply(SessionInternals.extensions(session))
    SessionInternals.registerFunctions(session)
  }
}
