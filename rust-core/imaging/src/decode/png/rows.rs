//! PNG with the tolerance of Pillow's decoder (`PngImagePlugin.py`, `ZipDecode.c`), for files that the `png` crate
//! refuses.
//!
//! Pillow wants no more of a file than its rows: it may end right after them, and have chunks that nobody knows, or a
//! short palette or none. Where the compressed pixels come to a regular end after fewer rows than the header announces,
//! the other pixels are those of the value 0.

use flate2::{Decompress, FlushDecompress, Status};

use super::attempt::Attempt;
use super::chunks::{chunk, chunks, FAILURE};
use crate::decode::color::{clip_16, low_byte, unpack_bits, Palette};
use crate::error::ImageError;
use crate::image::RgbImage;

/// First row and column, and their steps, of the passes of an interlaced image (PNG specification, 8.2).
const PASSES: [Pass; 7] = [
    Pass::new((0, 8), (0, 8)),
    Pass::new((0, 8), (4, 8)),
    Pass::new((4, 8), (0, 4)),
    Pass::new((0, 4), (2, 4)),
    Pass::new((2, 4), (0, 2)),
    Pass::new((0, 2), (1, 2)),
    Pass::new((1, 2), (0, 1)),
];

#[derive(Clone, Copy)]
struct Pass {
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Pass {
    const fn new(rows: (usize, usize), columns: (usize, usize)) -> Self {
        Self { rows, columns }
    }
}

/// The rows of an image that is not interlaced. The chunks before the pixels have been checked, and the size.
pub(crate) struct TolerantRows<'a> {
    size: (usize, usize),
    format: Format,
    data: Inflater<'a>,
    /// A row with its filter's number, and the one before it.
    row: Vec<u8>,
    above: Vec<u8>,
    /// Whether the stream has ended before the last row.
    ended: bool,
}

impl<'a> TolerantRows<'a> {
    pub(crate) fn open(bytes: &'a [u8], (width, height): (usize, usize)) -> Result<Self, ImageError> {
        let format = Format::read(bytes)?;
        let row = vec![0; (width * format.bits_per_pixel()).div_ceil(8) + 1];
        Ok(Self {
            size: (width, height),
            format,
            data: Inflater::new(bytes),
            above: row.clone(),
            row,
            ended: false,
        })
    }

    fn next_row(&mut self, rgb: &mut [[u8; 3]]) -> Result<(), ImageError> {
        self.ended = self.ended || !self.data.fill(&mut self.row)?;
        if self.ended {
            rgb.fill(self.format.blank());
            return Ok(());
        }
        unfilter(&mut self.row, &self.above, self.format.bits_per_pixel().div_ceil(8))?;
        self.format.to_rgb(&self.row[1..], rgb);
        std::mem::swap(&mut self.row, &mut self.above);
        Ok(())
    }
}

impl Attempt for TolerantRows<'_> {
    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let mut rows = rows.as_chunks_mut().0.chunks_exact_mut(self.size.0);
        rows.try_for_each(|row| self.next_row(row))
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        let mut row = vec![[0; 3]; self.size.0];
        (0..count).try_for_each(|_| self.next_row(&mut row))
    }

    fn finish(&mut self) -> Result<(), ImageError> {
        if self.ended {
            return Ok(());
        }
        self.data.finish()
    }
}

/// Decodes an interlaced one into `image`, whose size has been checked. The chunks before the pixels have been, too.
pub(crate) fn decode_interlaced(
    bytes: &[u8],
    (width, height): (usize, usize),
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let format = Format::read(bytes)?;
    let bits = format.bits_per_pixel();
    image.reset(width, height)?;
    image.pixels.as_chunks_mut().0.fill(format.blank());
    let mut data = Inflater::new(bytes);
    // A row with its filter's number, and the one before it.
    let mut row = vec![0; (width * bits).div_ceil(8) + 1];
    let mut above = row.clone();
    let mut colors = vec![[0; 3]; width];
    for Pass { rows, columns } in &PASSES {
        let columns_in_pass = (width.saturating_sub(columns.0)).div_ceil(columns.1);
        if columns_in_pass == 0 {
            continue;
        }
        let length = (columns_in_pass * bits).div_ceil(8) + 1;
        above.fill(0);
        for y in (rows.0..height).step_by(rows.1) {
            if !data.fill(&mut row[..length])? {
                return Ok(());
            }
            unfilter(&mut row[..length], &above[..length], bits.div_ceil(8))?;
            let colors = &mut colors[..columns_in_pass];
            format.to_rgb(&row[1..length], colors);
            let to = image.pixels[y * width * 3..][..width * 3].as_chunks_mut().0;
            for (color, to) in colors.iter().zip(to.iter_mut().skip(columns.0).step_by(columns.1)) {
                *to = *color;
            }
            std::mem::swap(&mut row, &mut above);
        }
    }
    data.finish()
}

/// How a pixel is stored.
struct Format {
    depth: usize,
    color: Color,
}

enum Color {
    Grey,
    GreyAlpha,
    Rgb,
    RgbAlpha,
    Indexed(Box<Palette>),
}

impl Format {
    fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let header = chunk(bytes, *b"IHDR", b"").unwrap_or_default();
        let &[depth, color, _, filter, _] = header.get(8..13).unwrap_or_default() else {
            return Err(FAILURE.truncated());
        };
        let color = match (color, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => Color::Grey,
            (2, 8 | 16) => Color::Rgb,
            (3, 1 | 2 | 4 | 8) => {
                let stored = chunks(bytes).take_while(|chunk| chunk.name != *b"IDAT");
                let stored = stored.filter(|chunk| chunk.name == *b"PLTE").last();
                let stored = stored.map_or(&[][..], |chunk| chunk.content);
                if stored.len() > 3 * 256 {
                    return Err(FAILURE.broken("its palette has more than 256 colours"));
                }
                Color::Indexed(Box::new(Palette::new(stored, 3, |color| color)))
            }
            (4, 8 | 16) => Color::GreyAlpha,
            (6, 8 | 16) => Color::RgbAlpha,
            _ => return Err(FAILURE.broken(format!("colour type {color} of {depth} bits"))),
        };
        if filter != 0 {
            return Err(FAILURE.broken(format!("filter method {filter}")));
        }
        Ok(Self {
            depth: usize::from(depth),
            color,
        })
    }

    /// The colour of a pixel that is stored as 0.
    fn blank(&self) -> [u8; 3] {
        match &self.color {
            Color::Indexed(palette) => palette.color(0),
            _ => [0; 3],
        }
    }

    fn bits_per_pixel(&self) -> usize {
        let samples = match self.color {
            Color::Grey | Color::Indexed(_) => 1,
            Color::GreyAlpha => 2,
            Color::Rgb => 3,
            Color::RgbAlpha => 4,
        };
        samples * self.depth
    }

    /// Converts a row, by the rules of `png::convert`.
    fn to_rgb(&self, row: &[u8], rgb: &mut [[u8; 3]]) {
        let size = self.depth.div_ceil(8);
        let pixels = row.chunks_exact(self.bits_per_pixel().div_ceil(8));
        match &self.color {
            Color::Grey if self.depth == 16 => {
                for (from, to) in pixels.zip(rgb) {
                    *to = [clip_16(u16::from_be_bytes([from[0], from[1]])); 3];
                }
            }
            Color::Grey | Color::Indexed(_) => {
                let mut samples = vec![0; rgb.len()];
                unpack_bits(row, self.depth, &mut samples);
                let white = (1_u32 << self.depth) - 1;
                for (sample, to) in samples.iter().zip(rgb) {
                    *to = match &self.color {
                        Color::Indexed(palette) => palette.color(*sample),
                        _ => [low_byte(u32::from(*sample) * 255 / white); 3],
                    };
                }
            }
            Color::GreyAlpha => pixels.zip(rgb).for_each(|(from, to)| *to = [from[0]; 3]),
            Color::Rgb | Color::RgbAlpha => {
                pixels
                    .zip(rgb)
                    .for_each(|(from, to)| *to = [0, 1, 2].map(|index| from[index * size]));
            }
        }
    }
}

/// Undoes the filter that the first byte of a row names (PNG specification, 9).
fn unfilter(row: &mut [u8], above: &[u8], distance: usize) -> Result<(), ImageError> {
    let (filter, row) = row.split_first_mut().ok_or_else(|| FAILURE.truncated())?;
    let above = &above[1..];
    for index in 0..row.len() {
        let before = |row: &[u8]| index.checked_sub(distance).map_or(0, |index| row[index]);
        let (left, up, corner) = (before(row), above[index], before(above));
        let predicted = match filter {
            0 => 0,
            1 => left,
            2 => up,
            3 => u8::midpoint(left, up),
            4 => paeth(left, up, corner),
            other => return Err(FAILURE.broken(format!("a row with filter {other}"))),
        };
        row[index] = row[index].wrapping_add(predicted);
    }
    Ok(())
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let (to_left, to_up, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_up && to_left <= to_corner {
        left
    } else if to_up <= to_corner {
        up
    } else {
        corner
    }
}

/// The content of the pixels' chunks, decompressed.
struct Inflater<'a> {
    /// What is left of a chunk, and the chunks after it, of which there may be as many as a file has room for.
    stored: &'a [u8],
    chunks: Box<dyn Iterator<Item = &'a [u8]> + 'a>,
    stream: Decompress,
    ended: bool,
}

impl<'a> Inflater<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let data = chunks(bytes).skip_while(|chunk| chunk.name != *b"IDAT");
        let data = data.take_while(|chunk| chunk.name == *b"IDAT");
        Self {
            stored: &[],
            chunks: Box::new(data.map(|chunk| chunk.content)),
            stream: Decompress::new(true),
            ended: false,
        }
    }

    /// Fills a row; false where the stream has ended after the row before it.
    fn fill(&mut self, row: &mut [u8]) -> Result<bool, ImageError> {
        let before = self.stream.total_out();
        let filled = self.read(row)?;
        if filled == 0 && before > 0 && self.ended {
            return Ok(false);
        }
        (filled == row.len()).then_some(true).ok_or_else(|| FAILURE.truncated())
    }

    /// Reads as many bytes as there are.
    fn read(&mut self, to: &mut [u8]) -> Result<usize, ImageError> {
        let mut filled = 0;
        while filled < to.len() && !self.ended {
            let (taken, given) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress(self.stored, &mut to[filled..], FlushDecompress::None)
                .map_err(|error| FAILURE.broken(error.to_string()))?;
            // No more than there was, and no more than was asked for.
            let [taken, given] = [self.stream.total_in() - taken, self.stream.total_out() - given]
                .map(|count| usize::try_from(count).unwrap_or_default());
            filled += given;
            self.ended = status == Status::StreamEnd;
            self.stored = &self.stored[taken..];
            if taken + given == 0 {
                let Some(next) = self.chunks.next() else { break };
                self.stored = next;
            }
        }
        Ok(filled)
    }

    /// Where the stream ends with the last row, its checksum counts.
    fn finish(&mut self) -> Result<(), ImageError> {
        self.read(&mut [0]).map(|_| ())
    }
}
