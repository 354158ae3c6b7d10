//! Part of an image.

use std::ops::Range;

use crate::image::RgbImage;

/// A rectangle of pixels, three bytes each, that lie in a larger one.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pixels: &'a [u8],
    /// Bytes from the beginning of a row to that of the next.
    pub(crate) stride: usize,
    /// Bytes of a row.
    pub(crate) row_length: usize,
    pub(crate) height: usize,
}

impl<'a> View<'a> {
    pub(crate) fn of(image: &'a RgbImage) -> Self {
        Self::packed(&image.pixels, image.width * 3, image.height)
    }

    pub(crate) fn packed(pixels: &'a [u8], row_length: usize, height: usize) -> Self {
        Self {
            pixels,
            stride: row_length,
            row_length,
            height,
        }
    }

    pub(crate) fn crop(self, rows: &Range<usize>, columns: &Range<usize>) -> Self {
        Self {
            pixels: &self.pixels[rows.start * self.stride + columns.start * 3..],
            stride: self.stride,
            row_length: columns.len() * 3,
            height: rows.len(),
        }
    }

    pub(crate) fn row(self, index: usize) -> &'a [u8] {
        &self.pixels[index * self.stride..][..self.row_length]
    }

    /// The bytes from byte `at` of a row on, to the end of the image or beyond that of the row.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn from(self, index: usize, at: usize) -> &'a [u8] {
        &self.pixels[index * self.stride + at..]
    }

    /// The rows from top to bottom.
    #[must_use = "it is an iterator"]
    pub fn rows(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.height).map(move |index| self.row(index))
    }
}
