//! Weights in two parts, for vector instructions that multiply 16-bit numbers and have none for more.
//!
//! A weight is upper * factor + lower. The factor is as small as the 16 bits of the upper part allow for the largest
//! weight of the window, so that the lower parts are small numbers: at most 64 where an image grows, a few where it
//! shrinks. A sample times a lower part, and the sum of many of these, fit 16 bits.
//!
//! How many do is counted here: a sum of samples from 0 to 255 times lower parts lies between 255 times the negative
//! ones' sum and 255 times the positive ones'. Where the weights of a window exceed that, they are cut into runs, after
//! each of which the sums have to be widened. What overflows on the way is of no matter, since sums are taken modulo
//! 2^16. The same holds for the sum of the upper parts, modulo 2^32: the one that counts is sum * factor + lower sum,
//! which fits 32 bits, as Pillow's does.

use std::ops::Range;

use super::fixed::ROUNDING;

/// What the lower parts of a run that go into the same sum add up to at most, and the negative ones at least, so that
/// 255 times that and a start below a factor fit 16 bits.
const LIMITS: (i32, i32) = (127, -128);

/// Weights that are multiplied and added up in one step: their lower parts in pairs, each pair into a sum of its own.
pub(crate) trait Group: Copy {
    /// The number of weights.
    const SIZE: usize;
    /// Whether groups begin at multiples of their size, counted from the first input sample, or where a window begins.
    const ALIGNED: bool;
    /// What sums of lower parts begin with, above what rounding takes: half their range makes them unsigned.
    const BIAS: i32;

    fn set(&mut self, index: usize, upper: i16, lower: i8);
    const NONE: Self;
}

/// Two weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) upper: [i16; 2],
    /// Twice, for a place of 32 bits.
    pub(crate) lower: [i8; 4],
}

impl Group for Pair {
    const SIZE: usize = 2;
    const ALIGNED: bool = false;
    const BIAS: i32 = 1 << 15;
    const NONE: Self = Self {
        upper: [0; 2],
        lower: [0; 4],
    };

    fn set(&mut self, index: usize, upper: i16, lower: i8) {
        self.upper[index] = upper;
        self.lower[index] = lower;
        self.lower[index + 2] = lower;
    }
}

/// Four weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Four {
    /// The first and the third weight's.
    pub(crate) even: [i16; 2],
    /// The second and the fourth weight's.
    pub(crate) odd: [i16; 2],
    pub(crate) lower: [i8; 4],
}

impl Group for Four {
    const SIZE: usize = 4;
    const ALIGNED: bool = true;
    const BIAS: i32 = 0;
    const NONE: Self = Self {
        even: [0; 2],
        odd: [0; 2],
        lower: [0; 4],
    };

    fn set(&mut self, index: usize, upper: i16, lower: i8) {
        let uppers = if index.is_multiple_of(2) {
            &mut self.even
        } else {
            &mut self.odd
        };
        uppers[index / 2] = upper;
        self.lower[index] = lower;
    }
}

/// The weights of an axis in groups.
#[derive(Debug)]
pub(crate) struct Split<G> {
    windows: Vec<WindowHead>,
    runs: Vec<Run>,
    groups: Vec<G>,
}

#[derive(Debug)]
struct WindowHead {
    /// The first run, and where the others are, which few windows have.
    run: Run,
    more: Range<u32>,
    factor: i32,
    upper_start: i32,
    lower_start: [i16; 2],
}

#[derive(Debug)]
struct Run {
    /// The first input sample, in groups if they are aligned.
    first: u32,
    groups: Range<u32>,
}

/// Indices are half as long as they could be: the weights of an axis have to stay in the first-level cache.
fn as_indices(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// The weights of an output sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a, G> {
    split: &'a Split<G>,
    head: &'a WindowHead,
    /// The input sample from which the others are counted.
    origin: usize,
}

impl Window<'_, Pair> {
    /// The same with input samples that are counted from this one.
    pub(crate) fn counted_from(self, origin: usize) -> Self {
        Self { origin, ..self }
    }
}

impl<'a, G: Copy> Window<'a, G> {
    /// What the sum of upper parts is multiplied by.
    pub(crate) fn factor(&self) -> i32 {
        self.head.factor
    }

    /// What the sum of the upper parts begins with; together with what the lower ones begin with it rounds the result.
    pub(crate) fn upper_start(&self) -> i32 {
        self.head.upper_start
    }

    /// What the first and the second sum of the lower parts begin with; [`Group::BIAS`] in the runs after the first.
    pub(crate) fn lower_start(&self) -> [i16; 2] {
        self.head.lower_start
    }

    /// The first input sample of each run, in groups if they are aligned, and its weights.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, &'a [G])> {
        std::iter::once(self.first_run()).chain(self.more_runs())
    }

    /// The first run.
    pub(crate) fn first_run(&self) -> (usize, &'a [G]) {
        self.run(&self.head.run)
    }

    /// The others; there are none, with few exceptions.
    pub(crate) fn more_runs(&self) -> impl ExactSizeIterator<Item = (usize, &'a [G])> {
        let window = *self;
        self.split.runs[as_indices(&self.head.more)]
            .iter()
            .map(move |run| window.run(run))
    }

    fn run(&self, run: &Run) -> (usize, &'a [G]) {
        let groups = &self.split.groups[as_indices(&run.groups)];
        (run.first as usize - self.origin, groups)
    }
}

impl<G: Group> Split<G> {
    /// Splits the weights of every output sample, which come with their first input sample. Runs have no more than
    /// `longest` groups.
    pub(crate) fn new<'a>(weights: impl Iterator<Item = (usize, &'a [i32])>, longest: usize) -> Self {
        let mut split = Self {
            windows: Vec::with_capacity(weights.size_hint().0),
            runs: Vec::new(),
            groups: Vec::new(),
        };
        for (first, weights) in weights {
            split.push(first, weights, longest);
        }
        split
    }

    fn push(&mut self, first: usize, weights: &[i32], longest: usize) {
        let largest = weights.iter().map(|weight| weight.abs()).max().unwrap_or(0);
        // Weights have a sum of 1, and no filter has one above 1.9 in 22 bits: so a factor is at most 244.
        let factor = (largest + i32::from(i16::MAX) - 1) / i32::from(i16::MAX);
        let factor = factor.max(1);
        let first_run = self.runs.len();
        let mut sums = [(0, 0); 2];
        let mut run_start = None;
        for (index, weight) in weights.iter().enumerate() {
            let upper = (weight + (factor >> 1)).div_euclid(factor);
            let lower = weight - upper * factor;
            let place = if G::ALIGNED { first + index } else { index };
            let (group, place) = (place / G::SIZE, place % G::SIZE);
            let (most, least) = sums[place / 2];
            let next = (most + lower.max(0), least + lower.min(0));
            let start = match run_start {
                Some(start) if next.0 <= LIMITS.0 && next.1 >= LIMITS.1 && group - start < longest => {
                    sums[place / 2] = next;
                    start
                }
                _ => {
                    let at = self.groups.len() as u32;
                    let first = if G::ALIGNED { group } else { first + group * G::SIZE };
                    self.runs.push(Run {
                        first: first as u32,
                        groups: at..at,
                    });
                    run_start = Some(group);
                    sums = [(0, 0); 2];
                    sums[place / 2] = (lower.max(0), lower.min(0));
                    group
                }
            };
            if let Some(run) = self.runs.last_mut() {
                if as_indices(&run.groups).len() <= group - start {
                    self.groups.push(G::NONE);
                    run.groups.end += 1;
                }
            }
            if let Some(group) = self.groups.last_mut() {
                group.set(place, upper as i16, lower as i8);
            }
        }
        let run = if self.runs.len() > first_run {
            self.runs.remove(first_run)
        } else {
            Run { first: 0, groups: 0..0 }
        };
        let more = first_run as u32..self.runs.len() as u32;
        let start = ROUNDING - G::BIAS * (1 + more.len() as i32);
        let rest = start.rem_euclid(factor);
        let second = if G::SIZE == 2 { G::BIAS + rest } else { G::BIAS };
        self.windows.push(WindowHead {
            run,
            more,
            factor,
            upper_start: (start - rest) / factor,
            lower_start: [(G::BIAS + rest) as i16, second as i16],
        });
    }

    /// For every output sample its weights.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Window<'_, G>> {
        self.windows.iter().map(|head| self.window(head))
    }

    /// The same, `count` at a time.
    pub(crate) fn chunks(&self, count: usize) -> impl Iterator<Item = impl Iterator<Item = Window<'_, G>>> {
        let chunks = self.windows.chunks(count);
        chunks.map(|heads| heads.iter().map(|head| self.window(head)))
    }

    fn window<'a>(&'a self, head: &'a WindowHead) -> Window<'a, G> {
        Window {
            split: self,
            head,
            origin: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What vector instructions make of a window, with sums that wrap around and widen as theirs do.
    fn convolve<G: Group>(window: Window<'_, G>, samples: &[u8], of: impl Fn(&G, usize) -> (i16, i8)) -> i32 {
        let (mut upper_sum, mut lower_sum) = (window.upper_start(), 0_i32);
        let mut lowers = window.lower_start();
        for (first, groups) in window.runs() {
            let first = if G::ALIGNED { first * G::SIZE } else { first };
            for (index, group) in groups.iter().enumerate() {
                for place in 0..G::SIZE {
                    let sample = samples.get(first + index * G::SIZE + place).copied().unwrap_or(255);
                    let (upper, lower) = of(group, place);
                    upper_sum = upper_sum.wrapping_add(i32::from(upper) * i32::from(sample));
                    let lower = i32::from(lower) * i32::from(sample);
                    lowers[place / 2] = lowers[place / 2].wrapping_add(i16::try_from(lower).unwrap());
                }
            }
            for lower in lowers.iter().take(G::SIZE / 2) {
                lower_sum += if G::BIAS == 0 {
                    i32::from(*lower)
                } else {
                    i32::from(*lower as u16)
                };
            }
            lowers = [G::BIAS as i16; 2];
        }
        upper_sum.wrapping_mul(window.factor()).wrapping_add(lower_sum)
    }

    #[test]
    fn both_parts_together_give_the_sums_of_the_weights() {
        // Windows as filters have them: small ones, some with sums of lower parts that do not fit, and those of edges.
        let mut random = spark_classify_testing::Random::new(3);
        for round in 0..5000 {
            let count = 1 + random.below(if round % 7 == 0 { 400 } else { 12 });
            let size = [1 << 22, 1 << 20, 1 << 15, 7_900_000][round % 4] / if round % 7 == 0 { 30 } else { 1 };
            let weights: Vec<i32> = (0..count)
                .map(|_| random.below(size) as i32 - size as i32 / 5)
                .collect();
            // Such sums fit 32 bits if the weights do; here they may not, and wrap around.
            let first = random.below(9);
            let samples: Vec<u8> = (0..first + count)
                .map(|index| match round % 3 {
                    0 => random.byte(),
                    1 if weights.get(index.wrapping_sub(first)).is_some_and(|weight| *weight > 0) => 255,
                    1 => 0,
                    _ => 255,
                })
                .collect();
            let sum = weights
                .iter()
                .zip(&samples[first..])
                .fold(ROUNDING, |sum, (weight, sample)| {
                    sum.wrapping_add(weight.wrapping_mul(i32::from(*sample)))
                });
            let longest = [usize::MAX, 3][round % 2];
            let pairs = Split::<Pair>::new([(first, &weights[..])].into_iter(), longest);
            for window in pairs.windows() {
                assert!(window.runs().all(|(_, groups)| groups.len() <= longest));
                let of = |pair: &Pair, place: usize| (pair.upper[place], pair.lower[place]);
                assert_eq!(convolve(window, &samples, of), sum, "pairs of {weights:?}");
            }
            for window in Split::<Four>::new([(first, &weights[..])].into_iter(), longest).windows() {
                assert!(window.runs().all(|(_, groups)| groups.len() <= longest));
                let of = |four: &Four, place: usize| {
                    let upper = if place.is_multiple_of(2) { four.even } else { four.odd };
                    (upper[place / 2], four.lower[place])
                };
                assert_eq!(convolve(window, &samples, of), sum, "fours of {weights:?}");
            }
        }
    }
}
