//! PBM, PGM, PPM (P1 to P6) and grey PFM (Pf), as Pillow's plugin reads them (`PpmImagePlugin.py`).
//!
//! Pillow's own variants for tests (`P0CMYK`, `PyP`, ...) are refused; PAM (P7) and colour PFM (PF) Pillow does not
//! read either.

use super::color::{clip_16, low_byte, saturate, unpack_bits};
use super::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

const FAILURE: Failure = Failure("PNM");
/// The longest number in a header or in plain text that Pillow reads.
const MAX_TOKEN: usize = 10;
/// Pillow reads plain text in blocks of this many bytes, and checks the whole of a block of black and white.
const BLOCK: usize = 1 << 20;

/// Whether these are the first bytes of a file of this family: a kind and a whitespace after it.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'6' | b'f', space, ..] if is_space(*space))
}

/// Decodes into `image`; `raw` is a buffer for a row of black and white.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let kind = *bytes.get(1).ok_or_else(|| FAILURE.truncated())?;
    let mut header = Header {
        rest: bytes.get(3..).ok_or_else(|| FAILURE.truncated())?,
    };
    let (width, height) = (header.number()?, header.number()?);
    if width == 0 || height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    check_size(width, height, limits)?;
    // The image, and a row of bits.
    check_memory(width * height * 3 + width, limits)?;
    let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    match kind {
        b'1' => {
            enough(header.rest, width * height)?;
            image.reset(width, height)?;
            plain_bits(header.rest, image)
        }
        b'4' => {
            let row = width.div_ceil(8);
            enough(header.rest, row * height)?;
            image.reset(width, height)?;
            let bits = grow(raw, width)?;
            for (from, to) in header
                .rest
                .chunks_exact(row)
                .zip(image.pixels.chunks_exact_mut(width * 3))
            {
                unpack_bits(from, 1, bits);
                to.as_chunks_mut()
                    .0
                    .iter_mut()
                    .zip(&*bits)
                    .for_each(|(to, bit)| *to = [(1 - bit) * 255; 3]);
            }
            Ok(())
        }
        b'f' => floats(&mut header, width, height, image),
        _ => {
            let maximum = header.number()?;
            let maximum = u16::try_from(maximum).ok().filter(|maximum| *maximum > 0);
            let maximum = maximum.ok_or_else(|| FAILURE.broken("its largest value is not between 1 and 65535"))?;
            let scale = Scale::new(maximum, matches!(kind, b'2' | b'5'));
            let samples = if scale.grey { 1 } else { 3 };
            let count = width * height * samples;
            if matches!(kind, b'2' | b'3') {
                // Each number and what parts it from the next.
                enough(header.rest, count * 2 - 1)?;
                image.reset(width, height)?;
                return plain_numbers(header.rest, &scale, image);
            }
            let size = if maximum < 256 { 1 } else { 2 };
            enough(header.rest, count * size)?;
            image.reset(width, height)?;
            let values = header.rest.chunks_exact(size).map(|sample| match *sample {
                [high, low] => u16::from_be_bytes([high, low]),
                _ => u16::from(sample[0]),
            });
            write(values, &scale, image);
            Ok(())
        }
    }
}

/// Before memory is taken.
fn enough(data: &[u8], length: usize) -> Result<(), ImageError> {
    if data.len() < length {
        return Err(FAILURE.truncated());
    }
    Ok(())
}

/// What becomes of a sample.
struct Scale {
    grey: bool,
    maximum: u16,
}

impl Scale {
    fn new(maximum: u16, grey: bool) -> Self {
        Self { grey, maximum }
    }

    /// Pillow brings grey of more than 8 bits to 16, and makes 255 of whatever is above that.
    fn apply(&self, value: u16) -> u8 {
        if self.maximum == 255 {
            return low_byte(value.into());
        }
        let deep = self.grey && self.maximum > 255;
        let full: u16 = if deep { 65_535 } else { 255 };
        if self.maximum == full {
            return clip_16(value);
        }
        let scaled = f64::from(value) / f64::from(self.maximum) * f64::from(full);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and full"
        )]
        let rounded = scaled.round_ties_even().min(f64::from(full)) as u16;
        clip_16(rounded)
    }
}

fn write(values: impl Iterator<Item = u16>, scale: &Scale, image: &mut RgbImage) {
    if scale.grey {
        for (value, pixel) in values.zip(image.pixels.as_chunks_mut::<3>().0) {
            *pixel = [scale.apply(value); 3];
        }
    } else {
        for (value, sample) in values.zip(&mut image.pixels) {
            *sample = scale.apply(value);
        }
    }
}

/// Floating-point grey, rows from bottom to top, little-endian where the scale is below 0. Pillow does not scale by it.
fn floats(header: &mut Header<'_>, width: usize, height: usize, image: &mut RgbImage) -> Result<(), ImageError> {
    let token = header.token()?;
    let scale = std::str::from_utf8(&token)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    let scale = scale.filter(|scale| scale.is_finite() && *scale != 0.0);
    let little_endian = scale.ok_or_else(|| FAILURE.broken("its scale is not a number"))? < 0.0;
    enough(header.rest, width * height * 4)?;
    image.reset(width, height)?;
    let rows = image.pixels.chunks_exact_mut(width * 3).rev();
    for (from, to) in header.rest.chunks_exact(width * 4).zip(rows) {
        for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut::<3>().0) {
            let value = if little_endian {
                f32::from_le_bytes(*from)
            } else {
                f32::from_be_bytes(*from)
            };
            *to = [saturate(value); 3];
        }
    }
    Ok(())
}

/// Digits of black and white, with or without whitespace between them.
fn plain_bits(text: &[u8], image: &mut RgbImage) -> Result<(), ImageError> {
    let mut pixels = image.pixels.as_chunks_mut::<3>().0.iter_mut();
    let mut in_comment = false;
    for block in text.chunks(BLOCK) {
        for byte in block {
            match byte {
                b'\r' | b'\n' => in_comment = false,
                _ if in_comment => {}
                b'#' => in_comment = true,
                b'0' | b'1' => {
                    if let Some(pixel) = pixels.next() {
                        *pixel = [if *byte == b'0' { 255 } else { 0 }; 3];
                    }
                }
                space if is_space(*space) => {}
                _ => return Err(FAILURE.broken("a pixel is neither 0 nor 1")),
            }
        }
        if pixels.len() == 0 {
            return Ok(());
        }
    }
    Err(FAILURE.truncated())
}

/// Numbers with whitespace between them. A comment does not part them, as in Pillow.
fn plain_numbers(text: &[u8], scale: &Scale, image: &mut RgbImage) -> Result<(), ImageError> {
    let step = if scale.grey { 3 } else { 1 };
    let mut samples = image.pixels.chunks_exact_mut(step);
    let mut token = Vec::with_capacity(MAX_TOKEN + 1);
    let mut in_comment = false;
    for byte in text.iter().chain(b"\n ") {
        match byte {
            b'\r' | b'\n' if in_comment => in_comment = false,
            _ if in_comment => {}
            b'#' => in_comment = true,
            space if is_space(*space) => {
                if token.is_empty() {
                    continue;
                }
                let value = number(&token)?;
                let value = u16::try_from(value).ok().filter(|value| *value <= scale.maximum);
                let value = value.ok_or_else(|| FAILURE.broken("a sample is larger than the header allows"))?;
                if let Some(sample) = samples.next() {
                    sample.fill(scale.apply(value));
                }
                if samples.len() == 0 {
                    return Ok(());
                }
                token.clear();
            }
            byte if token.len() < MAX_TOKEN => token.push(*byte),
            _ => return Err(FAILURE.broken("a number is too long")),
        }
    }
    Err(FAILURE.truncated())
}

struct Header<'a> {
    rest: &'a [u8],
}

impl Header<'_> {
    fn number(&mut self) -> Result<u64, ImageError> {
        number(&self.token()?)
    }

    /// What stands before the next whitespace. Comments reach to the end of their line and do not end it.
    fn token(&mut self) -> Result<Vec<u8>, ImageError> {
        let mut token = Vec::new();
        let mut in_comment = false;
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'\r' | b'\n' if in_comment => in_comment = false,
                _ if in_comment => {}
                b'#' => in_comment = true,
                space if is_space(*space) => {
                    if !token.is_empty() {
                        return Ok(token);
                    }
                }
                byte if token.len() < MAX_TOKEN => token.push(*byte),
                _ => return Err(FAILURE.broken("a number in its header is too long")),
            }
        }
        if token.is_empty() {
            return Err(FAILURE.truncated());
        }
        Ok(token)
    }
}

fn number(token: &[u8]) -> Result<u64, ImageError> {
    std::str::from_utf8(token)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| FAILURE.broken("a number is not one"))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}
