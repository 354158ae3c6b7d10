//! What making a thumbnail takes. In a process of its own, whose `malloc` counts.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, unsafe_code)]

use image::codecs::jpeg::JpegEncoder;
use image::ExtendedColorType;
use spark_classify_report::Thumbnails;

#[path = "../../imaging/tests/decode_memory/malloc.rs"]
mod malloc;

#[test]
fn a_photograph_is_never_in_memory_as_a_whole() {
    const MEGABYTE: u64 = 1_000_000;
    let (width, height) = (6000, 4000);
    // 72 MB.
    let pixels: Vec<u8> = (0..width * height)
        .flat_map(|at| [(at % width / 32) as u8, (at / width / 24) as u8, 90])
        .collect();
    let mut file = Vec::new();
    JpegEncoder::new(&mut file)
        .encode(&pixels, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    drop(pixels);
    let (thumbnail, most) = malloc::most_taken(|| Thumbnails::jpeg(&file));
    assert!(thumbnail.is_some());
    assert!(most < 20 * MEGABYTE, "{most} bytes");
}
