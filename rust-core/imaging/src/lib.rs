//! Images with the bytes of Pillow: compressed bytes to RGB pixels, and those resized.
//!
//! Decoding gives what `Image.open(...).convert("RGB")` gives, resizing what `Image.resize` gives, for every format and
//! filter, to the last bit; what Pillow reads and this crate refuses stands in the modules of the formats. Some filters
//! give the bytes of torchvision's `resize` of 8-bit tensors instead ([`Resampling::on_tensors`]). Bad files end in an
//! [`ImageError`], whatever they hold: nothing is allocated beyond the limits of [`ImageLimits`], nothing panics.
//! [`Scratch::decode_resized`] does both in one go, so that a large photograph is never in memory as a whole.
//!
//! ```
//! use spark_classify_imaging::{decode, resize, DecodeOptions, ImageError, Resampling, Scratch};
//!
//! fn thumbnail(file: &[u8]) -> Result<Vec<u8>, ImageError> {
//!     let mut scratch = Scratch::default();
//!     let image = decode(file, &DecodeOptions::default(), &mut scratch)?.clone();
//!     Ok(resize(&image, (64, 48), Resampling::Lanczos, &mut scratch)?.pixels)
//! }
//! ```

mod decode;
mod error;
mod hash;
mod image;
mod options;
mod orientation;
mod resize;
mod resized;
mod scratch;
mod source;

pub use self::decode::EncodedImage;
pub use self::error::{ImageError, Measure};
pub use self::hash::ImageHash;
pub use self::image::RgbImage;
pub use self::options::{DecodeOptions, ImageLimits};
pub use self::resize::axis::Axis;
pub use self::resize::filter::Resampling;
pub use self::resize::instructions::InstructionSet;
pub use self::resize::view::View;
pub use self::resized::{Resized, Target};
pub use self::scratch::{decode, resize, Scratch};
pub use self::source::{ImageSource, RawPixels};
