//! Where a model runs.

use std::fmt;
use std::str::FromStr;

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
