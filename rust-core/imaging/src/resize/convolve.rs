//! The two passes of a resize, in Pillow's fixed-point arithmetic (its Resample.c).
//!
//! With AVX2 they run several times faster, with AVX-512 and its VNNI faster still; the results are the same, because
//! integers are added up in all ways.

use super::fixed::{clip, ROUNDING};
use super::view::View;
use super::weights::Weights;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::error::ImageError;
use crate::image::grow;

/// The pass along the rows. The weights count columns from a point `origin` columns left of the view.
pub(crate) fn resize_width<'a>(
    view: View<'_>,
    weights: &Weights,
    origin: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<View<'a>, ImageError> {
    let row_length = weights.outputs() * 3;
    let output = grow(buffer, view.height * row_length)?;
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has what `has_avx512` asks for.
        unsafe {
            avx512::resize_width(view, weights, origin, output);
        }
        return Ok(View::packed(output, row_length, view.height));
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, asked above.
        unsafe {
            avx2::resize_width(view, weights, origin, output);
        }
        return Ok(View::packed(output, row_length, view.height));
    }
    scalar::resize_width(view, weights, origin, output);
    Ok(View::packed(output, row_length, view.height))
}

/// The pass down the columns. The weights count rows from a point `origin` rows above the view.
pub(crate) fn resize_height<'a>(
    view: View<'_>,
    weights: &Weights,
    origin: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<View<'a>, ImageError> {
    let height = weights.outputs();
    let output = grow(buffer, height * view.row_length)?;
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has what `has_avx512` asks for.
        unsafe {
            avx512::resize_height(view, weights, origin, output);
        }
        return Ok(View::packed(output, view.row_length, height));
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, asked above.
        unsafe {
            avx2::resize_height(view, weights, origin, output);
        }
        return Ok(View::packed(output, view.row_length, height));
    }
    scalar::resize_height(view, weights, origin, output);
    Ok(View::packed(output, view.row_length, height))
}

/// Whether the processor has the instructions of `avx512`.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512vnni")
}

/// For processors without AVX2.
mod scalar {
    use super::{clip, View, Weights, ROUNDING};

    pub(crate) fn resize_width(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
        for (from, to) in view.rows().zip(output.chunks_exact_mut(weights.outputs() * 3)) {
            for ((first, weights), to) in weights.iter().zip(to.chunks_exact_mut(3)) {
                let from = &from[(first - origin) * 3..][..weights.len() * 3];
                let (mut red, mut green, mut blue) = (ROUNDING, ROUNDING, ROUNDING);
                for (pixel, weight) in from.chunks_exact(3).zip(weights) {
                    red += i32::from(pixel[0]) * weight;
                    green += i32::from(pixel[1]) * weight;
                    blue += i32::from(pixel[2]) * weight;
                }
                to.copy_from_slice(&[clip(red), clip(green), clip(blue)]);
            }
        }
    }

    /// Blocks of columns are short enough for their sums to stay in registers.
    pub(crate) fn resize_height(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
        const BLOCK: usize = 32;
        for ((first, weights), to) in weights.iter().zip(output.chunks_exact_mut(view.row_length)) {
            for (block, to) in to.chunks_mut(BLOCK).enumerate() {
                let mut sums = [ROUNDING; BLOCK];
                for (row, weight) in (first - origin..).zip(weights) {
                    let from = &view.row(row)[block * BLOCK..][..to.len()];
                    for (sum, sample) in sums.iter_mut().zip(from) {
                        *sum += i32::from(*sample) * weight;
                    }
                }
                for (sample, sum) in to.iter_mut().zip(sums) {
                    *sample = clip(sum);
                }
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use spark_classify_testing::Random;

    use super::super::axis::Axis;
    use super::super::filter::Resampling;
    use super::super::weights::WeightsCache;
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn all_ways_give_the_same_bytes() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        let mut random = Random::new(1);
        let mut cache = WeightsCache::default();
        let filters = [
            Resampling::Bilinear,
            Resampling::Bicubic,
            Resampling::Lanczos,
            Resampling::Mks2021,
            Resampling::TorchBilinear,
            Resampling::TorchBicubic,
        ];
        for round in 0..400 {
            // Some windows are wider than what a strip keeps.
            let (width, height) = (1 + random.below(90), 1 + random.below(90));
            let (width, height) = if round % 50 == 0 {
                (width * 40, 9)
            } else {
                (width, height)
            };
            let resized = 1 + random.below(120);
            let pixels: Vec<u8> = (0..width * height * 3)
                .map(|_| {
                    if round % 2 == 0 {
                        random.byte()
                    } else {
                        random.extreme()
                    }
                })
                .collect();
            let view = View::packed(&pixels, width * 3, height);
            let filter = filters[random.below(filters.len())];
            if let Some(weights) = cache.get(filter, &Axis::whole(width, resized)) {
                let (mut plain, mut fast) = (vec![1; resized * height * 3], vec![2; resized * height * 3]);
                scalar::resize_width(view, &weights, 0, &mut plain);
                // SAFETY: the processor has AVX2, asked above.
                unsafe { avx2::resize_width(view, &weights, 0, &mut fast) };
                assert!(plain == fast, "{width} x {height} to {resized} columns, {filter:?}");
                if has_avx512() {
                    fast.fill(2);
                    // SAFETY: the processor has what `has_avx512` asks for.
                    unsafe { avx512::resize_width(view, &weights, 0, &mut fast) };
                    assert!(
                        plain == fast,
                        "{width} x {height} to {resized} columns, {filter:?}, AVX-512"
                    );
                }
            }
            if let Some(weights) = cache.get(filter, &Axis::whole(height, resized)) {
                let (mut plain, mut fast) = (vec![1; resized * width * 3], vec![2; resized * width * 3]);
                scalar::resize_height(view, &weights, 0, &mut plain);
                // SAFETY: the processor has AVX2, asked above.
                unsafe { avx2::resize_height(view, &weights, 0, &mut fast) };
                assert!(plain == fast, "{width} x {height} to {resized} rows, {filter:?}");
                if has_avx512() {
                    fast.fill(2);
                    // SAFETY: the processor has what `has_avx512` asks for.
                    unsafe { avx512::resize_height(view, &weights, 0, &mut fast) };
                    assert!(
                        plain == fast,
                        "{width} x {height} to {resized} rows, {filter:?}, AVX-512"
                    );
                }
            }
        }
    }
}
