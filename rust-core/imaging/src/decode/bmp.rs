//! BMP, as Pillow's plugin reads it (`BmpImagePlugin.py`).
//!
//! The `image` crate has a decoder too, but its rounding of 16-bit pixels and its rules for bit masks, palettes and
//! broken run lengths are its own.

use super::color::{low_byte, unpack_bits, Palette};
use super::reader::RowReader;
use crate::decode::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

/// The first bytes of every BMP.
const MAGIC: &[u8] = b"BM";

const FAILURE: Failure = Failure("BMP");
const FILE_HEADER: usize = 14;
/// The size of the oldest header (OS/2 1.x), whose numbers are narrower.
const CORE_HEADER: usize = 12;
const HEADER_SIZES: [usize; 7] = [CORE_HEADER, 40, 52, 56, 64, 108, 124];
/// Fields of a header between its compression and its number of colours.
const SIZE_AND_RESOLUTION: usize = 12;
const RAW: u32 = 0;
const RLE8: u32 = 1;
const RLE4: u32 = 2;
const BITFIELDS: u32 = 3;

/// Whether the first bytes are those of a BMP.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Whether these are the first bytes of a BMP without its file header, a DIB: the size of the header that follows.
pub(crate) fn accepts_dib(bytes: &[u8]) -> bool {
    FAILURE
        .read(bytes)
        .le_u32()
        .is_ok_and(|size| HEADER_SIZES.contains(&(size as usize)))
}

/// What the height of a header counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    Image,
    /// The image's rows, and as many of a mask after them.
    AboveMask,
}

/// Decodes into `image`; `raw` is a buffer for palette indices.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let offset = FAILURE.read_at(bytes, 10).le_u32()?;
    let header = Header::read(bytes, FILE_HEADER, offset)?;
    decode_pixels(bytes, &header, limits, raw, image)
}

/// Decodes a file that is a DIB.
pub(crate) fn decode_bare_dib(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    decode_dib(bytes, 0, Rows::Image, limits, raw, image).map(|_| ())
}

/// Decodes a DIB that begins at `start`. Returns where its pixels begin.
pub(crate) fn decode_dib(
    bytes: &[u8],
    start: usize,
    rows: Rows,
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<usize, ImageError> {
    let mut header = Header::read(bytes, start, 0)?;
    if rows == Rows::AboveMask {
        header.height /= 2;
        if header.height == 0 {
            return Err(FAILURE.broken("it has no pixels"));
        }
    }
    decode_pixels(bytes, &header, limits, raw, image)?;
    Ok(header.offset)
}

/// Opens a file for its rows, unless they come in run lengths.
pub(crate) fn rows(bytes: &[u8], limits: ImageLimits) -> Result<Option<Box<dyn RowReader + '_>>, ImageError> {
    let offset = FAILURE.read_at(bytes, 10).le_u32()?;
    let header = Header::read(bytes, FILE_HEADER, offset)?;
    let (pixels, data) = read_pixels(bytes, &header, limits)?;
    if matches!(pixels, Pixels::Runs { .. }) {
        return Ok(None);
    }
    Ok(Some(Box::new(StoredRows::new(&header, pixels, data)?)))
}

fn decode_pixels(
    bytes: &[u8],
    header: &Header,
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let (pixels, data) = read_pixels(bytes, header, limits)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let indices = if matches!(pixels, Pixels::Runs { .. }) {
        width * height
    } else {
        width
    };
    check_memory((width * height * 3 + indices) as u64, limits)?;
    let Pixels::Runs { four_bits, palette } = pixels else {
        let mut rows = StoredRows::new(header, pixels, data)?;
        image.reset(width, height)?;
        return rows.read(&mut image.pixels);
    };
    image.reset(width, height)?;
    let indices = grow(raw, width * height)?;
    expand_runs(data, header.offset, four_bits, width, indices)?;
    for (y, indices) in indices.chunks_exact(width).enumerate() {
        let y = if header.top_down { y } else { height - 1 - y };
        palette.apply(indices, &mut image.pixels[y * width * 3..][..width * 3]);
    }
    Ok(())
}

/// Checks the size. Returns how the pixels are stored, and the bytes from the first one on.
fn read_pixels<'a>(bytes: &'a [u8], header: &Header, limits: ImageLimits) -> Result<(Pixels, &'a [u8]), ImageError> {
    check_size(u64::from(header.width), u64::from(header.height), limits)?;
    let pixels = Pixels::of(bytes, header)?;
    let data = bytes.get(header.offset..).unwrap_or_default();
    // Before memory is taken: no coding of Pillow's makes pixels out of a file that ends here.
    if data.is_empty() {
        return Err(FAILURE.truncated());
    }
    Ok((pixels, data))
}

/// Rows that lie in the file, pixel by pixel.
struct StoredRows<'a> {
    size: (usize, usize),
    pixels: Pixels,
    data: &'a [u8],
    /// Bytes of a row, and from the beginning of a row to that of the next.
    length: usize,
    stride: usize,
    top_down: bool,
    /// The next row, from the top.
    next: usize,
    indices: Vec<u8>,
}

impl<'a> StoredRows<'a> {
    fn new(header: &Header, pixels: Pixels, data: &'a [u8]) -> Result<Self, ImageError> {
        let (width, height) = (header.width as usize, header.height as usize);
        let length = (width * pixels.bits()).div_ceil(8);
        // Rows are padded to four bytes by the header's depth, whatever depth Pillow has taken the pixels for.
        let stride = (width * header.bits).div_ceil(32) * 4;
        if stride < length {
            return Err(FAILURE.unsupported("its depth does not fit its grey palette"));
        }
        // The padding after the last row may be missing.
        if data.len() < (height - 1) * stride + length {
            return Err(FAILURE.truncated());
        }
        Ok(Self {
            size: (width, height),
            pixels,
            data,
            length,
            stride,
            top_down: header.top_down,
            next: 0,
            indices: Vec::new(),
        })
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
        let indices = grow(&mut self.indices, width)?;
        for to in rows.chunks_exact_mut(width * 3) {
            let y = if self.top_down {
                self.next
            } else {
                height - 1 - self.next
            };
            let from = &self.data[y * self.stride..][..self.length];
            match &self.pixels {
                Pixels::Indices { bits, palette } => {
                    unpack_bits(from, *bits, indices);
                    palette.apply(indices, to);
                }
                Pixels::Bytes { size, order } => {
                    for (from, to) in from.chunks_exact(*size).zip(to.chunks_exact_mut(3)) {
                        to.copy_from_slice(&order.map(|index| from[index]));
                    }
                }
                Pixels::Words { green_bits } => {
                    for (from, to) in from.chunks_exact(2).zip(to.chunks_exact_mut(3)) {
                        to.copy_from_slice(&rgb_of_word(u16::from_le_bytes([from[0], from[1]]), *green_bits));
                    }
                }
                Pixels::Runs { .. } => {}
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

struct Header {
    /// Where it begins.
    start: usize,
    /// The size of the part after the file header.
    size: usize,
    width: u32,
    height: u32,
    top_down: bool,
    bits: usize,
    compression: u32,
    /// The number of palette entries.
    colors: usize,
    /// Bytes of a palette entry.
    entry: usize,
    /// Where the pixels begin.
    offset: usize,
}

impl Header {
    /// Reads the header at `start`; `offset` is where the pixels begin, or 0.
    fn read(bytes: &[u8], start: usize, mut offset: u32) -> Result<Self, ImageError> {
        let mut fields = FAILURE.read_at(bytes, start);
        let size = fields.le_u32()? as usize;
        if !HEADER_SIZES.contains(&size) {
            return Err(FAILURE.unsupported(format!("a header of {size} bytes")));
        }
        if bytes.len() < start + size {
            return Err(FAILURE.truncated());
        }
        let core = size == CORE_HEADER;
        let mut length = || {
            if core {
                fields.le_u16().map(u32::from)
            } else {
                fields.le_u32()
            }
        };
        let (width, mut height) = (length()?, length()?);
        // A height below zero means that the rows are stored from top to bottom.
        let top_down = height >= 0xFF00_0000;
        if top_down {
            height = height.wrapping_neg();
        }
        let _planes = fields.le_u16()?;
        let bits = u32::from(fields.le_u16()?);
        let (mut compression, mut colors) = (RAW, 0);
        if !core {
            compression = fields.le_u32()?;
            fields.bytes(SIZE_AND_RESOLUTION)?;
            colors = fields.le_u32()?;
        }
        if ![1, 4, 8, 16, 24, 32].contains(&bits) {
            return Err(FAILURE.unsupported(format!("{bits} bits a pixel")));
        }
        if width == 0 || height == 0 {
            return Err(FAILURE.broken("it has no pixels"));
        }
        let entry = if core { 3 } else { 4 };
        if bits <= 8 {
            if colors == 0 {
                colors = 1 << bits;
            }
            if colors > 65_536 {
                return Err(FAILURE.unsupported(format!("a palette of {colors} colours")));
            }
            // Some writers give the end of the headers for the beginning of the pixels.
            if offset as usize == FILE_HEADER + size {
                offset += entry * colors;
            }
        }
        let masks = if size == 40 && compression == BITFIELDS { 12 } else { 0 };
        let palette = if bits <= 8 { (entry * colors) as usize } else { 0 };
        if offset == 0 {
            // 0 stands for right after the headers and the palette.
            let right_after = (start + size + masks + palette).min(bytes.len());
            offset = u32::try_from(right_after).unwrap_or(u32::MAX);
        }
        Ok(Self {
            start,
            size,
            width,
            height,
            top_down,
            bits: bits as usize,
            compression,
            colors: colors as usize,
            entry: entry as usize,
            offset: offset as usize,
        })
    }
}

/// How the pixels are stored.
enum Pixels {
    Indices {
        bits: usize,
        palette: Box<Palette>,
    },
    /// Run lengths of indices of 8 or of 4 bits.
    Runs {
        four_bits: bool,
        palette: Box<Palette>,
    },
    /// Where red, green and blue lie in a pixel of `size` bytes.
    Bytes {
        size: usize,
        order: [usize; 3],
    },
    /// 16 bits: 5 for red and blue, 5 or 6 for green.
    Words {
        green_bits: u32,
    },
}

impl Pixels {
    fn of(bytes: &[u8], header: &Header) -> Result<Self, ImageError> {
        let order = |size, order| Ok(Self::Bytes { size, order });
        match (header.bits, header.compression) {
            (1 | 4 | 8, RAW | RLE8 | RLE4) => Self::indexed(bytes, header),
            (16, RAW) => Ok(Self::Words { green_bits: 5 }),
            (24, RAW) => order(3, [2, 1, 0]),
            (32, RAW) => order(4, [2, 1, 0]),
            (bits @ (16 | 24 | 32), BITFIELDS) => {
                let mut stored = FAILURE.read_at(bytes, header.start + 40);
                let masks = [stored.le_u32()?, stored.le_u32()?, stored.le_u32()?];
                // Where headers are long enough to tell; in the shorter ones it is the palette or a pixel.
                let alpha = if header.size >= 56 { stored.le_u32()? } else { 0 };
                match (bits, masks, alpha) {
                    (16, [0xF800, 0x7E0, 0x1F], _) => Ok(Self::Words { green_bits: 6 }),
                    (16, [0x7C00, 0x3E0, 0x1F], _) => Ok(Self::Words { green_bits: 5 }),
                    (24, [0x00FF_0000, 0xFF00, 0xFF], _) => order(3, [2, 1, 0]),
                    (32, [0x00FF_0000, 0xFF00, 0xFF], 0 | 0xFF00_0000) | (32, [0, 0, 0], 0) => order(4, [2, 1, 0]),
                    (32, [0xFF00_0000, 0x00FF_0000, 0xFF00], 0 | 0xFF) => order(4, [3, 2, 1]),
                    (32, [0xFF00_0000, 0xFF00, 0xFF], 0 | 0x00FF_0000) => order(4, [3, 1, 0]),
                    (32, [0xFF, 0xFF00, 0x00FF_0000], 0xFF00_0000) => order(4, [0, 1, 2]),
                    _ => Err(FAILURE.unsupported(format!("the bit masks {masks:x?}, alpha {alpha:x}"))),
                }
            }
            (bits, compression) => {
                Err(FAILURE.unsupported(format!("compression {compression} with {bits} bits a pixel")))
            }
        }
    }

    /// Pillow takes a palette of greys in order for no palette, and then the pixels for 8 bits deep, or with two
    /// colours for 1 bit deep, even where the header says otherwise.
    fn indexed(bytes: &[u8], header: &Header) -> Result<Self, ImageError> {
        let Header { colors, entry, .. } = *header;
        let start = header.start + header.size;
        let end = (start + colors * entry).min(bytes.len());
        let stored = &bytes[start..end];
        // Pillow compares with the lowest byte of an index.
        let expected = |index: usize| {
            let [index, ..] = index.to_le_bytes();
            if colors == 2 {
                index * 255
            } else {
                index
            }
        };
        let grey = stored.len() >= (colors - 1) * entry + 3
            && stored
                .chunks(entry)
                .enumerate()
                .all(|(index, color)| color[..3] == [expected(index); 3]);
        let (bits, palette) = match (grey, colors) {
            (true, 1 | 2) => (1, Palette::black_and_white()),
            (true, _) => (8, Palette::grey()),
            (false, _) if colors > 256 => return Err(FAILURE.unsupported(format!("a palette of {colors} colours"))),
            (false, _) => (
                header.bits,
                Palette::new(stored, entry, |[blue, green, red]| [red, green, blue]),
            ),
        };
        let palette = Box::new(palette);
        match header.compression {
            RAW => Ok(Self::Indices { bits, palette }),
            compression => Ok(Self::Runs {
                four_bits: compression == RLE4,
                palette,
            }),
        }
    }

    /// Bits of a pixel.
    fn bits(&self) -> usize {
        match self {
            Self::Indices { bits, .. } => *bits,
            Self::Runs { .. } => 8,
            Self::Bytes { size, .. } => size * 8,
            Self::Words { .. } => 16,
        }
    }
}

/// Cuts off fractions, as Pillow does.
fn rgb_of_word(word: u16, green_bits: u32) -> [u8; 3] {
    let word = u32::from(word);
    let field = |shift: u32, bits: u32| {
        let max = (1 << bits) - 1;
        low_byte((word >> shift & max) * 255 / max)
    };
    [field(5 + green_bits, 5), field(5, green_bits), field(0, 5)]
}

/// Pillow's `BmpRleDecoder`: a run is cut at the end of its row, literals are not.
fn expand_runs(
    data: &[u8],
    offset: usize,
    four_bits: bool,
    width: usize,
    indices: &mut [u8],
) -> Result<(), ImageError> {
    let mut input = FAILURE.read(data);
    let (mut length, mut x) = (0, 0);
    while length < indices.len() {
        let Ok([count, value]) = input.array() else {
            break;
        };
        match (count, value) {
            (0, 0) => {
                let end = length.next_multiple_of(width);
                indices[length..end].fill(0);
                (length, x) = (end, 0);
            }
            (0, 1) => break,
            (0, 2) => {
                let Ok([right, up]) = input.array() else {
                    break;
                };
                let end = (length + usize::from(right) + usize::from(up) * width).min(indices.len());
                indices[length..end].fill(0);
                (length, x) = (end, end % width);
            }
            (0, count) => {
                let samples = usize::from(count).min(indices.len() - length);
                let per_byte = if four_bits { 2 } else { 1 };
                let stored = samples.div_ceil(per_byte);
                let literals = input.up_to(stored);
                let end = length + samples.min(literals.len() * per_byte);
                unpack_bits(literals, 8 / per_byte, &mut indices[length..end]);
                length = end;
                if literals.len() < stored {
                    break;
                }
                x += usize::from(count);
                // Literals are padded to 16 bits, counted from the beginning of the file.
                input.up_to((offset + data.len() - input.rest().len()) % 2);
            }
            (count, value) => {
                let count = usize::from(count).min(width.saturating_sub(x));
                let end = (length + count).min(indices.len());
                let pair = if four_bits {
                    [value >> 4, value & 15]
                } else {
                    [value; 2]
                };
                for (index, value) in indices[length..end].iter_mut().zip(pair.iter().cycle()) {
                    *index = *value;
                }
                (length, x) = (end, x + count);
            }
        }
    }
    if length < indices.len() {
        return Err(FAILURE.truncated());
    }
    Ok(())
}
