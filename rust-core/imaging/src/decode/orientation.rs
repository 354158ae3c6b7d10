//! Turning an image upright, as Pillow's `ImageOps.exif_transpose` does.

use crate::error::ImageError;
use crate::image::{check_memory, grow, RgbImage};
use crate::options::ImageLimits;

/// Turns `image` by a value of the orientation tag (EXIF 2.3, 4.6.4); values other than 2 to 8 leave it as it is.
/// `raw` is a buffer for the turned pixels.
pub(crate) fn transpose(
    image: &mut RgbImage,
    orientation: u8,
    limits: ImageLimits,
    raw: &mut Vec<u8>,
) -> Result<(), ImageError> {
    let (width, height) = (image.width, image.height);
    let (right, bottom) = (width - 1, height - 1);
    // Where the pixel at a column and a row of the result comes from.
    let source: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
        2 => |x, y, right, _| (right - x, y),
        3 => |x, y, right, bottom| (right - x, bottom - y),
        4 => |x, y, _, bottom| (x, bottom - y),
        5 => |x, y, _, _| (y, x),
        6 => |x, y, _, bottom| (y, bottom - x),
        7 => |x, y, right, bottom| (right - y, bottom - x),
        8 => |x, y, right, _| (right - y, x),
        _ => return Ok(()),
    };
    let turned = if swaps_axes(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    check_memory(image.pixels.len() as u64 * 2, limits)?;
    let pixels = grow(raw, width * height * 3)?;
    for (y, row) in pixels.chunks_exact_mut(turned.0 * 3).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let (x, y) = source(x, y, right, bottom);
            pixel.copy_from_slice(&image.pixels[(y * width + x) * 3..][..3]);
        }
    }
    image.pixels.copy_from_slice(pixels);
    (image.width, image.height) = turned;
    Ok(())
}

/// Whether rows become columns.
pub(crate) fn swaps_axes(orientation: u8) -> bool {
    (5..=8).contains(&orientation)
}
