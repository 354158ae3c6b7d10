//! The alpha that colours may be multiplied by.

use super::boxes::FAILURE;
use super::planes::Planes;
use crate::error::ImageError;
use crate::image::RgbImage;

/// What stands beside the colours.
pub(crate) enum Alpha<'a> {
    None,
    /// It is not looked at, but the colours are converted in another way.
    Dropped,
    /// The colours are multiplied by it.
    Multiplied(Planes<'a>),
}

/// 8 bits of more, as libyuv cuts them off.
pub(crate) fn narrowed(sample: u16, excess: u32) -> u16 {
    (sample >> excess).min(255)
}

/// Divides colours by the alpha that they are multiplied by, as libyuv's `ARGBUnattenuate` does with the instructions
/// of x86: what is far too bright for its alpha becomes 0.
pub(crate) fn divide(image: &mut RgbImage, alpha: &Planes<'_>, rounded: bool) -> Result<(), ImageError> {
    let shape = alpha.shape();
    if (shape.width, shape.height) != (image.width, image.height) {
        return Err(mismatch());
    }
    let mut samples = vec![0_u16; shape.width];
    for (y, row) in image.pixels.chunks_exact_mut(shape.width * 3).enumerate() {
        read_alpha(alpha, y, &mut samples);
        let (pixels, _) = row.as_chunks_mut::<3>();
        for (pixel, alpha) in pixels.iter_mut().zip(&samples) {
            let alpha = match shape.depth {
                8 => *alpha,
                depth if rounded => to_8_bits(f32::from(*alpha) / ((1 << depth) - 1) as f32).into(),
                depth => narrowed(*alpha, depth - 8),
            };
            let inverse = match u32::from(alpha) {
                0 => 0,
                1 => 0xFFFF,
                255 => 0x100,
                alpha => 0x1_0000 / alpha,
            };
            for channel in pixel {
                let divided = (u32::from(*channel) * 0x0101 * inverse) >> 16;
                *channel = if divided >= 0x8000 { 0 } else { divided.min(255) as u8 };
            }
        }
    }
    Ok(())
}

/// A row of alpha in its full range, which old versions of the format did not ask for.
pub(crate) fn read_alpha(alpha: &Planes<'_>, y: usize, samples: &mut [u16]) {
    alpha.read_row(0, y, samples);
    if !alpha.coding().full_range {
        let excess = alpha.shape().depth - 8;
        let top = (256_u16 << excess) - 1;
        let (black, range, full) = (16 << excess, 219 << excess, i32::from(top));
        for sample in samples {
            let wide = ((i32::from(*sample) - black) * full + range / 2) / range;
            *sample = u16::try_from(wide.max(0)).unwrap_or(u16::MAX).min(top);
        }
    }
}

pub(crate) fn mismatch() -> ImageError {
    FAILURE.broken("its alpha has another size than its colours")
}

/// 0 to 1 as 8 bits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what does not fit is the nearest that does"
)]
pub(crate) fn to_8_bits(value: f32) -> u8 {
    (0.5 + value * 255.0) as u8
}
