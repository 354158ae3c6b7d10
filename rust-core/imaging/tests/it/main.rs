//! The tests that need no process of their own.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "avif")]
mod avif;
mod cases;
mod decode;
mod faxes;
mod foreign;
mod golden;
mod hashes;
mod jpegs;
mod orientation;
mod pixels;
mod slow_files;
mod strips;
mod thread_time;
mod tiff_chunks;
mod tiffs;

use spark_classify_imaging::{DecodeOptions, ImageError, Scratch};

/// The pixels of an image that has this width and height.
fn decoded(width: u64, height: u64, image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut scratch = Scratch::default();
    let image = spark_classify_imaging::decode(image, &DecodeOptions::default(), &mut scratch)?;
    assert_eq!((image.width as u64, image.height as u64), (width, height));
    Ok(image.pixels.clone())
}

/// Why an image is refused, whatever its size.
fn refusal(image: &[u8]) -> String {
    decoded(8, 8, image).unwrap_err().to_string()
}
