//! PNG through the `png` crate, with Pillow's rules for what `convert("RGB")` makes of each colour type.
//!
//! Pillow checks the checksums of the chunks before the pixels and the one within the compressed pixels, but not those
//! of IDAT, and reads a file that ends right after the pixels. So does this module; that is why it is on the crate
//! beneath `image`. What the crate refuses none the less is left to `rows`.

mod chunks;
#[cfg(target_arch = "x86_64")]
mod rgb;
mod rows;
mod text;
#[cfg(target_arch = "x86_64")]
mod unfilter_avx2;

use std::io::Cursor;

use self::chunks::{chunk, chunks, MAGIC};
pub(crate) use self::text::metadata;

use png::{
    expand_interlaced_row, BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, InterlaceInfo, Limits, Reader,
    Transformations,
};

use crate::decode::color::clip_16;
use crate::decode::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

const FAILURE: Failure = Failure("PNG");
/// Memory for ancillary chunks and for a row; the pixels have a limit of their own.
const MAX_SIDE_BYTES: usize = 64 << 20;
/// The rows of 8 bytes a pixel, and other memory, that a decoder has beside the pixels at most.
const ROWS: u64 = 16;
const OTHER: u64 = 1 << 20;

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
    let (width, height) = size(bytes)?;
    check_size(u64::from(width), u64::from(height), limits)?;
    let rgb = u64::from(width) * u64::from(height) * 3;
    let memory = rgb + u64::from(width) * 8 * ROWS + OTHER;
    check_memory(memory, limits)?;
    check_sums(bytes)?;
    let size = (width as usize, height as usize);
    let odd_palette = chunk(bytes, *b"PLTE", b"").is_some_and(|palette| palette.len() % 3 != 0);
    // The crate would panic.
    if odd_palette || decode_regular(bytes, (width, height), limits, raw, image).is_err() {
        return rows::decode(bytes, size, image);
    }
    Ok(())
}

/// Decodes what the crate takes for a good file.
fn decode_regular(
    bytes: &[u8],
    (width, height): (u32, u32),
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))] limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    #[cfg(target_arch = "x86_64")]
    {
        // It wants all filtered rows at once; where there is no room for them, row by row takes longer and gives the
        // same.
        let pixels = u64::from(width) * u64::from(height);
        let roomy = check_memory(pixels * 7 + u64::from(height) + OTHER, limits).is_ok();
        if roomy && rgb::decode(bytes, (width as usize, height as usize), raw, image)? {
            return Ok(());
        }
    }
    // Of an image before this one, or of the try above.
    *raw = Vec::new();
    let mut reader = open(bytes)?;
    if reader.info().size() != (width, height) {
        return Err(FAILURE.broken("the image does not match its header"));
    }
    let (width, height) = (width as usize, height as usize);
    // With tRNS the decoder adds an alpha channel that the file does not have.
    let stored_color = reader.info().color_type;
    let (color, depth) = reader.output_color_type();
    image.reset(width, height)?;
    let pixel = color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 };
    if (color, depth) == (ColorType::Rgb, BitDepth::Eight) {
        return reader
            .next_frame(&mut image.pixels)
            .map(|_| ())
            .map_err(|error| failed(&error));
    }
    let rgb = grow(raw, width * 3)?;
    let mut top = 0;
    while let Some(row) = reader.next_interlaced_row().map_err(|error| failed(&error))? {
        let length = row.data().len() / pixel * 3;
        match row.interlace() {
            InterlaceInfo::Null(_) => {
                let to = &mut image.pixels[top * width * 3..][..length];
                convert(row.data(), pixel, (color, depth), stored_color, to);
                top += 1;
            }
            InterlaceInfo::Adam7(pass) => {
                convert(row.data(), pixel, (color, depth), stored_color, &mut rgb[..length]);
                expand_interlaced_row(&mut image.pixels, width * 3, &rgb[..length], pass, 24);
            }
        }
    }
    Ok(())
}

fn open(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>, ImageError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true);
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: MAX_SIDE_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(|error| failed(&error))
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
fn convert(raw: &[u8], pixel: usize, kind: (ColorType, BitDepth), stored_color: ColorType, rgb: &mut [u8]) {
    let pixels = raw.chunks_exact(pixel).zip(rgb.chunks_exact_mut(3));
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

fn failed(error: &DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(_) => FAILURE.truncated(),
        other => FAILURE.broken(other.to_string()),
    }
}
