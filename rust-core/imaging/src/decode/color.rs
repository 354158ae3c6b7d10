//! Pillow's ways from other kinds of pixels to RGB (Convert.c and Unpack.c in its libImaging).

/// A palette of RGB colours; entries that a file leaves out are black.
#[derive(Debug, Clone)]
pub(crate) struct Palette([[u8; 3]; 256]);

impl Palette {
    /// From stored colours of `size` bytes each, of which the first three are put in order by `rgb`. Entries beyond
    /// 256 are left out.
    pub(crate) fn new(stored: &[u8], size: usize, rgb: fn([u8; 3]) -> [u8; 3]) -> Self {
        let mut colors = [[0; 3]; 256];
        for (color, stored) in colors.iter_mut().zip(stored.chunks_exact(size)) {
            *color = rgb([stored[0], stored[1], stored[2]]);
        }
        Self(colors)
    }

    pub(crate) fn grey() -> Self {
        let mut colors = [[0; 3]; 256];
        for (value, color) in (0..=255).zip(&mut colors) {
            *color = [value; 3];
        }
        Self(colors)
    }

    /// Black, and white for whatever is not 0.
    pub(crate) fn black_and_white() -> Self {
        let mut colors = [[255; 3]; 256];
        colors[0] = [0; 3];
        Self(colors)
    }

    pub(crate) fn color(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }

    /// The colours of `indices`, one byte each, as RGB pixels.
    pub(crate) fn apply(&self, indices: &[u8], rgb: &mut [u8]) {
        for (index, pixel) in indices.iter().zip(rgb.chunks_exact_mut(3)) {
            pixel.copy_from_slice(&self.color(*index));
        }
    }
}

/// Spreads samples of `bits` (1, 2, 4 or 8) each, the first in the highest bits, to a byte each.
pub(crate) fn unpack_bits(packed: &[u8], bits: usize, samples: &mut [u8]) {
    if bits == 8 {
        samples.copy_from_slice(&packed[..samples.len()]);
        return;
    }
    let per_byte = 8 / bits;
    let mask = (1_u8 << bits) - 1;
    for (byte, samples) in packed.iter().zip(samples.chunks_mut(per_byte)) {
        for (sample, shift) in samples.iter_mut().zip((0..8 / bits).rev()) {
            *sample = byte >> (shift * bits) & mask;
        }
    }
}

/// One pixel of inks (cyan, magenta, yellow, black) as RGB, with Pillow's rounding division by 255 (`cmyk2rgb`).
pub(crate) fn cmyk_to_rgb(inks: [u8; 4]) -> [u8; 3] {
    let white = 255 - u32::from(inks[3]);
    [inks[0], inks[1], inks[2]].map(|ink| {
        let product = u32::from(ink) * white + 128;
        let scaled = ((product >> 8) + product) >> 8;
        low_byte(white.saturating_sub(scaled))
    })
}

/// One pixel of luminance and chrominance (Y, Cb, Cr) as RGB, by the whole numbers of Pillow's tables
/// (`ConvertYCbCr.c`).
#[cfg(feature = "jpeg2000")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction is cut off, and a byte is made of 0 to 255"
)]
pub(crate) fn ycbcr_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let part = |factor: f64, chroma: u8| (factor * 64.0 * (f64::from(chroma) - 128.0) + 0.5) as i32;
    let (red, blue) = (part(1.402, cr), part(1.772, cb));
    let green = part(-0.34414, cb) + part(-0.71414, cr);
    [red, green, blue].map(|part| (i32::from(y) + (part >> 6)).clamp(0, 255) as u8)
}

/// A 16-bit grey value: Pillow has a mode of its own for it (`I;16`) and makes 255 of whatever is above.
pub(crate) fn clip_16(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// The lowest byte of a number, which often is known to have no other.
pub(crate) fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

/// A number as a sample: without its fraction, and cut off at 0 and 255, NaN being 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "such a cast saturates"
)]
pub(crate) fn saturate(value: f32) -> u8 {
    value as u8
}
