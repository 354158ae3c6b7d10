//! The tests that need no process of their own.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod decode;
mod faxes;
mod foreign;
mod golden;
mod orientation;
