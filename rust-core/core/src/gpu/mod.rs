//! GPUs: what the driver says, and one model for all tasks of a process.

pub(crate) mod batcher;
pub mod cuda;
