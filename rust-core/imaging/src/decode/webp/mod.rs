//! WebP through the `image` crate, whose arithmetic is libwebp's: lossy images come out byte for byte as in Pillow.
//!
//! Alpha is dropped; the colours under it stay as they are stored. Of an animation the first frame counts, laid on a
//! black canvas.

mod prefix_codes;

use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder};

use super::metadata::Metadata;
use crate::decode::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, RgbImage};
use crate::options::ImageLimits;

const FAILURE: Failure = Failure("WebP");
/// The length of a container's header, and of a chunk's.
const CONTAINER_HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;
/// What an ANMF chunk says about its frame, before the chunks with its pixels.
const FRAME_HEADER: usize = 16;
/// The flag in a VP8X chunk of an animation.
const ANIMATED: u8 = 2;
/// The flags in a VP8X chunk of an image with alpha, with EXIF data and with XMP.
const ALPHA: u8 = 16;
const EXIF: u8 = 8;
const XMP: u8 = 4;

/// In the first byte of an alpha chunk.
const COMPRESSION: u8 = 3;
const LOSSLESS: u8 = 1;

/// Tables, and rows of blocks with what predicts the next ones, in bytes.
const OTHER: u64 = 4 << 20;

/// Whether these are the first bytes of a WebP that Pillow knows.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF")
        && bytes.get(8..12) == Some(b"WEBP")
        && matches!(bytes.get(12..16), Some(b"VP8 " | b"VP8L" | b"VP8X"))
}

/// Decodes into `image`.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    _raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    // Pillow refuses a file that is shorter than it says, whatever is missing, or has a chunk that is.
    let length = FAILURE.read_at(bytes, 4).le_u32()? as usize;
    // What follows is not part of it.
    let bytes = length.checked_add(8).and_then(|length| bytes.get(..length));
    let bytes = bytes.ok_or_else(|| FAILURE.truncated())?;
    if !complete(bytes) {
        return Err(FAILURE.truncated());
    }
    let canvas = canvas(bytes)?;
    check_size(u64::from(canvas.width), u64::from(canvas.height), limits)?;
    if !canvas.animated {
        return decode_still(bytes, (canvas.width, canvas.height), (limits, 0), image);
    }
    let frame = chunk(bytes, *b"ANMF").ok_or_else(|| FAILURE.truncated())?;
    let frame = Frame::read(frame)?;
    let (right, bottom) = (frame.left + frame.width, frame.top + frame.height);
    if right > canvas.width || bottom > canvas.height {
        return Err(FAILURE.broken("a frame reaches beyond the canvas"));
    }
    let same_size = (frame.width, frame.height) == (canvas.width, canvas.height);
    let on_canvas = if same_size {
        0
    } else {
        u64::from(canvas.width) * u64::from(canvas.height) * 3
    };
    // Of an image before this one; the frame takes its place.
    image.pixels = Vec::new();
    let mut decoded = RgbImage::default();
    let size = (frame.width, frame.height);
    let taken = on_canvas + frame.chunks.len() as u64;
    decode_still(&frame.as_still(), size, (limits, taken), &mut decoded)?;
    if same_size {
        std::mem::swap(&mut image.pixels, &mut decoded.pixels);
        (image.width, image.height) = (decoded.width, decoded.height);
        return Ok(());
    }
    image.reset(canvas.width as usize, canvas.height as usize)?;
    image.pixels.fill(0);
    let rows = image.pixels.chunks_exact_mut(image.width * 3).skip(frame.top as usize);
    for (row, from) in rows.zip(decoded.pixels.chunks_exact(decoded.width * 3)) {
        row[frame.left as usize * 3..][..from.len()].copy_from_slice(from);
    }
    Ok(())
}

/// What the file's header says to be there, as libwebp finds it.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let flags = chunks(bytes).next().filter(|chunk| chunk.name == *b"VP8X");
    let flags = flags.and_then(|chunk| chunk.content.first().copied()).unwrap_or(0);
    let content = |name, flag| {
        let content = (flags & flag != 0).then(|| chunk(bytes, name)).flatten();
        content.map(Cow::Borrowed)
    };
    Metadata {
        exif: content(*b"EXIF", EXIF),
        xmp: content(*b"XMP ", XMP),
        by_container: None,
    }
}

/// The content of the first chunk of this name.
fn chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    chunks(bytes)
        .find(|chunk| chunk.name == name)
        .map(|chunk| chunk.content)
}

/// Decodes a file of one image of this size, beside so many bytes that are taken already.
fn decode_still(
    bytes: &[u8],
    size: (u32, u32),
    (limits, taken): (ImageLimits, u64),
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    // The decoder would look for pixels there, too.
    let extended = chunks(bytes).next().is_some_and(|chunk| chunk.name == *b"VP8X");
    if extended && chunk(bytes, *b"ANMF").is_some() {
        return Err(FAILURE.unsupported("a frame within an image"));
    }
    // The decoder takes memory by what these say, and compares afterwards.
    let mismatch = || FAILURE.broken("the image does not match its header");
    if chunks(bytes)
        .filter_map(|chunk| chunk.pixels())
        .any(|pixels| pixels != size)
    {
        return Err(mismatch());
    }
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| failed(&error))?;
    if decoder.dimensions() != size {
        return Err(mismatch());
    }
    let alpha = decoder.color_type() != ColorType::Rgb8;
    check_memory(taken + memory(bytes, size, alpha), limits)?;
    let channels = if alpha { 4 } else { 3 };
    let pixels = image.reset_channels(size.0 as usize, size.1 as usize, channels)?;
    decoder.read_image(pixels).map_err(|error| failed(&error))?;
    if alpha {
        image.made_rgb(|[red, green, blue, _]| [red, green, blue]);
    } else {
        image.pixels.truncate(image.width * image.height * 3);
    }
    Ok(())
}

/// What `image_webp` takes for a file of one image, with the result: copies of compressed parts; of a lossless image
/// (and of alpha, which is one) 4 bytes a pixel, up to 1 for what its transforms need, and its codes; of a lossy one
/// its planes, which end with whole blocks.
fn memory(bytes: &[u8], (width, height): (u32, u32), alpha: bool) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    let lossy = chunks(bytes).any(|chunk| chunk.name == *b"VP8 ");
    let planes = u64::from(width).next_multiple_of(16) * u64::from(height).next_multiple_of(16) * 3 / 2;
    let decoding = match (lossy, alpha) {
        (true, false) => planes + pixels * 3,
        (true, true) => planes + pixels * 4 + pixels * 6,
        (false, true) => pixels * 5,
        (false, false) => pixels * 3 + pixels * 5,
    };
    let codes = |chunk: Chunk<'_>| {
        let lossless = chunk.lossless_data()?;
        Some(prefix_codes::memory(lossless, (width, height)))
    };
    let codes: u64 = chunks(bytes).filter_map(codes).sum();
    decoding + codes + bytes.len() as u64 + OTHER
}

/// Whether the chunks are whole: the only one of a plain file, all of an extended one.
fn complete(bytes: &[u8]) -> bool {
    let mut file = FAILURE.read_at(bytes, CONTAINER_HEADER);
    let extended = file.rest().starts_with(b"VP8X");
    while !file.is_empty() {
        let mut chunk = || {
            file.bytes(4)?;
            let length = file.le_u32()? as usize;
            file.bytes(length.next_multiple_of(2))
        };
        if chunk().is_err() {
            return false;
        }
        if !extended {
            return true;
        }
    }
    true
}

struct Canvas {
    width: u32,
    height: u32,
    animated: bool,
}

/// The size that the first chunk gives.
fn canvas(bytes: &[u8]) -> Result<Canvas, ImageError> {
    let chunk = chunks(bytes).next().ok_or_else(|| FAILURE.truncated())?;
    let (width, height, animated) = if &chunk.name == b"VP8X" {
        let mut content = FAILURE.read(chunk.content);
        let [flags, _, _, _] = content.array()?;
        (content.le_u24()? + 1, content.le_u24()? + 1, flags & ANIMATED != 0)
    } else {
        let (width, height) = chunk.pixels().ok_or_else(|| FAILURE.truncated())?;
        (width, height, false)
    };
    Ok(Canvas {
        width,
        height,
        animated,
    })
}

/// A frame of an animation.
struct Frame<'a> {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    /// Chunks as a still image has them.
    chunks: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(content: &'a [u8]) -> Result<Self, ImageError> {
        let mut header = FAILURE.read(content);
        let mut number = || header.le_u24();
        Ok(Self {
            left: number()? * 2,
            top: number()? * 2,
            width: number()? + 1,
            height: number()? + 1,
            chunks: content.get(FRAME_HEADER..).ok_or_else(|| FAILURE.truncated())?,
        })
    }

    /// The frame as a file of its own. Blending does not matter: Pillow's first frame has nothing below it.
    fn as_still(&self) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        if self.chunks.starts_with(b"ALPH") {
            file.extend_from_slice(b"VP8X");
            file.extend_from_slice(&10_u32.to_le_bytes());
            file.extend_from_slice(&[ALPHA, 0, 0, 0]);
            file.extend_from_slice(&(self.width - 1).to_le_bytes()[..3]);
            file.extend_from_slice(&(self.height - 1).to_le_bytes()[..3]);
        }
        file.extend_from_slice(self.chunks);
        // Shorter than the file that it comes from, whose length has 32 bits.
        let length = u32::try_from(file.len() - CHUNK_HEADER).unwrap_or(u32::MAX);
        file[4..CHUNK_HEADER].copy_from_slice(&length.to_le_bytes());
        file
    }
}

struct Chunk<'a> {
    name: [u8; 4],
    /// As much of it as there is.
    content: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// What follows the header of a lossless image, or of alpha that is stored as one.
    fn lossless_data(&self) -> Option<&'a [u8]> {
        match (&self.name, self.content) {
            (b"VP8L", [0x2F, _, _, _, _, data @ ..]) => Some(data),
            (b"ALPH", [flags, data @ ..]) if flags & COMPRESSION == LOSSLESS => Some(data),
            _ => None,
        }
    }

    /// Width and height, where the chunk holds pixels.
    fn pixels(&self) -> Option<(u32, u32)> {
        match (&self.name, self.content) {
            (b"VP8 ", [_, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..]) => {
                let size = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high])) & 0x3FFF;
                Some((size(*w0, *w1), size(*h0, *h1)))
            }
            (b"VP8L", [0x2F, a, b, c, d, ..]) => {
                let bits = u32::from_le_bytes([*a, *b, *c, *d]);
                Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
            }
            _ => None,
        }
    }
}

/// The chunks of a file in their order.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut file = FAILURE.read_at(bytes, CONTAINER_HEADER);
    std::iter::from_fn(move || {
        let name = file.array().ok()?;
        let length = file.le_u32().ok()? as usize;
        let content = file.up_to(length);
        // Chunks of an odd length are padded.
        file.up_to(length % 2);
        Some(Chunk { name, content })
    })
}

fn failed(error: &image::ImageError) -> ImageError {
    match error {
        image::ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => FAILURE.truncated(),
        other => FAILURE.broken(other.to_string()),
    }
}
