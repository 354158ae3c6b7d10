//! Windows icons, as Pillow's plugin reads them (`IcoImagePlugin.py`): the largest image and, among those, the one that
//! names the fewest bits a pixel. Its mask becomes alpha, which is dropped, but must be there.

use std::cmp::Reverse;

use super::bmp;
use super::bytes::Bytes;
use super::failure::Failure;
use super::png;
use crate::error::ImageError;
use crate::image::RgbImage;
use crate::options::ImageLimits;

/// The first bytes of every icon.
const MAGIC: &[u8] = b"\0\0\x01\0";

const FAILURE: Failure = Failure("ICO");

/// Whether the first bytes are those of an icon.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Decodes into `image`; `raw` is a buffer as PNG and BMP use it.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut file = FAILURE.read_at(bytes, MAGIC.len());
    let count = file.le_u16()?;
    let entries = (0..count)
        .map(|_| Entry::read(&mut file))
        .collect::<Result<Vec<_>, _>>()?;
    let entry = entries
        .iter()
        .min_by_key(|entry| (Reverse(entry.area), entry.depth))
        .ok_or_else(|| FAILURE.broken("it has no image"))?;
    let content = bytes.get(entry.offset..).ok_or_else(|| FAILURE.truncated())?;
    if png::accepts(content) {
        return png::decode(content, limits, raw, image);
    }
    let start = bmp::decode_dib(bytes, entry.offset, bmp::Rows::AboveMask, limits, raw, image)?;
    let (mask, needed) = if entry.bits == 32 {
        (start, image.width * image.height * 4)
    } else {
        // Rows are padded to four bytes; the padding of the last one may be missing.
        let row = image.width.div_ceil(32) * 4;
        let end = entry.offset + entry.size;
        let mask = end.checked_sub(row * image.height).ok_or_else(|| FAILURE.truncated())?;
        (mask, row * (image.height - 1) + image.width.div_ceil(8))
    };
    if mask + needed > bytes.len() {
        return Err(FAILURE.truncated());
    }
    Ok(())
}

struct Entry {
    area: u32,
    /// What Pillow sorts by, among images of the same area.
    depth: u32,
    /// Bits a pixel.
    bits: u16,
    size: usize,
    offset: usize,
}

impl Entry {
    fn read(file: &mut Bytes<'_>) -> Result<Self, ImageError> {
        // 0 stands for 256.
        let side = |stored: u8| if stored == 0 { 256 } else { u32::from(stored) };
        let [width, height, colors, _, _, _] = file.array()?;
        let bits = file.le_u16()?;
        let depth = match (bits, colors) {
            (0, 0 | 1) => 256,
            (0, colors) => u32::from(colors).next_power_of_two().ilog2(),
            (bits, _) => u32::from(bits),
        };
        Ok(Self {
            area: side(width) * side(height),
            depth,
            bits,
            size: file.le_u32()? as usize,
            offset: file.le_u32()? as usize,
        })
    }
}
