package io.sparkclassify.plans

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.expressions.{Attribute, AttributeSet}
import org.apache.spark.sql.catalyst.plans.logical.{LogicalPlan, UnaryNode}

/**
 * Runs inferences over each row of `child` and adds a column for each result.
 *
 * @param inferences
 *   they share one input expression, so that an image is read once however many models look at it
 * @param results
 *   the added columns, one for each inference
 */
case class ClassifyImages(inferences: Seq[ImageInference], results: Seq[Attribute], child: LogicalPlan)
    extends UnaryNode {

  override def output: Seq[Attribute] = child.output ++ results
  override def producedAttributes: AttributeSet = AttributeSet(results)
  override def maxRows: Option[Long] = child.maxRows
  override def maxRowsPerPartition: Option[Long] = child.maxRowsPerPartition

  override protected def withNewChildInternal(newChild: LogicalPlan): ClassifyImages = copy(child = newChild)
}
