//! The two passes of a resize, in Pillow's fixed-point arithmetic (its Resample.c).
//!
//! With AVX2 they run several times faster, with AVX-512 and its VNNI faster still; the results are the same, because
//! integers are added up in all ways.

use super::fixed::{clip, ROUNDING};
use super::view::View;
use super::weights::Weights;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// The pass along the rows, into `output`. The weights count columns from a point `origin` columns left of the view.
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has what `has_avx512` asks for.
        return unsafe { avx512::resize_width(view, weights, origin, output) };
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, asked above.
        return unsafe { avx2::resize_width(view, weights, origin, output) };
    }
    scalar::resize_width(view, weights, origin, output);
}

/// The pass down the columns, for the rows of the result from the one of number `from` on, as many as `output` has room
/// for. The weights count rows from a point `origin` rows above the view.
pub(crate) fn resize_height(view: View<'_>, weights: &Weights, from: usize, origin: usize, output: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        #[allow(unsafe_code)]
        // SAFETY: the processor has what `has_avx512` asks for.
        return unsafe { avx512::resize_height(view, weights, from, origin, output) };
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, asked above.
        return unsafe { avx2::resize_height(view, weights, from, origin, output) };
    }
    scalar::resize_height(view, weights, from, origin, output);
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
    pub(crate) fn resize_height(view: View<'_>, weights: &Weights, from: usize, origin: usize, output: &mut [u8]) {
        const BLOCK: usize = 32;
        let rows = output.chunks_exact_mut(view.row_length);
        for ((first, weights), to) in weights.iter().skip(from).zip(rows) {
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
            if let Some(weights) = cache.get(filter, &Axis::whole(width, resized), false) {
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
            if let Some(weights) = cache.get(filter, &Axis::whole(height, resized), false) {
                let from = random.below(resized);
                let length = (resized - from) * width * 3;
                let (mut plain, mut fast) = (vec![1; length], vec![2; length]);
                scalar::resize_height(view, &weights, from, 0, &mut plain);
                // SAFETY: the processor has AVX2, asked above.
                unsafe { avx2::resize_height(view, &weights, from, 0, &mut fast) };
                assert!(plain == fast, "{width} x {height} to {resized} rows, {filter:?}");
                if has_avx512() {
                    fast.fill(2);
                    // SAFETY: the processor has what `has_avx512` asks for.
                    unsafe { avx512::resize_height(view, &weights, from, 0, &mut fast) };
                    assert!(
                        plain == fast,
                        "{width} x {height} to {resized} rows, {filter:?}, AVX-512"
                    );
                }
            }
        }
    }
}
