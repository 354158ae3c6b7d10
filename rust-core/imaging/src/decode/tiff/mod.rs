//! The first image of a TIFF, as Pillow's plugin reads it (`TiffImagePlugin.py`).
//!
//! The `tiff` crate has no palettes, other ideas of inverted and deep greys than Pillow, and takes memory by what a
//! file's tags say, so the tags, strips and tiles are read here. Uncompressed, LZW, Deflate, LZMA and `PackBits` are
//! supported, with the horizontal predictor, JPEG, and faxes of groups 3 and 4. Lab, and YCbCr other than in JPEG are
//! refused, which Pillow reads through libtiff. Pillow turns a TIFF upright by its orientation tag, or XMP, whether
//! asked to or not; so does this module.

mod compression;
mod fax;
mod samples;

use std::io::Read;

use weezl::BitOrder;

use self::compression::{
    DEFLATE, FAXES, FAX_3, FAX_4, FAX_RUNS, JPEG, LZMA, LZW, OLD_DEFLATE, PACK_BITS, RAW, SUPPORTED,
};
use self::fax::Rows;
use self::samples::{Samples, Storage};
use super::ifd::{
    Directory, Numbers, COMPRESSION, FILL_ORDER, IMAGE_LENGTH, IMAGE_WIDTH, JPEG_TABLES, MAGICS, PLANAR_CONFIGURATION,
    PREDICTOR, ROWS_PER_STRIP, STRIP_BYTE_COUNTS, STRIP_OFFSETS, T4_OPTIONS, TILE_BYTE_COUNTS, TILE_LENGTH,
    TILE_OFFSETS, TILE_WIDTH,
};
use super::jpeg;
use super::metadata;
use crate::decode::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;
use crate::orientation::transpose;

const FAILURE: Failure = Failure("TIFF");
/// In `T4Options`.
const TWO_DIMENSIONAL: u64 = 1;
const HORIZONTAL: u64 = 2;
const SEPARATE_PLANES: u64 = 2;
const REVERSED_BITS: u64 = 2;
/// How many times a chunk's own bytes its compressed ones may be, which are more where each pixel of a fax is a run of
/// its own (6 times).
const MOST_EXPANSION: usize = 8;
/// Bytes beside that: what LZMA and Deflate begin with, and a JPEG with its tables and metadata.
const HEADERS: usize = 1 << 10;
const JPEG_HEADERS: usize = 1 << 20;
/// How often the bytes of the file and of its pixels are read at most: usual files take once at most, those with wrong
/// lengths some more.
const MOST_OVERLAP: usize = 16;
/// What of tiles may lie beyond the image, in bytes: a column of pixels in tiles of 256 x 256 has 50 MB.
const BEYOND_IMAGE: usize = 256 << 20;

/// Whether the first bytes are those of a TIFF.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    MAGICS.iter().any(|magic| bytes.starts_with(magic))
}

/// Decodes into `image`; `raw` is a buffer for samples as the file has them.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let tags = Directory::read(bytes).ok_or_else(|| FAILURE.truncated())?;
    let side = |tag| tags.number(tag).filter(|side| *side > 0);
    let (Some(width), Some(height)) = (side(IMAGE_WIDTH), side(IMAGE_LENGTH)) else {
        return Err(FAILURE.broken("it has no pixels"));
    };
    check_size(width, height, limits)?;
    let [width, height] = [width, height].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    let layout = Layout::read(&tags, width, height, limits)?;
    let row_length = (layout.width * layout.samples.bits_per_pixel()).div_ceil(8);
    let memory = layout.memory(bytes.len(), row_length);
    check_memory(memory, limits)?;
    image.reset(layout.width, layout.height)?;
    let stored = grow(raw, row_length * layout.height)?;
    layout.read_chunks(bytes, memory, stored, row_length)?;
    let rows = image.pixels.chunks_exact_mut(layout.width * 3);
    for (from, to) in stored.chunks_exact(row_length).zip(rows) {
        layout.samples.to_rgb(from, to);
    }
    transpose(image, metadata::tiff_orientation(&tags), limits, raw)
}

/// How the pixels lie in the file, in strips or tiles.
struct Layout<'a> {
    width: usize,
    height: usize,
    limits: ImageLimits,
    samples: Samples,
    compression: u64,
    /// What the JPEGs of all chunks have in common.
    jpeg_tables: &'a [u8],
    /// How the rows of a fax of group 3 are coded.
    fax_rows: Rows,
    predictor: bool,
    reversed_bits: bool,
    /// The number of planes: 1 where the samples of a pixel lie together.
    planes: usize,
    chunk_width: usize,
    chunk_height: usize,
    /// Whether chunks have rows below and columns right of the image, too.
    tiled: bool,
    offsets: Numbers<'a>,
    lengths: Numbers<'a>,
}

impl<'a> Layout<'a> {
    fn read(tags: &Directory<'a>, width: usize, height: usize, limits: ImageLimits) -> Result<Self, ImageError> {
        let compression = tags.number(COMPRESSION).unwrap_or(RAW);
        if !SUPPORTED.contains(&compression) {
            let name = match compression {
                6 => "JPEG of the old kind",
                32_771 => "rows padded to 16 bits",
                32_809 => "ThunderScan",
                34_676 | 34_677 => "SGI LogLuv",
                34_712 | 33_003 | 33_005 => "JPEG 2000",
                34_887 => "LERC",
                34_892 => "lossy DNG JPEG",
                50_000 => "Zstandard",
                50_001 => "WebP",
                50_002 | 52_546 => "JPEG XL",
                _ => "of an unknown kind",
            };
            return Err(FAILURE.unsupported(format!(
                "compression {compression} ({name}); convert it, for example to Deflate"
            )));
        }
        let predictor = match tags.number(PREDICTOR).unwrap_or(1) {
            _ if matches!(compression, RAW | FAX_RUNS | FAX_3 | FAX_4 | JPEG | PACK_BITS) => false,
            1 => false,
            HORIZONTAL => true,
            other => return Err(FAILURE.unsupported(format!("predictor {other}"))),
        };
        let separate = tags.number(PLANAR_CONFIGURATION) == Some(SEPARATE_PLANES);
        let reversed_bits = tags.number(FILL_ORDER) == Some(REVERSED_BITS);
        let offsets_of_tiles = tags.numbers(TILE_OFFSETS);
        let tiled = offsets_of_tiles.is_some();
        let storage = Storage {
            separate_planes: separate,
            tiled,
            reversed_bits,
            compression,
        };
        let samples = Samples::read(tags, storage)?;
        let sample_bits = samples.bits_per_sample();
        if FAXES.contains(&compression) && (sample_bits, samples.per_pixel()) != (1, 1) {
            return Err(FAILURE.unsupported("fax compression of other pixels than black and white"));
        }
        if predictor && !matches!(sample_bits, 8 | 16 | 32) {
            return Err(FAILURE.unsupported(format!("a predictor with {sample_bits} bits a sample")));
        }
        let planes = if separate { samples.per_pixel() } else { 1 };
        if planes > 1 && !matches!(sample_bits, 8 | 16) {
            return Err(FAILURE.unsupported(format!("separate planes with {sample_bits} bits a sample")));
        }
        // A chunk that is larger than any image is refused below.
        let size = |tag| tags.number(tag).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let (chunk_width, chunk_height, offsets, lengths) = if tiled {
            (
                size(TILE_WIDTH),
                size(TILE_LENGTH),
                offsets_of_tiles,
                tags.numbers(TILE_BYTE_COUNTS),
            )
        } else {
            (
                Some(width),
                Some(size(ROWS_PER_STRIP).unwrap_or(height).min(height)),
                tags.numbers(STRIP_OFFSETS),
                tags.numbers(STRIP_BYTE_COUNTS),
            )
        };
        let (chunk_width, chunk_height) = (chunk_width.unwrap_or(0), chunk_height.unwrap_or(0));
        if chunk_width == 0 || chunk_height == 0 {
            return Err(FAILURE.broken("its strips or tiles have no pixels"));
        }
        check_size(chunk_width as u64, chunk_height as u64, limits)?;
        if tiled && chunk_width * samples.bits_per_pixel() % 8 != 0 {
            return Err(FAILURE.unsupported(format!("tiles of {chunk_width} columns")));
        }
        let fax_rows = if tags.number(T4_OPTIONS).unwrap_or(0) & TWO_DIMENSIONAL == 0 {
            Rows::Marked
        } else {
            Rows::TwoDimensional
        };
        Ok(Self {
            width,
            height,
            limits,
            samples,
            compression,
            jpeg_tables: match compression {
                JPEG => tags.content(JPEG_TABLES).unwrap_or_default(),
                _ => &[],
            },
            fax_rows,
            predictor,
            reversed_bits,
            planes,
            chunk_width,
            chunk_height,
            tiled,
            offsets: offsets.unwrap_or(Numbers::NONE),
            lengths: lengths.unwrap_or(Numbers::NONE),
        })
    }

    /// What decoding takes beside libjpeg: the image, its rows of `row_length` bytes, a chunk, a changed copy of what
    /// the file has of it, and 1 MiB for a decompressor. That of LZMA keeps what it has
    /// decompressed, at most 2 MiB more than it was asked for, in a window that doubles while it grows; it is moved
    /// then.
    fn memory(&self, file_length: usize, row_length: usize) -> u64 {
        let pixel_bits = self.samples.bits_per_pixel() / self.planes;
        let chunk = (self.chunk_width * pixel_bits).div_ceil(8) * self.chunk_height;
        let copied = if self.reversed_bits || self.compression == JPEG {
            file_length * 2
        } else {
            0
        };
        let window = if self.compression == LZMA {
            (chunk + (2 << 20)) * 3
        } else {
            0
        };
        let pixels = self.width * self.height * 3 + row_length * self.height;
        (pixels + chunk + copied + window + (1 << 20)) as u64
    }

    /// Puts the chunks together into rows of `row_length` bytes, with the samples of a pixel side by side. `memory` is
    /// what is taken for that.
    fn read_chunks(&self, bytes: &[u8], memory: u64, raw: &mut [u8], row_length: usize) -> Result<(), ImageError> {
        let pixel_bits = self.samples.bits_per_pixel() / self.planes;
        let chunk_row = (self.chunk_width * pixel_bits).div_ceil(8);
        let across = self.width.div_ceil(self.chunk_width);
        let down = self.height.div_ceil(self.chunk_height);
        // Chunks may lie on each other, but not so that a short file takes for ever.
        let mut unread = MOST_OVERLAP * (bytes.len() + raw.len());
        let mut unfilled = MOST_OVERLAP * raw.len() + BEYOND_IMAGE;
        let mut buffer = Vec::new();
        for index in 0..across * down * self.planes {
            let (plane, spot) = (index / (across * down), index % (across * down));
            let (top, left) = (spot / across * self.chunk_height, spot % across * self.chunk_width);
            // What of the chunk lies within the image.
            let rows = self.chunk_height.min(self.height - top);
            let columns = self.chunk_width.min(self.width - left);
            let stored_rows = if self.tiled && self.compression != RAW {
                self.chunk_height
            } else {
                rows
            };
            let chunk = grow(&mut buffer, chunk_row * stored_rows)?;
            // The last strip may be stored with rows below the image.
            let whole = if self.compression == RAW {
                chunk.len()
            } else {
                chunk_row * self.chunk_height
            };
            let stored = self.stored(bytes, index, whole)?;
            unread = unread
                .checked_sub(stored.len() + self.jpeg_tables.len())
                .ok_or_else(|| FAILURE.broken("its strips or tiles share too many of its bytes"))?;
            unfilled = unfilled
                .checked_sub(chunk.len())
                .ok_or_else(|| FAILURE.broken("its tiles are far larger than it is"))?;
            self.unpack(stored, memory, index, chunk)?;
            for (y, from) in chunk.chunks_exact_mut(chunk_row).take(rows).enumerate() {
                if self.predictor {
                    self.samples
                        .undo_predictor(from, self.samples.per_pixel() / self.planes);
                }
                let row = &mut raw[(top + y) * row_length..][..row_length];
                if self.planes == 1 {
                    let length = (columns * pixel_bits).div_ceil(8);
                    row[left * pixel_bits / 8..][..length].copy_from_slice(&from[..length]);
                } else {
                    let size = pixel_bits / 8;
                    let pixels = row.chunks_exact_mut(size * self.planes).skip(left);
                    for (pixel, sample) in pixels.zip(from.chunks_exact(size).take(columns)) {
                        pixel[plane * size..][..size].copy_from_slice(sample);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the file has of a chunk of `length` bytes.
    fn stored<'b>(&self, bytes: &'b [u8], index: usize, length: usize) -> Result<&'b [u8], ImageError> {
        let offset = self.offsets.get(index).ok_or_else(|| FAILURE.truncated())?;
        let stored = usize::try_from(offset)
            .ok()
            .and_then(|offset| bytes.get(offset..))
            .ok_or_else(|| FAILURE.truncated())?;
        // Pillow does not look at the lengths of what is not compressed. Some files give too large ones: no chunk needs
        // more than this, whatever it is compressed with.
        let most = match self.compression {
            RAW => length,
            JPEG => length * MOST_EXPANSION + JPEG_HEADERS,
            _ => length * MOST_EXPANSION + HEADERS,
        };
        let told = match self.compression {
            RAW => most,
            _ => usize::try_from(self.lengths.get(index).ok_or_else(|| FAILURE.truncated())?).unwrap_or(usize::MAX),
        };
        Ok(&stored[..told.min(most).min(stored.len())])
    }

    /// Decompresses one chunk.
    fn unpack(&self, stored: &[u8], memory: u64, index: usize, chunk: &mut [u8]) -> Result<(), ImageError> {
        let reversed: Vec<u8>;
        let stored = if self.reversed_bits && self.compression != JPEG {
            reversed = stored.iter().map(|byte| byte.reverse_bits()).collect();
            &reversed
        } else {
            stored
        };
        let written = match self.compression {
            FAX_4 => return fax::unpack(stored, Rows::Unmarked, self.chunk_width, chunk),
            FAX_RUNS => return fax::unpack(stored, Rows::Aligned, self.chunk_width, chunk),
            FAX_3 => return fax::unpack(stored, self.fax_rows, self.chunk_width, chunk),
            LZW => unpack_lzw(stored, chunk)?,
            JPEG => {
                let color = if self.samples.are_ycbcr() {
                    jpeg::Color::YCbCr
                } else {
                    jpeg::Color::Unknown
                };
                let both = [self.jpeg_tables, stored].concat();
                let shape = (self.chunk_width, self.samples.per_pixel() / self.planes);
                let strips = self.height.div_ceil(self.chunk_height);
                let last_strip = !self.tiled && (index + 1).is_multiple_of(strips);
                return jpeg::decode_part(&both, (self.limits, memory), color, shape, last_strip, chunk);
            }
            DEFLATE | OLD_DEFLATE => return fill(flate2::read::ZlibDecoder::new(stored), chunk),
            LZMA => return fill(lzma_rust2::XzReader::new(stored, false), chunk),
            PACK_BITS => unpack_runs(stored, chunk),
            _ => {
                let length = stored.len().min(chunk.len());
                chunk[..length].copy_from_slice(&stored[..length]);
                length
            }
        };
        if written < chunk.len() {
            return Err(FAILURE.truncated());
        }
        Ok(())
    }
}

fn fill(mut decoder: impl Read, chunk: &mut [u8]) -> Result<(), ImageError> {
    decoder
        .read_exact(chunk)
        .map_err(|error| FAILURE.broken(error.to_string()))
}

/// Returns how many bytes came out.
fn unpack_lzw(mut stored: &[u8], chunk: &mut [u8]) -> Result<usize, ImageError> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut written = 0;
    while written < chunk.len() {
        let result = decoder.decode_bytes(stored, &mut chunk[written..]);
        stored = &stored[result.consumed_in..];
        written += result.consumed_out;
        match result.status {
            Ok(weezl::LzwStatus::Ok) => {}
            Ok(_) => break,
            Err(error) => return Err(FAILURE.broken(error.to_string())),
        }
    }
    Ok(written)
}

/// `PackBits`: a count byte, then so many literals, or one byte to repeat. Returns how many bytes came out.
fn unpack_runs(mut stored: &[u8], chunk: &mut [u8]) -> usize {
    let mut written = 0;
    while written < chunk.len() {
        let Some((&count, rest)) = stored.split_first() else {
            break;
        };
        stored = rest;
        let left = chunk.len() - written;
        if count < 128 {
            let length = (usize::from(count) + 1).min(left).min(stored.len());
            chunk[written..written + length].copy_from_slice(&stored[..length]);
            stored = stored.get(usize::from(count) + 1..).unwrap_or_default();
            written += length;
        } else if count > 128 {
            let Some((&value, rest)) = stored.split_first() else {
                break;
            };
            stored = rest;
            let length = (257 - usize::from(count)).min(left);
            chunk[written..written + length].fill(value);
            written += length;
        }
    }
    written
}
