//! What a caller can choose about decoding.

/// The largest images that are decoded. All are checked before the memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Compressed size in bytes; 256 MiB by default.
    pub max_bytes: u64,
    /// Width times height; by default 178,956,970, beyond which Pillow refuses an image as a decompression bomb.
    pub max_pixels: u64,
    /// Width and height in pixels; 65,500 by default, which is JPEG's own limit in libjpeg.
    pub max_dimension: u32,
    /// Bytes that decoding and resizing an image may take at a time, beyond its compressed bytes; 256 MiB by default,
    /// which one core has room for in what Spark adds to an executor's heap (384 MiB at least).
    pub max_memory: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_pixels: 178_956_970,
            max_dimension: 65_500,
            max_memory: 256 << 20,
        }
    }
}

/// What to do with an image's bytes, beyond Pillow's `Image.open(...).convert("RGB")`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The largest images that are decoded.
    pub limits: ImageLimits,
    /// Whether to turn images upright as their EXIF orientation says, like `ImageOps.exif_transpose`; off by default.
    /// TIFFs are turned always, because Pillow does so when it opens them.
    pub exif_transpose: bool,
    /// Whether a JPEG of much more pixels than the model needs may be decoded at a half, a quarter or an eighth of its
    /// size, like `Image.draft`: faster, but the pixels are no longer those of the whole image resized. Off by
    /// default.
    pub fast: bool,
}

impl From<ImageLimits> for DecodeOptions {
    fn from(limits: ImageLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }
}
