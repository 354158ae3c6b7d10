//! The libtorch of this process: its version and its threads.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use once_cell::sync::OnceCell;
use spark_classify_core::error::{Error, Result};

use crate::{cuda, ffi, ENGINE};

/// The release this crate is compiled against.
const BUILT_AGAINST: &str = "2.11.";

/// The release that keeps to the binary interface of the former in what this crate uses on a CPU, found by trying it
/// (`scripts/try_libtorch.sh`). libtorch promises nothing of the kind: others lack functions, or would be called
/// wrongly.
const SAME_ON_CPU: &str = "2.12.";

/// The version of the libtorch in this process, for example `2.11.0`.
///
/// # Errors
/// [`Error::EngineLibrary`] when it is not the one this crate was built for.
pub(crate) fn version() -> Result<&'static str> {
    static VERSION: OnceCell<String> = OnceCell::new();
    VERSION
        .get_or_try_init(|| {
            // Before the first question to libtorch, which would find out for good that there is no CUDA.
            cuda::open();
            let config = ffi::config()?;
            let version = version_in(&config).ok_or("libtorch does not tell its version")?;
            if ![BUILT_AGAINST, SAME_ON_CPU]
                .iter()
                .any(|release| version.starts_with(release))
            {
                return Err(format!(
                    "this is libtorch {version}, but {BUILT_AGAINST}x is needed: install torch {BUILT_AGAINST}0"
                ));
            }
            log::info!("libtorch {version}");
            Ok(version.to_owned())
        })
        .map(String::as_str)
        .map_err(|reason| Error::EngineLibrary { engine: ENGINE, reason })
}

/// The same where a GPU is to be used.
///
/// # Errors
/// Those of [`version`], and for a release that was tried on CPUs alone: what drives a stream has another layout in it.
pub(crate) fn version_for_gpu() -> Result<&'static str> {
    let version = version()?;
    if version.starts_with(BUILT_AGAINST) {
        return Ok(version);
    }
    Err(Error::EngineLibrary {
        engine: ENGINE,
        reason: format!("libtorch {version} is for the CPU only: for a GPU, install torch {BUILT_AGAINST}0"),
    })
}

/// Finds `TORCH_VERSION=` in libtorch's build settings, which are separated by commas.
fn version_in(config: &str) -> Option<&str> {
    let (_, rest) = config.split_once("TORCH_VERSION=")?;
    rest.split([',', ' ', '\n'])
        .next()
        .filter(|version| !version.is_empty())
}

/// Keeps libtorch to the current thread for what that thread asks of it: who has several cores runs several batches.
/// Threads of libtorch's own would spin between two runs and take the cores of other tasks.
///
/// The number of an OpenMP team belongs to the thread that starts it, and a new thread begins with all cores of the
/// machine. libtorch itself corrects that only in some of its operators (a convolution in oneDNN is not one of them),
/// so each thread says it here before its first run.
pub(crate) fn stay_on_this_thread() {
    thread_local! {
        static DONE: Cell<bool> = const { Cell::new(false) };
    }
    // Setting the number also resizes pools that all threads share.
    static SETTING: Mutex<()> = Mutex::new(());

    if !DONE.replace(true) {
        let _guard = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
        tch::set_num_threads(1);
    }
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn version_is_found_among_build_settings() {
        assert_eq!(
            version_in(
                "PyTorch built with:\n  - Build settings: BUILD_TYPE=Release, TORCH_VERSION=2.11.0, USE_CUDA=ON, \n"
            ),
            Some("2.11.0")
        );
        assert_eq!(version_in("TORCH_VERSION=2.12.0"), Some("2.12.0"));
        assert_eq!(version_in("PyTorch built with: nothing"), None);
        assert_eq!(version_in("TORCH_VERSION=, USE_CUDA=ON"), None);
    }
}
