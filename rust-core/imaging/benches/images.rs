//! Decoding of each format and resizing, next to the crates one would take otherwise, which do not give Pillow's bytes.
//!
//! `make bench-core` measures on images of the committed dataset.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::Cursor;

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion};
use fast_image_resize as fir;
use image::{imageops, ImageFormat};
use spark_classify_imaging::{decode, resize, DecodeOptions, Resampling, Scratch};
use spark_classify_testing::dataset_image;

const JPEG: &str = "id_0063.jpg";
const PNG: &str = "id_0009.png";
const SIZE: usize = 128;

/// An image of the dataset in another format.
fn converted(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = image::load_from_memory(&dataset_image(JPEG)).unwrap().to_rgb8();
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn decoding(criterion: &mut Criterion) {
    let options = DecodeOptions::default();
    let mut scratch = Scratch::default();
    let (jpeg, png) = (dataset_image(JPEG), dataset_image(PNG));
    let [webp, gif, bmp, tiff] =
        [ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff].map(converted);
    let mut group = criterion.benchmark_group("decode");
    for (format, bytes) in [
        ("jpeg", &jpeg),
        ("png", &png),
        ("webp", &webp),
        ("gif", &gif),
        ("bmp", &bmp),
        ("tiff", &tiff),
    ] {
        group.bench_function(BenchmarkId::new(format, "ours"), |bencher| {
            bencher.iter(|| decode(bytes, &options, &mut scratch).unwrap().pixels[0]);
        });
    }
    // The image crate decodes JPEGs with zune-jpeg, too.
    group.bench_function(BenchmarkId::new("jpeg", "zune-jpeg"), |bencher| {
        bencher.iter(|| zune_jpeg::JpegDecoder::new(Cursor::new(&jpeg)).decode().unwrap());
    });
    group.bench_function(BenchmarkId::new("png", "image"), |bencher| {
        bencher.iter(|| image::load_from_memory(&png).unwrap().to_rgb8());
    });
    group.finish();
}

fn resizing(criterion: &mut Criterion) {
    let mut scratch = Scratch::default();
    let source = decode(&dataset_image(JPEG), &DecodeOptions::default(), &mut scratch)
        .unwrap()
        .clone();
    let (width, height) = (source.width as u32, source.height as u32);
    let mut group = criterion.benchmark_group("resize");
    for (name, ours, theirs, imageops_filter) in [
        (
            "bilinear",
            Resampling::Bilinear,
            fir::FilterType::Bilinear,
            imageops::FilterType::Triangle,
        ),
        (
            "bicubic",
            Resampling::Bicubic,
            fir::FilterType::CatmullRom,
            imageops::FilterType::CatmullRom,
        ),
    ] {
        group.bench_function(BenchmarkId::new(name, "ours"), |bencher| {
            bencher.iter(|| resize(black_box(&source), (SIZE, SIZE), ours, &mut scratch).unwrap());
        });
        let image =
            fir::images::Image::from_vec_u8(width, height, source.pixels.clone(), fir::PixelType::U8x3).unwrap();
        let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(theirs));
        let mut resizer = fir::Resizer::new();
        let mut target = fir::images::Image::new(SIZE as u32, SIZE as u32, fir::PixelType::U8x3);
        group.bench_function(BenchmarkId::new(name, "fast_image_resize"), |bencher| {
            bencher.iter(|| resizer.resize(black_box(&image), &mut target, &options).unwrap());
        });
        let image = image::RgbImage::from_raw(width, height, source.pixels.clone()).unwrap();
        group.bench_function(BenchmarkId::new(name, "imageops"), |bencher| {
            bencher.iter(|| imageops::resize(black_box(&image), SIZE as u32, SIZE as u32, imageops_filter));
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, resizing);
criterion_main!(benches);
