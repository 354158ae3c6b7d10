//! Compressed bytes to RGB pixels, by the rules of Pillow's `Image.open(...).convert("RGB")`.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::{jpeg, png, ImageLimits};
use crate::error::ImageError;

/// For the message about anything else.
const SUPPORTED: &str = "JPEG, PNG";

/// Pixels, three bytes each, row by row without padding.
#[derive(Debug, Default)]
pub(super) struct RgbImage {
    pub(super) width: usize,
    pub(super) height: usize,
    /// `width * height * 3` bytes.
    pub(super) pixels: Vec<u8>,
}

impl RgbImage {
    /// Makes room for an image of this size; the pixels' values are left as they are.
    pub(super) fn reset(&mut self, width: usize, height: usize) -> Result<(), ImageError> {
        let length = width * height * 3;
        grow(&mut self.pixels, length)?;
        self.pixels.truncate(length);
        (self.width, self.height) = (width, height);
        Ok(())
    }
}

/// Decodes `bytes` into `image`. `raw` is a buffer for pixels that are not RGB yet.
pub(super) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    check("size in bytes", bytes.len() as u64, limits.max_bytes)?;
    if bytes.starts_with(jpeg::MAGIC) {
        jpeg::decode(bytes, limits, raw, image)
    } else if bytes.starts_with(png::MAGIC) {
        // A file must not be able to end more than itself, should it find a bug in the decoder. The buffers are
        // plain bytes, valid whatever was written.
        catch_unwind(AssertUnwindSafe(|| png::decode(bytes, limits, raw, image))).unwrap_or_else(|_| {
            Err(ImageError::Broken {
                format: "PNG",
                reason: "the decoder panicked".to_owned(),
            })
        })
    } else {
        Err(ImageError::UnknownFormat { supported: SUPPORTED })
    }
}

/// Checks the size told by an image's header, in pixels.
pub(super) fn check_size(width: u64, height: u64, limits: ImageLimits) -> Result<(), ImageError> {
    check("width in pixels", width, u64::from(limits.max_dimension))?;
    check("height in pixels", height, u64::from(limits.max_dimension))?;
    check("size in pixels", width * height, limits.max_pixels)
}

fn check(what: &'static str, actual: u64, limit: u64) -> Result<(), ImageError> {
    if actual > limit {
        return Err(ImageError::Limit { what, actual, limit });
    }
    Ok(())
}

/// The first `length` bytes of `buffer`, which grows where it must. Memory that is not there is an error: an abort
/// would end the JVM.
pub(super) fn grow(buffer: &mut Vec<u8>, length: usize) -> Result<&mut [u8], ImageError> {
    if buffer.len() < length {
        buffer
            .try_reserve_exact(length - buffer.len())
            .map_err(|_| ImageError::OutOfMemory { bytes: length })?;
        buffer.resize(length, 0);
    }
    Ok(&mut buffer[..length])
}
