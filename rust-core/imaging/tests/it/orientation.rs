//! Turning images upright.

use std::io::Write;

use base64::prelude::{Engine, BASE64_STANDARD};
use flate2::write::ZlibEncoder;
use flate2::Compression;
use image::{imageops, RgbImage};
use spark_classify_imaging::{decode, DecodeOptions, Scratch};
use spark_classify_testing::{golden, odd_image, sha256};

fn decoded(bytes: &[u8], exif_transpose: bool) -> RgbImage {
    let options = DecodeOptions {
        exif_transpose,
        ..DecodeOptions::default()
    };
    let mut scratch = Scratch::default();
    let image = decode(bytes, &options, &mut scratch).unwrap();
    RgbImage::from_raw(image.width as u32, image.height as u32, image.pixels.clone()).unwrap()
}

/// EXIF data with nothing but an orientation.
fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        [
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
            &[orientation][..],
            &[0; 6],
        ]
        .concat()
    } else {
        [
            b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0",
            &[orientation][..],
            &[0; 7],
        ]
        .concat()
    }
}

/// A JPEG with one more APP1 segment, after its first one.
fn with_segment(jpeg: &[u8], content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    let end = 4 + usize::from(u16::from_be_bytes([jpeg[4], jpeg[5]]));
    [&jpeg[..end], &[0xFF, 0xE1], &length, content, &jpeg[end..]].concat()
}

#[test]
fn every_golden_image_turns_as_in_pillow() {
    let golden = golden("images.json");
    let mut turned = 0;
    for (name, expected) in golden["images"].as_object().unwrap() {
        if expected.get("refused").is_some() {
            continue;
        }
        let upright = expected.get("upright").unwrap_or(expected);
        turned += usize::from(upright != expected);
        let actual = decoded(&odd_image(name), true);
        assert_eq!(u64::from(actual.width()), upright["width"], "{name}");
        assert_eq!(sha256(&actual), upright["rgb_sha256"], "{name}");
    }
    assert_eq!(turned, 5, "JPEG, PNG, WebP, XMP and compressed XMP");
}

#[test]
fn metadata_of_every_kind_turns_as_in_pillow() {
    let golden = golden("orientation.json");
    let mut wrong = Vec::new();
    let cases = golden["cases"].as_object().unwrap();
    for (name, case) in cases {
        let file = BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap();
        for (upright, expected) in [(false, &case["plain"]), (true, &case["upright"])] {
            let image = decoded(&file, upright);
            let size = (u64::from(image.width()), u64::from(image.height()));
            let as_in_pillow = (
                expected["width"].as_u64().unwrap(),
                expected["height"].as_u64().unwrap(),
            );
            if size != as_in_pillow || expected["sha256"] != sha256(&image) {
                wrong.push(format!("{name}, upright: {upright}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.len() > 300, "only {} cases", cases.len());
}

#[test]
fn every_orientation_turns_the_image_its_way() {
    let jpeg = odd_image("baseline_420.jpg");
    let image = decoded(&jpeg, false);
    for (orientation, expected) in [
        (0, image.clone()),
        (1, image.clone()),
        (2, imageops::flip_horizontal(&image)),
        (3, imageops::rotate180(&image)),
        (4, imageops::flip_vertical(&image)),
        (5, imageops::flip_horizontal(&imageops::rotate90(&image))),
        (6, imageops::rotate90(&image)),
        (7, imageops::flip_horizontal(&imageops::rotate270(&image))),
        (8, imageops::rotate270(&image)),
        (9, image.clone()),
    ] {
        for big_endian in [false, true] {
            let content = [b"Exif\0\0", &exif(orientation, big_endian)[..]].concat();
            let file = with_segment(&jpeg, &content);
            assert_eq!(
                decoded(&file, true),
                expected,
                "{orientation}, big-endian: {big_endian}"
            );
            assert_eq!(decoded(&file, false), image, "off, {orientation}");
        }
    }
}

#[test]
fn xmp_counts_only_where_exif_data_tells_no_orientation() {
    let jpeg = odd_image("xmp_rotated.jpg");
    let (image, turned) = (decoded(&jpeg, false), decoded(&jpeg, true));
    assert_ne!(image, turned);
    for orientation in [0, 1, 9] {
        let content = [b"Exif\0\0", &exif(orientation, true)[..]].concat();
        assert_eq!(decoded(&with_segment(&jpeg, &content), true), image, "{orientation}");
    }
    let other_tag = [
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x13\0\x03\0\0\0\x01\0\x06",
        &[0; 6][..],
    ]
    .concat();
    assert_eq!(decoded(&with_segment(&jpeg, &other_tag), true), turned);
}

#[test]
fn broken_exif_data_changes_nothing() {
    let jpeg = odd_image("baseline_420.jpg");
    let image = decoded(&jpeg, false);
    let whole = [b"Exif\0\0", &exif(6, true)[..]].concat();
    for length in 0..whole.len() - 6 {
        assert_eq!(
            decoded(&with_segment(&jpeg, &whole[..length]), true),
            image,
            "{length} bytes"
        );
    }
}

#[test]
fn texts_of_a_png_count_together_also_where_they_are_of_no_use() {
    let png = odd_image("xmp_rotated.png");
    let (image, turned) = (decoded(&png, false), decoded(&png, true));
    assert_ne!(image, turned);
    let compressed = |length: usize| {
        let mut stream = ZlibEncoder::new(b"exif\0\0".to_vec(), Compression::fast());
        stream.write_all(&vec![0; length]).unwrap();
        stream.finish().unwrap()
    };
    let too_long = compressed((1 << 20) + 1);
    let mut broken = compressed(1 << 20);
    *broken.last_mut().unwrap() ^= 1;
    // They stand behind the header. Together they may have 64 MiB; of what is broken the half counts at least.
    for (name, text, count, looked_at) in [
        ("too long", &too_long, 63, true),
        ("too long", &too_long, 64, false),
        ("broken", &broken, 64, true),
        ("broken", &broken, 128, false),
    ] {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        let sum = crc32fast::hash(&[b"zTXt", &text[..]].concat()).to_be_bytes();
        let texts = [&length, &b"zTXt"[..], text, &sum].concat().repeat(count);
        let file = [&png[..33], &texts, &png[33..]].concat();
        let expected = if looked_at { &turned } else { &image };
        assert!(decoded(&file, true) == *expected, "{count} texts that are {name}");
    }
}

#[test]
fn the_switch_is_off_by_default() {
    assert!(!DecodeOptions::default().exif_transpose);
}
