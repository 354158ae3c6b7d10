//! Decodes and resizes one file again and again, for `benchmarks/large_photos.py`.
//!
//! `classify-photos FILE SIDE SECONDS exact|fast|whole` makes a square of SIDE pixels of the upright image, bilinear,
//! strip by strip but for `whole`. It writes a line of JSON: the images and the seconds that they took, how many of
//! these went into decoding, the bytes of RAM that the process had at most beyond what it had with the file read, and
//! the checksum of the pixels.

use std::error::Error;
use std::io::{stdout, Write};
use std::time::Instant;
use std::{env, fs};

use spark_classify_imaging::{
    Axis, DecodeOptions, EncodedImage, ImageLimits, ImageSource, Resampling, Scratch, Target,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, side, seconds, mode] = &arguments[..] else {
        return Err("usage: classify-photos FILE SIDE SECONDS exact|fast|whole".into());
    };
    let (side, seconds): (usize, f64) = (side.parse()?, seconds.parse()?);
    let options = DecodeOptions {
        limits: ImageLimits {
            max_memory: 1 << 30,
            ..ImageLimits::default()
        },
        exif_transpose: true,
        fast: mode == "fast",
    };
    let target = |width, height| Target {
        resampling: Resampling::Bilinear,
        y: Axis::whole(height, side),
        x: Axis::whole(width, side),
        grey: false,
    };
    let file = fs::read(path)?;
    let mut scratch = Scratch::default();
    let before = kilobytes("VmRSS")?;
    let (mut images, mut sum, mut decoding) = (0_u32, 0, 0.0);
    let start = Instant::now();
    while images == 0 || start.elapsed().as_secs_f64() < seconds {
        let begin = Instant::now();
        if mode == "whole" {
            scratch.decode(EncodedImage::open(&file, &options)?, None)?;
            decoding += begin.elapsed().as_secs_f64();
            let Target { resampling, y, x, .. } = target(scratch.image().width, scratch.image().height);
            sum = checksum(scratch.resize(resampling, (&y, &x), options.limits)?.rows().flatten());
        } else {
            let resized = scratch.decode_resized(ImageSource::File(&file), &options, target)?;
            decoding += resized.decoding.as_secs_f64();
            sum = checksum(resized.view.rows().flatten());
        }
        scratch.shrink();
        images += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let peak = (kilobytes("VmHWM")? - before) * 1024;
    writeln!(
        stdout(),
        "{{\"images\": {images}, \"seconds\": {elapsed}, \"decoding\": {decoding}, \"peak\": {peak}, \"checksum\": {sum}}}"
    )?;
    Ok(())
}

/// A number of `/proc/self/status`.
fn kilobytes(name: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("Linux alone tells what a process has in RAM")?.parse()?)
}

/// Adler-32, which Python's zlib has, too.
fn checksum<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let (a, b) = bytes.fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}
