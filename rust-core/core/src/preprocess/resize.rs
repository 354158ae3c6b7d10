//! Resizing with the bytes of Pillow's `Image.resize`.
//!
//! Pillow convolves in two passes with weights in fixed point, and rounds to 8 bits after each. A pass whose size does
//! not change is left out. The order of the passes shows in the result: Pillow goes along the rows first unless the
//! height shrinks by more than twice as many pixels as the width, a rule it has since version 13. Nearest neighbour is
//! no convolution but goes Pillow's other way, its affine transform. Only the rows and columns that the crop keeps are
//! computed.

use std::ops::Range;

use super::convolve::{resize_height, resize_width};
use super::decode::{grow, RgbImage};
use super::filter::WeightsCache;
use super::geometry::Axis;
use crate::error::ImageError;
use crate::model::Resampling;

/// A rectangle of pixels, three bytes each, that lie in a larger one.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pixels: &'a [u8],
    /// Bytes from the beginning of a row to that of the next.
    pub(super) stride: usize,
    /// Bytes of a row.
    pub(super) row_length: usize,
    pub(super) height: usize,
}

impl<'a> View<'a> {
    fn of(image: &'a RgbImage) -> Self {
        Self::packed(&image.pixels, image.width * 3, image.height)
    }

    pub(super) fn packed(pixels: &'a [u8], row_length: usize, height: usize) -> Self {
        Self {
            pixels,
            stride: row_length,
            row_length,
            height,
        }
    }

    fn crop(self, rows: &Range<usize>, columns: &Range<usize>) -> Self {
        Self {
            pixels: &self.pixels[rows.start * self.stride + columns.start * 3..],
            stride: self.stride,
            row_length: columns.len() * 3,
            height: rows.len(),
        }
    }

    pub(super) fn row(self, index: usize) -> &'a [u8] {
        &self.pixels[index * self.stride..][..self.row_length]
    }

    /// The bytes from byte `at` of a row on, to the end of the image or beyond that of the row.
    pub(super) fn from(self, index: usize, at: usize) -> &'a [u8] {
        &self.pixels[index * self.stride + at..]
    }

    /// The rows from top to bottom.
    pub(super) fn rows(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.height).map(move |index| self.row(index))
    }
}

/// Buffers for resizing.
#[derive(Debug, Default)]
pub(super) struct Resizer {
    weights: WeightsCache,
    first_pass: Vec<u8>,
    second_pass: Vec<u8>,
}

impl Resizer {
    /// The bytes that [`resize`](Self::resize) takes at most for these axes: the first pass keeps one side of the image,
    /// the second has the size of the window.
    pub(super) fn memory(y: &Axis, x: &Axis) -> u64 {
        let (window_y, window_x) = (y.window.len() as u64, x.window.len() as u64);
        let first = (y.source as u64 * window_x).max(window_y * x.source as u64);
        (first + window_y * window_x) * 3
    }

    /// Resizes `image` and keeps the windows of both axes.
    pub(super) fn resize<'a>(
        &'a mut self,
        image: &'a RgbImage,
        resampling: Resampling,
        y: &Axis,
        x: &Axis,
    ) -> Result<View<'a>, ImageError> {
        let same_size = (y.source, x.source) == (y.resized, x.resized);
        if resampling == Resampling::Nearest && !same_size {
            return nearest(image, y, x, &mut self.first_pass);
        }
        let vertical = self.weights.get(resampling, y);
        let horizontal = self.weights.get(resampling, x);
        let rows = vertical.as_ref().map_or(y.window.clone(), |weights| weights.inputs());
        let columns = horizontal.as_ref().map_or(x.window.clone(), |weights| weights.inputs());
        let mut view = View::of(image).crop(&rows, &columns);
        if vertical_first(y, x) {
            if let Some(weights) = &vertical {
                view = resize_height(view, weights, rows.start, &mut self.first_pass)?;
            }
            if let Some(weights) = &horizontal {
                view = resize_width(view, weights, columns.start, &mut self.second_pass)?;
            }
        } else {
            if let Some(weights) = &horizontal {
                view = resize_width(view, weights, columns.start, &mut self.first_pass)?;
            }
            if let Some(weights) = &vertical {
                view = resize_height(view, weights, rows.start, &mut self.second_pass)?;
            }
        }
        Ok(view)
    }

    /// The buffers, which may be emptied between two images.
    pub(super) fn buffers(&mut self) -> [&mut Vec<u8>; 2] {
        [&mut self.first_pass, &mut self.second_pass]
    }
}

/// The rule of Pillow 13 for the order of the passes.
fn vertical_first(y: &Axis, x: &Axis) -> bool {
    let shrunk = |axis: &Axis| axis.source as i64 - axis.resized as i64;
    shrunk(y) > 0 && shrunk(y) > 2 * shrunk(x)
}

/// Nearest neighbour (`ImagingScaleAffine` in Pillow's Geometry.c).
fn nearest<'a>(image: &RgbImage, y: &Axis, x: &Axis, buffer: &'a mut Vec<u8>) -> Result<View<'a>, ImageError> {
    let (rows, columns) = (nearest_inputs(y), nearest_inputs(x));
    let row_length = columns.len() * 3;
    let output = grow(buffer, rows.len() * row_length)?;
    for (row, to) in rows.iter().zip(output.chunks_exact_mut(row_length)) {
        let from = &image.pixels[row * image.width * 3..];
        for (column, pixel) in columns.iter().zip(to.chunks_exact_mut(3)) {
            pixel.copy_from_slice(&from[column * 3..][..3]);
        }
    }
    Ok(View::packed(output, row_length, rows.len()))
}

/// The input sample for every output sample of the window. The position is stepped, not multiplied, so that its
/// rounding errors are Pillow's too.
fn nearest_inputs(axis: &Axis) -> Vec<usize> {
    let step = axis.source as f64 / axis.resized as f64;
    let mut position = step * 0.5;
    let mut inputs = Vec::with_capacity(axis.window.len());
    for output in 0..axis.window.end {
        if output >= axis.window.start {
            inputs.push((position as usize).min(axis.source - 1));
        }
        position += step;
    }
    inputs
}
