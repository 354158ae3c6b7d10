//! Times decoding and resizing with this crate and with others, for `benchmarks/image_libraries.py`.
//!
//! A line of standard input is `decode LIBRARY PATH` or `resize LIBRARY INSTRUCTIONS PATH WIDTH HEIGHT FILTER`, where
//! the instructions are the vector instructions that may be used, one of those that the argument `instructions` prints.
//! The answer is the least time of a call in nanoseconds, the width and the height, four bytes each, little-endian, and
//! the RGB pixels. Calls are repeated for 50 ms. What is resized is always decoded by this crate.

use std::env::args;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::{stdin, stdout, Cursor, Write};
use std::time::{Duration, Instant};

use fast_image_resize as fir;
use image::imageops;
use spark_classify_imaging::{decode, resize, DecodeOptions, InstructionSet, Resampling, RgbImage, Scratch};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut scratch = Scratch::default();
    let mut output = stdout().lock();
    if args().nth(1).as_deref() == Some("instructions") {
        for set in InstructionSet::available() {
            writeln!(output, "{}", set.name())?;
        }
        return Ok(());
    }
    for line in stdin().lines() {
        let line = line?;
        let (time, image) = match line.split(' ').collect::<Vec<_>>()[..] {
            ["decode", library, path] => time_decode(library, &fs::read(path)?, &mut scratch)?,
            ["resize", library, instructions, path, width, height, filter] => {
                let image = decode(&fs::read(path)?, &DecodeOptions::default(), &mut scratch)?.clone();
                let size = (width.parse()?, height.parse()?);
                time_resize(library, instructions, &image, size, filter, &mut scratch)?
            }
            _ => return Err(format!("not a request: {line}").into()),
        };
        for number in [time.as_nanos(), image.width as u128, image.height as u128] {
            output.write_all(&u32::try_from(number)?.to_le_bytes())?;
        }
        output.write_all(&image.pixels)?;
        output.flush()?;
    }
    Ok(())
}

/// The least time of a call, and the result of the last one.
fn time<T>(mut call: impl FnMut() -> Result<T>) -> Result<(Duration, T)> {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    loop {
        let start = Instant::now();
        let result = black_box(call()?);
        least = least.min(start.elapsed());
        if begin.elapsed() > Duration::from_millis(50) {
            return Ok((least, result));
        }
    }
}

fn time_decode(library: &str, bytes: &[u8], scratch: &mut Scratch) -> Result<(Duration, RgbImage)> {
    match library {
        "ours" => {
            let options = DecodeOptions::default();
            let (least, ()) = time(|| Ok(decode(bytes, &options, scratch).map(|_| ())?))?;
            Ok((least, decode(bytes, &options, scratch)?.clone()))
        }
        "image" => {
            let (least, image) = time(|| Ok(image::load_from_memory(bytes)?.into_rgb8()))?;
            Ok((least, from_image(image)))
        }
        "zune-jpeg" => {
            let (least, (size, pixels)) = time(|| {
                let mut decoder = zune_jpeg::JpegDecoder::new(Cursor::new(bytes));
                let pixels = decoder.decode()?;
                Ok((decoder.dimensions(), pixels))
            })?;
            let (width, height) = size.ok_or("zune-jpeg knows no size")?;
            Ok((least, RgbImage { width, height, pixels }))
        }
        _ => Err(format!("no such library: {library}").into()),
    }
}

fn time_resize(
    library: &str,
    instructions: &str,
    image: &RgbImage,
    (width, height): (usize, usize),
    filter: &str,
    scratch: &mut Scratch,
) -> Result<(Duration, RgbImage)> {
    let (ours, fir_filter, imageops_filter) = match filter {
        "bilinear" => (
            Resampling::Bilinear,
            fir::FilterType::Bilinear,
            imageops::FilterType::Triangle,
        ),
        "bicubic" => (
            Resampling::Bicubic,
            fir::FilterType::CatmullRom,
            imageops::FilterType::CatmullRom,
        ),
        "lanczos" => (
            Resampling::Lanczos,
            fir::FilterType::Lanczos3,
            imageops::FilterType::Lanczos3,
        ),
        _ => return Err(format!("no such filter: {filter}").into()),
    };
    let (columns, rows) = (u32::try_from(width)?, u32::try_from(height)?);
    let source_size = (u32::try_from(image.width)?, u32::try_from(image.height)?);
    match library {
        "ours" => {
            scratch.use_instructions(our_instructions(instructions)?);
            time(|| Ok(resize(image, (width, height), ours, scratch)?))
        }
        "fast_image_resize" => {
            let source = fir::images::ImageRef::new(source_size.0, source_size.1, &image.pixels, fir::PixelType::U8x3)?;
            let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir_filter));
            let mut resizer = fir::Resizer::new();
            let extensions = fir_instructions(instructions);
            if !extensions.is_supported() {
                return Err(format!("this processor has no {instructions}").into());
            }
            #[allow(unsafe_code)]
            // SAFETY: the processor has them, asked above.
            unsafe {
                resizer.set_cpu_extensions(extensions);
            }
            let (least, output) = time(|| {
                let mut target = fir::images::Image::new(columns, rows, fir::PixelType::U8x3);
                resizer.resize(&source, &mut target, &options)?;
                Ok(target)
            })?;
            let pixels = output.into_vec();
            Ok((least, RgbImage { width, height, pixels }))
        }
        "image" => {
            let source = image::RgbImage::from_raw(source_size.0, source_size.1, image.pixels.clone())
                .ok_or("the pixels do not fill the image")?;
            let (least, output) = time(|| Ok(imageops::resize(&source, columns, rows, imageops_filter)))?;
            Ok((least, from_image(output)))
        }
        _ => Err(format!("no such library: {library}").into()),
    }
}

fn our_instructions(name: &str) -> Result<InstructionSet> {
    let mut available = InstructionSet::available().into_iter();
    let found = available.find(|set| set.name() == name);
    Ok(found.ok_or_else(|| format!("this processor has no instructions of the name {name}"))?)
}

/// The most that `fast_image_resize` has of these.
fn fir_instructions(name: &str) -> fir::CpuExtensions {
    match name {
        #[cfg(target_arch = "x86_64")]
        "avx2" | "avx512" => fir::CpuExtensions::Avx2,
        _ => fir::CpuExtensions::None,
    }
}

fn from_image(image: image::RgbImage) -> RgbImage {
    RgbImage {
        width: image.width() as usize,
        height: image.height() as usize,
        pixels: image.into_raw(),
    }
}
