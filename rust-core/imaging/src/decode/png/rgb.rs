//! The PNGs that most are, red, green and blue (and alpha) of 8 bits without interlacing, in half the time.
//!
//! Most of that time goes into undoing the filter of each row, see `unfilter_avx2`. A file with anything unusual, and
//! one that is broken in any way, is left to the `png` crate, which knows what to make of it.
use std::ops::Range;

use fdeflate::Decompressor;

use super::attempt::Attempt;
use super::chunks::{chunks, Chunk, FAILURE};
use super::unfilter_avx2::{unfilter, MIN_SIDE, PAD};
use crate::error::ImageError;
use crate::image::grow;

/// Ancillary chunks with more bytes than this are unusual.
const MAX_CHUNK: usize = 1 << 20;
/// What `fdeflate` may refer back to: bytes.
const WINDOW: usize = 32 << 10;
/// Filtered bytes that are inflated at once, about: as with the strips of a resize, they stay in a core's caches.
const STRIP: usize = 256 << 10;

/// The rows of a plain file.
pub(crate) struct PlainRows<'a> {
    size: (usize, usize),
    channels: usize,
    /// What is left of the compressed pixels.
    parts: Box<dyn Iterator<Item = &'a [u8]> + 'a>,
    part: &'a [u8],
    decompressor: Box<Decompressor>,
    /// Filtered rows of a strip, with as many bytes before them as the decompressor looks back, or one row more.
    filtered: Vec<u8>,
    /// The row above a strip, where there is one, and the strip's rows.
    pixels: Vec<u8>,
    /// The rows of `pixels` that are still to be read.
    ready: Range<usize>,
    /// Rows that have been made.
    made: usize,
}

impl<'a> PlainRows<'a> {
    /// The rows of an image of this size; an error if the file is no plain one.
    pub(crate) fn open(bytes: &'a [u8], (width, height): (usize, usize)) -> Result<Self, ImageError> {
        let not_plain = || FAILURE.unsupported("it is not plain");
        let (channels, parts) = plain(bytes).ok_or_else(not_plain)?;
        if width < MIN_SIDE || height < MIN_SIDE || !std::arch::is_x86_feature_detected!("avx2") {
            return Err(not_plain());
        }
        Ok(Self {
            size: (width, height),
            channels,
            parts: Box::new(parts),
            part: &[],
            decompressor: Box::new(Decompressor::new()),
            filtered: Vec::new(),
            pixels: Vec::new(),
            ready: 0..0,
            made: 0,
        })
    }

    /// Makes the rows of the next strip.
    fn make_strip(&mut self) -> Result<(), ImageError> {
        let (width, height) = self.size;
        let (stride, row_length) = (1 + width * self.channels, width * 3);
        let largest = largest_strip(stride).min(height);
        let first = WINDOW.max(stride);
        let room = first + largest * stride + PAD;
        if self.filtered.len() < room {
            grow(&mut self.filtered, room)?;
            grow(&mut self.pixels, (largest + 1) * row_length)?;
        }
        let left = height - self.made;
        // Fewer rows than the vector code needs do not make a strip of their own.
        let rows = if left < strip_rows(stride) + MIN_SIDE {
            left
        } else {
            strip_rows(stride)
        };
        self.inflate(first..first + rows * stride)?;
        // The row above is put before the others as one without a filter.
        let above = usize::from(self.made > 0);
        if above == 1 {
            let from = (self.ready.end - 1) * row_length;
            self.pixels.copy_within(from..from + row_length, 0);
            let (head, samples) = self.filtered[first - stride..first].split_at_mut(1);
            head[0] = 0;
            let pixels = self.pixels.chunks_exact(3).zip(samples.chunks_exact_mut(self.channels));
            pixels.for_each(|(from, to)| to[..3].copy_from_slice(from));
        }
        let filtered = &self.filtered[first - above * stride..first + rows * stride + PAD];
        let pixels = &mut self.pixels[..(above + rows) * row_length];
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, asked in `open`.
        let known = unsafe { unfilter(filtered, self.channels, width, pixels) };
        if !known {
            return Err(FAILURE.broken("a row with an unknown filter"));
        }
        // What the next rows may refer back to. No strip but the last one is shorter than that.
        let end = first + rows * stride;
        self.filtered.copy_within(
            end.saturating_sub(WINDOW).max(first)..end,
            first - WINDOW.min(rows * stride),
        );
        self.ready = above..above + rows;
        self.made += rows;
        Ok(())
    }

    /// Fills this part of `filtered`.
    fn inflate(&mut self, room: Range<usize>) -> Result<(), ImageError> {
        let mut filled = room.start;
        while filled < room.end {
            if self.part.is_empty() {
                self.part = self.parts.next().ok_or_else(|| FAILURE.truncated())?;
            }
            let read = self
                .decompressor
                .read(self.part, &mut self.filtered[..room.end], filled, false);
            let (consumed, produced) = read.map_err(|error| FAILURE.broken(format!("{error:?}")))?;
            if consumed + produced == 0 && !self.part.is_empty() {
                return Err(FAILURE.truncated());
            }
            self.part = &self.part[consumed..];
            filled += produced;
        }
        Ok(())
    }
}

impl Attempt for PlainRows<'_> {
    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let row_length = self.size.0 * 3;
        let mut rest = rows;
        while !rest.is_empty() {
            if self.ready.is_empty() {
                self.make_strip()?;
            }
            let count = self.ready.len().min(rest.len() / row_length);
            let (to, after) = rest.split_at_mut(count * row_length);
            to.copy_from_slice(&self.pixels[self.ready.start * row_length..][..to.len()]);
            self.ready.start += count;
            rest = after;
        }
        Ok(())
    }

    fn skip(&mut self, mut count: usize) -> Result<(), ImageError> {
        while count > 0 {
            if self.ready.is_empty() {
                self.make_strip()?;
            }
            let skipped = self.ready.len().min(count);
            self.ready.start += skipped;
            count -= skipped;
        }
        Ok(())
    }

    /// The stream has to end here, with the right checksum.
    fn finish(&mut self) -> Result<(), ImageError> {
        loop {
            let end = self.filtered.len();
            let read = self.decompressor.read(self.part, &mut self.filtered, end, false);
            let (consumed, _) = read.map_err(|error| FAILURE.broken(format!("{error:?}")))?;
            self.part = &self.part[consumed..];
            if !self.part.is_empty() {
                return Err(FAILURE.broken("there are bytes after its last row"));
            }
            match self.parts.next() {
                Some(part) => self.part = part,
                None if self.decompressor.is_done() => return Ok(()),
                None => return Err(FAILURE.truncated()),
            }
        }
    }
}

/// Rows of a strip.
fn strip_rows(stride: usize) -> usize {
    (STRIP / stride).clamp(2 * MIN_SIDE, STRIP / 16)
}

/// Rows of the last strip at most.
fn largest_strip(stride: usize) -> usize {
    strip_rows(stride) + MIN_SIDE
}

/// The channels and the compressed pixels of a file that has the usual chunks in the usual order, to its end.
fn plain(bytes: &[u8]) -> Option<(usize, impl Iterator<Item = &[u8]> + Clone)> {
    let mut rest = chunks(bytes);
    let header = rest.next()?;
    // Depth, colour type, compression, filter and interlacing, after width and height.
    let channels = match (header.name, header.content.get(8..)?) {
        (name, [8, 2, 0, 0, 0]) if name == *b"IHDR" => 3,
        (name, [8, 6, 0, 0, 0]) if name == *b"IHDR" => 4,
        _ => return None,
    };
    let is_idat = |chunk: &Chunk<'_>| chunk.name == *b"IDAT";
    let after = rest.by_ref().find(|chunk| !is_ignored(chunk))?;
    let last = rest.find(|chunk| !is_idat(chunk))?;
    if !is_idat(&after) || last.name != *b"IEND" || last.sum.is_none() {
        return None;
    }
    let idat = chunks(bytes)
        .skip_while(move |chunk| !is_idat(chunk))
        .take_while(is_idat);
    Some((channels, idat.map(|chunk| chunk.content)))
}

/// Whether no decoder has to look at a chunk: it is ancillary, and says nothing of transparency or animation.
fn is_ignored(chunk: &Chunk<'_>) -> bool {
    chunk.name[0].is_ascii_lowercase()
        && chunk.name.iter().all(u8::is_ascii_alphabetic)
        && !matches!(&chunk.name, b"tRNS" | b"acTL" | b"fcTL" | b"fdAT")
        && chunk.content.len() <= MAX_CHUNK
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

    use std::io::{Cursor, Write};

    use flate2::write::ZlibEncoder;
    use flate2::Compression;
    use spark_classify_testing::Random;

    use super::super::chunks::MAGIC;
    use super::*;

    fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&name);
        sum.update(content);
        let length = u32::try_from(content.len()).unwrap();
        [&length.to_be_bytes()[..], &name, content, &sum.finalize().to_be_bytes()].concat()
    }

    /// A file of these filtered rows, its pixels in chunks of `part` bytes.
    fn file((width, height): (u32, u32), color: u8, rows: &[u8], part: usize) -> Vec<u8> {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, color, 0, 0, 0]].concat();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(rows).unwrap();
        let mut file = [MAGIC, &chunk(*b"IHDR", &header), &chunk(*b"tEXt", b"any\0text")].concat();
        for part in encoder.finish().unwrap().chunks(part) {
            file.extend(chunk(*b"IDAT", part));
        }
        file.extend(chunk(*b"IEND", b""));
        file
    }

    /// The pixels, read some rows at a time.
    fn ours(bytes: &[u8], (width, height): (usize, usize)) -> Option<Vec<u8>> {
        let mut rows = PlainRows::open(bytes, (width, height)).ok()?;
        let mut pixels = vec![0; width * height * 3];
        for rows_of in pixels.chunks_mut(width * 3 * (1 + height / 3)) {
            rows.read(rows_of).ok()?;
        }
        rows.finish().ok()?;
        Some(pixels)
    }

    #[test]
    fn all_mixtures_of_filters_give_the_pixels_of_the_png_crate() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        let mut random = Random::new(3);
        for round in 0..300 {
            // Now and then of several strips.
            let (wide, high) = if round % 20 == 0 { (6000, 60) } else { (40, 30) };
            let (width, height) = (MIN_SIDE + random.below(wide), MIN_SIDE + random.below(high));
            let channels = 3 + round % 2;
            let rows: Vec<u8> = (0..height)
                .flat_map(|_| {
                    // Mostly Paeth, whose rows then lie side by side, too.
                    let filter = [4, 4, 4, 0, 1, 2, 3][random.below(7)];
                    let extreme = random.below(2) == 0;
                    let mut row = vec![filter];
                    let mut sample = || if extreme { random.extreme() } else { random.byte() };
                    row.extend((0..width * channels).map(|_| sample()));
                    row
                })
                .collect();
            let size = (width as u32, height as u32);
            let bytes = file(size, if channels == 3 { 2 } else { 6 }, &rows, 1 + random.below(3000));
            let mut reader = png::Decoder::new(Cursor::new(&bytes)).read_info().unwrap();
            let mut expected = vec![0; width * height * channels];
            reader.next_frame(&mut expected).unwrap();
            let expected: Vec<u8> = expected
                .chunks(channels)
                .flat_map(|pixel| &pixel[..3])
                .copied()
                .collect();
            assert!(
                ours(&bytes, (width, height)) == Some(expected),
                "{width} x {height} of {channels} channels"
            );
        }
    }

    #[test]
    fn what_is_broken_or_unusual_is_left_to_the_png_crate() {
        let size = (8, 9);
        let rows = vec![0; 9 * (1 + 8 * 3)];
        let good = file(size, 2, &rows, 10);
        let decode = |bytes: &[u8]| ours(bytes, (8, 9));
        assert_eq!(decode(&good).map(|pixels| pixels.len()), Some(8 * 9 * 3));

        for length in 0..good.len() {
            assert_eq!(decode(&good[..length]), None, "of {length} bytes");
        }
        let mut unknown_filter = rows.clone();
        unknown_filter[25] = 5;
        assert_eq!(decode(&file(size, 2, &unknown_filter, 10)), None);
        assert_eq!(decode(&file(size, 2, &rows[1..], 10)), None, "too few bytes");
        assert_eq!(
            decode(&file(size, 2, &[&rows[..], &[0]].concat(), 10)),
            None,
            "too many bytes"
        );
        let with = |name: [u8; 4]| {
            let at = good.windows(4).position(|four| four == b"tEXt").unwrap() - 4;
            [&good[..at], &chunk(name, b"123456"), &good[at..]].concat()
        };
        assert!(decode(&with(*b"teSt")).is_some());
        for name in [*b"tRNS", *b"acTL", *b"PLTE", *b"IEND", *b"IDAT", *b"te t"] {
            assert_eq!(decode(&with(name)), None, "{}", String::from_utf8_lossy(&name));
        }
        let mut sum = good.clone();
        let end = sum.windows(4).position(|four| four == b"IEND").unwrap() - 4;
        sum[end - 5] ^= 1;
        assert_eq!(decode(&sum), None, "the checksum of the pixels");
    }
}
