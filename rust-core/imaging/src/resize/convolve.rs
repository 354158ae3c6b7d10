//! The two passes of a resize, in Pillow's fixed-point arithmetic (its Resample.c).
//!
//! With AVX2 they run several times faster, with AVX-512 and its VNNI faster still; the results are the same,
//! because integers are added up in all ways.

use super::fixed::{clip, ROUNDING};
use super::instructions::{InstructionSet, Kind};
use super::view::View;
use super::weights::{Part, Weights};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// The pass along the rows, into `output`. The view has the columns that the weights need.
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, instructions: InstructionSet, output: &mut [u8]) {
    match instructions.kind() {
        Kind::Plain => scalar::resize_width(view, weights, output),
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, or there would be no such value.
        Kind::Avx2 => unsafe { avx2::resize_width(view, weights, output) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX-512 and its VNNI, or there would be no such value.
        Kind::Avx512 => unsafe { avx512::resize_width(view, weights, output) },
    }
}

/// The pass down the columns, into `output`. The view has the rows that the weights need.
pub(crate) fn resize_height(view: View<'_>, weights: &Part<'_>, instructions: InstructionSet, output: &mut [u8]) {
    match instructions.kind() {
        Kind::Plain => scalar::resize_height(view, weights, output),
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX2, or there would be no such value.
        Kind::Avx2 => unsafe { avx2::resize_height(view, weights, output) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        // SAFETY: the processor has AVX-512 and its VNNI, or there would be no such value.
        Kind::Avx512 => unsafe { avx512::resize_height(view, weights, output) },
    }
}

/// For processors of other kinds, and what the others are compared with.
mod scalar {
    use super::{clip, Part, View, Weights, ROUNDING};

    pub(crate) fn resize_width(view: View<'_>, weights: &Weights, output: &mut [u8]) {
        for (from, to) in view.rows().zip(output.chunks_exact_mut(weights.outputs() * 3)) {
            for ((first, weights), to) in weights.iter().zip(to.chunks_exact_mut(3)) {
                let from = &from[first * 3..][..weights.len() * 3];
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
    pub(crate) fn resize_height(view: View<'_>, weights: &Part<'_>, output: &mut [u8]) {
        const BLOCK: usize = 32;
        for ((first, weights), to) in weights.iter().zip(output.chunks_exact_mut(view.row_length)) {
            for (block, to) in to.chunks_mut(BLOCK).enumerate() {
                let mut sums = [ROUNDING; BLOCK];
                for (row, weight) in (first..).zip(weights) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spark_classify_testing::Random;

    use super::super::axis::Axis;
    use super::super::filter::CONVOLVED;
    use super::super::weights::WeightsCache;
    use super::*;

    #[test]
    fn all_ways_give_the_same_bytes() {
        let ways = &InstructionSet::available()[1..];
        let mut random = Random::new(1);
        let mut cache = WeightsCache::default();
        for round in 0..450 {
            // Some windows are wider than what a strip keeps.
            let (width, height) = (1 + random.below(90), 1 + random.below(90));
            let (width, height) = if round % 50 == 0 {
                (width * 40, 9)
            } else {
                (width, height)
            };
            let resized = 1 + random.below(120);
            let pixels: Vec<u8> = (0..width * height * 3)
                .map(|_| match round % 3 {
                    0 => random.byte(),
                    1 => random.extreme(),
                    _ => 255,
                })
                .collect();
            let view = View::packed(&pixels, width * 3, height);
            let filter = CONVOLVED[random.below(CONVOLVED.len())];
            if let Some(weights) = cache.get(filter, &Axis::whole(width, resized), false) {
                let view = view.crop(&(0..height), &weights.inputs());
                let (mut plain, mut fast) = (vec![1; resized * height * 3], vec![2; resized * height * 3]);
                resize_width(view, &weights, InstructionSet::PLAIN, &mut plain);
                for way in ways {
                    fast.fill(2);
                    resize_width(view, &weights, *way, &mut fast);
                    assert!(
                        plain == fast,
                        "{width} x {height} to {resized} columns, {filter:?}, {way:?}"
                    );
                }
            }
            if let Some(weights) = cache.get(filter, &Axis::whole(height, resized), false) {
                let (mut plain, mut fast) = (vec![1; resized * width * 3], vec![2; resized * width * 3]);
                let inputs = weights.inputs();
                let whole = view.crop(&inputs, &(0..width));
                let all = weights.part(0..resized, inputs.start);
                resize_height(whole, &all, InstructionSet::PLAIN, &mut plain);
                // Some of the rows, made of those that they need, or of some more above and below.
                let start = random.below(resized);
                let outputs = start..start + 1 + random.below(resized - start);
                let (first, last) = (weights.window(outputs.start), weights.window(outputs.end - 1));
                let above = random.below(first.start - inputs.start + 1);
                let below = random.below(inputs.end - last.end + 1);
                let some = view.crop(&(first.start - above..last.end + below), &(0..width));
                let part = weights.part(outputs.clone(), first.start - above);
                let rows = outputs.start * width * 3..outputs.end * width * 3;
                for way in InstructionSet::available() {
                    fast.fill(2);
                    resize_height(whole, &all, way, &mut fast);
                    assert!(
                        plain == fast,
                        "{width} x {height} to {resized} rows, {filter:?}, {way:?}"
                    );
                    fast.fill(2);
                    resize_height(some, &part, way, &mut fast[rows.clone()]);
                    assert!(
                        plain[rows.clone()] == fast[rows.clone()],
                        "{width} x {height} to rows {outputs:?} of {resized}, {filter:?}, {way:?}"
                    );
                }
            }
        }
    }
}
