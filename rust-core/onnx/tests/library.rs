//! Loading the ONNX Runtime library. In a process of its own, and in one test, because a process loads only one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use spark_classify_core::{Engine, Error};
use spark_classify_onnx::OnnxEngine;
use spark_classify_testing::onnxruntime;

fn refusal(library: &Path) -> String {
    match OnnxEngine::new(library).version() {
        Err(Error::EngineLibrary { engine: "onnx", reason }) => reason,
        other => panic!("expected Error::EngineLibrary, got {other:?}"),
    }
}

/// Compiles a shared library from C.
fn compile(dir: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (dir.join(name).with_extension("c"), dir.join(name));
    fs::write(&code, source).unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &code])
        .status()
        .expect("a C compiler called cc is needed");
    assert!(status.success());
    library
}

#[test]
fn a_process_loads_one_library_and_says_why_it_loads_no_other() {
    let library = onnxruntime().canonicalize().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();

    let missing = dir.join("missing.so");
    let reason = refusal(&missing);
    assert!(
        reason.contains("missing.so") && reason.contains("No such file"),
        "{reason}"
    );

    let text = dir.join("text.so");
    fs::write(&text, "not a library").unwrap();
    let reason = refusal(&text);
    assert!(reason.contains("cannot load") && reason.contains("text.so"), "{reason}");

    let other = compile(dir, "other.so", "int answer(void) { return 42; }");
    let reason = refusal(&other);
    assert!(
        reason.contains("other.so is not an ONNX Runtime: it has no symbol OrtGetApiBase"),
        "{reason}"
    );

    let null = compile(dir, "null.so", "const void *OrtGetApiBase(void) { return 0; }");
    assert!(refusal(&null).contains("OrtGetApiBase returned null"));

    let library_of = |name: &str, version: &str| {
        compile(
            dir,
            name,
            &format!(
                "static const void *api(unsigned version) {{ return version > 21 ? 0 : \"api\"; }}
                 static const char *version(void) {{ return {version}; }}
                 struct base {{ const void *(*api)(unsigned); const char *(*version)(void); }};
                 static const struct base base = {{api, version}};
                 const void *OrtGetApiBase(void) {{ return &base; }}"
            ),
        )
    };
    let old = library_of("old.so", "\"1.17.3\"");
    for (version, expected) in [
        ("\"1.17.3\"", "is ONNX Runtime 1.17.3; version 1.24 or later is needed"),
        ("\"1.22.1\"", "is ONNX Runtime 1.22.1; version 1.24 or later is needed"),
        ("\"1.23.2\"", "is ONNX Runtime 1.23.2; version 1.24 or later is needed"),
        (
            "\"1.28.0\"",
            "it says that it is 1.28.0, but lacks the interface of 1.22",
        ),
        ("\"new\\n\"", "it calls its version `new\\n`"),
        ("\"\"", "it calls its version ``"),
        ("0", "it does not tell its version"),
    ] {
        let reason = refusal(&library_of("version.so", version));
        assert!(reason.contains(expected), "{version}: {reason}");
        fs::remove_file(dir.join("version.so")).unwrap();
    }

    // One for another kind of machine: the number of it is the 18th and 19th byte of an ELF file.
    let mut elf = fs::read(&old).unwrap();
    elf[18..20].copy_from_slice(&0xf3_u16.to_le_bytes());
    let foreign = dir.join("foreign.so");
    fs::write(&foreign, &elf).unwrap();
    let reason = refusal(&foreign);
    assert!(
        reason.contains("cannot load") && reason.contains("foreign.so"),
        "{reason}"
    );
    fs::write(&foreign, &elf[..elf.len() / 2]).unwrap();
    assert!(refusal(&foreign).contains("cannot load"));
    assert!(refusal(dir).contains("cannot load"));

    // None of these failures stands in the way of the right library, whoever comes first.
    let version = OnnxEngine::new(&library).version().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(OnnxEngine::new(&library).version().unwrap(), version));
        }
    });
    // Releases before 1.29 have no telemetry, and the environment stays as it is.
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    assert_eq!(std::env::var_os("ORT_DISABLE_TELEMETRY").is_some(), minor >= 29);

    let link = dir.join("link.so");
    symlink(&library, &link).unwrap();
    assert_eq!(OnnxEngine::new(&link).version().unwrap(), version);

    let reason = refusal(&old);
    assert!(
        reason.contains("already loaded from") && reason.contains(library.to_str().unwrap()),
        "{reason}"
    );
}
