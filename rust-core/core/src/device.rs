//! Where a model runs.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::Error;

/// A device, by the name users give it in `spark.classify.device`: `cpu`, or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// The cores of the calling threads.
    Cpu,
    /// An NVIDIA GPU, by its number in the order of the PCI bus, from 0.
    Cuda(u32),
}

impl FromStr for Device {
    type Err = Error;

    /// # Errors
    /// [`Error::Option`] for anything but `cpu`, `cuda` (which is `cuda:0`) and `cuda:N`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let cuda = |index: &str| index.parse().ok().map(Self::Cuda);
        match (name, name.strip_prefix("cuda:")) {
            ("cpu", _) => Some(Self::Cpu),
            ("cuda", _) => Some(Self::Cuda(0)),
            (_, Some(index)) => cuda(index),
            _ => None,
        }
        .ok_or_else(|| Error::Option {
            option: "device",
            value: name.to_owned(),
            reason: "there are `cpu`, `cuda` and `cuda:N`, where N is the number of a GPU".to_owned(),
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
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
    /// The most that the engine may take of the GPU's memory for one model, in bytes; 0 leaves it to the engine. libtorch
    /// has a setting of its own for that.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, device, written) in [
            ("cpu", Device::Cpu, "cpu"),
            ("cuda", Device::Cuda(0), "cuda:0"),
            ("cuda:0", Device::Cuda(0), "cuda:0"),
            ("cuda:12", Device::Cuda(12), "cuda:12"),
        ] {
            assert_eq!(name.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string(), written);
        }
        for name in [
            "",
            "gpu",
            "CUDA",
            "cuda:",
            "cuda:-1",
            "cuda:x",
            "cuda:4294967296",
            "cpu:0",
        ] {
            let error = name.parse::<Device>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("option `device` = `{name}`: there are")),
                "{error}"
            );
        }
    }
}
