//! Raw pixels: they are the image that a BMP of the same bytes is, and what contradicts itself is refused.

use spark_classify_imaging::{decode, DecodeOptions, ImageError, ImageLimits, Measure, RawPixels, RgbImage, Scratch};

/// A BMP whose rows begin at the top, like those of raw pixels; 4 channels are 32 bits a pixel.
fn bmp(pixels: RawPixels<'_>) -> Vec<u8> {
    let RawPixels {
        width,
        height,
        channels,
        bytes,
    } = pixels;
    let palette = if channels == 1 { 256 } else { 0 };
    let mut file = b"BM".to_vec();
    let mut put = |number: u32| file.extend(number.to_le_bytes());
    for number in [0, 0, 54 + 4 * palette, 40, width, height.wrapping_neg()] {
        put(number);
    }
    for number in [1 | (channels * 8) << 16, 0, 0, 0, 0, palette, 0] {
        put(number);
    }
    (0..palette).for_each(|grey| put(grey * 0x01_01_01));
    for row in bytes.chunks_exact((width * channels) as usize) {
        file.extend(row);
        file.resize(file.len() + row.len().next_multiple_of(4) - row.len(), 0xAA);
    }
    file
}

fn load(pixels: RawPixels<'_>, limits: ImageLimits) -> Result<RgbImage, ImageError> {
    let mut scratch = Scratch::default();
    let size = scratch.load(pixels, limits)?;
    let image = scratch.image();
    assert_eq!(size, (image.width, image.height));
    Ok(image.clone())
}

#[test]
fn pixels_are_the_image_of_a_bmp_with_the_same_bytes() {
    for channels in [1, 3, 4] {
        for (width, height) in [(1, 1), (1, 9), (7, 5), (8, 4), (258, 3)] {
            let bytes: Vec<u8> = (0..width * height * channels)
                .map(|index| (index * 37 + index / 199) as u8)
                .collect();
            let pixels = RawPixels {
                width,
                height,
                channels,
                bytes: &bytes,
            };
            let mut scratch = Scratch::default();
            let expected = decode(&bmp(pixels), &DecodeOptions::default(), &mut scratch)
                .unwrap()
                .clone();
            assert_eq!(
                load(pixels, ImageLimits::default()).unwrap(),
                expected,
                "{width} x {height}, {channels}"
            );
        }
    }
}

#[test]
fn blue_comes_first_and_alpha_does_not_count() {
    let one = |channels, bytes: &[u8]| {
        let pixels = RawPixels {
            width: 1,
            height: 1,
            channels,
            bytes,
        };
        load(pixels, ImageLimits::default()).unwrap().pixels
    };
    assert_eq!(one(1, &[7]), [7, 7, 7]);
    assert_eq!(one(3, &[1, 2, 3]), [3, 2, 1]);
    assert_eq!(one(4, &[1, 2, 3, 0]), [3, 2, 1]);
}

#[test]
fn pixels_that_contradict_themselves_are_refused() {
    let refusal = |width, height, channels, length| {
        let bytes = vec![0; length];
        let pixels = RawPixels {
            width,
            height,
            channels,
            bytes: &bytes,
        };
        let unlimited = ImageLimits {
            max_bytes: u64::MAX,
            max_pixels: u64::MAX,
            max_dimension: u32::MAX,
            max_memory: u64::MAX,
        };
        load(pixels, unlimited).unwrap_err().to_string()
    };
    assert_eq!(refusal(0, 2, 3, 0), "broken raw image: it has no pixels");
    assert_eq!(refusal(2, 0, 3, 0), "broken raw image: it has no pixels");
    assert_eq!(refusal(2, 2, 2, 8), "unsupported raw image: 2 channels");
    assert_eq!(refusal(2, 2, 0, 0), "unsupported raw image: 0 channels");
    for length in [0, 11, 13] {
        let expected = format!("broken raw image: {length} bytes are not 2 x 2 pixels of 3 channels");
        assert_eq!(refusal(2, 2, 3, length), expected);
    }
    let most = u32::MAX;
    assert_eq!(
        refusal(most, most, 4, 4),
        format!("broken raw image: 4 bytes are not {most} x {most} pixels of 4 channels")
    );
}

#[test]
fn pixels_keep_to_the_limits() {
    let limits = ImageLimits {
        max_bytes: 48,
        max_pixels: 16,
        max_dimension: 8,
        max_memory: 48,
    };
    let exceeded = |width: u32, height: u32, channels: u32| {
        let bytes = vec![0; (width * height * channels) as usize];
        match load(
            RawPixels {
                width,
                height,
                channels,
                bytes: &bytes,
            },
            limits,
        ) {
            Ok(_) => None,
            Err(ImageError::Limit { what, .. }) => Some(what),
            Err(other) => unreachable!("{other}"),
        }
    };
    assert_eq!(exceeded(4, 4, 3), None);
    assert_eq!(exceeded(4, 4, 4), Some(Measure::Bytes));
    assert_eq!(exceeded(9, 1, 1), Some(Measure::Width));
    assert_eq!(exceeded(1, 9, 1), Some(Measure::Height));
    assert_eq!(exceeded(8, 3, 1), Some(Measure::Pixels));
    let bytes = [0; 16];
    let pixels = RawPixels {
        width: 4,
        height: 4,
        channels: 1,
        bytes: &bytes,
    };
    let refused = load(
        pixels,
        ImageLimits {
            max_memory: 47,
            ..limits
        },
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "memory for decoding in bytes is 48, over the limit of 47"
    );
}
