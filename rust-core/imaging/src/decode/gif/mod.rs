//! The first frame of a GIF, as Pillow's plugin shows it (`GifImagePlugin.py`).
//!
//! The frame is laid on a screen of its transparent colour, or of the palette's first one. Transparency itself is
//! dropped, so that a transparent pixel has the colour of its palette entry. The screen grows where the frame reaches
//! beyond it. The `gif` crate insists on a palette and on blocks that Pillow does without, so the file is read here.

mod lzw;

use self::lzw::{unpack, FAILURE};
use crate::decode::bytes::Bytes;
use crate::decode::color::Palette;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

/// The first bytes of every GIF, but for the year of its version.
const MAGICS: [&[u8; MAGIC]; 2] = [b"GIF87a", b"GIF89a"];
const MAGIC: usize = 6;

/// Flags of a screen and of a frame.
const HAS_PALETTE: u8 = 128;
const INTERLACED: u8 = 64;
const GRAPHIC_CONTROL: u8 = 249;
const COMMENT: u8 = 254;
const APPLICATION: u8 = 255;
/// First row and step of the passes of an interlaced frame.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

/// Whether the first bytes are those of a GIF.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    MAGICS.iter().any(|magic| bytes.starts_with(*magic))
}

/// Decodes into `image`; `raw` is a buffer for palette indices.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut file = FAILURE.read_at(bytes, MAGIC);
    let (screen_width, screen_height) = (length(&mut file)?, length(&mut file)?);
    let [flags, _background, _aspect_ratio] = file.array()?;
    let of_screen = palette(&mut file, flags)?;
    let transparent = skip_to_frame(&mut file)?;
    let (left, top) = (length(&mut file)?, length(&mut file)?);
    let (frame_width, frame_height) = (length(&mut file)?, length(&mut file)?);
    let flags = file.u8()?;
    let width = screen_width.max(left + frame_width);
    let height = screen_height.max(top + frame_height);
    if frame_width == 0 || frame_height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    check_size(width as u64, height as u64, limits)?;
    check_memory((width * height * 3 + frame_width * frame_height) as u64, limits)?;
    let of_frame = palette(&mut file, flags)?;
    let palette = of_frame.or(of_screen).unwrap_or_else(Palette::grey);
    let code_size = file.u8()?;

    let indices = grow(raw, frame_width * frame_height)?;
    unpack(file.rest(), code_size, indices)?;
    image.reset(width, height)?;
    if (frame_width, frame_height) != (width, height) {
        let color = palette.color(transparent.unwrap_or(0));
        image.pixels.as_chunks_mut().0.fill(color);
    }
    let interlaced = flags & INTERLACED != 0;
    let passes = if interlaced { &PASSES[..] } else { &[(0, 1)] };
    let order = passes
        .iter()
        .flat_map(|(first, step)| (*first..frame_height).step_by(*step));
    for (y, indices) in order.zip(indices.chunks_exact(frame_width)) {
        let start = ((top + y) * width + left) * 3;
        palette.apply(indices, &mut image.pixels[start..start + frame_width * 3]);
    }
    Ok(())
}

/// The palette that follows the header with these flags. Pillow takes greys in order, from black on, for none.
fn palette(file: &mut Bytes<'_>, flags: u8) -> Result<Option<Palette>, ImageError> {
    if flags & HAS_PALETTE == 0 {
        return Ok(None);
    }
    let stored = file.bytes(6 << (flags & 7))?;
    let grey = (0..)
        .zip(stored.chunks_exact(3))
        .all(|(value, color)| color == [value; 3]);
    Ok((!grey).then(|| Palette::new(stored, 3, |color| color)))
}

/// Skips what comes before the first frame, stray bytes, too. Returns the transparent colour that it names.
fn skip_to_frame(file: &mut Bytes<'_>) -> Result<Option<u8>, ImageError> {
    let mut transparent = None;
    loop {
        match file.u8()? {
            b'!' => transparent = extension(file)?.or(transparent),
            b',' => return Ok(transparent),
            b';' => return Err(FAILURE.broken("it has no image")),
            _ => {}
        }
    }
}

/// Skips an extension. Returns a transparent colour that it names.
fn extension(file: &mut Bytes<'_>) -> Result<Option<u8>, ImageError> {
    let label = file.u8()?;
    let block = sub_block(file)?;
    let mut transparent = None;
    match label {
        GRAPHIC_CONTROL if !block.is_empty() => {
            let &[flags, _, _, ref color @ ..] = block else {
                return Err(FAILURE.truncated());
            };
            if flags & 1 != 0 {
                transparent = Some(*color.first().ok_or_else(|| FAILURE.truncated())?);
            }
        }
        COMMENT if block.is_empty() => return Ok(None),
        APPLICATION if block.starts_with(b"NETSCAPE2.0") => {
            sub_block(file)?;
        }
        _ => {}
    }
    // Pillow goes on to the next empty block even where it has just read one.
    while !sub_block(file)?.is_empty() {}
    Ok(transparent)
}

/// The content of a sub-block.
fn sub_block<'a>(file: &mut Bytes<'a>) -> Result<&'a [u8], ImageError> {
    let length = file.u8()?;
    file.bytes(usize::from(length))
}

fn length(file: &mut Bytes<'_>) -> Result<usize, ImageError> {
    file.le_u16().map(usize::from)
}
