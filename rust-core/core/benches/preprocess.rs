//! From a file to the model's input.
//!
//! `make bench-core` measures on images of the committed dataset.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::Cursor;

use criterion::{criterion_group, criterion_main, Criterion};
use image::{imageops, ImageFormat};
use spark_classify_core::model::ModelDirectory;
use spark_classify_core::preprocess::Preprocessor;
use spark_classify_imaging::{DecodeOptions, Scratch};
use spark_classify_testing::{dataset_image, model_directory};

const JPEG: &str = "id_0063.jpg";
const PNG: &str = "id_0009.png";
const SIZE: usize = 128;

/// From a file to the model's input of 128 x 128 pixels: the whole way, with and without DCT scaling, and what comes
/// after decoding alone.
fn preprocessing(criterion: &mut Criterion) {
    let directory = model_directory(
        r#"{"size": {"height": 128, "width": 128}, "resample": 2, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}"#,
    );
    let model = ModelDirectory::open(directory.path()).unwrap();
    let mut scratch = Scratch::default();
    let mut group = criterion.benchmark_group("preprocess");
    for (name, file, fast) in [("jpeg", JPEG, false), ("jpeg-fast", JPEG, true), ("png", PNG, false)] {
        let options = DecodeOptions {
            fast,
            ..DecodeOptions::default()
        };
        let (bytes, preprocessor) = (dataset_image(file), Preprocessor::new(model.preprocessor(), options));
        let mut tensor = vec![0.0; preprocessor.tensor_len()];
        group.bench_function(name, |bencher| {
            bencher.iter(|| preprocessor.preprocess(&bytes, &mut tensor, &mut scratch).unwrap());
        });
    }
    // An image that has the model's size already is not resized.
    let mut small = Cursor::new(Vec::new());
    let image = image::load_from_memory(&dataset_image(JPEG)).unwrap().to_rgb8();
    let resized = imageops::resize(&image, SIZE as u32, SIZE as u32, imageops::FilterType::Triangle);
    resized.write_to(&mut small, ImageFormat::Bmp).unwrap();
    for (name, bytes) in [
        ("resize-and-normalize", dataset_image(JPEG)),
        ("normalize", small.into_inner()),
    ] {
        let preprocessor = Preprocessor::new(model.preprocessor(), DecodeOptions::default());
        let mut tensor = vec![0.0; preprocessor.tensor_len()];
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let once = |_| {
                    preprocessor
                        .preprocess(&bytes, &mut tensor, &mut scratch)
                        .unwrap()
                        .resize
                };
                (0..times).map(once).sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, preprocessing);
criterion_main!(benches);
