//! Hashes of what an image looks like, with the bits of the Python package `imagehash` 4.3.2.

use std::f64::consts::PI;

use crate::error::ImageError;
use crate::options::ImageLimits;
use crate::resize::axis::Axis;
use crate::resize::filter::Resampling;
use crate::scratch::Scratch;

/// The sides of the grey image that the cosine transform is of.
const SIDE: usize = 32;
/// The sides of what is kept of it, the lowest frequencies, and of the hashes themselves.
const HASH_SIDE: usize = 8;

/// Two hashes of 64 bits. Images that are alike have hashes that differ in few bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageHash {
    /// `imagehash.phash(image)`: which of the lowest 8 x 8 frequencies of the image are above their median.
    pub phash: u64,
    /// `imagehash.dhash(image)`: which of 8 x 8 pixels are brighter than their left neighbour.
    pub dhash: u64,
}

impl Scratch {
    /// The hashes of the image that was decoded last, which is made grey for it.
    ///
    /// As in the package, bits stand row by row from the top, the first one highest. The grey levels are those of the
    /// RGB pixels. Those that Pillow makes of the file are the same, but for two kinds: of a TIFF that it opens in
    /// `YCbCr` or `CIELab` they may differ by one, and so a bit; and of a grey GIF with a palette it takes the numbers
    /// of the palette's entries, not their colours.
    ///
    /// # Errors
    /// [`ImageError::Limit`] for the memory, [`ImageError::OutOfMemory`].
    pub fn image_hash(&mut self, limits: ImageLimits) -> Result<ImageHash, ImageError> {
        self.make_grey();
        let phash = phash(&self.greys::<SIDE, SIDE>(limits)?);
        let dhash = dhash(&self.greys::<{ HASH_SIDE + 1 }, HASH_SIDE>(limits)?);
        Ok(ImageHash { phash, dhash })
    }

    /// The levels of the image, which must be grey, in so many columns and rows.
    fn greys<const WIDTH: usize, const HEIGHT: usize>(
        &mut self,
        limits: ImageLimits,
    ) -> Result<[[u8; WIDTH]; HEIGHT], ImageError> {
        let (y, x) = (
            Axis::whole(self.image().height, HEIGHT),
            Axis::whole(self.image().width, WIDTH),
        );
        let view = self.resize(Resampling::Lanczos, (&y, &x), limits)?;
        let mut greys = [[0; WIDTH]; HEIGHT];
        for (row, from) in greys.iter_mut().zip(view.rows()) {
            for (grey, pixel) in row.iter_mut().zip(from.chunks_exact(3)) {
                *grey = pixel[0];
            }
        }
        Ok(greys)
    }
}

fn phash(greys: &[[u8; SIDE]; SIDE]) -> u64 {
    // The columns come first: in another order the numbers are rounded otherwise.
    let columns: [[f64; SIDE]; SIDE] =
        std::array::from_fn(|x| cosine_transform(std::array::from_fn(|y| f64::from(greys[y][x]))));
    let low: [[f64; SIDE]; HASH_SIDE] =
        std::array::from_fn(|y| cosine_transform(std::array::from_fn(|x| columns[x][y])));
    let low = low.iter().flat_map(|row| &row[..HASH_SIDE]).copied();
    let mut sorted: Vec<f64> = low.clone().collect();
    sorted.sort_by(f64::total_cmp);
    let median = f64::midpoint(sorted[sorted.len() / 2 - 1], sorted[sorted.len() / 2]);
    bits(low.map(|value| value > median))
}

fn dhash(greys: &[[u8; HASH_SIDE + 1]; HASH_SIDE]) -> u64 {
    bits(
        greys
            .iter()
            .flat_map(|row| row.windows(2))
            .map(|pair| pair[1] > pair[0]),
    )
}

fn bits(bits: impl Iterator<Item = bool>) -> u64 {
    bits.fold(0, |hash, bit| hash << 1 | u64::from(bit))
}

fn cosine_transform(mut values: [f64; SIDE]) -> [f64; SIDE] {
    transform(&mut values);
    values
}

/// The discrete cosine transform of type II, without normalisation, of a power of two of values, at most [`SIDE`]:
/// `y[k] = 2 * sum(x[n] * cos(pi * k * (2n + 1) / 2N))`.
///
/// Where an image is flat or symmetric, frequencies are exactly 0, and the median is among them. So rounding must leave
/// these at 0, as it does in `SciPy`: sums and differences of mirrored samples come first here, too.
fn transform(values: &mut [f64]) {
    let length = values.len();
    if length == 1 {
        values[0] *= 2.0;
        return;
    }
    let half = length / 2;
    let mut buffer = [0.0; SIDE];
    let (even, odd) = buffer[..length].split_at_mut(half);
    for n in 0..half {
        let (left, right) = (values[n], values[length - 1 - n]);
        even[n] = left + right;
        odd[n] = (left - right) * (2.0 * (PI * (2 * n + 1) as f64 / (2 * length) as f64).cos());
    }
    transform(even);
    transform(odd);
    let mut before = odd[0] / 2.0;
    for k in 0..half {
        values[2 * k] = even[k];
        if k > 0 {
            before = odd[k] - before;
        }
        values[2 * k + 1] = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_that_of_its_definition() {
        let values: [f64; SIDE] = std::array::from_fn(|n| f64::from((n * n * 37 % 256) as u8));
        let transformed = cosine_transform(values);
        for (k, actual) in transformed.iter().enumerate() {
            let terms = values
                .iter()
                .enumerate()
                .map(|(n, value)| value * (PI * (k * (2 * n + 1)) as f64 / (2 * SIDE) as f64).cos());
            let expected = 2.0 * terms.sum::<f64>();
            assert!((actual - expected).abs() < 1e-9, "{k}: {actual} is not {expected}");
        }
    }

    #[test]
    fn a_flat_image_has_no_frequency_but_the_mean() {
        for level in [0, 1, 77, 255] {
            let expected = if level == 0 { 0 } else { 1 << 63 };
            assert_eq!(phash(&[[level; SIDE]; SIDE]), expected, "{level}");
            assert_eq!(dhash(&[[level; HASH_SIDE + 1]; HASH_SIDE]), 0);
        }
    }
}
