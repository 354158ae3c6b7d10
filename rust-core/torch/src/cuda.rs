//! libtorch's part for CUDA, a library of its own beside the one for the CPU.
//!
//! This crate does not link it, so that one native library works with and without. It registers itself with libtorch
//! when it is loaded, which has to happen before libtorch is asked anything: it looks for CUDA once and remembers the
//! answer. So it is loaded wherever there is an NVIDIA driver, whether or not a model will want it.
#![allow(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};
use once_cell::sync::OnceCell;
use spark_classify_core::error::{Error, Result};
use spark_classify_core::gpu::cuda;
use spark_classify_core::platform::libraries;
use spark_classify_core::Device;

use crate::ffi;

const CPU_LIBRARY: &str = "libtorch_cpu.so";
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

/// What came of loading the library.
static OPENED: OnceCell<Result<(), String>> = OnceCell::new();

/// Loads the library, if there is a driver. The first call counts.
pub(crate) fn open() {
    OPENED.get_or_init(|| {
        cuda::driver().map_err(str::to_owned)?;
        let maps = fs::read_to_string("/proc/self/maps").map_err(|cause| format!("/proc/self/maps: {cause}"))?;
        let folder = folder_of_libtorch(&maps).ok_or_else(|| format!("{CPU_LIBRARY} is not loaded"))?;
        load(&folder.join(CUDA_LIBRARY))
    });
}

/// Sees to it that models can be loaded on GPU number `gpu`. Whether TF32 is allowed counts for the whole process, so
/// that is decided by the first call.
///
/// # Errors
/// [`Error::Device`].
pub(crate) fn prepare(gpu: u32, tf32: bool) -> Result<()> {
    static PREPARED: OnceCell<bool> = OnceCell::new();
    let unavailable = |reason: String| Error::Device {
        device: Device::Cuda(gpu).to_string(),
        reason,
    };
    open();
    if let Some(Err(reason)) = OPENED.get() {
        return Err(unavailable(reason.clone()));
    }
    let gpus = ffi::gpus();
    if gpu >= gpus {
        return Err(unavailable(format!(
            "libtorch can use {gpus} GPUs; its CUDA may be newer than the driver knows (`nvidia-smi` tells the driver's)"
        )));
    }
    // TF32 is the first caller's choice, the check each one's own.
    let tf32 = *PREPARED.get_or_init(|| tf32);
    ffi::prepare_gpu(Some(gpu), tf32).map_err(unavailable)
}

/// The folder of the libtorch that this process has loaded, from its memory map.
fn folder_of_libtorch(maps: &str) -> Option<PathBuf> {
    maps.lines()
        .filter_map(|line| line.find('/').map(|start| Path::new(&line[start..])))
        .find(|path| path.file_name().is_some_and(|name| name == CPU_LIBRARY))
        .and_then(Path::parent)
        .map(Path::to_owned)
}

fn load(path: &Path) -> Result<(), String> {
    if !path.is_file() {
        return Err(format!(
            "this libtorch has no CUDA: there is no {}; install one with it (pip install torch==2.11.0)",
            path.display()
        ));
    }
    // SAFETY: loading a library runs its initialisers. It is the other half of the libtorch that this process has
    // loaded, and registers itself there before anyone else uses that.
    match unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_LOCAL) } {
        // It stays: libtorch has pointers into it from now on.
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(cause) => Err(format!(
            "libtorch's part for CUDA cannot be loaded: {}; install the packages that torch needs for CUDA, which \
             `pip install --no-deps` leaves out",
            libraries::reason(&cause)
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn libtorch_is_found_in_the_memory_map() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 1  /usr/lib/libc.so.6\n\
                    7f02-7f03 r-xp 00000000 fe:00 2  /opt/a torch/lib/libtorch_cpu.so\n\
                    7f04-7f05 rw-p 00000000 00:00 0  [stack]\n";
        assert_eq!(folder_of_libtorch(maps), Some(PathBuf::from("/opt/a torch/lib")));
        assert_eq!(folder_of_libtorch("7f04-7f05 rw-p 00000000 00:00 0\n"), None);
        // The one of this process, which is linked to it.
        let own = folder_of_libtorch(&fs::read_to_string("/proc/self/maps").unwrap()).unwrap();
        assert!(own.join("libc10.so").is_file(), "{}", own.display());
    }

    #[test]
    fn what_cannot_be_loaded_is_told() {
        let missing = load(Path::new("/nowhere/libtorch_cuda.so")).unwrap_err();
        assert!(missing.contains("there is no /nowhere/libtorch_cuda.so"), "{missing}");
        // Without its other packages, as `make setup` installs torch, the library is there but not what it needs.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libtorch_cuda.so");
        fs::write(&file, "not a library").unwrap();
        let broken = load(&file).unwrap_err();
        assert!(
            broken.contains("cannot be loaded") && broken.contains("libtorch_cuda.so"),
            "{broken}"
        );
    }

    #[test]
    fn tf32_is_as_it_was_asked_for() {
        for tf32 in [true, false] {
            ffi::prepare_gpu(None, tf32).unwrap();
            assert_eq!(ffi::allows_tf32(), Some(tf32));
        }
    }
}
