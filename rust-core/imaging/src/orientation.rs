//! Turning an image upright, as Pillow's `ImageOps.exif_transpose` does.
//!
//! Orientations are values of the EXIF tag (EXIF 2.3, 4.6.4); those other than 2 to 8 leave an image as it is.

use crate::error::ImageError;
use crate::image::{check_memory, grow, RgbImage};
use crate::options::ImageLimits;

/// Turns `image`; `raw` is a buffer for the turned pixels.
pub(crate) fn transpose(
    image: &mut RgbImage,
    orientation: u8,
    limits: ImageLimits,
    raw: &mut Vec<u8>,
) -> Result<(), ImageError> {
    if !turns(orientation) {
        return Ok(());
    }
    check_memory(image.pixels.len() as u64 * 2, limits)?;
    let (width, height) = (image.width, image.height);
    let pixels = grow(raw, width * height * 3)?;
    turn(&image.pixels, (width, height), orientation, pixels);
    image.pixels.copy_from_slice(pixels);
    if swaps_axes(orientation) {
        (image.width, image.height) = (height, width);
    }
    Ok(())
}

/// Turns pixels of a width and a height into `turned`, which has the same length.
pub(crate) fn turn(pixels: &[u8], (width, height): (usize, usize), orientation: u8, turned: &mut [u8]) {
    let swaps = swaps_axes(orientation);
    let (reversed_rows, reversed_columns) = (reverses_rows(orientation), reverses_columns(orientation));
    let row_length = if swaps { height } else { width } * 3;
    for (y, row) in turned.chunks_exact_mut(row_length).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let (mut from_x, mut from_y) = if swaps { (y, x) } else { (x, y) };
            if reversed_columns {
                from_x = width - 1 - from_x;
            }
            if reversed_rows {
                from_y = height - 1 - from_y;
            }
            pixel.copy_from_slice(&pixels[(from_y * width + from_x) * 3..][..3]);
        }
    }
}

/// Whether an image is not upright as it is stored.
pub(crate) fn turns(orientation: u8) -> bool {
    (2..=8).contains(&orientation)
}

/// Whether rows become columns.
pub(crate) fn swaps_axes(orientation: u8) -> bool {
    (5..=8).contains(&orientation)
}

/// Whether the row that is stored last is the upright image's first row, or first column.
pub(crate) fn reverses_rows(orientation: u8) -> bool {
    matches!(orientation, 3 | 4 | 6 | 7)
}

/// Whether the column that is stored last is the upright image's first column, or first row.
pub(crate) fn reverses_columns(orientation: u8) -> bool {
    matches!(orientation, 2 | 3 | 7 | 8)
}
