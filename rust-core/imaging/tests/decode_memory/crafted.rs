//! Small files that were made to take much memory.

use spark_classify_imaging::ImageError;
use spark_classify_testing::odd_image;

use super::tiffs::{tiff, DATA};
use super::{alone, checked, peak};

/// What is much for files as small as these, or for what is said of them.
const MEGABYTE: u64 = 1_000_000;

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, value: usize, bits: usize) {
        for shift in 0..bits {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(shift < 64 && value >> shift & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    /// One prefix code of the longest that has a table alone: 7 symbols of 3 bits, 7 of 6 and 16 of 10.
    fn push_long_code(&mut self) {
        self.push(0, 1);
        self.push(14 - 4, 4);
        // Of the lengths, 16 (which repeats one) has a code of 1 bit, 3 of 2 bits, 6 and 10 of 3 bits each.
        for length in [0, 0, 0, 0, 0, 2, 0, 0, 1, 3, 0, 0, 0, 3] {
            self.push(length, 3);
        }
        // In 8 steps.
        self.push(1, 1);
        self.push(1, 3);
        self.push(8 - 2, 4);
        let repeat = |bits: &mut Self, times: usize| {
            bits.push(0, 1);
            bits.push(times - 3, 2);
        };
        self.push(0b01, 2);
        repeat(self, 6);
        self.push(0b011, 3);
        repeat(self, 6);
        self.push(0b111, 3);
        for times in [6, 6, 3] {
            repeat(self, times);
        }
    }
}

/// How many groups of codes the images below have, of five codes each.
const GROUPS: usize = 3000;

/// The content of a VP8L chunk: 4 x 4 pixels with so many codes that their tables take 60 MB.
fn lossless_of_many_codes() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0x2F, 8);
    // 4 x 4 pixels.
    bits.push(3, 14);
    bits.push(3, 14);
    // No alpha, version 0, no transform, no cache of colours, but several groups of codes.
    bits.push(0, 1 + 3 + 1 + 1);
    bits.push(1, 1);
    // For blocks of 4 x 4 pixels: one of them, which names the last group in its red and green.
    bits.push(0, 3);
    bits.push(0, 1);
    for symbol in [(GROUPS - 1) & 255, (GROUPS - 1) >> 8, 0, 0, 0] {
        bits.push(0b101, 3);
        bits.push(symbol, 8);
    }
    for _ in 0..GROUPS * 5 {
        bits.push_long_code();
    }
    // Each pixel is of the first symbols, of 3 bits each.
    bits.push(0, 16 * 4 * 3);
    bits.bytes
}

/// A chunk of a WebP.
fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let mut chunk = [&name, &length[..], content].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(*b"RIFF", &[b"WEBP", &chunks.concat()[..]].concat())
}

#[test]
fn the_prefix_codes_of_a_small_webp_count() {
    let _alone = alone();
    let file = webp(&[chunk(*b"VP8L", &lossless_of_many_codes())]);

    let limit = checked(&file);
    let (read, most) = peak(&file, limit);
    assert_eq!(read, Ok(()));
    let tables = (GROUPS * 5 * 4096) as u64;
    assert!(most > tables, "{most} bytes for tables of {tables}");
    assert!(
        most <= limit && limit < tables * 2,
        "{most} bytes, {limit} were checked"
    );
    let (refused, most) = peak(&file, tables);
    assert!(refused.is_err());
    assert!(most < 1 << 20, "{most} bytes for a file of {}", file.len());
}

#[test]
fn frames_hidden_in_a_still_webp_are_refused() {
    const ANIMATED: u8 = 2;
    const ALPHA: u8 = 16;
    let _alone = alone();
    let extended = |flags: u8| chunk(*b"VP8X", &[flags, 0, 0, 0, 3, 0, 0, 3, 0, 0]);
    // What stands before a frame's chunks: its place, its size less one, how long it is shown, and flags.
    let frame = |chunks: Vec<u8>| {
        let place = [0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0];
        chunk(*b"ANMF", &[&place[..], &chunks].concat())
    };
    // The header of 4 x 4 pixels; the decoder prefers what is lossless, and comes to no pixel of this.
    let lossy = chunk(*b"VP8 ", b"\0\0\0\x9D\x01\x2A\x04\0\x04\0");
    let alpha = chunk(*b"ALPH", &[0; 17]);
    let hidden = frame(chunk(*b"VP8L", &lossless_of_many_codes()));
    for (name, file) in [
        ("a still image", webp(&[extended(0), lossy.clone(), hidden.clone()])),
        (
            "an animation's first frame",
            webp(&[extended(ANIMATED | ALPHA), frame([alpha, lossy, hidden].concat())]),
        ),
    ] {
        let (refused, most) = peak(&file, 16 << 20);
        let expected = "unsupported WebP image: a frame within an image";
        assert_eq!(refused.unwrap_err().to_string(), expected, "{name}");
        assert!(most < MEGABYTE, "{name}: {most} bytes");
    }
}

#[test]
fn the_many_numbers_of_a_tiff_stay_in_the_file() {
    const MANY: usize = 8 << 20;
    let _alone = alone();
    for (name, tag) in [("bits", 258), ("extra samples", 338), ("formats", 339)] {
        // No two numbers that stand side by side are alike.
        let numbers: Vec<u8> = (0..MANY).map(|index| 200 + (index % 2) as u8).collect();
        // 1 x 1 pixels, in a strip of one row.
        let one: &[u32] = &[1];
        let tags = [(256, one), (257, one), (273, &[DATA]), (278, one), (279, one)];
        let file = tiff(&[0], &tags, &[(tag, &numbers)]);
        let (refused, most) = peak(&file, 256 << 20);
        let told = refused.unwrap_err();
        assert!(matches!(told, ImageError::Unsupported { .. }), "{name}");
        let told = told.to_string();
        assert!(told.len() < 400, "{name}: told in {} bytes", told.len());
        assert!(
            most < MEGABYTE,
            "{name}: {most} bytes for numbers of {MANY}, and {told}"
        );
    }
}

#[test]
fn the_empty_chunks_of_a_png_take_no_memory() {
    const MANY: usize = 1_000_000;
    let _alone = alone();
    // A file that is left to the most tolerant of the readers.
    let png = odd_image("no_palette.png");
    let pixels = png.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    // The last four bytes are its checksum.
    let empty = b"\0\0\0\0IDAT\x35\xAF\x06\x1E".repeat(MANY);
    let file = [&png[..pixels], &empty, &png[pixels..]].concat();
    let (read, most) = peak(&file, 256 << 20);
    assert_eq!(read, Ok(()));
    assert!(most < MEGABYTE, "{most} bytes for {MANY} chunks");
}
