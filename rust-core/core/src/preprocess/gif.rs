//! The first frame of a GIF through the `gif` crate, as Pillow's plugin shows it (`GifImagePlugin.py`).
//!
//! The frame is laid on a screen of its transparent colour, or of the palette's first one. Transparency itself is
//! dropped, so that a transparent pixel has the colour of its palette entry. The screen grows where the frame reaches
//! beyond it. A frame with no palette at all, of which Pillow makes a grey image, is refused.

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::color::Palette;
use super::decode::{check_size, grow, RgbImage};
use super::options::ImageLimits;
use crate::error::ImageError;

/// The first bytes of every GIF, but for the year of its version.
pub(super) const MAGICS: [&[u8]; 2] = [b"GIF87a", b"GIF89a"];

const FORMAT: &str = "GIF";

/// Decodes into `image`; `raw` is a buffer for palette indices.
pub(super) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The frame is read into `raw`, whose size is checked here.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(bytes).map_err(|error| failed(&error))?;
    let screen = (usize::from(decoder.width()), usize::from(decoder.height()));
    let frame = decoder
        .next_frame_info()
        .map_err(|error| failed(&error))?
        .ok_or_else(|| broken("it has no image".to_owned()))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    let background = frame.transparent.unwrap_or(0);
    let width = screen.0.max(left + frame_width);
    let height = screen.1.max(top + frame_height);
    if frame_width == 0 || frame_height == 0 {
        return Err(broken("it has no pixels".to_owned()));
    }
    check_size(width as u64, height as u64, limits)?;

    let palette = decoder.palette().map_err(|error| failed(&error))?;
    let palette = Palette::new(palette, 3, |color| color);
    let indices = grow(raw, frame_width * frame_height)?;
    decoder.read_into_buffer(indices).map_err(|error| failed(&error))?;
    image.reset(width, height)?;
    if (frame_width, frame_height) != (width, height) {
        let color = palette.color(background);
        image.pixels.as_chunks_mut().0.fill(color);
    }
    let rows = image.pixels.chunks_exact_mut(width * 3).skip(top);
    for (row, indices) in rows.zip(indices.chunks_exact(frame_width)) {
        palette.apply(indices, &mut row[left * 3..][..frame_width * 3]);
    }
    Ok(())
}

fn failed(error: &DecodingError) -> ImageError {
    match error {
        DecodingError::Io(_) | DecodingError::UnexpectedEof => broken("the file is truncated".to_owned()),
        other => broken(other.to_string()),
    }
}

fn broken(reason: String) -> ImageError {
    ImageError::Broken { format: FORMAT, reason }
}
