//! How a model is to be loaded.

use serde::Deserialize;

use super::device::Device;
use crate::error::Error;
use crate::model::Precision;

/// How a model is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// Where the model runs, as [`Device`] names it.
    pub device: String,
    /// The numbers it computes with. Each engine knows some precisions, and refuses the others.
    pub precision: Precision,
    /// How it uses a GPU.
    pub gpu: GpuOptions,
    /// Whether the code in a model file may do more than compute: read and write files, reach other processes. Only
    /// `TorchScript` files have such code.
    pub all_operators: bool,
}

impl LoadOptions {
    /// Refuses every device but the CPU, for [`Engine::load`](crate::Engine::load).
    ///
    /// # Errors
    /// [`Error::Option`].
    pub fn require_cpu(&self) -> Result<(), Error> {
        match self.device.parse()? {
            Device::Cpu => Ok(()),
            Device::Cuda(_) => Err(Error::Option {
                option: "device",
                value: self.device.clone(),
                reason: "a model on a GPU is loaded by `load_on_gpu`".to_owned(),
            }),
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            device: "cpu".to_owned(),
            precision: Precision::default(),
            gpu: GpuOptions::default(),
            all_operators: false,
        }
    }
}

/// How a model uses a GPU. Without a meaning on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GpuOptions {
    /// Up to so many images, of all tasks together, are one run of the model; at least 1.
    pub batch_size: usize,
    /// Whether matrices may be multiplied in TF32, which rounds float32 to 10 bits of precision.
    pub tf32: bool,
    /// The most that the engine may take of the GPU's memory for one model, in bytes; 0 leaves it to the engine.
    /// libtorch has a setting of its own for that.
    pub max_bytes: u64,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            batch_size: 256,
            tf32: false,
            max_bytes: 0,
        }
    }
}
