//! PBM, PGM, PPM (P1 to P6) and grey PFM (Pf), as Pillow's plugin reads them (`PpmImagePlugin.py`).
//!
//! Pillow's own variants for tests (`P0CMYK`, `PyP`, ...) are refused; PAM (P7) and colour PFM (PF) Pillow does not
//! read either.

use super::color::{clip_16, low_byte, saturate, unpack_bits};
use super::failure::Failure;
use super::reader::RowReader;
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

/// Decodes into `image`.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    _raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let (kind, mut header, (width, height)) = open(bytes, limits)?;
    // The image, and a row of bits.
    check_memory((width * height * 3 + width) as u64, limits)?;
    if let Some(mut rows) = StoredRows::open(kind, &mut header, (width, height))? {
        image.reset(width, height)?;
        return rows.read(&mut image.pixels);
    }
    if kind == b'1' {
        enough(header.rest, width * height)?;
        image.reset(width, height)?;
        return plain_bits(header.rest, image);
    }
    let scale = Scale::read(&mut header, kind)?;
    // Each number and what parts it from the next.
    enough(header.rest, width * height * scale.samples() * 2 - 1)?;
    image.reset(width, height)?;
    plain_numbers(header.rest, &scale, image)
}

/// Opens a file for its rows, unless it is plain text.
pub(crate) fn rows(bytes: &[u8], limits: ImageLimits) -> Result<Option<Box<dyn RowReader + '_>>, ImageError> {
    let (kind, mut header, size) = open(bytes, limits)?;
    let rows = StoredRows::open(kind, &mut header, size)?;
    Ok(rows.map(|rows| Box::new(rows) as Box<dyn RowReader>))
}

/// Reads the kind and the size, which is checked.
fn open(bytes: &[u8], limits: ImageLimits) -> Result<(u8, Header<'_>, (usize, usize)), ImageError> {
    let kind = *bytes.get(1).ok_or_else(|| FAILURE.truncated())?;
    let mut header = Header {
        rest: bytes.get(3..).ok_or_else(|| FAILURE.truncated())?,
    };
    let (width, height) = (header.number()?, header.number()?);
    if width == 0 || height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    check_size(width, height, limits)?;
    let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    Ok((kind, header, (width, height)))
}

/// How the samples of a binary file are stored.
enum Samples {
    /// Black and white, 8 pixels a byte.
    Bits,
    /// Whole numbers of so many bytes.
    Numbers { scale: Scale, size: usize },
    /// Grey in floating point, rows from bottom to top. Pillow does not scale it.
    Floats { little_endian: bool },
}

/// The rows of a binary file.
struct StoredRows<'a> {
    size: (usize, usize),
    samples: Samples,
    data: &'a [u8],
    /// Bytes of a row.
    length: usize,
    /// The next row, from the top.
    next: usize,
    bits: Vec<u8>,
}

impl<'a> StoredRows<'a> {
    /// Reads what is left of the header; `None` for plain text.
    fn open(kind: u8, header: &mut Header<'a>, (width, height): (usize, usize)) -> Result<Option<Self>, ImageError> {
        let (samples, length) = match kind {
            b'1'..=b'3' => return Ok(None),
            b'4' => (Samples::Bits, width.div_ceil(8)),
            b'f' => {
                let token = header.token()?;
                let scale = std::str::from_utf8(&token)
                    .ok()
                    .and_then(|text| text.parse::<f64>().ok());
                let scale = scale.filter(|scale| scale.is_finite() && *scale != 0.0);
                // It is little-endian where the scale is below 0.
                let little_endian = scale.ok_or_else(|| FAILURE.broken("its scale is not a number"))? < 0.0;
                (Samples::Floats { little_endian }, width * 4)
            }
            _ => {
                let scale = Scale::read(header, kind)?;
                let size = if scale.maximum < 256 { 1 } else { 2 };
                let length = width * scale.samples() * size;
                (Samples::Numbers { scale, size }, length)
            }
        };
        enough(header.rest, length * height)?;
        Ok(Some(Self {
            size: (width, height),
            samples,
            data: header.rest,
            length,
            next: 0,
            bits: Vec::new(),
        }))
    }
}

impl RowReader for StoredRows<'_> {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn memory(&self) -> u64 {
        self.size.0 as u64
    }

    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let (width, height) = self.size;
        for to in rows.chunks_exact_mut(width * 3) {
            let pixels = to.as_chunks_mut::<3>().0.iter_mut();
            match &self.samples {
                Samples::Bits => {
                    let bits = grow(&mut self.bits, width)?;
                    unpack_bits(&self.data[self.next * self.length..][..self.length], 1, bits);
                    pixels.zip(&*bits).for_each(|(to, bit)| *to = [(1 - bit) * 255; 3]);
                }
                Samples::Numbers { scale, size } => {
                    let from = &self.data[self.next * self.length..][..self.length];
                    let values = from.chunks_exact(*size).map(|sample| match *sample {
                        [high, low] => u16::from_be_bytes([high, low]),
                        _ => u16::from(sample[0]),
                    });
                    if scale.grey {
                        pixels.zip(values).for_each(|(to, value)| *to = [scale.apply(value); 3]);
                    } else {
                        to.iter_mut()
                            .zip(values)
                            .for_each(|(to, value)| *to = scale.apply(value));
                    }
                }
                Samples::Floats { little_endian } => {
                    let from = &self.data[(height - 1 - self.next) * self.length..][..self.length];
                    for (from, to) in from.as_chunks().0.iter().zip(pixels) {
                        let value = if *little_endian {
                            f32::from_le_bytes(*from)
                        } else {
                            f32::from_be_bytes(*from)
                        };
                        *to = [saturate(value); 3];
                    }
                }
            }
            self.next += 1;
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        self.next += count;
        Ok(())
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
    /// Reads the largest value, which comes after the size.
    fn read(header: &mut Header<'_>, kind: u8) -> Result<Self, ImageError> {
        let maximum = header.number()?;
        let maximum = u16::try_from(maximum).ok().filter(|maximum| *maximum > 0);
        let maximum = maximum.ok_or_else(|| FAILURE.broken("its largest value is not between 1 and 65535"))?;
        Ok(Self {
            grey: matches!(kind, b'2' | b'5'),
            maximum,
        })
    }

    /// Samples of a pixel.
    fn samples(&self) -> usize {
        if self.grey {
            1
        } else {
            3
        }
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
