//! The fixed-point weights made of Pillow's filters (`precompute_coeffs` in its Resample.c), and of torch's
//! (`_compute_index_ranges_int16_weights` in its UpSampleKernel.cpp).
//!
//! torch's weights have 16 bits, and as many of them after the binary point as the largest weight of the axis leaves.
//! Moved up to where Pillow has its point they are convolved like Pillow's: sums, halves and shifts are all larger by
//! the same power of 2, so that the same bytes come out.

use std::ops::Range;
use std::sync::Arc;
#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

use super::axis::Axis;
#[cfg(target_arch = "x86_64")]
use super::bytes::{Bytes, SignedBytes};
use super::filter::{Filter, Resampling};
use super::fixed::PRECISION_BITS;
#[cfg(target_arch = "x86_64")]
use super::split::{Four, Pair, Split, Window};

/// Fours and pairs of weights that come in one run at most: a strip of rows has to keep their columns.
#[cfg(target_arch = "x86_64")]
pub(crate) const LONGEST_RUN_OF_FOURS: usize = 80;
#[cfg(target_arch = "x86_64")]
pub(crate) const LONGEST_RUN_OF_PAIRS: usize = 160;

/// What each output sample along one axis is made of.
#[derive(Debug)]
pub(crate) struct Weights {
    /// The input samples that any output sample needs.
    inputs: Range<usize>,
    taps: Vec<Tap>,
    values: Vec<i32>,
    /// The same as vector instructions want them, made when they first do.
    #[cfg(target_arch = "x86_64")]
    fours: OnceLock<Split<Four>>,
    #[cfg(target_arch = "x86_64")]
    pairs: OnceLock<Split<Pair>>,
    #[cfg(target_arch = "x86_64")]
    bytes: OnceLock<SignedBytes>,
}

#[derive(Debug, Clone, Copy)]
struct Tap {
    /// The first input sample, counted from the first that any output sample needs.
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
            inputs: 0..0,
            taps,
            values,
            #[cfg(target_arch = "x86_64")]
            fours: OnceLock::new(),
            #[cfg(target_arch = "x86_64")]
            pairs: OnceLock::new(),
            #[cfg(target_arch = "x86_64")]
            bytes: OnceLock::new(),
        };
        let start = weights.iter().map(|(first, _)| first).min().unwrap_or(0);
        let ends = weights.iter().map(|(first, weights)| first + weights.len());
        weights.inputs = start..ends.max().unwrap_or(start);
        for tap in &mut weights.taps[..axis.window.len()] {
            tap.first -= start;
        }
        weights
    }

    /// For every output sample: its first input sample and its weights.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (usize, &[i32])> {
        self.taps
            .windows(2)
            .map(|pair| (pair[0].first, &self.values[pair[0].start..pair[1].start]))
    }

    /// The weights in fours.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn fours(&self) -> &Split<Four> {
        self.fours.get_or_init(|| Split::new(self.iter(), LONGEST_RUN_OF_FOURS))
    }

    /// The weights in pairs.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn pairs(&self) -> &Split<Pair> {
        self.pairs.get_or_init(|| Split::new(self.iter(), LONGEST_RUN_OF_PAIRS))
    }

    /// The weights in bytes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn bytes(&self) -> &SignedBytes {
        self.bytes.get_or_init(|| SignedBytes::new(self.iter()))
    }

    /// The number of output samples.
    pub(crate) fn outputs(&self) -> usize {
        self.taps.len() - 1
    }

    /// The input samples that any output sample needs, by their numbers on the axis. The weights count them from the
    /// first one on.
    pub(crate) fn inputs(&self) -> Range<usize> {
        self.inputs.clone()
    }

    /// The input samples that an output sample needs, by their numbers on the axis.
    pub(crate) fn window(&self, output: usize) -> Range<usize> {
        let (tap, next) = (self.taps[output], self.taps[output + 1]);
        let first = self.inputs.start + tap.first;
        first..first + next.start - tap.start
    }

    /// The most input samples that an output sample needs.
    pub(crate) fn widest(&self) -> usize {
        (0..self.outputs())
            .map(|output| self.window(output).len())
            .max()
            .unwrap_or(0)
    }

    /// The weights of these output samples. They count input samples from the one with the number `first` on the axis,
    /// which is the first that they need or one before it.
    pub(crate) fn part(&self, outputs: Range<usize>, first: usize) -> Part<'_> {
        Part {
            weights: self,
            outputs,
            origin: first - self.inputs.start,
        }
    }
}

/// The weights of some successive output samples, for when no more input samples are at hand than these need.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    weights: &'a Weights,
    outputs: Range<usize>,
    /// The input sample from which the others are counted, itself counted from the first that any output sample needs.
    origin: usize,
}

impl<'a> Part<'a> {
    /// For every output sample: its first input sample and its weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &'a [i32])> {
        let origin = self.origin;
        self.of(self.weights.iter())
            .map(move |(first, weights)| (first - origin, weights))
    }

    /// The weights in pairs.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = Window<'a, Pair>> {
        let origin = self.origin;
        self.of(self.weights.pairs().windows())
            .map(move |window| window.counted_from(origin))
    }

    /// For every output sample: its first input sample, and its weights in bytes.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn bytes(&self) -> impl Iterator<Item = (usize, Bytes<'a>)> {
        let origin = self.origin;
        self.of(self.weights.bytes().iter())
            .map(move |(first, bytes)| (first - origin, bytes))
    }

    /// What is for these output samples among what is for all.
    fn of<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.outputs.start).take(self.outputs.len())
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

    /// The bytes that the weights of an axis take at most, while they are made: each is stored in up to four ways, some
    /// in lists that double when they are full and are moved then, and has zeros beside it.
    pub(crate) fn memory(resampling: Resampling, axis: &Axis) -> u64 {
        const ONE: u64 = 32;
        const PADDING: u64 = 8;
        match Self::widest(resampling, axis) {
            0 => 0,
            widest => axis.window.len() as u64 * (widest as u64 + PADDING) * ONE,
        }
    }

    /// The most input samples that an output sample of the axis may need; none where `get` gives no weights.
    pub(crate) fn widest(resampling: Resampling, axis: &Axis) -> usize {
        let filter = Filter::of(resampling).filter(|_| axis.source != axis.resized);
        filter.map_or(0, |filter| {
            let scale = (axis.source as f64 / axis.resized as f64).max(1.0);
            ((2.0 * filter.support * scale) as usize + 2).min(axis.source)
        })
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

#[cfg(test)]
mod tests {
    use super::super::filter::CONVOLVED;
    use super::*;

    #[test]
    fn no_window_is_wider_than_told_before() {
        let mut cache = WeightsCache::default();
        for source in 1..60 {
            for resized in (1..300).filter(|resized| *resized != source) {
                let axis = Axis::whole(source, resized);
                for filter in CONVOLVED {
                    let widest = cache.get(filter, &axis, false).map(|weights| weights.widest());
                    let told = WeightsCache::widest(filter, &axis);
                    assert!(
                        widest.is_some_and(|widest| widest <= told),
                        "{source} to {resized}, {filter:?}"
                    );
                }
            }
        }
    }
}
