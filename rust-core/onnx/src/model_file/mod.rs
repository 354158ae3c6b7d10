//! What a model file says of itself, before ONNX Runtime reads it: its versions, and the files that hold its weights.
//!
//! Nothing here takes the place of ONNX Runtime's own checks: a file that this cannot read is left to it.

mod external;
mod protobuf;
mod versions;

pub(crate) use external::check as check_external_data;
pub use protobuf::{ModelFile, OperatorSet};
pub(crate) use versions::explain;
