//! From images to their hashes, without a model.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Instant;

use spark_classify_imaging::{DecodeOptions, EncodedImage, ImageError, ImageHash, ImageSource, Scratch};

use super::images::{on_images, BatchTimes, Pool};
use crate::error::{PredictionError, Result};
use crate::preprocess::StageTimes;

/// Hashes the images of batches. One value is shared by all threads of a process.
pub struct Hasher {
    scratches: Pool<Scratch>,
}

/// The hashes of an image, or why it has none.
pub type HashResult = Result<ImageHash, PredictionError>;

impl Hasher {
    /// One that has no buffers yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { scratches: Pool::new() }
    }

    /// The hashes of images, in the same order, decoded at their full size whatever `options` say of that. A bad image
    /// does not disturb the others.
    ///
    /// The work is done on this thread and `threads - 1` helpers, which live as long as the call.
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) when one of the threads panicked.
    pub fn hash(
        &self,
        images: &[ImageSource<'_>],
        options: &DecodeOptions,
        threads: NonZeroUsize,
    ) -> Result<(Vec<HashResult>, BatchTimes)> {
        let mut results = vec![Err(ImageError::Empty.into()); images.len()];
        let work = images.iter().zip(&mut results);
        let times = on_images(
            &self.scratches,
            threads,
            images.len(),
            work,
            |(image, result), scratch| {
                let hashed = hash(*image, options, scratch);
                scratch.shrink();
                match hashed {
                    Ok((hash, stages)) => {
                        *result = Ok(hash);
                        Some(stages)
                    }
                    Err(error) => {
                        *result = Err(error.into());
                        None
                    }
                }
            },
        )?;
        Ok((results, times))
    }
}

fn hash(
    image: ImageSource<'_>,
    options: &DecodeOptions,
    scratch: &mut Scratch,
) -> Result<(ImageHash, StageTimes), ImageError> {
    let start = Instant::now();
    match image {
        ImageSource::File(bytes) => scratch.decode(EncodedImage::open(bytes, options)?, None)?,
        ImageSource::Pixels(pixels) => scratch.load(pixels, options.limits)?,
    };
    let decoded = Instant::now();
    let hash = scratch.image_hash(options.limits)?;
    let stages = StageTimes {
        decode: decoded - start,
        resize: decoded.elapsed(),
    };
    Ok((hash, stages))
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spark_classify_imaging::{ImageLimits, RawPixels};
    use spark_classify_testing::plain_png;

    use super::*;

    #[test]
    fn a_batch_is_hashed_in_its_order_by_any_number_of_threads() {
        let png = plain_png(9, 8, [90, 90, 90]);
        let pixels = RawPixels {
            width: 2,
            height: 1,
            channels: 1,
            bytes: &[0, 255],
        };
        let images: Vec<_> = (0..20)
            .map(|index| match index % 3 {
                0 => ImageSource::File(&png),
                1 => ImageSource::File(b""),
                _ => ImageSource::Pixels(pixels),
            })
            .collect();
        let hasher = Hasher::new();
        let options = DecodeOptions::default();
        let alone = hasher.hash(&images, &options, NonZeroUsize::MIN).unwrap().0;
        assert_eq!(alone[1], Err(ImageError::Empty.into()));
        assert!(alone[0].is_ok() && alone[0] != alone[2]);
        let threads = NonZeroUsize::new(3).unwrap();
        for _ in 0..3 {
            let (together, times) = hasher.hash(&images, &options, threads).unwrap();
            assert_eq!(together, alone);
            assert!(!times.decode.is_zero() && times.inference.is_zero());
        }
        let limits = ImageLimits {
            max_pixels: 1,
            ..ImageLimits::default()
        };
        let limited = hasher.hash(&images, &limits.into(), threads).unwrap().0;
        assert!(limited.iter().all(Result::is_err));
    }
}
