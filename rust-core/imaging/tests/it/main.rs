//! The tests that need no process of their own.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "avif")]
mod avif;
mod cases;
mod decode;
mod faxes;
mod foreign;
mod golden;
mod orientation;
mod pixels;
