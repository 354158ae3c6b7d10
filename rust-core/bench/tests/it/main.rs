//! The tests that need no process of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(all(feature = "onnx", feature = "torch"))]
mod check;
#[cfg(all(feature = "onnx", feature = "torch"))]
mod class_names;
#[cfg(all(feature = "onnx", feature = "torch"))]
mod cli;
#[cfg(all(feature = "onnx", feature = "torch"))]
mod command;
#[cfg(all(feature = "onnx", feature = "torch"))]
mod page;
