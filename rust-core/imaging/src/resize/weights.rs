//! The fixed-point weights made of Pillow's filters (`precompute_coeffs` in its Resample.c), and of torch's
//! (`_compute_index_ranges_int16_weights` in its UpSampleKernel.cpp).
//!
//! torch's weights have 16 bits, and as many of them after the binary point as the largest weight of the axis leaves.
//! Moved up to where Pillow has its point they are convolved like Pillow's: sums, halves and shifts are all larger by
//! the same power of 2, so that the same bytes come out.

use std::ops::Range;
use std::sync::Arc;

use super::axis::Axis;
use super::filter::{Filter, Resampling};
use super::fixed::{LOWER_BITS, PRECISION_BITS};

/// What each output sample along one axis is made of.
#[derive(Debug)]
pub(crate) struct Weights {
    taps: Vec<Tap>,
    values: Vec<i32>,
    /// The same in two parts, with a zero before and after those of each output sample.
    upper: Vec<i16>,
    lower: Vec<i16>,
    /// The same in signed bytes, the lowest first, with three zeros before and after those of each output sample.
    bytes: [Vec<i8>; 3],
}

/// The weights of an output sample as upper * 2^[`LOWER_BITS`] + lower, with a zero before and after them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    upper: &'a [i16],
    lower: &'a [i16],
}

impl<'a> Parts<'a> {
    /// The weights in pairs, from the `skip`ped one on; the zeros count.
    pub(crate) fn pairs(self, skip: usize) -> (&'a [[i16; 2]], &'a [[i16; 2]]) {
        let pairs = |parts: &'a [i16]| parts[skip..].as_chunks().0;
        (pairs(self.upper), pairs(self.lower))
    }
}

/// The weights of an output sample as the sum of bytes\[n\] * 2^(8 n), with three zeros before and after them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>([&'a [i8]; 3]);

impl<'a> Bytes<'a> {
    /// The weights in fours, from the `skip`ped one on; the zeros count.
    pub(crate) fn fours(self, skip: usize) -> [&'a [[i8; 4]]; 3] {
        self.0.map(|bytes| bytes[skip..].as_chunks().0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Tap {
    /// The first input sample.
    first: usize,
    /// Where this output's weights begin in `values`; they end where the next one's begin.
    start: usize,
}

impl Weights {
    /// The weights of the output samples in the axis' window; where it is `mirrored`, those of the mirrored image, with
    /// the output samples from the last one to the first.
    fn new(resampling: Resampling, filter: Filter, axis: &Axis, mirrored: bool) -> Self {
        let windows = Windows::new(filter, axis);
        let precision = if resampling.is_torch() {
            windows.torch_precision(axis)
        } else {
            PRECISION_BITS
        };
        let mut taps = Vec::with_capacity(axis.window.len() + 1);
        let mut values = Vec::new();
        let mut exact = Vec::new();
        let Range { start, end } = axis.window;
        for index in 0..axis.window.len() {
            let output = if mirrored { end - 1 - index } else { start + index };
            let mut first = windows.weigh(output, &mut exact);
            if mirrored {
                first = axis.source - first - exact.len();
                exact.reverse();
            }
            taps.push(Tap {
                first,
                start: values.len(),
            });
            values.extend(exact.iter().map(|weight| to_fixed(*weight, precision)));
        }
        taps.push(Tap {
            first: 0,
            start: values.len(),
        });
        let mut weights = Self {
            taps,
            values,
            upper: Vec::new(),
            lower: Vec::new(),
            bytes: Default::default(),
        };
        weights.split();
        weights
    }

    /// Fills the parts and the bytes. The highest ones fit: weights have a sum of 1, and no filter has one above 1.9.
    fn split(&mut self) {
        let padded = self.values.len() + 2 * self.outputs();
        let (mut upper, mut lower) = (Vec::with_capacity(padded), Vec::with_capacity(padded));
        for (_, weights) in self.iter() {
            for weight in [0].iter().chain(weights).chain(&[0]) {
                upper.push((weight >> LOWER_BITS) as i16);
                lower.push((weight & ((1 << LOWER_BITS) - 1)) as i16);
            }
        }
        (self.upper, self.lower) = (upper, lower);
        let mut bytes = [const { Vec::new() }; 3];
        for (_, weights) in self.iter() {
            for weight in [0; 3].iter().chain(weights).chain(&[0; 3]) {
                let mut rest = *weight;
                for bytes in &mut bytes {
                    let low = rest as i8;
                    bytes.push(low);
                    rest = (rest - i32::from(low)) >> 8;
                }
            }
        }
        self.bytes = bytes;
    }

    /// For every output sample: its first input sample and its weights.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (usize, &[i32])> {
        self.taps
            .windows(2)
            .map(|pair| (pair[0].first, &self.values[pair[0].start..pair[1].start]))
    }

    /// For every output sample: its first input sample, and its weights in parts.
    pub(crate) fn iter_parts(&self) -> impl ExactSizeIterator<Item = (usize, Parts<'_>)> {
        self.taps.windows(2).enumerate().map(|(output, pair)| {
            let range = pair[0].start + 2 * output..pair[1].start + 2 * (output + 1);
            let parts = Parts {
                upper: &self.upper[range.clone()],
                lower: &self.lower[range],
            };
            (pair[0].first, parts)
        })
    }

    /// For every output sample: its first input sample, and its weights in bytes.
    pub(crate) fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (usize, Bytes<'_>)> {
        self.taps.windows(2).enumerate().map(|(output, pair)| {
            let range = pair[0].start + 6 * output..pair[1].start + 6 * (output + 1);
            (
                pair[0].first,
                Bytes(self.bytes.each_ref().map(|bytes| &bytes[range.clone()])),
            )
        })
    }

    /// The number of output samples.
    pub(crate) fn outputs(&self) -> usize {
        self.taps.len() - 1
    }

    /// The input samples that an output sample needs.
    pub(crate) fn window(&self, output: usize) -> Range<usize> {
        let (tap, next) = (self.taps[output], self.taps[output + 1]);
        tap.first..tap.first + next.start - tap.start
    }

    /// The most input samples that an output sample needs.
    pub(crate) fn widest(&self) -> usize {
        (0..self.outputs())
            .map(|output| self.window(output).len())
            .max()
            .unwrap_or(0)
    }

    /// The input samples that any output sample needs.
    pub(crate) fn inputs(&self) -> Range<usize> {
        let first = self.iter().map(|(first, _)| first).min().unwrap_or(0);
        let end = self
            .iter()
            .map(|(first, weights)| first + weights.len())
            .max()
            .unwrap_or(0);
        first..end
    }
}

/// Where the output samples of an axis lie among its input samples.
struct Windows {
    filter: Filter,
    source: usize,
    /// Input samples an output sample.
    scale: f64,
    support: f64,
    inverse: f64,
}

impl Windows {
    fn new(filter: Filter, axis: &Axis) -> Self {
        let scale = axis.source as f64 / axis.resized as f64;
        let filter_scale = scale.max(1.0);
        Self {
            filter,
            source: axis.source,
            scale,
            support: filter.support * filter_scale,
            inverse: 1.0 / filter_scale,
        }
    }

    /// Puts the weights of an output sample, whose sum is 1, into `exact`. Returns its first input sample.
    fn weigh(&self, output: usize, exact: &mut Vec<f64>) -> usize {
        let center = (output as f64 + 0.5) * self.scale;
        // Casts to an unsigned integer cut off the fraction and make negative values 0.
        let first = (center - self.support + 0.5) as usize;
        let end = ((center + self.support + 0.5) as usize).min(self.source);
        let distance = |input: usize| (input as f64 - center + 0.5) * self.inverse;
        exact.clear();
        exact.extend((first..end).map(|input| (self.filter.function)(distance(input))));
        let sum: f64 = exact.iter().sum();
        if sum != 0.0 {
            for weight in exact.iter_mut() {
                *weight /= sum;
            }
        }
        first
    }

    /// The bits that torch keeps after the binary point: so many that the largest weight of the whole axis, whatever
    /// the window is, has 15, but no more than Pillow.
    fn torch_precision(&self, axis: &Axis) -> u32 {
        let mut exact = Vec::new();
        let mut largest = 0.0_f64;
        for output in 0..axis.resized {
            self.weigh(output, &mut exact);
            largest = exact.iter().fold(largest, |largest, weight| largest.max(*weight));
        }
        let fits = |precision: &u32| largest * f64::from(1_u32 << precision) + 0.5 < f64::from(1_u32 << 15);
        (1..=PRECISION_BITS).take_while(fits).last().unwrap_or(0)
    }
}

/// A weight in Pillow's fixed point, rounded to `precision` bits after the binary point, half away from zero.
fn to_fixed(weight: f64, precision: u32) -> i32 {
    let scaled = weight * f64::from(1_u32 << precision);
    let rounded = (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32;
    rounded << (PRECISION_BITS - precision)
}

/// The weights of the sizes seen last: the images of a data set have few sizes, and weights take long to compute.
#[derive(Debug, Default)]
pub(crate) struct WeightsCache {
    /// The most recently used come last.
    entries: Vec<(Key, Arc<Weights>)>,
}

type Key = (Resampling, Axis, bool);

impl WeightsCache {
    const CAPACITY: usize = 16;
    /// Bytes. Those of an axis are some kilobytes, but megabytes where an image is as long as it may be.
    const MAX_KEPT: u64 = 4 << 20;

    /// The bytes that the weights of an axis take at most, while they are made: each is stored in four ways, in lists
    /// that double when they are full and are moved then, and has zeros beside it.
    pub(crate) fn memory(resampling: Resampling, axis: &Axis) -> u64 {
        const ONE: u64 = 32;
        const PADDING: u64 = 6;
        let Some(filter) = Filter::of(resampling).filter(|_| axis.source != axis.resized) else {
            return 0;
        };
        axis.window.len() as u64 * (widest(filter, axis) as u64 + PADDING) * ONE
    }

    /// The most input samples that an output sample of the axis may need; none where `get` gives no weights.
    pub(crate) fn widest(resampling: Resampling, axis: &Axis) -> usize {
        let filter = Filter::of(resampling).filter(|_| axis.source != axis.resized);
        filter.map_or(0, |filter| widest(filter, axis))
    }

    /// The weights of an axis, or of a `mirrored` one; `None` where it keeps its size, and for nearest neighbour.
    pub(crate) fn get(&mut self, resampling: Resampling, axis: &Axis, mirrored: bool) -> Option<Arc<Weights>> {
        if axis.source == axis.resized {
            return None;
        }
        let filter = Filter::of(resampling)?;
        let key = (resampling, axis.clone(), mirrored);
        let entry = if let Some(index) = self.entries.iter().position(|(known, _)| *known == key) {
            self.entries.remove(index)
        } else {
            if self.entries.len() == Self::CAPACITY {
                self.entries.remove(0);
            }
            (key, Arc::new(Weights::new(resampling, filter, axis, mirrored)))
        };
        let weights = Arc::clone(&entry.1);
        self.entries.push(entry);
        while self.entries.len() > 1 && self.kept() > Self::MAX_KEPT {
            self.entries.remove(0);
        }
        Some(weights)
    }

    fn kept(&self) -> u64 {
        let entries = self.entries.iter();
        entries
            .map(|((resampling, axis, _), _)| Self::memory(*resampling, axis))
            .sum()
    }
}

fn widest(filter: Filter, axis: &Axis) -> usize {
    let scale = (axis.source as f64 / axis.resized as f64).max(1.0);
    ((2.0 * filter.support * scale) as usize + 2).min(axis.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_bytes_add_up_to_the_weights() {
        let filters = [
            Resampling::Box,
            Resampling::Bilinear,
            Resampling::Hamming,
            Resampling::Bicubic,
            Resampling::Lanczos,
            Resampling::Mks2013,
            Resampling::Mks2021,
            Resampling::TorchBilinear,
            Resampling::TorchBicubic,
        ];
        for source in 1..60 {
            for resized in (1..300).filter(|resized| *resized != source) {
                let axis = Axis::whole(source, resized);
                let filters = filters.into_iter().filter_map(|it| Some((it, Filter::of(it)?)));
                for (resampling, filter) in filters {
                    let weights = Weights::new(resampling, filter, &axis, false);
                    assert!(weights.widest() <= WeightsCache::widest(resampling, &axis));
                    let together = weights.iter().zip(weights.iter_parts()).zip(weights.iter_bytes());
                    for (((_, values), (_, parts)), (_, Bytes([low, middle, high]))) in together {
                        for (at, value) in values.iter().enumerate() {
                            let (upper, lower) = (parts.upper[at + 1], parts.lower[at + 1]);
                            assert_eq!(*value, (i32::from(upper) << LOWER_BITS) + i32::from(lower));
                            let [low, middle, high] = [low, middle, high].map(|bytes| i32::from(bytes[at + 3]));
                            assert_eq!(*value, (high << 16) + (middle << 8) + low, "{source} to {resized}");
                        }
                    }
                }
            }
        }
    }
}
