//! Compiles the C parts of the decoders: that of JPEG against the headers of the libjpeg-turbo that `turbojpeg-sys`
//! built.

fn main() {
    println!("cargo:rerun-if-changed=src/decode/jpeg/jpeg.c");
    println!("cargo:rerun-if-changed=src/decode/jpeg/jpeg.h");
    let mut build = cc::Build::new();
    build.file("src/decode/jpeg/jpeg.c").warnings(true).extra_warnings(true);
    if let Some(directories) = std::env::var_os("DEP_TURBOJPEG_INCLUDE") {
        // turbojpeg-sys separates the directories by a comma.
        build.includes(directories.to_string_lossy().split(','));
    }
    build.compile("classify_jpeg");
    println!("cargo:rerun-if-changed=src/decode/jpeg2000/arena.c");
    if std::env::var_os("CARGO_FEATURE_JPEG2000").is_some() {
        cc::Build::new()
            .file("src/decode/jpeg2000/arena.c")
            .warnings(true)
            .extra_warnings(true)
            .compile("classify_jpeg2000");
    }
}
