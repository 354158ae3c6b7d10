//! What Pillow reads of a JPEG 2000 file before it calls `OpenJPEG` (`Jpeg2KImagePlugin.py`).

use super::library::FAILURE;
use crate::decode::color::Palette;
use crate::error::ImageError;

/// The first bytes of a codestream, and of one in a container (JP2, JPX).
const CODESTREAM: &[u8] = b"\xFF\x4F\xFF\x51";
const CONTAINER: &[u8] = b"\0\0\0\x0CjP  \r\n\x87\n";

/// The colour spaces that a container enumerates, as far as they matter here (ISO/IEC 15444-1, table I.10).
const BILEVEL: [u32; 2] = [0, 15];
const CMYK: u32 = 12;
const GREY: u32 = 17;
const ENUMERATED: u8 = 1;

/// What Pillow takes the pixels for.
pub(crate) enum Mode {
    /// Of up to 8 bits, with or without alpha.
    Grey,
    DeepGrey,
    GreyAlpha,
    Rgb,
    Rgba,
    Cmyk,
    /// The first channel is an index; a second one is alpha.
    Indices(Box<Palette>),
    IndicesAlpha(Box<Palette>),
}

pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) mode: Mode,
    pub(crate) container: bool,
}

/// Whether these are the first bytes of a JPEG 2000 image.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(CODESTREAM) || bytes.starts_with(CONTAINER)
}

impl Header {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        if let Some(size) = bytes.strip_prefix(CODESTREAM) {
            return Self::of_codestream(size);
        }
        let mut boxes = Boxes(bytes.get(CONTAINER.len()..).ok_or_else(|| FAILURE.truncated())?);
        loop {
            if let (b"jp2h", content) = boxes.next()? {
                return Self::of_container(content);
            }
        }
    }

    /// `size` is the content of a SIZ marker.
    fn of_codestream(size: &[u8]) -> Result<Self, ImageError> {
        let number = |at| long(size, at);
        let (width, height) = (number(4)?.checked_sub(number(12)?), number(8)?.checked_sub(number(16)?));
        let (components, bits) = (short(size, 36)?, byte(size, 38)?);
        let (Some(width), Some(height)) = (width, height) else {
            return Err(FAILURE.broken("it has no pixels"));
        };
        Ok(Self {
            width,
            height,
            mode: Mode::of(components, bits & 0x7F > 7).ok_or_else(|| unknown_channels(components))?,
            container: false,
        })
    }

    /// `content` is that of the header box.
    fn of_container(content: &[u8]) -> Result<Self, ImageError> {
        let (mut size, mut mode, mut channels) = (None, None, 0);
        // Pillow looks for no palette in an image of these colours.
        let mut grey = false;
        let mut cmyk = false;
        let mut boxes = Boxes(content);
        while !boxes.0.is_empty() {
            match boxes.next()? {
                (b"ihdr", content) => {
                    size = Some((long(content, 4)?, long(content, 0)?));
                    channels = short(content, 8)?;
                    // One bit less is stored than there are. Of nine bits Pillow keeps eight here, unlike in a
                    // codestream.
                    mode = Mode::of(channels, byte(content, 10)? & 0x7F > 8).or(mode);
                }
                (b"colr", content) => {
                    let space = long(content, 3)?;
                    if byte(content, 0)? == ENUMERATED {
                        grey = space == GREY || BILEVEL.contains(&space);
                        cmyk = space == CMYK;
                        if cmyk && channels == 4 {
                            mode = Some(Mode::Cmyk);
                        }
                    }
                }
                (b"pclr", content) if !grey => {
                    mode = match mode {
                        Some(Mode::Grey) => Some(indices(content, cmyk)?.map_or(Mode::Grey, Mode::Indices)),
                        Some(Mode::GreyAlpha) => {
                            Some(indices(content, cmyk)?.map_or(Mode::GreyAlpha, Mode::IndicesAlpha))
                        }
                        other => other,
                    };
                }
                _ => {}
            }
        }
        let ((width, height), mode) = size.zip(mode).ok_or_else(|| unknown_channels(channels))?;
        Ok(Self {
            width,
            height,
            mode,
            container: true,
        })
    }
}

impl Mode {
    fn of(channels: u16, deep: bool) -> Option<Self> {
        Some(match channels {
            1 if deep => Self::DeepGrey,
            1 => Self::Grey,
            2 => Self::GreyAlpha,
            3 => Self::Rgb,
            4 => Self::Rgba,
            _ => return None,
        })
    }
}

/// The palette of a palette box; `None` where Pillow looks at no palette, for its colours have more than 8 bits.
fn indices(content: &[u8], cmyk: bool) -> Result<Option<Box<Palette>>, ImageError> {
    let (count, channels) = (usize::from(short(content, 0)?), usize::from(byte(content, 2)?));
    let rest = content.get(3..).unwrap_or_default();
    let (depths, colors) = rest.split_at_checked(channels).ok_or_else(|| FAILURE.truncated())?;
    if depths.iter().any(|depth| *depth > 8) {
        return Ok(None);
    }
    if !matches!(channels, 3 | 4) || cmyk {
        return Err(FAILURE.unsupported(format!(
            "a palette of {channels} channels{}",
            if cmyk { " in CMYK" } else { "" }
        )));
    }
    let colors = colors.get(..count * channels).ok_or_else(|| FAILURE.truncated())?;
    // Pillow keeps each colour once, so those after a repeated one have other indices than in the file.
    let mut kept = Vec::new();
    for color in colors.chunks_exact(channels) {
        if !kept.chunks_exact(channels).any(|known| known == color) {
            kept.extend_from_slice(color);
        }
    }
    if kept.len() > 256 * channels {
        return Err(FAILURE.broken("a palette of more than 256 colours"));
    }
    Ok(Some(Box::new(Palette::new(&kept, channels, |color| color))))
}

/// What is left of a sequence of boxes.
struct Boxes<'a>(&'a [u8]);

impl<'a> Boxes<'a> {
    /// The name of the next box, and its content.
    fn next(&mut self) -> Result<(&'a [u8; 4], &'a [u8]), ImageError> {
        let truncated = || FAILURE.truncated();
        let (length, rest) = self.0.split_first_chunk().ok_or_else(truncated)?;
        let (name, mut rest) = rest.split_first_chunk().ok_or_else(truncated)?;
        let mut length = u64::from(u32::from_be_bytes(*length));
        let mut header = 8;
        if length == 1 {
            let (long, after) = rest.split_first_chunk().ok_or_else(truncated)?;
            (length, rest, header) = (u64::from_be_bytes(*long), after, 16);
        }
        let length = length
            .checked_sub(header)
            .ok_or_else(|| FAILURE.broken("a box before its pixels has no length"))?;
        let (content, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(truncated)?;
        self.0 = rest;
        Ok((name, content))
    }
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, ImageError> {
    bytes.get(at).copied().ok_or_else(|| FAILURE.truncated())
}

fn short(bytes: &[u8], at: usize) -> Result<u16, ImageError> {
    Ok(u16::from_be_bytes([byte(bytes, at)?, byte(bytes, at + 1)?]))
}

fn long(bytes: &[u8], at: usize) -> Result<u32, ImageError> {
    Ok(u32::from(short(bytes, at)?) << 16 | u32::from(short(bytes, at + 2)?))
}

fn unknown_channels(channels: u16) -> ImageError {
    FAILURE.unsupported(format!("{channels} channels, only 1 to 4 are supported"))
}
