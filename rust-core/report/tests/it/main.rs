//! The tests of the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collect;
mod figures;
mod page;
