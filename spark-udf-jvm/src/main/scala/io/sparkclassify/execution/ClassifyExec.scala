package io.sparkclassify.execution

import io.sparkclassify.conf.BatchSpec
import io.sparkclassify.inference.{ClassifyMetrics, ImageInference}
import io.sparkclassify.plans.ClassifyImages
import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.execution.{SparkPlan, SparkStrategy, UnaryExecNode}
import org.apache.spark.sql.execution.metric.SQLMetric

/**
 * Runs inferences over the rows of `child`, one native call a batch and model, and adds a column for each result.
 *
 * Each row comes out exactly once, in its place: a bad image is a result with an error.
 *
 * @param inferences
 *   they have one input expression and one [[io.sparkclassify.conf.ImageSpec]]
 * @param results
 *   the added columns, one for each inference
 */
case class ClassifyExec(inferences: Seq[ImageInference], results: Seq[Attribute], child: SparkPlan)
    extends UnaryExecNode {

  override def nodeName: String = "Classify"
  override def output: Seq[Attribute] = child.output ++ results
  override def producedAttributes: AttributeSet = AttributeSet(results)
  override def outputPartitioning: Partitioning = child.outputPartitioning
  override def outputOrdering: Seq[SortOrder] = child.outputOrdering

  override lazy val metrics: Map[String, SQLMetric] = ClassifyMetrics.create(sparkContext)

  override protected def doExecute(): RDD[InternalRow] = {
    // Locals, so that the closure carries these and not the plan.
    val bound = inferences.map(BindReferences.bindReference(_, child.output))
    val batches = BatchSpec.ofSession(conf)
    val taskMetrics = new ClassifyMetrics(metrics)
    val columns = BindReferences.bindReferences[Expression](output, output)
    child.execute().mapPartitions { rows =>
      if (rows.isEmpty) Iterator.empty
      else {
        // Not compiled, see ClassifyIterator.
        val toUnsafe = InterpretedUnsafeProjection.createProjection(columns)
        new ClassifyIterator(rows, bound, batches, taskMetrics, TaskContext.get()).map(toUnsafe)
      }
    }
  }

  /** Equal plans are found by this, for example to run a common part of two queries once. */
  override protected def doCanonicalize(): SparkPlan = {
    val canonical = super.doCanonicalize().asInstanceOf[ClassifyExec]
    val first = child.output.length
    canonical.copy(results = results.zipWithIndex.map { case (result, index) =>
      result.canonicalized.asInstanceOf[Attribute].withExprId(ExprId(first + index))
    })
  }

  override protected def withNewChildInternal(newChild: SparkPlan): ClassifyExec = copy(child = newChild)
}

/** Plans [[ClassifyImages]] as [[ClassifyExec]]. */
object ClassifyStrategy extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case ClassifyImages(inferences, results, child) => Seq(ClassifyExec(inferences, results, planLater(child)))
    case _                                          => Nil
  }
}
