package io.sparkclassify.conf

import org.apache.spark.sql.internal.SQLConf

/**
 * Where a model runs.
 *
 * @param name
 *   `cpu`, `cuda`, `cuda:N` or `auto`, as `spark.classify.device` says it; an executor makes `cpu` or `cuda:N` of that
 * @param gpu
 *   how it uses a GPU; None on the CPU
 */
final case class DeviceSpec(name: String, gpu: Option[GpuSpec]) {
  def isCpu: Boolean = name == DeviceSpec.Cpu
}

/**
 * How a model uses a GPU.
 *
 * @param batchSize
 *   `spark.classify.gpu.batchSize`
 * @param maxBytes
 *   `spark.classify.gpu.maxBytes`
 * @param tf32
 *   `spark.classify.gpu.tf32`
 */
final case class GpuSpec(batchSize: Int, maxBytes: Long, tf32: Boolean)

object DeviceSpec {
  val Cpu = "cpu"
  val Cuda = "cuda"
  val Auto = "auto"

  /** The GPU of this number. */
  def cuda(index: Int): String = s"$Cuda:$index"

  def isName(name: String): Boolean = name.matches("cpu|auto|cuda(:[0-9]{1,4})?")

  def ofSession(conf: SQLConf): DeviceSpec = {
    val gpu = GpuSpec(
      conf.getConf(ClassifyConf.GpuBatchSize),
      conf.getConf(ClassifyConf.GpuMaxBytes),
      ApplicationConf.get(ClassifyConf.GpuTf32)
    )
    of(conf.getConf(ClassifyConf.Device), gpu)
  }

  /** A device. Nothing about GPUs tells two models on the CPU apart. */
  def of(name: String, gpu: GpuSpec): DeviceSpec = DeviceSpec(name, Some(gpu).filter(_ => name != Cpu))
}
