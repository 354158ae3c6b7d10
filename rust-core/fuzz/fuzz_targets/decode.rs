//! Any bytes as an image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spark_classify_imaging::{decode, DecodeOptions, ImageLimits, Scratch};

fuzz_target!(|bytes: &[u8]| {
    let options = DecodeOptions {
        limits: ImageLimits {
            max_bytes: 1 << 20,
            max_pixels: 1 << 20,
            max_dimension: 8192,
            max_memory: 64 << 20,
        },
        exif_transpose: true,
        fast: false,
    };
    let mut scratch = Scratch::default();
    if let Ok(image) = decode(bytes, &options, &mut scratch) {
        assert_eq!(image.pixels.len(), image.width * image.height * 3);
    }
});
