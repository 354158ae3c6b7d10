//! Where CUDA's libraries are that ONNX Runtime's provider needs.
//!
//! The provider asks the dynamic linker for them by name only. pip puts them where that does not look: into
//! `site-packages/nvidia`, beside the package of ONNX Runtime. A library that is loaded already is found by its name,
//! so this loads them first.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};
use once_cell::sync::OnceCell;
use spark_classify_core::platform::libraries;

/// The libraries, each after those it needs itself.
const LIBRARIES: [&str; 7] = [
    "libcudart.so.",
    "libnvrtc.so.",
    "libcublasLt.so.",
    "libcublas.so.",
    "libcurand.so.",
    "libcufft.so.",
    "libcudnn.so.",
];

/// Loads what pip has installed beside the ONNX Runtime library at `onnxruntime`. What is not there the dynamic linker
/// may find; what it does not find the provider complains of by name.
pub(crate) fn find_libraries(onnxruntime: &Path) {
    static DONE: OnceCell<()> = OnceCell::new();
    DONE.get_or_init(|| {
        let Some(folders) = wheel_folders(onnxruntime) else {
            return;
        };
        for library in LIBRARIES {
            let Some(path) = folders.iter().find_map(|folder| file_in(folder, library)) else {
                continue;
            };
            // SAFETY: loading a library runs its initialisers; those of CUDA have no preconditions, and whoever chose
            // this ONNX Runtime trusts what is installed beside it.
            match unsafe { Library::open(Some(&path), RTLD_LAZY | RTLD_LOCAL) } {
                // It stays for the provider.
                Ok(library) => std::mem::forget(library),
                Err(cause) => log::warn!("cannot load {}: {}", path.display(), libraries::reason(&cause)),
            }
        }
    });
}

/// The `lib` folders of NVIDIA's packages: `nvidia/<package>/lib`, in the folder that has the package of ONNX Runtime,
/// whose library is in `onnxruntime/capi`.
fn wheel_folders(onnxruntime: &Path) -> Option<Vec<PathBuf>> {
    let packages = onnxruntime.ancestors().nth(3)?.join("nvidia");
    let entries = fs::read_dir(packages).ok()?;
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path().join("lib")).collect();
    folders.sort();
    Some(folders)
}

/// The file in `folder` whose name is `start` and a version.
fn file_in(folder: &Path, start: &str) -> Option<PathBuf> {
    let is_it = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(start));
    let entries = fs::read_dir(folder).ok()?;
    let mut files: Vec<_> = entries.flatten().filter(|entry| is_it(&entry.file_name())).collect();
    files.sort_by_key(fs::DirEntry::file_name);
    files.first().map(fs::DirEntry::path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn libraries_are_found_beside_the_package() {
        let root = tempfile::tempdir().unwrap();
        let packages = root.path().join("site-packages");
        let capi = packages.join("onnxruntime/capi");
        for folder in [
            &capi,
            &packages.join("nvidia/cu13/lib"),
            &packages.join("nvidia/cudnn/lib"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in [
            "cu13/lib/libcublas.so.13",
            "cu13/lib/libcublasLt.so.13",
            "cudnn/lib/libcudnn.so.9",
        ] {
            fs::write(packages.join("nvidia").join(file), "").unwrap();
        }
        let folders = wheel_folders(&capi.join("libonnxruntime.so.1.28.0")).unwrap();
        let found = |start: &str| folders.iter().find_map(|folder| file_in(folder, start));
        assert_eq!(
            found("libcublas.so."),
            Some(packages.join("nvidia/cu13/lib/libcublas.so.13"))
        );
        assert_eq!(
            found("libcudnn.so."),
            Some(packages.join("nvidia/cudnn/lib/libcudnn.so.9"))
        );
        assert_eq!(found("libcufft.so."), None);
        assert_eq!(wheel_folders(Path::new("/libonnxruntime.so")), None);
    }
}
