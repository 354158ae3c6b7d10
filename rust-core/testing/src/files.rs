//! Files of the repository, and files made for a test.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A path in the repository.
///
/// Cargo sets `CARGO_MANIFEST_DIR` for the tests that it runs, and `scripts/gpu-check` for those that were built on
/// another machine, where the repository lay elsewhere.
pub fn repository(path: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("../..").join(path)
}

/// A JSON file of the repository.
pub fn json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(repository(path)).unwrap()).unwrap()
}

/// A file of golden values.
pub fn golden(name: &str) -> serde_json::Value {
    json(&format!("tests/golden/{name}"))
}

/// An odd or broken image.
pub fn odd_image(name: &str) -> Vec<u8> {
    fs::read(repository("tests/golden/images").join(name)).unwrap()
}

/// An image of the committed dataset.
pub fn dataset_image(name: &str) -> Vec<u8> {
    fs::read(repository("dataset/all_images").join(name)).unwrap()
}

/// All images of the committed dataset, more than a hundred, in the order of their names.
pub fn dataset() -> Vec<Vec<u8>> {
    let folder = fs::read_dir(repository("dataset/all_images")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 100, "the dataset has only {} images", paths.len());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A model directory with this `preprocessor_config.json` and three classes, without a model.
pub fn model_directory(preprocessor: &str) -> TempDir {
    let labels = r#"{"id2label": {"0": "red", "1": "green", "2": "blue"}}"#;
    directory_of(&[("preprocessor_config.json", preprocessor), ("config.json", labels)])
}

/// A directory with these files: names and texts.
pub fn directory_of(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// A model directory with the configuration of the project's model, which has three classes and takes images of
/// 128 x 128 pixels, without a model.
pub fn model_without_weights() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy_configuration(directory.path());
    directory
}

/// Copies the configuration of the project's model into this directory.
pub fn copy_configuration(directory: &Path) {
    for file in ["config.json", "preprocessor_config.json"] {
        fs::copy(repository("model").join(file), directory.join(file)).unwrap();
    }
}

/// The library of ONNX Runtime that the tests use.
pub fn onnxruntime() -> PathBuf {
    let path = std::env::var_os("ORT_DYLIB_PATH").expect("set ORT_DYLIB_PATH to the path of libonnxruntime.so");
    path.into()
}

/// A checksum in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A PNG of one colour.
pub fn plain_png(width: u32, height: u32, rgb: [u8; 3]) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(width, height, image::Rgb(rgb));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
