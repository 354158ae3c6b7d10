//! PNG through the `image` crate, with Pillow's rules for what `convert("RGB")` makes of each colour type.

use std::io::{Cursor, ErrorKind};

use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder, Limits};

use super::decode::{check_size, grow, RgbImage};
use super::ImageLimits;
use crate::error::ImageError;

/// The first bytes of every PNG.
pub(super) const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

const FORMAT: &str = "PNG";
/// Memory for ancillary chunks and for a row; the pixels have a limit of their own.
const MAX_SIDE_BYTES: u64 = 64 << 20;
/// IHDR's colour type for grey without alpha.
const GREY: u8 = 0;

/// Decodes into `image`; `raw` is a buffer for pixels that need a conversion.
pub(super) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let header = Header::read(bytes)?;
    check_size(u64::from(header.width), u64::from(header.height), limits)?;

    let mut side_limits = Limits::no_limits();
    side_limits.max_alloc = Some(MAX_SIDE_BYTES);
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), side_limits).map_err(|error| failed(&error))?;
    if decoder.dimensions() != (header.width, header.height) {
        return Err(broken("the image does not match its header".to_owned()));
    }
    image.reset(header.width as usize, header.height as usize)?;

    let color = decoder.color_type();
    if color == ColorType::Rgb8 {
        return decoder.read_image(&mut image.pixels).map_err(|error| failed(&error));
    }
    let length = header.width as usize * header.height as usize * usize::from(color.bytes_per_pixel());
    let raw = grow(raw, length)?;
    decoder.read_image(raw).map_err(|error| failed(&error))?;
    convert(raw, color, header.color_type, &mut image.pixels)
}

/// What the limits need, read before the decoder allocates anything.
struct Header {
    width: u32,
    height: u32,
    color_type: u8,
}

impl Header {
    /// IHDR must come first: signature, length and type of the chunk, then width, height, bit depth, colour type.
    fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let Some(header) = bytes.get(MAGIC.len()..MAGIC.len() + 18) else {
            return Err(broken("the file is truncated".to_owned()));
        };
        if header[4..8] != *b"IHDR" {
            return Err(broken("the first chunk is not IHDR".to_owned()));
        }
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Ok(Self {
            width: number(8),
            height: number(12),
            color_type: header[17],
        })
    }
}

/// Alpha and tRNS are dropped, grey is repeated, 16 bits lose their low byte. 16-bit grey without alpha is the
/// exception: Pillow reads it as a mode of its own (`I;16`), whose values above 255 become 255.
fn convert(raw: &[u8], color: ColorType, stored_color: u8, rgb: &mut [u8]) -> Result<(), ImageError> {
    let high = |sample: &[u8]| (u16::from_ne_bytes([sample[0], sample[1]]) >> 8) as u8;
    let clip = |sample: &[u8]| u16::from_ne_bytes([sample[0], sample[1]]).min(255) as u8;
    let grey = |rgb: &mut [u8], size: usize, value: &dyn Fn(&[u8]) -> u8| {
        for (from, to) in raw.chunks_exact(size).zip(rgb.chunks_exact_mut(3)) {
            to.fill(value(from));
        }
    };
    let wide = |rgb: &mut [u8], size: usize| {
        for (from, to) in raw.chunks_exact(size).zip(rgb.chunks_exact_mut(3)) {
            to[0] = high(&from[0..2]);
            to[1] = high(&from[2..4]);
            to[2] = high(&from[4..6]);
        }
    };
    match color {
        ColorType::L8 => grey(rgb, 1, &|pixel| pixel[0]),
        ColorType::La8 => grey(rgb, 2, &|pixel| pixel[0]),
        ColorType::L16 => grey(rgb, 2, &clip),
        // With tRNS the decoder adds an alpha channel that the file does not have.
        ColorType::La16 if stored_color == GREY => grey(rgb, 4, &clip),
        ColorType::La16 => grey(rgb, 4, &high),
        ColorType::Rgba8 => {
            for (from, to) in raw.chunks_exact(4).zip(rgb.chunks_exact_mut(3)) {
                to.copy_from_slice(&from[..3]);
            }
        }
        ColorType::Rgb16 => wide(rgb, 6),
        ColorType::Rgba16 => wide(rgb, 8),
        other => {
            return Err(ImageError::Unsupported {
                format: FORMAT,
                reason: format!("colour type {other:?}"),
            })
        }
    }
    Ok(())
}

fn failed(error: &image::ImageError) -> ImageError {
    match error {
        image::ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
            broken("the file is truncated".to_owned())
        }
        image::ImageError::Unsupported(reason) => ImageError::Unsupported {
            format: FORMAT,
            reason: reason.to_string(),
        },
        other => broken(other.to_string()),
    }
}

fn broken(reason: String) -> ImageError {
    ImageError::Broken { format: FORMAT, reason }
}
