//! Decodes and, where a size is given, resizes the images that the lines of standard input name, for comparisons with
//! Pillow and torchvision. A line is `PATH` or `PATH WIDTH HEIGHT FILTER`, the filter as in `preprocessor_config.json`.
//! The answer to each is four bytes for the width and four for the height, little-endian, and the RGB pixels, or, in
//! place of both sizes, zeros. `--exif-transpose` turns the images upright, `--on-tensors` resizes as torchvision does.
#![allow(clippy::print_stderr)]

use std::io::{stdin, stdout, BufWriter, Write};
use std::{env, error, fs};

use spark_classify_imaging::{decode, resize, DecodeOptions, Resampling, RgbImage, Scratch};

fn main() -> Result<(), Box<dyn error::Error>> {
    let asked_for = |option: &str| env::args().any(|argument| argument == option);
    let on_tensors = asked_for("--on-tensors");
    let options = DecodeOptions {
        exif_transpose: asked_for("--exif-transpose"),
        ..DecodeOptions::default()
    };
    let mut scratch = Scratch::default();
    let mut output = BufWriter::new(stdout().lock());
    for line in stdin().lines() {
        let line = line?;
        let image = answer(&line, &options, on_tensors, &mut scratch).unwrap_or_else(|error| {
            eprintln!("{line}: {error}");
            RgbImage::default()
        });
        for side in [image.width, image.height] {
            output.write_all(&u32::try_from(side)?.to_le_bytes())?;
        }
        output.write_all(&image.pixels)?;
        output.flush()?;
    }
    Ok(())
}

fn answer(
    line: &str,
    options: &DecodeOptions,
    on_tensors: bool,
    scratch: &mut Scratch,
) -> Result<RgbImage, Box<dyn error::Error>> {
    let words: Vec<&str> = line.split(' ').collect();
    let image = decode(&fs::read(words[0])?, options, scratch)?.clone();
    let [_, width, height, filter] = words[..] else {
        return Ok(image);
    };
    let mut filter = Resampling::of_number(filter.parse()?).ok_or("no such filter")?;
    if on_tensors {
        filter = filter.on_tensors().ok_or("torchvision has no such filter")?;
    }
    Ok(resize(&image, (width.parse()?, height.parse()?), filter, scratch)?)
}
