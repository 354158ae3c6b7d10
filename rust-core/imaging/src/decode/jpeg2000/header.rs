//! What Pillow reads of a JPEG 2000 file before it calls `OpenJPEG` (`Jpeg2KImagePlugin.py`).

use super::library::FAILURE;
use crate::decode::bytes::Bytes;
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

/// Bytes of a SIZ marker that say nothing of the pixels (ISO/IEC 15444-1, A.5.1).
const LENGTH_AND_CAPABILITIES: usize = 4;
const TILES: usize = 16;

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
            return Self::of_codestream(FAILURE.read(size));
        }
        let mut boxes = FAILURE.read_at(bytes, CONTAINER.len());
        loop {
            let (name, content) = next_box(&mut boxes)?;
            if &name == b"jp2h" {
                return Self::of_container(content);
            }
        }
    }

    /// `size` is the content of a SIZ marker.
    fn of_codestream(mut size: Bytes<'_>) -> Result<Self, ImageError> {
        size.bytes(LENGTH_AND_CAPABILITIES)?;
        let (right, bottom) = (size.be_u32()?, size.be_u32()?);
        let (left, top) = (size.be_u32()?, size.be_u32()?);
        size.bytes(TILES)?;
        let (components, bits) = (size.be_u16()?, size.u8()?);
        let (Some(width), Some(height)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
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
    fn of_container(mut boxes: Bytes<'_>) -> Result<Self, ImageError> {
        let (mut size, mut mode, mut channels) = (None, None, 0);
        // Pillow looks for no palette in an image of these colours.
        let mut grey = false;
        let mut cmyk = false;
        while !boxes.is_empty() {
            let (name, mut content) = next_box(&mut boxes)?;
            match &name {
                b"ihdr" => {
                    let (height, width) = (content.be_u32()?, content.be_u32()?);
                    size = Some((width, height));
                    channels = content.be_u16()?;
                    // One bit less is stored than there are. Of nine bits Pillow keeps eight here, unlike in a
                    // codestream.
                    mode = Mode::of(channels, content.u8()? & 0x7F > 8).or(mode);
                }
                b"colr" => {
                    let [method, _, _] = content.array()?;
                    let space = content.be_u32()?;
                    if method == ENUMERATED {
                        grey = space == GREY || BILEVEL.contains(&space);
                        cmyk = space == CMYK;
                        if cmyk && channels == 4 {
                            mode = Some(Mode::Cmyk);
                        }
                    }
                }
                b"pclr" if !grey => {
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
fn indices(mut content: Bytes<'_>, cmyk: bool) -> Result<Option<Box<Palette>>, ImageError> {
    let (count, channels) = (usize::from(content.be_u16()?), usize::from(content.u8()?));
    let depths = content.bytes(channels)?;
    if depths.iter().any(|depth| *depth > 8) {
        return Ok(None);
    }
    if !matches!(channels, 3 | 4) || cmyk {
        return Err(FAILURE.unsupported(format!(
            "a palette of {channels} channels{}",
            if cmyk { " in CMYK" } else { "" }
        )));
    }
    let colors = content.bytes(count * channels)?;
    // Pillow keeps each colour once, so those after a repeated one have other indices than in the file.
    let mut kept = Vec::new();
    for color in colors.chunks_exact(channels) {
        if kept.chunks_exact(channels).any(|known| known == color) {
            continue;
        }
        if kept.len() == 256 * channels {
            return Err(FAILURE.broken("a palette of more than 256 colours"));
        }
        kept.extend_from_slice(color);
    }
    Ok(Some(Box::new(Palette::new(&kept, channels, |color| color))))
}

/// The name of the next box, and its content.
fn next_box<'a>(boxes: &mut Bytes<'a>) -> Result<([u8; 4], Bytes<'a>), ImageError> {
    let mut length = u64::from(boxes.be_u32()?);
    let name = boxes.array()?;
    let mut header = 8;
    if length == 1 {
        length = boxes.be_number(8)?;
        header = 16;
    }
    let length = length
        .checked_sub(header)
        .ok_or_else(|| FAILURE.broken("a box before its pixels has no length"))?;
    let content = boxes.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
    Ok((name, FAILURE.read(content)))
}

fn unknown_channels(channels: u16) -> ImageError {
    FAILURE.unsupported(format!("{channels} channels, only 1 to 4 are supported"))
}
