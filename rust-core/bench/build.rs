//! Lets the binary find libtorch where the build found it, so that it starts without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(lib) = std::env::var("DEP_SPARK_CLASSIFY_TORCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{lib}");
        println!("cargo::rustc-link-arg-benches=-Wl,-rpath,{lib}");
    }
}
