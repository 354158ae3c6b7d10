//! Compiles the C++ part against the libtorch that `torch-sys` found.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=cpp");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            println!("cargo::error={reason}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), String> {
    let lib = env::var_os("DEP_TCH_LIBTORCH_LIB")
        .map(PathBuf::from)
        .ok_or("torch-sys did not say where libtorch is; set LIBTORCH to the directory of libtorch 2.11")?;
    // The same rule as in torch-sys: LIBTORCH_INCLUDE, else the directory that holds lib.
    let home = env::var_os("LIBTORCH_INCLUDE").map_or_else(|| lib.join(".."), PathBuf::from);
    let include = home.join("include");
    if !include.join("torch/script.h").is_file() {
        return Err(format!(
            "{} has no torch/script.h; set LIBTORCH to the directory of libtorch 2.11 (in a Python installation: \
             site-packages/torch), or LIBTORCH_INCLUDE to the directory that holds its `include`",
            display(&include)
        ));
    }
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .include(include.join("torch/csrc/api/include"))
        .include(&include)
        // libtorch is built with the new ABI of std::string since 2.7.
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        // torch's headers are not ours to clean.
        .warnings(false)
        // What stands in for newer symbols must be there whatever comes first on the linker's command line.
        .link_lib_modifier("+whole-archive")
        .file("cpp/module.cpp")
        .file("cpp/lane.cpp")
        .file("cpp/linear.cpp")
        .file("cpp/older_libstdcxx.cpp")
        .file("cpp/operators.cpp")
        .file("cpp/state.cpp")
        .try_compile("spark_classify_torch")
        .map_err(|cause| format!("cpp: {cause}"))?;

    println!("cargo::rustc-link-lib=torch_cpu");
    println!("cargo::rustc-link-lib=c10");
    println!("cargo::metadata=libtorch_lib={}", lib.display());
    // So that this crate's tests start without LD_LIBRARY_PATH.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    Ok(())
}

fn display(path: &Path) -> String {
    path.canonicalize()
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}
