//! Keeps the library in memory once it is loaded: it has registered a handler for the end of the process. And lets it
//! export its own functions only, none of the C names that its dependencies export.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,-z,nodelete");
    println!("cargo::rustc-link-arg=-Wl,--exclude-libs,ALL");
}
