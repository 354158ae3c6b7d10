package io.sparkclassify

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.execution.ClassifyStrategy
import io.sparkclassify.expressions.{FunctionDocs, Functions}
import io.sparkclassify.info.{ClassifyInfo, ClassifyInfoStrategy}
import io.sparkclassify.plans.ExtractInferences
import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.FunctionIdentifier

/**
 * Adds the functions to Spark: `--conf spark.sql.extensions=io.sparkclassify.ClassifyExtensions`.
 *
 * A call goes through Spark like this:
 *
 *   1. analysis makes it a view over an [[expressions.ImageInference]];
 *   1. after filters have been pushed down, [[plans.ExtractInferences]] moves the inference into
 *      [[plans.ClassifyImages]];
 *   1. [[execution.ClassifyStrategy]] plans that as [[execution.ClassifyExec]].
 */
class ClassifyExtensions extends (SparkSessionExtensions => Unit) {

  override def apply(extensions: SparkSessionExtensions): Unit = {
    ClassifyConf.register()
    Seq(
      FunctionDocs.classify -> Functions.classify _,
      FunctionDocs.tryClassify -> Functions.tryClassify _,
      FunctionDocs.classifyTopK -> Functions.classifyTopK _
    ).foreach { case (info, build) =>
      extensions.injectFunction((FunctionIdentifier(info.getName), info, build))
    }
    extensions.injectTableFunction((FunctionIdentifier(ClassifyInfo.Name), ClassifyInfo.description, ClassifyInfo.call))
    extensions.injectPreCBORule(_ => ExtractInferences)
    extensions.injectPlannerStrategy(_ => ClassifyStrategy)
    extensions.injectPlannerStrategy(_ => ClassifyInfoStrategy)
  }
}
