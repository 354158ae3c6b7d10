//! The ONNX Runtime library of this process: at most one, loaded at first use and never unloaded.

use std::ffi::CStr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use once_cell::sync::OnceCell;
use ort::environment::Environment;
use ort::logging::LogLevel;
use spark_classify_core::error::{Error, Result};
use spark_classify_core::platform::{environment, libraries};

use crate::ENGINE;

/// The first release, as `(major, minor)`, that is used: 1.22 ends the process at the first call, since it has not all
/// that it announces, and 1.23 reads weights from outside a model's directory when the model says so.
const MINIMUM: (u32, u32) = (1, 24);

/// The first release with telemetry for Linux.
const TELEMETRY: (u32, u32) = (1, 29);

/// The library that was loaded first.
#[derive(Debug)]
pub(crate) struct Library {
    path: PathBuf,
    /// As the library itself gives it, for example `1.28.0`.
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

/// The version of the library that is loaded.
pub(crate) fn version() -> &'static str {
    LIBRARY.get().map_or("", |library| &library.version)
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
/// sees the library, and a release that cannot serve runs no further.
#[allow(unsafe_code)]
fn open(path: &Path) -> Result<Library> {
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
        // SAFETY: GetVersionString takes nothing and returns a static, null-terminated string, or null.
        let version = unsafe { (base.GetVersionString)().as_ref() }
            .ok_or_else(|| not_onnx_runtime("it does not tell its version"))?;
        // SAFETY: null-terminated, see above.
        let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
        let release = release(&version)
            .ok_or_else(|| not_onnx_runtime(&format!("it calls its version `{}`", version.escape_debug())))?;
        let needed = format!("version {}.{} or later is needed", MINIMUM.0, MINIMUM.1);
        if release < MINIMUM {
            return Err(unavailable(format!(
                "{} is ONNX Runtime {version}; {needed}",
                path.display()
            )));
        }
        // SAFETY: GetApi accepts any number and returns null for a version it does not know.
        if unsafe { (base.GetApi)(ort::MINOR_VERSION) }.is_null() {
            let lacks = format!(
                "it says that it is {version}, but lacks the interface of 1.{}",
                ort::MINOR_VERSION
            );
            return Err(not_onnx_runtime(&format!("{lacks}; {needed}")));
        }
        if release >= TELEMETRY {
            // Its start matches a recursive regular expression against the process's command line, which overflows the
            // stack of a JVM with a long class path. The variable is read when the environment is made.
            environment::set_default("ORT_DISABLE_TELEMETRY", "1");
        }
        version
    };
    Ok(Library {
        path: path.to_owned(),
        version,
        _handle: handle,
    })
}

/// Major and minor number of a version, for example of `1.28.0` or `1.24.1-dev`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(release("1.28.0"), Some((1, 28)));
        assert_eq!(release("1.24.1-dev+cuda"), Some((1, 24)));
        assert_eq!(release("1.9"), Some((1, 9)));
        assert!(release("1.9.0") < Some(MINIMUM) && release("2.0.0") > Some(MINIMUM));
        for text in ["", "1", "one.two", "1.x.0", "-1.30"] {
            assert_eq!(release(text), None, "{text}");
        }
    }
}
