package io.sparkclassify.info

import io.sparkclassify.conf.NativeSpec
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.{CatalystTypeConverters, InternalRow}
import org.apache.spark.sql.catalyst.expressions.{Attribute, UnsafeProjection}
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.plans.physical.{Partitioning, SinglePartition}
import org.apache.spark.sql.execution.{LeafExecNode, SparkPlan, SparkStrategy}

/** Asks driver and executors, anew each time that the plan runs, with jobs of its own. */
case class ClassifyInfoExec(output: Seq[Attribute], natives: NativeSpec) extends LeafExecNode {

  override def nodeName: String = "ClassifyInfo"
  override def outputPartitioning: Partitioning = SinglePartition

  override protected def doExecute(): RDD[InternalRow] = {
    val toCatalyst = CatalystTypeConverters.createToCatalystConverter(ClassifyInfo.schema)
    val toUnsafe = UnsafeProjection.create(ClassifyInfo.schema)
    val rows = Survey.run(sparkContext, natives).flatMap(_.rows).map { row =>
      toUnsafe(toCatalyst(row).asInstanceOf[InternalRow]).copy(): InternalRow
    }
    sparkContext.parallelize(rows, 1)
  }
}

/** Plans [[ClassifyInfo]] as [[ClassifyInfoExec]]. */
object ClassifyInfoStrategy extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case ClassifyInfo(output, natives) => Seq(ClassifyInfoExec(output, natives))
    case _                             => Nil
  }
}
