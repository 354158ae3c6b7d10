//! Makes a thumbnail of an image file, as `Image.open(...).convert("RGB").resize(...)` does in Pillow.
//!
//! ```text
//! cargo run --release -p spark-classify-imaging --example thumbnail -- photo.jpg thumbnail.ppm 160
//! ```

use std::error::Error;
use std::{env, fs};

use spark_classify_imaging::{decode, resize, DecodeOptions, Resampling, Scratch};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to, width] = arguments.as_slice() else {
        return Err("usage: thumbnail IMAGE THUMBNAIL.ppm WIDTH".into());
    };
    let width: usize = width.parse()?;
    let options = DecodeOptions {
        exif_transpose: true,
        ..DecodeOptions::default()
    };
    // One for each thread, kept from image to image.
    let mut scratch = Scratch::default();
    let image = decode(&fs::read(from)?, &options, &mut scratch)?.clone();
    let height = (image.height * width / image.width).max(1);
    let thumbnail = resize(&image, (width.max(1), height), Resampling::Lanczos, &mut scratch)?;
    let mut file = format!("P6 {} {} 255\n", thumbnail.width, thumbnail.height).into_bytes();
    file.extend_from_slice(&thumbnail.pixels);
    Ok(fs::write(to, file)?)
}
