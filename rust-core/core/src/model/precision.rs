//! The numbers that a model computes with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The numbers that a model computes with, by the names users give them in `spark.classify.precision`.
///
/// All but the first trade exactness for speed: probabilities change, and near a boundary labels do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// What the model file says, which is float32 in most.
    #[default]
    Fp32,
    /// bfloat16: the range of float32 with 8 bits of precision.
    Bf16,
    /// float16, in a model file that was converted beforehand.
    Fp16,
    /// 8-bit integers, in a model file that was quantized beforehand.
    Int8,
}

impl Precision {
    /// The name, as users write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }

    /// The error for an engine, or a machine, that does not compute in this precision. `reason` says why, and what
    /// does.
    #[must_use]
    pub fn refused(self, reason: String) -> Error {
        Error::Option {
            option: "precision",
            value: self.name().to_owned(),
            reason,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
