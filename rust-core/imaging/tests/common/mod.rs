//! What several test programs need.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spark_classify_imaging::{decode, DecodeOptions, ImageError, ImageLimits, Scratch};

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

/// The pixels of an image that has this width and height.
pub fn decoded(width: u64, height: u64, image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut scratch = Scratch::default();
    let image = decode(image, &DecodeOptions::default(), &mut scratch)?;
    assert_eq!((image.width as u64, image.height as u64), (width, height));
    Ok(image.pixels.clone())
}

/// Why an image is refused with these limits.
pub fn refusal(limits: ImageLimits, image: &[u8]) -> ImageError {
    decode(image, &limits.into(), &mut Scratch::default()).unwrap_err()
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
