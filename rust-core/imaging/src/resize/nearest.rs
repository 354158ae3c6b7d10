//! Nearest neighbour, which is not a convolution.

use super::axis::Axis;
use super::view::View;
use crate::error::ImageError;
use crate::image::{grow, RgbImage};

/// Nearest neighbour (`ImagingScaleAffine` in Pillow's Geometry.c).
pub(crate) fn nearest<'a>(
    image: &RgbImage,
    y: &Axis,
    x: &Axis,
    buffer: &'a mut Vec<u8>,
) -> Result<View<'a>, ImageError> {
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
