//! PNG through the `png` crate, with Pillow's rules for what `convert("RGB")` makes of each colour type.
//!
//! Pillow checks the checksums of the chunks before the pixels and the one within the compressed pixels, but not those
//! of IDAT, and reads a file that ends right after the pixels. So does this module; that is why it is on the crate
//! beneath `image`. What the crate refuses none the less is left to `rows`.

mod attempt;
mod chunks;
#[cfg(target_arch = "x86_64")]
mod rgb;
mod rows;
mod text;
#[cfg(target_arch = "x86_64")]
mod unfilter_avx2;

use std::io::Cursor;

use self::attempt::Attempt;
use self::chunks::{chunk, chunks, FAILURE, MAGIC};
#[cfg(target_arch = "x86_64")]
use self::rgb::PlainRows;
use self::rows::TolerantRows;
pub(crate) use self::text::metadata;

use png::{
    expand_interlaced_row, BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, InterlaceInfo, Limits, Reader,
    Transformations,
};

use crate::decode::color::clip_16;
use crate::decode::reader::RowReader;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

/// Memory for ancillary chunks and for a row; the pixels have a limit of their own.
const MAX_SIDE_BYTES: usize = 64 << 20;
/// The rows of 8 bytes a pixel, and other memory, that a reader has at most: `rgb` has strips, the crate buffers.
const ROWS: u64 = 32;
const OTHER: u64 = 1 << 20;
/// Bytes of pixels below which an image is decoded as a whole: that is a little faster than strip by strip.
const SMALL: u64 = 1 << 20;

/// Whether the first bytes are those of a PNG.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Decodes into `image`; `raw` is a buffer for rows.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let (width, height) = check_header(bytes, limits)?;
    let rgb = (width * height * 3) as u64;
    check_memory(rgb + memory_of_rows(width) + OTHER, limits)?;
    if is_interlaced(bytes) {
        return decode_interlaced(bytes, (width, height), raw, image)
            .or_else(|_| rows::decode_interlaced(bytes, (width, height), image));
    }
    image.reset(width, height)?;
    let mut rows = Rows::new(bytes, (width, height));
    rows.read(&mut image.pixels)?;
    rows.finish()
}

/// Opens a file for its rows, unless it is interlaced or small.
pub(crate) fn rows(bytes: &[u8], limits: ImageLimits) -> Result<Option<Box<dyn RowReader + '_>>, ImageError> {
    // First of all: `decode` checks the header of these.
    let (width, height) = size(bytes)?;
    if is_interlaced(bytes) || (u64::from(width) * u64::from(height)).saturating_mul(3) < SMALL {
        return Ok(None);
    }
    Ok(Some(Box::new(Rows::new(bytes, check_header(bytes, limits)?))))
}

/// Checks the size, which is returned in pixels, and the checksums before the pixels.
fn check_header(bytes: &[u8], limits: ImageLimits) -> Result<(usize, usize), ImageError> {
    let (width, height) = size(bytes)?;
    check_size(u64::from(width), u64::from(height), limits)?;
    check_sums(bytes)?;
    if width == 0 || height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    Ok((width as usize, height as usize))
}

fn is_interlaced(bytes: &[u8]) -> bool {
    let header = chunk(bytes, *b"IHDR", b"").unwrap_or_default();
    header.get(12).is_some_and(|interlaced| *interlaced != 0)
}

/// Opens a reader of an image of this size.
type Open = for<'a> fn(&'a [u8], (usize, usize)) -> Result<Box<dyn Attempt + 'a>, ImageError>;

/// The readers, from the fastest to the most tolerant.
const READERS: &[Open] = &[
    #[cfg(target_arch = "x86_64")]
    |bytes, size| Ok(Box::new(PlainRows::open(bytes, size)?)),
    |bytes, size| Ok(Box::new(CrateRows::open(bytes, size)?)),
    |bytes, size| Ok(Box::new(TolerantRows::open(bytes, size)?)),
];

/// The rows of a file that is not interlaced, by the fastest reader that takes it for a good one. Should that turn out
/// wrong, the next one goes on where it has failed: the rows before are the same.
struct Rows<'a> {
    bytes: &'a [u8],
    size: (usize, usize),
    reader: Option<Box<dyn Attempt + 'a>>,
    untried: &'static [Open],
    /// Rows that have been read or skipped.
    done: usize,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], size: (usize, usize)) -> Self {
        Self {
            bytes,
            size,
            reader: None,
            untried: READERS,
            done: 0,
        }
    }

    /// Does something with the reader, or with one of those after it.
    fn with_reader(
        &mut self,
        mut work: impl FnMut(&mut dyn Attempt) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let mut failure = FAILURE.truncated();
        loop {
            if let Some(reader) = &mut self.reader {
                match work(&mut **reader) {
                    Ok(()) => return Ok(()),
                    Err(error) => failure = error,
                }
            }
            let Some((open, rest)) = self.untried.split_first() else {
                return Err(failure);
            };
            self.untried = rest;
            // Before there is another one.
            self.reader = None;
            let opened = open(self.bytes, self.size);
            match opened.and_then(|mut reader| reader.skip(self.done).map(|()| reader)) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => failure = error,
            }
        }
    }
}

impl RowReader for Rows<'_> {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn memory(&self) -> u64 {
        memory_of_rows(self.size.0) + OTHER
    }

    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        self.with_reader(|reader| reader.read(rows))?;
        self.done += rows.len() / (self.size.0 * 3);
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        self.with_reader(|reader| reader.skip(count))?;
        self.done += count;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ImageError> {
        self.with_reader(|reader| reader.finish())
    }
}

/// The bytes that a reader of rows takes at most, but for [`OTHER`].
fn memory_of_rows(width: usize) -> u64 {
    width as u64 * 8 * ROWS
}

/// The rows of what the crate takes for a good file.
struct CrateRows<'a> {
    size: (usize, usize),
    reader: Box<Reader<Cursor<&'a [u8]>>>,
    kind: (ColorType, BitDepth),
    /// Without the alpha channel that the crate makes of tRNS.
    stored_color: ColorType,
}

impl<'a> CrateRows<'a> {
    fn open(bytes: &'a [u8], size: (usize, usize)) -> Result<Self, ImageError> {
        let reader = open(bytes, size)?;
        Ok(Self {
            size,
            kind: reader.output_color_type(),
            stored_color: reader.info().color_type,
            reader: Box::new(reader),
        })
    }

    fn next_row(&mut self, rgb: &mut [u8]) -> Result<(), ImageError> {
        let row = self.reader.next_row().map_err(|error| failed(&error))?;
        let row = row.ok_or_else(|| FAILURE.truncated())?;
        convert(row.data(), self.kind, self.stored_color, rgb);
        Ok(())
    }
}

impl Attempt for CrateRows<'_> {
    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let mut rows = rows.chunks_exact_mut(self.size.0 * 3);
        rows.try_for_each(|row| self.next_row(row))
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        (0..count).try_for_each(|_| self.next_row(&mut []))
    }

    /// The crate sees what is wrong with the end of the pixels when it is asked for one more row.
    fn finish(&mut self) -> Result<(), ImageError> {
        self.reader.next_row().map(|_| ()).map_err(|error| failed(&error))
    }
}

/// Decodes an interlaced file that the crate takes for a good one; `raw` is a buffer for a row.
fn decode_interlaced(
    bytes: &[u8],
    (width, height): (usize, usize),
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut reader = open(bytes, (width, height))?;
    let stored_color = reader.info().color_type;
    let kind = reader.output_color_type();
    image.reset(width, height)?;
    let rgb = grow(raw, width * 3)?;
    let pixel = bytes_per_pixel(kind);
    while let Some(row) = reader.next_interlaced_row().map_err(|error| failed(&error))? {
        let InterlaceInfo::Adam7(pass) = row.interlace() else {
            return Err(FAILURE.broken("a row of no pass"));
        };
        let rgb = &mut rgb[..row.data().len() / pixel * 3];
        convert(row.data(), kind, stored_color, rgb);
        expand_interlaced_row(&mut image.pixels, width * 3, rgb, pass, 24);
    }
    Ok(())
}

fn open(bytes: &[u8], (width, height): (usize, usize)) -> Result<Reader<Cursor<&[u8]>>, ImageError> {
    if chunk(bytes, *b"PLTE", b"").is_some_and(|palette| palette.len() % 3 != 0) {
        return Err(FAILURE.broken("the crate would panic at its palette"));
    }
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true);
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: MAX_SIDE_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    let reader = decoder.read_info().map_err(|error| failed(&error))?;
    let (columns, rows) = reader.info().size();
    if (columns as usize, rows as usize) != (width, height) {
        return Err(FAILURE.broken("the image does not match its header"));
    }
    Ok(reader)
}

/// The size that IHDR gives, which must come before the pixels. Apple's tools put a chunk of theirs (`CgBI`) before it.
fn size(bytes: &[u8]) -> Result<(u32, u32), ImageError> {
    let header = chunks(bytes)
        .take_while(|chunk| chunk.name != *b"IDAT")
        .find(|chunk| chunk.name == *b"IHDR")
        .ok_or_else(|| FAILURE.broken("no IHDR chunk comes before its pixels"))?;
    let mut header = FAILURE.read(header.content);
    Ok((header.be_u32()?, header.be_u32()?))
}

/// Checks names and checksums of the chunks before the pixels.
fn check_sums(bytes: &[u8]) -> Result<(), ImageError> {
    for chunk in chunks(bytes).take_while(|chunk| chunk.name != *b"IDAT") {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&chunk.name);
        sum.update(chunk.content);
        if chunk.sum != Some(sum.finalize()) {
            let name = String::from_utf8_lossy(&chunk.name);
            return Err(match chunk.sum {
                Some(_) => FAILURE.broken(format!("the checksum of its {name} chunk is wrong")),
                None => FAILURE.truncated(),
            });
        }
        if !chunk
            .name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            return Err(FAILURE.broken("a chunk without a name"));
        }
    }
    Ok(())
}

/// Alpha and tRNS are dropped, grey is repeated, 16 bits lose their low byte. 16-bit grey without alpha is the
/// exception: Pillow reads it as a mode of its own (`I;16`), whose values above 255 become 255.
fn convert(raw: &[u8], kind: (ColorType, BitDepth), stored_color: ColorType, rgb: &mut [u8]) {
    let pixels = raw.chunks_exact(bytes_per_pixel(kind)).zip(rgb.chunks_exact_mut(3));
    match kind {
        (ColorType::Grayscale | ColorType::GrayscaleAlpha, BitDepth::Sixteen)
            if stored_color == ColorType::Grayscale =>
        {
            pixels.for_each(|(from, to)| to.fill(clip_16(u16::from_be_bytes([from[0], from[1]]))));
        }
        (ColorType::Grayscale | ColorType::GrayscaleAlpha, _) => pixels.for_each(|(from, to)| to.fill(from[0])),
        (_, BitDepth::Sixteen) => pixels.for_each(|(from, to)| to.copy_from_slice(&[from[0], from[2], from[4]])),
        _ => pixels.for_each(|(from, to)| to.copy_from_slice(&from[..3])),
    }
}

fn bytes_per_pixel((color, depth): (ColorType, BitDepth)) -> usize {
    color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 }
}

fn failed(error: &DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(_) => FAILURE.truncated(),
        other => FAILURE.broken(other.to_string()),
    }
}
