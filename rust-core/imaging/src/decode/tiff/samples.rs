//! What the samples of a TIFF mean, and what Pillow's `convert("RGB")` makes of them.

use super::compression::{JPEG, RAW};
use crate::decode::color::{clip_16, cmyk_to_rgb, low_byte, saturate, unpack_bits, Palette};
use crate::decode::failure::Failure;
use crate::decode::ifd::{
    Directory, Numbers, BITS_PER_SAMPLE, COLOR_MAP, EXTRA_SAMPLES, PHOTOMETRIC, SAMPLES_PER_PIXEL, SAMPLE_FORMAT,
};
use crate::error::ImageError;

const FAILURE: Failure = Failure("TIFF");

const WHITE_IS_ZERO: u64 = 0;
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
const CMYK: u64 = 5;
const YCBCR: u64 = 6;
/// Sample formats.
const UNSIGNED: u64 = 1;
const SIGNED: u64 = 2;
const FLOAT: u64 = 3;
/// The meaning of an extra sample; 0 says nothing, 2 is plain alpha.
const PREMULTIPLIED: u64 = 1;
const MOST_EXTRA_SAMPLES: usize = 3;
/// That an index of 8 bits can name.
const PALETTE_COLORS: usize = 256;

/// How a pixel is made of samples.
pub(crate) struct Samples {
    bits: usize,
    per_pixel: usize,
    big_endian: bool,
    /// Whether values are read in the other byte order than the file's.
    swapped: bool,
    kind: Kind,
    ycbcr: bool,
}

enum Kind {
    /// Up to 8 bits.
    Indices(Box<Palette>),
    /// Up to 16 bits, without a sign.
    DeepGrey,
    /// 16 or 32 bits with a sign.
    SignedGrey,
    FloatGrey,
    Rgb,
    /// Colours multiplied with the alpha that follows them.
    PremultipliedRgb,
    Cmyk,
}

/// How samples are stored, as far as it matters to their meaning in Pillow.
#[derive(Clone, Copy)]
pub(crate) struct Storage {
    pub(crate) separate_planes: bool,
    pub(crate) tiled: bool,
    pub(crate) reversed_bits: bool,
    /// The tag's value.
    pub(crate) compression: u64,
}

impl Samples {
    /// Pillow's table of what it supports (`OPEN_INFO`).
    pub(crate) fn read(tags: &Directory<'_>, storage: Storage) -> Result<Self, ImageError> {
        let compressed = storage.compression != RAW;
        let photometric = tags.number(PHOTOMETRIC).unwrap_or(WHITE_IS_ZERO);
        let stored = tags.number(SAMPLES_PER_PIXEL).unwrap_or(1);
        let all_bits = tags.numbers(BITS_PER_SAMPLE).unwrap_or(Numbers::ONE);
        let formats = tags.numbers(SAMPLE_FORMAT).unwrap_or(Numbers::ONE);
        let extra = tags.numbers(EXTRA_SAMPLES).unwrap_or(Numbers::NONE);
        let (Some(bits), Some(format)) = (all_bits.get(0), formats.get(0)) else {
            return Err(FAILURE.unsupported("no bits or no format for its samples"));
        };
        // One number stands for all samples.
        let fits = all_bits.len() == 1 || all_bits.len() as u64 >= stored;
        if !fits || all_bits.iter().any(|other| other != bits) || formats.iter().any(|other| other != format) {
            return Err(FAILURE.unsupported(format!("samples of {all_bits} bits, formats {formats}")));
        }
        // Planes of no stated meaning need not be read.
        let meaningless = storage.separate_planes && extra.iter().all(|extra| extra == 0);
        let (count, extra) = if meaningless {
            (stored.saturating_sub(extra.len() as u64), Numbers::NONE)
        } else {
            (stored, extra)
        };
        // No kind of pixels has so many.
        let meanings: Vec<u64> = extra.iter().take(MOST_EXTRA_SAMPLES + 1).collect();
        let big_endian = tags.big_endian();
        let unknown = || {
            FAILURE.unsupported(format!(
                "photometric interpretation {photometric} with {stored} samples of {bits} bits, format {format}, extra {extra}"
            ))
        };
        let kind = match (photometric, format, bits, count, meanings.as_slice()) {
            (WHITE_IS_ZERO | BLACK_IS_ZERO, UNSIGNED, 1 | 2 | 4 | 8, 1, []) | (BLACK_IS_ZERO, SIGNED, 8, 1, []) => {
                grey_palette(bits, photometric == WHITE_IS_ZERO)
            }
            (BLACK_IS_ZERO, UNSIGNED, 8, 2, [0 | 2]) => grey_palette(bits, false),
            (WHITE_IS_ZERO, UNSIGNED, 16, 1, []) | (BLACK_IS_ZERO, UNSIGNED, 12, 1, []) if !big_endian => {
                Kind::DeepGrey
            }
            (BLACK_IS_ZERO, UNSIGNED, 16, 1, []) => Kind::DeepGrey,
            (BLACK_IS_ZERO, SIGNED, 16 | 32, 1, []) => Kind::SignedGrey,
            (BLACK_IS_ZERO, UNSIGNED, 32, 1, []) if !big_endian => Kind::SignedGrey,
            (WHITE_IS_ZERO | BLACK_IS_ZERO, FLOAT, 32, 1, []) => Kind::FloatGrey,
            (RGB, UNSIGNED, 8 | 16, 3 | 4, []) | (RGB, UNSIGNED, 8 | 16, 4, [0 | 2]) => Kind::Rgb,
            (RGB, UNSIGNED, 8, 4, [999]) | (RGB, UNSIGNED, 8, 5, [0 | 2, 0]) | (RGB, UNSIGNED, 8, 6, [0 | 2, 0, 0]) => {
                Kind::Rgb
            }
            (RGB, UNSIGNED, 8 | 16, 4, [PREMULTIPLIED])
            | (RGB, UNSIGNED, 8, 5, [PREMULTIPLIED, 0])
            | (RGB, UNSIGNED, 8, 6, [PREMULTIPLIED, 0, 0]) => Kind::PremultipliedRgb,
            // Which the JPEG decoder turns into RGB.
            (YCBCR, UNSIGNED, 8, 3, []) if storage.compression == JPEG && !storage.separate_planes => Kind::Rgb,
            (PALETTE, UNSIGNED, 1 | 2 | 4 | 8, 1, []) | (PALETTE, UNSIGNED, 8, 2, [0 | 2]) => {
                let map = tags.numbers(COLOR_MAP).ok_or_else(unknown)?;
                Kind::Indices(Box::new(palette(map)))
            }
            (CMYK, UNSIGNED, 8 | 16, 4, []) | (CMYK, UNSIGNED, 8, 5, [0]) | (CMYK, UNSIGNED, 8, 6, [0, 0]) => {
                Kind::Cmyk
            }
            _ => return Err(unknown()),
        };
        let kind = match kind {
            // Here Pillow takes a fourth plane of no stated meaning for premultiplied alpha.
            Kind::Rgb if storage.separate_planes && compressed && count == 4 && meanings.is_empty() => {
                Kind::PremultipliedRgb
            }
            kind => kind,
        };
        if storage.reversed_bits {
            let reversible = match (&kind, bits, count) {
                // Pillow lacks some of them, uncompressed.
                (Kind::Indices(_), 8, 1) if photometric == WHITE_IS_ZERO => compressed,
                (Kind::Indices(_), 1 | 2 | 4, 1) if photometric == PALETTE => compressed,
                (Kind::Indices(_), _, 1) => format == UNSIGNED,
                (Kind::Rgb, 8, 3) => !storage.separate_planes || compressed,
                (Kind::DeepGrey, 16, _) => !big_endian && photometric == BLACK_IS_ZERO,
                _ => false,
            };
            if !reversible {
                return Err(FAILURE.unsupported("reversed bits with this kind of samples"));
            }
        }
        if storage.separate_planes && stored > 1 {
            let simple = bits == 8 && count == stored && matches!(kind, Kind::Rgb | Kind::Cmyk);
            // With tiles of such planes Pillow loses its place.
            let lost = storage.tiled && count == 4 && meanings.is_empty() && matches!(kind, Kind::Rgb);
            if count > 4 || !(compressed || simple && !lost) {
                return Err(FAILURE.unsupported("this kind of samples in separate planes"));
            }
        }
        // What libtiff has decompressed is in the machine's byte order, but Pillow goes by the file's.
        let swapped = big_endian && compressed && matches!(kind, Kind::FloatGrey | Kind::SignedGrey);
        Ok(Self {
            // The kinds above have few of both.
            bits: usize::try_from(bits).map_err(|_| unknown())?,
            per_pixel: usize::try_from(count).map_err(|_| unknown())?,
            big_endian,
            swapped,
            kind,
            ycbcr: photometric == YCBCR,
        })
    }

    /// Whether a decoder has to make RGB of the samples before they come here.
    pub(crate) fn are_ycbcr(&self) -> bool {
        self.ycbcr
    }

    pub(crate) fn bits_per_sample(&self) -> usize {
        self.bits
    }

    pub(crate) fn per_pixel(&self) -> usize {
        self.per_pixel
    }

    pub(crate) fn bits_per_pixel(&self) -> usize {
        self.bits * self.per_pixel
    }

    /// Adds to each sample the one of the pixel before it, `per_pixel` samples earlier in the row.
    pub(crate) fn undo_predictor(&self, row: &mut [u8], per_pixel: usize) {
        let size = self.bits / 8;
        let distance = per_pixel * size;
        for at in (distance..row.len() / size * size).step_by(size) {
            // The byte of the lowest value comes last in big-endian files.
            let mut carry = 0_u8;
            for place in 0..size {
                let byte = at + if self.big_endian { size - 1 - place } else { place };
                let sum = u16::from(row[byte]) + u16::from(row[byte - distance]) + u16::from(carry);
                [row[byte], carry] = sum.to_le_bytes();
            }
        }
    }

    /// Converts a row.
    pub(crate) fn to_rgb(&self, row: &[u8], rgb: &mut [u8]) {
        let pixels = row.chunks_exact((self.bits_per_pixel() / 8).max(1));
        match &self.kind {
            Kind::Indices(palette) if self.per_pixel == 1 => {
                let mut indices = [0; 256];
                for (from, to) in row
                    .chunks(indices.len() * self.bits / 8)
                    .zip(rgb.chunks_mut(indices.len() * 3))
                {
                    let indices = &mut indices[..to.len() / 3];
                    unpack_bits(from, self.bits, indices);
                    palette.apply(indices, to);
                }
            }
            Kind::Indices(palette) => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    palette.apply(&from[..1], to);
                }
            }
            Kind::DeepGrey if self.bits == 12 => {
                // Two samples in three bytes.
                for (from, to) in row.chunks(3).zip(rgb.chunks_mut(6)) {
                    let byte = |index: usize| u16::from(from.get(index).copied().unwrap_or(0));
                    let values = [byte(0) << 4 | byte(1) >> 4, (byte(1) & 15) << 8 | byte(2)];
                    for (pixel, value) in to.chunks_exact_mut(3).zip(values) {
                        pixel.fill(clip_16(value));
                    }
                }
            }
            Kind::DeepGrey => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    to.fill(clip_16(self.unsigned_16(from)));
                }
            }
            Kind::SignedGrey => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    let value = if self.bits == 16 {
                        i32::from(self.unsigned_16(from).cast_signed())
                    } else {
                        self.unsigned_32(from).cast_signed()
                    };
                    to.fill(u8::try_from(value.max(0)).unwrap_or(u8::MAX));
                }
            }
            Kind::FloatGrey => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    to.fill(saturate(f32::from_bits(self.unsigned_32(from))));
                }
            }
            Kind::Rgb => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    to.copy_from_slice(&[0, 1, 2].map(|index| self.high_byte(from, index)));
                }
            }
            Kind::PremultipliedRgb => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    let alpha = u32::from(self.high_byte(from, 3));
                    to.copy_from_slice(&[0, 1, 2].map(|index| {
                        let color = u32::from(self.high_byte(from, index));
                        (color * 255).checked_div(alpha).unwrap_or(0).min(255) as u8
                    }));
                }
            }
            Kind::Cmyk => {
                for (from, to) in pixels.zip(rgb.chunks_exact_mut(3)) {
                    to.copy_from_slice(&cmyk_to_rgb([0, 1, 2, 3].map(|index| self.high_byte(from, index))));
                }
            }
        }
    }

    /// A sample of 8 bits, or the upper 8 of 16.
    fn high_byte(&self, pixel: &[u8], index: usize) -> u8 {
        match (self.bits, self.big_endian) {
            (8, _) => pixel[index],
            (_, true) => pixel[index * 2],
            (_, false) => pixel[index * 2 + 1],
        }
    }

    fn unsigned_16(&self, bytes: &[u8]) -> u16 {
        let bytes = [bytes[0], bytes[1]];
        if self.big_endian ^ self.swapped {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn unsigned_32(&self, bytes: &[u8]) -> u32 {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if self.big_endian ^ self.swapped {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// Greys of up to 8 bits, spread evenly.
fn grey_palette(bits: u64, inverted: bool) -> Kind {
    let values = 1_u32 << bits;
    let stored: Vec<u8> = (0..values)
        .map(|value| value * (255 / (values - 1)))
        .flat_map(|grey| [low_byte(if inverted { 255 - grey } else { grey }); 3])
        .collect();
    Kind::Indices(Box::new(Palette::new(&stored, 3, |color| color)))
}

/// All reds, then all greens, then all blues, of 16 bits each.
fn palette(map: Numbers<'_>) -> Palette {
    let length = map.len() / 3;
    let high_byte = |index| map.get(index).map_or(0, |color| color.to_le_bytes()[1]);
    let stored: Vec<u8> = (0..length.min(PALETTE_COLORS))
        .flat_map(|index| [index, length + index, 2 * length + index].map(high_byte))
        .collect();
    Palette::new(&stored, 3, |color| color)
}
