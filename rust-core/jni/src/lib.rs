//! The JNI boundary, shared by the native libraries of all engines.
//!
//! A native library is a thin shell over this crate: it says which engine it carries ([`Library`]) and exports one Java
//! class of natives with the [`natives!`] macro. All that happens behind the boundary is here, once:
//!
//! * every native method passes [`NativeCall::run`], the only place where a raw pointer from the JVM becomes a
//!   reference, and where errors and panics become Java exceptions;
//! * models and files are known to the JVM by numbers that are never reused, so that a stale one is an error and not a
//!   crash;
//! * a batch crosses the boundary in direct buffers: one for each image, and one for the results;
//! * messages of the `log` crate end in the JVM's own log.

mod batch;
mod buffers;
mod entry;
mod exceptions;
mod exit;
mod handles;
mod java;
mod library;
mod logging;
mod report;
mod requests;
mod shell;

pub use entry::NativeCall;
pub use library::{Library, OpenEngine};

/// The version of the contract between the Java classes and the native libraries: the native methods, their JSON
/// documents and the buffers' layout. It goes up with every change of these; the loader refuses another one.
pub const ABI: i32 = 10;
