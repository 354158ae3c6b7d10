package io.sparkclassify.model

import io.sparkclassify.conf.{ClassifyErrors, DeviceSpec}
import org.apache.spark.TaskContext

/** Finds the device of a task. */
private[sparkclassify] object Devices {

  /** The name of GPUs among Spark's resources: `spark.task.resource.gpu.amount`. */
  private val Resource = "gpu"

  /**
   * The device that `spec` means for the task that runs on this thread: `cpu` or `cuda:N`.
   *
   * A GPU that Spark has assigned counts for `cuda` and `auto`; tasks that share one, each with a fraction, have the
   * same.
   */
  def resolve(spec: DeviceSpec): DeviceSpec = spec.name match {
    case DeviceSpec.Auto => assigned().fold(DeviceSpec(DeviceSpec.Cpu, None))(gpu => spec.copy(name = gpu))
    case DeviceSpec.Cuda => spec.copy(name = assigned().getOrElse(DeviceSpec.cuda(0)))
    case _               => spec
  }

  /** The GPU of the task, if it has one; the first of several. On the driver, where no task runs, there is none. */
  private def assigned(): Option[String] =
    for {
      task <- Option(TaskContext.get())
      gpus <- task.resources().get(Resource)
      address <- gpus.addresses.headOption
    } yield {
      if (!address.matches("[0-9]{1,4}")) throw ClassifyErrors.strangeGpuAddress(address)
      DeviceSpec.cuda(address.toInt)
    }
}
