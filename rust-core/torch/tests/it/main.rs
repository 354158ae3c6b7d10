//! The tests that need no process of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod engine;
mod stateful;
