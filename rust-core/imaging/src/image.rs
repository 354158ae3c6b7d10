//! Decoded pixels, and the room for them.

use crate::error::{ImageError, Measure};
use crate::options::ImageLimits;

/// Pixels of red, green and blue, a byte each, row by row without padding.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// Makes room for an image of this size; the pixels' values are left as they are.
    pub(crate) fn reset(&mut self, width: usize, height: usize) -> Result<(), ImageError> {
        let length = width * height * 3;
        grow(&mut self.pixels, length)?;
        self.pixels.truncate(length);
        (self.width, self.height) = (width, height);
        Ok(())
    }

    /// Makes room for an image of this size whose pixels have `channels` bytes at first, 1 or at least 3; returns the
    /// room. [`made_rgb`](Self::made_rgb) is to follow.
    pub(crate) fn reset_channels(
        &mut self,
        width: usize,
        height: usize,
        channels: usize,
    ) -> Result<&mut [u8], ImageError> {
        let pixels = width * height;
        grow(&mut self.pixels, pixels * channels.max(3))?;
        (self.width, self.height) = (width, height);
        // A grey image lies at the end, so that no pixel is written over before it is read.
        let start = if channels == 1 { pixels * 2 } else { 0 };
        Ok(&mut self.pixels[start..start + pixels * channels])
    }

    /// Makes RGB of the pixels that were put into the room of [`reset_channels`](Self::reset_channels), where they are.
    pub(crate) fn made_rgb<const CHANNELS: usize>(&mut self, convert: impl Fn([u8; CHANNELS]) -> [u8; 3]) {
        let count = self.width * self.height;
        let start = if CHANNELS == 1 { count * 2 } else { 0 };
        for index in 0..count {
            let mut from = [0; CHANNELS];
            from.copy_from_slice(&self.pixels[start + index * CHANNELS..][..CHANNELS]);
            self.pixels[index * 3..][..3].copy_from_slice(&convert(from));
        }
        self.pixels.truncate(count * 3);
    }
}

/// Checks the size told by an image's header, in pixels.
pub(crate) fn check_size(width: u64, height: u64, limits: ImageLimits) -> Result<(), ImageError> {
    check(Measure::Width, width, u64::from(limits.max_dimension))?;
    check(Measure::Height, height, u64::from(limits.max_dimension))?;
    check(Measure::Pixels, width * height, limits.max_pixels)
}

/// Checks what decoding or resizing will take at its peak, in bytes beyond the compressed ones, before it is taken.
pub(crate) fn check_memory(bytes: u64, limits: ImageLimits) -> Result<(), ImageError> {
    check(Measure::Memory, bytes, limits.max_memory)
}

/// Checks one number against its limit.
pub(crate) fn check(what: Measure, actual: u64, limit: u64) -> Result<(), ImageError> {
    if actual > limit {
        return Err(ImageError::Limit { what, actual, limit });
    }
    Ok(())
}

/// The first `length` bytes of `buffer`, whatever they are; it grows where it must. Memory that is not there is an
/// error: an abort would end the JVM.
pub(crate) fn grow(buffer: &mut Vec<u8>, length: usize) -> Result<&mut [u8], ImageError> {
    if buffer.capacity() < length {
        // What it held is not needed, so a move must not keep it beside the new one.
        *buffer = Vec::new();
    }
    if buffer.len() < length {
        buffer
            .try_reserve_exact(length - buffer.len())
            .map_err(|_| ImageError::OutOfMemory { bytes: length })?;
        buffer.resize(length, 0);
    }
    Ok(&mut buffer[..length])
}
