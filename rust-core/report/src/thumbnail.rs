//! Small pictures of the images that a report shows.

use std::collections::HashMap;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use image::codecs::jpeg::JpegEncoder;
use image::ExtendedColorType;
use spark_classify_imaging::{Axis, DecodeOptions, ImageSource, Resampling, Scratch, Target};

/// No page has more thumbnails, so that it stays a few megabytes large.
pub const MAX_THUMBNAILS: usize = 200;
/// Pixels of a thumbnail's longer side, at most.
pub const THUMBNAIL_SIZE: usize = 160;
const JPEG_QUALITY: u8 = 80;

/// Thumbnails by the paths of their images.
#[derive(Debug, Default)]
pub struct Thumbnails {
    jpegs: HashMap<String, String>,
}

impl Thumbnails {
    /// Whether the image of this path has no thumbnail yet, and may have one.
    #[must_use]
    pub fn wants(&self, path: &str) -> bool {
        self.jpegs.len() < MAX_THUMBNAILS && !self.jpegs.contains_key(path)
    }

    /// Makes the thumbnail of an image file, upright. Returns whether it has one: what cannot be decoded has none,
    /// nor has any image after the first [`MAX_THUMBNAILS`].
    pub fn add(&mut self, path: &str, file: &[u8]) -> bool {
        if !self.wants(path) {
            return self.jpegs.contains_key(path);
        }
        let Some(jpeg) = Self::jpeg(file) else {
            return false;
        };
        self.insert(path, jpeg);
        true
    }

    /// Takes a thumbnail that [`Self::jpeg`] has made, if the image of this path may have one.
    pub fn insert(&mut self, path: &str, jpeg: String) {
        if self.wants(path) {
            self.jpegs.insert(path.to_owned(), jpeg);
        }
    }

    /// The thumbnail of an image file, upright, as a JPEG in base64; none for what cannot be decoded.
    #[must_use]
    pub fn jpeg(file: &[u8]) -> Option<String> {
        small_jpeg(file).map(|jpeg| STANDARD.encode(jpeg))
    }

    /// The JPEG of an image, in base64.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.jpegs.get(path).map(String::as_str)
    }
}

fn small_jpeg(file: &[u8]) -> Option<Vec<u8>> {
    let mut scratch = Scratch::default();
    let options = DecodeOptions {
        exif_transpose: true,
        // A thumbnail needs no more pixels than that.
        fast: true,
        ..DecodeOptions::default()
    };
    let resized = scratch.decode_resized(ImageSource::File(file), &options, small).ok()?;
    let Target { y, x, .. } = small(resized.size.0, resized.size.1);
    let pixels: Vec<u8> = resized.view.rows().flatten().copied().collect();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode(&pixels, x.resized as u32, y.resized as u32, ExtendedColorType::Rgb8)
        .ok()?;
    Some(jpeg)
}

/// The thumbnail of an image of this width and height.
fn small(width: usize, height: usize) -> Target {
    let longer = width.max(height);
    let axis = |pixels: usize| Axis::whole(pixels, (pixels * THUMBNAIL_SIZE.min(longer) / longer).max(1));
    Target {
        resampling: Resampling::Bilinear,
        y: axis(height),
        x: axis(width),
        grey: false,
    }
}
