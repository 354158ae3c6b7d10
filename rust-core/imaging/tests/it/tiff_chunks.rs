//! Strips and tiles of a TIFF that are larger than what they have of the image.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::Compression;
use image::codecs::jpeg::JpegEncoder;
use image::ExtendedColorType;
use spark_classify_testing::Random;

use crate::decoded;
use crate::tiffs::{tiff, DATA};

/// The tags of an image with a byte of grey for each pixel.
fn grey((width, height): (u32, u32), compression: u32) -> [(u16, [u32; 1]); 6] {
    let tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, compression),
        (262, 1),
        (277, 1),
    ];
    tags.map(|(tag, number)| (tag, [number]))
}

#[test]
fn a_last_strip_that_is_stored_with_rows_below_the_image() {
    const WIDTH: u32 = 2000;
    const ROWS: u32 = 64;
    // Noise, so that it is stored in more bytes than its one row within the image could need.
    let mut random = Random::new(1);
    let noise: Vec<u8> = (0..WIDTH * ROWS).map(|_| random.byte()).collect();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 100)
        .encode(&noise, WIDTH, ROWS, ExtendedColorType::L8)
        .unwrap();
    let length = u32::try_from(jpeg.len()).unwrap();
    let tags = grey((WIDTH, ROWS + 1), 7);
    let mut numbers: Vec<(u16, &[u32])> = tags.iter().map(|(tag, number)| (*tag, &number[..])).collect();
    let (offsets, lengths) = ([DATA, DATA], [length, length]);
    numbers.extend([(273, &offsets[..]), (278, &[ROWS][..]), (279, &lengths[..])]);
    let strip = decoded(WIDTH.into(), ROWS.into(), &jpeg).unwrap();
    let image = decoded(WIDTH.into(), (ROWS + 1).into(), &tiff(&jpeg, &numbers, &[])).unwrap();
    assert_eq!(image, [&strip[..], &strip[..WIDTH as usize * 3]].concat());
}

#[test]
fn tiles_that_are_mostly_beyond_the_image() {
    const WIDTH: u32 = 8000;
    let mut tile = ZlibEncoder::new(Vec::new(), Compression::best());
    tile.write_all(&vec![0; 16 * 65_000]).unwrap();
    let tile = tile.finish().unwrap();
    let tags = grey((WIDTH, 1), 8);
    let mut numbers: Vec<(u16, &[u32])> = tags.iter().map(|(tag, number)| (*tag, &number[..])).collect();
    let (offsets, lengths) = ([DATA; 500], [u32::try_from(tile.len()).unwrap(); 500]);
    numbers.extend([
        (322, &[16][..]),
        (323, &[65_000][..]),
        (324, &offsets[..]),
        (325, &lengths[..]),
    ]);
    // More bytes, or the tiles would share too many of them.
    let file = tiff(&[&tile[..], &vec![0; 100_000]].concat(), &numbers, &[]);
    let reason = decoded(WIDTH.into(), 1, &file).unwrap_err().to_string();
    assert!(reason.contains("its tiles are far larger than it is"), "{reason}");
}
