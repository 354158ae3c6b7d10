//! The machine and the process: processors, files, libraries, environment variables, threads, panics.

pub mod cpu;
pub mod environment;
pub mod files;
pub mod libraries;
pub mod panics;
pub(crate) mod threads;
