//! Any bytes as an image, which is decoded as a whole and resized, and in one go.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spark_classify_imaging::{decode, Axis, DecodeOptions, ImageLimits, ImageSource, Resampling, Scratch, Target};

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
    let axis = |source: usize| Axis { source, resized: 9, window: 2..8 };
    let target = |width, height| Target {
        resampling: Resampling::Bicubic,
        y: axis(height),
        x: axis(width),
        grey: false,
    };
    let mut scratch = Scratch::default();
    let whole = decode(bytes, &options, &mut scratch).map(|image| {
        assert_eq!(image.pixels.len(), image.width * image.height * 3);
        target(image.width, image.height)
    });
    let whole = whole.and_then(|Target { resampling, y, x, .. }| {
        let view = scratch.resize(resampling, (&y, &x), options.limits)?;
        Ok(view.rows().flatten().copied().collect::<Vec<u8>>())
    });
    let in_strips = Scratch::default()
        .decode_resized(ImageSource::File(bytes), &options, target)
        .map(|resized| resized.view.rows().flatten().copied().collect::<Vec<u8>>());
    // What takes too much memory as a whole need not in strips.
    if whole.is_ok() {
        assert_eq!(whole, in_strips);
    }
});
