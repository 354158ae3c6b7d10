//! Files on the edge of what is accepted, and limits.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Cursor;

use common::{decoded, odd_image, plain_png, samples, sha256};
use image::{ExtendedColorType, ImageEncoder};
use spark_classify_core::{ImageError, ImageLimits};

fn refusal(image: &[u8]) -> String {
    decoded(8, 8, image).unwrap_err().to_string()
}

#[test]
fn refusals_name_the_format_and_the_reason() {
    assert_eq!(refusal(b""), "the file is empty");
    assert_eq!(
        refusal(&odd_image("text.png")),
        "not an image of a supported format (JPEG, PNG)"
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
    assert!(refusal(&odd_image("bad_crc.png")).starts_with("broken PNG image: "));
    assert_eq!(
        refusal(&odd_image("huge.png")),
        "size in pixels is 3600000000, over the limit of 178956970"
    );
}

#[test]
fn a_jpeg_or_png_cut_anywhere_is_truncated() {
    for name in [
        "baseline_420.jpg",
        "progressive_444.jpg",
        "restart.jpg",
        "cmyk.jpg",
        "interlaced.png",
        "palette.png",
    ] {
        let bytes = odd_image(name);
        // The last bytes hold no pixels: an end marker, checksums.
        for length in (8..bytes.len() - 40).step_by(13) {
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
    let crop = r#""do_resize": false, "do_center_crop": true, "crop_size": 4"#;
    let refusal = |limits, image: &[u8]| samples(crop, limits, image).unwrap_err();
    let png = plain_png(20, 10, [1, 2, 3]);
    let default = ImageLimits::default();
    let limit = |what, actual, limit| ImageError::Limit { what, actual, limit };
    for image in [png, odd_image("one_pixel.jpg")] {
        let max_bytes = image.len() as u64 - 1;
        let limits = ImageLimits { max_bytes, ..default };
        assert_eq!(
            refusal(limits, &image),
            limit("size in bytes", max_bytes + 1, max_bytes)
        );
    }
    for image in [plain_png(61, 47, [0; 3]), odd_image("baseline_420.jpg")] {
        let limits = ImageLimits {
            max_dimension: 60,
            ..default
        };
        assert_eq!(refusal(limits, &image), limit("width in pixels", 61, 60));
        let limits = ImageLimits {
            max_pixels: 61 * 47 - 1,
            ..default
        };
        assert_eq!(refusal(limits, &image), limit("size in pixels", 61 * 47, 61 * 47 - 1));
        let limits = ImageLimits {
            max_pixels: 61 * 47,
            max_dimension: 61,
            max_bytes: image.len() as u64,
        };
        assert!(samples(crop, limits, &image).is_ok());
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

#[test]
fn a_jpeg_with_endless_scans_is_refused() {
    let bytes = odd_image("progressive_444.jpg");
    let end = bytes.len() - 2;
    // The last scan once more and once more: each costs a pass over the whole image.
    let last = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let many = [&bytes[..end], &bytes[last..end].repeat(200), &bytes[end..]].concat();
    assert_eq!(refusal(&many), "broken JPEG image: more than 100 scans");
}
