//! The ONNX Runtime library of this process: at most one, loaded at first use and never unloaded.

use std::ffi::CStr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::logging::LogLevel;
use spark_classify_core::error::{Error, Result};
use spark_classify_core::libraries;

use crate::ENGINE;

/// The library that was loaded first.
#[derive(Debug)]
pub(crate) struct Library {
    path: PathBuf,
    /// As the library itself tells it, for example `1.28.0`.
    pub(crate) version: String,
    /// Keeps the library loaded; its code must outlive every session.
    _handle: libloading::Library,
}

static LIBRARY: OnceCell<Library> = OnceCell::new();
static ENVIRONMENT: OnceCell<Environment> = OnceCell::new();

/// Loads the library at `path`, or returns the loaded one when it is the same file.
///
/// # Errors
/// [`Error::EngineLibrary`] when it cannot be loaded or is not an ONNX Runtime of a version we speak (a later call
/// tries again), and when another one is loaded already.
pub(crate) fn load(path: &Path) -> Result<&'static Library> {
    let path = path.canonicalize().map_err(|cause| {
        unavailable(format!(
            "no ONNX Runtime library at {}: {cause}; give the path of libonnxruntime.so",
            path.display()
        ))
    })?;
    let library = LIBRARY.get_or_try_init(|| open(&path))?;
    if library.path != path {
        return Err(unavailable(format!(
            "ONNX Runtime {} is already loaded from {}, and a process can hold only one: {} is not loaded",
            library.version,
            library.path.display(),
            path.display()
        )));
    }
    Ok(library)
}

/// The environment under which all sessions of this process live.
///
/// # Errors
/// As [`load`], and [`Error::EngineLibrary`] when ONNX Runtime cannot start.
pub(crate) fn environment(path: &Path) -> Result<&'static Environment> {
    let library = load(path)?;
    ENVIRONMENT.get_or_try_init(|| {
        let environment = ort::init_from(&library.path)
            .map_err(|cause| unavailable(cause.to_string()))?
            .with_name("spark-classify")
            .with_telemetry(false)
            .with_logger(Arc::new(forward_to_log))
            .build()
            .map_err(|cause| unavailable(format!("ONNX Runtime {} cannot start: {cause}", library.version)))?;
        // With a logger of one's own, ort asks for every message; each crosses into Rust before it can be dropped.
        environment.set_log_level(LogLevel::Warning);
        log::info!(
            "ONNX Runtime {} loaded from {}",
            library.version,
            library.path.display()
        );
        Ok(environment)
    })
}

/// Opens the library and asks it for its version, so that everything `ort` would panic about is found out before `ort`
/// sees the library.
#[allow(unsafe_code)]
fn open(path: &Path) -> Result<Library> {
    disable_telemetry();
    let not_onnx_runtime = |what: &str| unavailable(format!("{} is not an ONNX Runtime: {what}", path.display()));

    // SAFETY: loading a library runs its initialisers. The caller names the library to run inference with, and so
    // trusts its code; ONNX Runtime's initialisers have no preconditions.
    let handle = unsafe { libloading::Library::new(path) }
        .map_err(|cause| unavailable(format!("cannot load {}: {}", path.display(), libraries::reason(&cause))))?;
    let version = {
        // SAFETY: the symbol of this name has this type in every ONNX Runtime since 1.0 (onnxruntime_c_api.h).
        let base = unsafe { handle.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase") }
            .map_err(|_| not_onnx_runtime("it has no symbol OrtGetApiBase"))?;
        // SAFETY: OrtGetApiBase takes nothing and returns null or a pointer to a static of the library, which `handle`
        // keeps loaded.
        let base = unsafe { base().as_ref() }.ok_or_else(|| not_onnx_runtime("OrtGetApiBase returned null"))?;
        // SAFETY: GetVersionString takes nothing and returns a static, null-terminated string.
        let version = unsafe { CStr::from_ptr((base.GetVersionString)()) }
            .to_string_lossy()
            .into_owned();
        // SAFETY: GetApi accepts any number and returns null for a version it does not know.
        if unsafe { (base.GetApi)(ort::MINOR_VERSION) }.is_null() {
            return Err(unavailable(format!(
                "{} is ONNX Runtime {version}; version 1.{} or later is needed",
                path.display(),
                ort::MINOR_VERSION
            )));
        }
        version
    };
    Ok(Library {
        path: path.to_owned(),
        version,
        _handle: handle,
    })
}

/// Turns ONNX Runtime's telemetry off before it can start: from 1.29 on it is on by default on Linux, and its start-up
/// matches a recursive regular expression against the process's command line, which overflows the stack of a JVM with
/// a long class path.
#[allow(unsafe_code)]
fn disable_telemetry() {
    const SWITCH: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(SWITCH).is_none() {
        // SAFETY: changing the environment is a race against threads that read it in C at the same moment. It happens
        // once in the life of the process, and glibc leaves the block of variables that such a reader may hold
        // untouched: a new variable goes to a new block.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}

/// ONNX Runtime's messages, on their way to the log of whoever runs this process.
fn forward_to_log(level: LogLevel, _category: &str, _id: &str, location: &str, message: &str) {
    let level = match level {
        LogLevel::Verbose => log::Level::Trace,
        LogLevel::Info => log::Level::Debug,
        LogLevel::Warning => log::Level::Warn,
        LogLevel::Error | LogLevel::Fatal => log::Level::Error,
    };
    // The caller is C++: a panic of the logger must not get there. Nor is there anyone to tell about it.
    let _ = catch_unwind(AssertUnwindSafe(
        || log::log!(target: "onnxruntime", level, "{message} ({location})"),
    ));
}

fn unavailable(reason: String) -> Error {
    Error::EngineLibrary { engine: ENGINE, reason }
}
