//! Weights as signed bytes, for `avx512`.

use super::{Part, Weights};

/// The weights of an output sample as the sum of bytes\[n\] * 2^(8 n), with three zeros before and after them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>([&'a [i8]; 3]);

impl<'a> Bytes<'a> {
    /// The weights in fours, from the `skip`ped one on; the zeros count.
    pub(crate) fn fours(self, skip: usize) -> [&'a [[i8; 4]]; 3] {
        self.0.map(|bytes| bytes[skip..].as_chunks().0)
    }
}

impl Weights {
    /// For every output sample: its first input sample, and its weights in bytes.
    pub(crate) fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (usize, Bytes<'_>)> {
        let bytes = self.bytes.get_or_init(|| self.to_bytes());
        self.taps.windows(2).enumerate().map(move |(output, pair)| {
            let range = pair[0].start + 6 * output..pair[1].start + 6 * (output + 1);
            (
                pair[0].first,
                Bytes(bytes.each_ref().map(|bytes| &bytes[range.clone()])),
            )
        })
    }

    /// The weights of all output samples in signed bytes, the lowest first, with three zeros before and after those of
    /// each. The highest ones fit: weights have a sum of 1, and no filter has one above 1.9.
    fn to_bytes(&self) -> [Vec<i8>; 3] {
        let padded = self.values.len() + 6 * self.outputs();
        let mut bytes = [0; 3].map(|_| Vec::with_capacity(padded));
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
        bytes
    }
}

impl<'a> Part<'a> {
    /// For every output sample: its first input sample, and its weights in bytes.
    pub(crate) fn iter_bytes(&self) -> impl Iterator<Item = (usize, Bytes<'a>)> {
        let origin = self.origin;
        self.of(self.weights.iter_bytes())
            .map(move |(first, bytes)| (first - origin, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::axis::Axis;
    use super::super::super::filter::{Filter, Resampling};
    use super::super::WeightsCache;
    use super::*;

    #[test]
    fn bytes_add_up_to_the_weights() {
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
                    for ((_, values), (_, Bytes([low, middle, high]))) in weights.iter().zip(weights.iter_bytes()) {
                        for (at, value) in values.iter().enumerate() {
                            let [low, middle, high] = [low, middle, high].map(|bytes| i32::from(bytes[at + 3]));
                            assert_eq!(*value, (high << 16) + (middle << 8) + low, "{source} to {resized}");
                        }
                    }
                }
            }
        }
    }
}
