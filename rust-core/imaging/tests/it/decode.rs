//! Files on the edge of what is accepted, and limits.

use std::io::Cursor;

use crate::{decoded, refusal};
use image::{ExtendedColorType, ImageEncoder};
use spark_classify_imaging::{decode, ImageError, ImageLimits, Measure, Scratch};
use spark_classify_testing::{odd_image, plain_png, repository, sha256};

/// Why an image is refused with these limits.
fn refusal_within(limits: ImageLimits, image: &[u8]) -> ImageError {
    decode(image, &limits.into(), &mut Scratch::default()).unwrap_err()
}

#[test]
fn refusals_name_the_format_and_the_reason() {
    assert_eq!(refusal(b""), "the file is empty");
    assert_eq!(
        refusal(&odd_image("text.png")),
        "not an image of a supported format (JPEG, PNG, WebP, GIF, BMP, TIFF, DIB, AVIF, ICO, JPEG 2000, PNM, QOI): it is text"
    );
    assert_eq!(
        refusal(&odd_image("truncated.jpg")),
        "broken JPEG image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("truncated.png")),
        "broken PNG image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("header_only.jpg")),
        "broken JPEG image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("bad_crc.png")),
        "broken PNG image: the checksum of its IHDR chunk is wrong"
    );
    assert_eq!(
        refusal(&odd_image("truncated.bmp")),
        "broken BMP image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("truncated.webp")),
        "broken WebP image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("truncated.gif")),
        "broken GIF image: the file is truncated"
    );
    assert_eq!(
        refusal(&odd_image("words_444.bmp")),
        "unsupported BMP image: the bit masks [f00, f0, f], alpha 0"
    );
    assert_eq!(
        refusal(&odd_image("huge.png")),
        "size in pixels is 3600000000, over the limit of 178956970"
    );
}

#[test]
fn an_image_cut_anywhere_is_truncated() {
    for (name, not_needed) in [
        // What comes after the pixels: an end marker, checksums, metadata, another frame, where the next one would be.
        ("baseline_420.jpg", 40),
        ("progressive_444.jpg", 40),
        ("restart.jpg", 40),
        ("cmyk.jpg", 40),
        ("interlaced.png", 40),
        ("palette.png", 40),
        ("rgb.bmp", 0),
        ("rle_8.bmp", 4),
        ("words_565.bmp", 2),
        ("palette.gif", 8),
        ("grey.gif", 8),
        ("lossy.webp", 12),
        ("lossy_alpha.webp", 12),
        ("lossless.webp", 12),
        ("rgb.tiff", 0),
        ("lzw.tiff", 0),
        ("tiles.tiff", 0),
        ("jpeg.tiff", 0),
        ("group_4.tiff", 4),
    ] {
        let bytes = odd_image(name);
        for length in (16..bytes.len() - not_needed).step_by(13) {
            let error = decoded(8, 8, &bytes[..length]).unwrap_err();
            assert!(
                matches!(error, ImageError::Broken { .. }),
                "{name} cut to {length}: {error}"
            );
        }
    }
}

#[test]
fn stray_bytes_in_a_jpeg_are_only_a_warning() {
    let bytes = odd_image("baseline_420.jpg");
    let expected = decoded(61, 47, &bytes).unwrap();
    let end = bytes.len() - 2;
    let tables = bytes.windows(2).position(|pair| pair == [0xFF, 0xDB]).unwrap();
    let trailing = [&bytes[..], b"trailing"].concat();
    let before_end = [&bytes[..end], &[0, 1, 2], &bytes[end..]].concat();
    let in_header = [&bytes[..tables], &[0, 0], &bytes[tables..]].concat();
    for (name, bytes) in [
        ("trailing", trailing),
        ("before the end marker", before_end),
        ("in the header", in_header),
    ] {
        assert_eq!(decoded(61, 47, &bytes).unwrap(), expected, "{name}");
    }
}

#[test]
fn an_error_after_a_warning_is_still_an_error() {
    let bytes = odd_image("baseline_420.jpg");
    let tables = bytes.windows(2).position(|pair| pair == [0xFF, 0xDB]).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    let mut bytes = [&bytes[..tables], &[0, 0], &bytes[tables..]].concat();
    // A quantisation table that does not exist.
    bytes[frame + 2 + 12] = 3;
    let message = refusal(&bytes);
    assert_eq!(message, "broken JPEG image: Quantization table 0x03 was not defined");
}

#[test]
fn four_channels_with_adobes_transform_decode_as_in_pillow() {
    let mut bytes = odd_image("cmyk.jpg");
    let adobe = bytes.windows(5).position(|name| name == b"Adobe").unwrap();
    assert_eq!(bytes[adobe + 11], 0);
    // 2 says YCCK.
    bytes[adobe + 11] = 2;
    // hashlib.sha256(Image.open(...).convert("RGB").tobytes()) of the same bytes
    assert_eq!(
        sha256(&decoded(61, 47, &bytes).unwrap()),
        "3feda0b019e37ab745e21f9f6dd3602ee280f477f4bd842d39ec410c3022c841"
    );
}

#[test]
fn jpegs_of_other_bit_depths_are_not_supported() {
    let mut bytes = odd_image("baseline_420.jpg");
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 1] = 0xC1;
    bytes[frame + 4] = 12;
    assert_eq!(
        refusal(&bytes),
        "unsupported JPEG image: 12 bits a channel, only 8 are supported"
    );
}

/// A PNG of one row with 16 bits a sample.
fn wide_png(color: ExtendedColorType, samples: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
    let width = samples.len() as u32 / u32::from(color.channel_count());
    let mut file = Cursor::new(Vec::new());
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&bytes, width, 1, color)
        .unwrap();
    file.into_inner()
}

#[test]
fn sixteen_bits_lose_their_low_byte_except_in_grey_where_they_are_clipped() {
    let rgb = wide_png(ExtendedColorType::Rgb16, &[0x1234, 0x12FF, 0xFFFF, 0x80, 0x7F80, 0xFF]);
    assert_eq!(decoded(2, 1, &rgb).unwrap(), [18, 18, 255, 0, 127, 0]);
    let rgba = wide_png(ExtendedColorType::Rgba16, &[0x1234, 0x12FF, 0xFFFF, 0x80]);
    assert_eq!(decoded(1, 1, &rgba).unwrap(), [18, 18, 255]);
    let grey_alpha = wide_png(ExtendedColorType::La16, &[0x1234, 255, 0x80FF, 65535]);
    assert_eq!(decoded(2, 1, &grey_alpha).unwrap(), [18, 18, 18, 128, 128, 128]);
    let grey = wide_png(ExtendedColorType::L16, &[5, 255, 256, 65535]);
    let clipped = [5, 5, 5, 255, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(decoded(4, 1, &grey).unwrap(), clipped);
    // A transparent grey (5) changes nothing. The chunk's checksum is that of Python's zlib.crc32.
    let palette_position = grey.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let transparency = [0, 0, 0, 2, b't', b'R', b'N', b'S', 0, 5, 0x06, 0xF9, 0x39, 0xB7];
    let grey = [&grey[..palette_position], &transparency, &grey[palette_position..]].concat();
    assert_eq!(decoded(4, 1, &grey).unwrap(), clipped);
}

#[test]
fn limits_are_checked_before_decoding() {
    let png = plain_png(20, 10, [1, 2, 3]);
    let default = ImageLimits::default();
    let limit = |what, actual, limit| ImageError::Limit { what, actual, limit };
    for image in [png, odd_image("one_pixel.jpg")] {
        let max_bytes = image.len() as u64 - 1;
        let limits = ImageLimits { max_bytes, ..default };
        assert_eq!(
            refusal_within(limits, &image),
            limit(Measure::Bytes, max_bytes + 1, max_bytes)
        );
    }
    for (image, width, height) in [
        (plain_png(61, 47, [0; 3]), 61, 47),
        (odd_image("baseline_420.jpg"), 61, 47),
        (odd_image("lossy.webp"), 45, 38),
        (odd_image("lossless.webp"), 45, 38),
        (odd_image("offset.webp"), 65, 48),
        (odd_image("rgb.bmp"), 45, 38),
        (odd_image("offset.gif"), 80, 70),
        (odd_image("beyond.gif"), 48, 38),
        (odd_image("rgb.tiff"), 45, 38),
    ] {
        let limits = ImageLimits {
            max_dimension: width - 1,
            ..default
        };
        let (width, area) = (u64::from(width), u64::from(width) * height);
        assert_eq!(refusal_within(limits, &image), limit(Measure::Width, width, width - 1));
        let limits = ImageLimits {
            max_pixels: area - 1,
            ..default
        };
        assert_eq!(refusal_within(limits, &image), limit(Measure::Pixels, area, area - 1));
        let limits = ImageLimits {
            max_pixels: area,
            max_dimension: width as u32,
            max_bytes: image.len() as u64,
            ..default
        };
        assert!(spark_classify_imaging::decode(&image, &limits.into(), &mut Scratch::default()).is_ok());
    }
}

#[test]
fn a_jpeg_header_that_claims_a_giant_is_refused_at_once() {
    let mut bytes = odd_image("baseline_420.jpg");
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xF0, 0, 0xF0, 0]);
    assert_eq!(
        refusal(&bytes),
        "size in pixels is 3774873600, over the limit of 178956970"
    );
}

/// The last scan of a progressive JPEG so many times more: each costs a pass over the whole image.
fn with_more_scans(bytes: &[u8], count: usize) -> Vec<u8> {
    let end = bytes.len() - 2;
    let last = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    [&bytes[..end], &bytes[last..end].repeat(count), &bytes[end..]].concat()
}

#[test]
fn a_small_jpeg_may_have_many_scans() {
    let bytes = with_more_scans(&odd_image("progressive_444.jpg"), 200);
    // hashlib.sha256(Image.open(...).convert("RGB").tobytes()) of the same bytes
    assert_eq!(
        sha256(&decoded(61, 47, &bytes).unwrap()),
        "b1498391b6ad23bc07a60b4f67d2c86c24be6ace06bbba6eafda4453b9fb8be7"
    );
}

#[test]
fn a_large_jpeg_with_endless_scans_is_refused() {
    let mut bytes = odd_image("progressive_444.jpg");
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[8, 0, 8, 0]);
    assert_eq!(
        refusal(&with_more_scans(&bytes, 200)),
        "broken JPEG image: more than 100 scans"
    );
}

#[test]
fn a_png_with_a_wrong_checksum_within_its_pixels_is_refused() {
    let mut bytes = odd_image("rgba.png");
    let end = bytes.windows(4).position(|name| name == b"IEND").unwrap() - 8;
    bytes[end - 1] ^= 1;
    let message = refusal(&bytes);
    assert!(message.starts_with("broken PNG image: "), "{message}");
}

#[test]
fn compressions_that_only_libtiff_knows_are_refused() {
    let mut bytes = odd_image("rgb.tiff");
    let compression = [3, 1, 3, 0, 1, 0, 0, 0, 1, 0];
    let at = bytes.windows(10).position(|entry| entry == compression).unwrap();
    bytes[at + 8] = 6;
    assert_eq!(
        refusal(&bytes),
        "unsupported TIFF image: compression 6 (JPEG of the old kind); convert it, for example to Deflate"
    );
}

#[test]
fn formats_of_few_users_are_decoded_by_their_content() {
    let read = |path: &str| std::fs::read(repository("tests/cases/images").join(path)).unwrap();
    // The same picture as a PNG; an icon is a smaller one.
    let probe = decoded(90, 60, &read("probe.png")).unwrap();
    for name in ["cgbi.png", "dib.bmp", "ppm.jpg", "qoi.jpg"] {
        assert_eq!(decoded(90, 60, &read(name)).unwrap(), probe, "{name}");
    }
    // hashlib.sha256(Image.open(...).convert("RGB").tobytes())
    assert_eq!(
        sha256(&decoded(48, 32, &read("ico.jpg")).unwrap()),
        "ab318f1dcc93c82e17bc9ae2a1fb317a8ad2c3d208ed704da54cdd7067a380bd"
    );
}

#[test]
fn a_small_file_of_a_huge_image_takes_no_memory() {
    let huge = [8_000_u32.to_be_bytes(), 8_000_u32.to_be_bytes()].concat();
    let qoi = [&b"qoif"[..], &huge, &[3, 0, 0xFD, 0xFD]].concat();
    assert_eq!(refusal(&qoi), "broken QOI image: the file is truncated");
    for kind in 1..=6 {
        let pnm = format!("P{kind}\n8000 8000\n255\n0 0 0");
        assert_eq!(
            refusal(pnm.as_bytes()),
            "broken PNM image: the file is truncated",
            "P{kind}"
        );
    }
}

#[test]
fn limits_hold_for_the_formats_of_few_users() {
    let limits = ImageLimits {
        max_dimension: 89,
        ..ImageLimits::default()
    };
    for name in ["dib.bmp", "ppm.jpg", "qoi.jpg"] {
        let bytes = std::fs::read(repository("tests/cases/images").join(name)).unwrap();
        let error = refusal_within(limits, &bytes);
        let (what, actual, limit) = (Measure::Width, 90, 89);
        assert_eq!(error, ImageError::Limit { what, actual, limit }, "{name}");
    }
}

#[test]
fn a_small_jpeg_2000_of_endless_packets_is_refused() {
    // 65,535 layers of 1,024 precincts each: packets that have no byte in the file.
    let mut file = b"\xFF\x4F\xFF\x51\0\x29\0\0".to_vec();
    for number in [255_u32, 255, 0, 0, 255, 255, 0, 0] {
        file.extend_from_slice(&number.to_be_bytes());
    }
    file.extend_from_slice(b"\0\x01\x07\x01\x01\xFF\x52\0\x0D\x01\0\xFF\xFF\0\0\0\0\0\x01\x33\xFF\x5C\0\x04\x40\x40");
    file.extend_from_slice(b"\xFF\x90\0\x0A\0\0\0\0\0\x12\0\x01\xFF\x93\0\0\0\0\xFF\xD9");
    assert_eq!(
        refusal(&file),
        "broken JPEG 2000 image: it has more parts than a file of its length can have"
    );
}
