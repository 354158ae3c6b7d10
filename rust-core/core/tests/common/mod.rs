//! What several test programs need.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{ImageError, ImageLimits, Scratch};
use tempfile::TempDir;

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A file of golden values.
pub fn golden(name: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(repository("tests/golden").join(name)).unwrap()).unwrap()
}

/// An odd or broken image.
pub fn odd_image(name: &str) -> Vec<u8> {
    fs::read(repository("tests/golden/images").join(name)).unwrap()
}

/// A model directory with this `preprocessor_config.json` and three classes.
pub fn model_directory(preprocessor: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("preprocessor_config.json"), preprocessor).unwrap();
    fs::write(
        directory.path().join("config.json"),
        r#"{"id2label": {"0": "red", "1": "green", "2": "blue"}}"#,
    )
    .unwrap();
    directory
}

/// Preprocesses with only the steps in `fields`, without rescaling or normalising, so that the tensor holds samples.
/// Returns them as they lie in an image: rows of RGB pixels.
pub fn samples(fields: &str, limits: ImageLimits, image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let directory = model_directory(&format!(r#"{{"do_rescale": false, "do_normalize": false, {fields}}}"#));
    let model = ModelDirectory::open(directory.path()).unwrap();
    let preprocessor = Preprocessor::new(model.preprocessor(), limits);
    let mut tensor = vec![f32::NAN; preprocessor.tensor_len()];
    let result = preprocessor.preprocess(image, &mut tensor, &mut Scratch::default());
    if result.is_err() {
        assert!(
            tensor.iter().all(|value| value.to_bits() == 0),
            "the slot of a bad image must be zero"
        );
    }
    result.map(|_| interleaved(&tensor))
}

/// Decodes only: a crop to the image's own size changes nothing.
pub fn decoded(width: u64, height: u64, image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let crop =
        format!(r#""do_resize": false, "do_center_crop": true, "crop_size": {{"height": {height}, "width": {width}}}"#);
    samples(&crop, ImageLimits::default(), image)
}

fn interleaved(tensor: &[f32]) -> Vec<u8> {
    let plane = tensor.len() / 3;
    (0..plane)
        .flat_map(|pixel| (0..3).map(move |channel| tensor[channel * plane + pixel] as u8))
        .collect()
}

/// A checksum in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A PNG of one colour.
pub fn plain_png(width: u32, height: u32, rgb: [u8; 3]) -> Vec<u8> {
    let image = image::RgbImage::from_pixel(width, height, image::Rgb(rgb));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
