//! The PNGs that most are, red, green and blue (and alpha) of 8 bits without interlacing, in half the time.
//!
//! Most of that time goes into undoing the filter of each row, see `unfilter_avx2`. A file with anything unusual, and
//! one that is broken in any way, is left to the `png` crate, which knows what to make of it.

use fdeflate::Decompressor;

use super::chunks::{chunks, Chunk};
use super::unfilter_avx2::{unfilter, MIN_SIDE, PAD};
use crate::error::ImageError;
use crate::image::{grow, RgbImage};

/// Ancillary chunks with more bytes than this are unusual.
const MAX_CHUNK: usize = 1 << 20;

/// Decodes into `image` if the file is a plain one; `raw` is a buffer for the filtered rows.
pub(crate) fn decode(
    bytes: &[u8],
    (width, height): (usize, usize),
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<bool, ImageError> {
    let Some((channels, idat)) = plain(bytes) else {
        return Ok(false);
    };
    if width < MIN_SIDE || height < MIN_SIDE || !std::arch::is_x86_feature_detected!("avx2") {
        return Ok(false);
    }
    let length = height * (1 + width * channels);
    let raw = grow(raw, length + PAD)?;
    if !inflate(idat, &mut raw[..length]) {
        return Ok(false);
    }
    image.reset(width, height)?;
    #[allow(unsafe_code)]
    // SAFETY: the processor has AVX2, asked above.
    let known = unsafe { unfilter(raw, channels, width, &mut image.pixels) };
    Ok(known)
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

/// Fills `raw` with what the parts of a zlib stream hold; whether they hold just so much, with the right checksum.
fn inflate<'a>(parts: impl Iterator<Item = &'a [u8]>, raw: &mut [u8]) -> bool {
    let mut decompressor = Decompressor::new();
    let mut filled = 0;
    for mut part in parts {
        while !part.is_empty() {
            match decompressor.read(part, raw, filled, false) {
                Ok((consumed, produced)) if consumed > 0 && !decompressor.is_done() || consumed == part.len() => {
                    part = &part[consumed..];
                    filled += produced;
                }
                _ => return false,
            }
        }
    }
    decompressor.is_done() && filled == raw.len()
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

    fn ours(bytes: &[u8], (width, height): (usize, usize)) -> Option<Vec<u8>> {
        // What was in the buffers before must not matter.
        let (mut raw, mut image) = (vec![77; 999], RgbImage::default());
        decode(bytes, (width, height), &mut raw, &mut image)
            .unwrap()
            .then_some(image.pixels)
    }

    #[test]
    fn all_mixtures_of_filters_give_the_pixels_of_the_png_crate() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        let mut random = Random::new(3);
        for round in 0..300 {
            let (width, height) = (MIN_SIDE + random.below(40), MIN_SIDE + random.below(30));
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
