//! Weights as signed bytes, for `avx512`.

/// The weights of an axis in bytes, the lowest first, with three zeros before and after those of each output sample.
#[derive(Debug)]
pub(crate) struct SignedBytes {
    bytes: [Vec<i8>; 3],
    /// The first input sample of each output sample, and where its bytes end.
    taps: Vec<(usize, usize)>,
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

impl SignedBytes {
    /// Splits the weights of every output sample, which come with their first input sample. The highest bytes fit:
    /// weights have a sum of 1, and no filter has one above 1.9.
    pub(crate) fn new<'a>(weights: impl Iterator<Item = (usize, &'a [i32])>) -> Self {
        let mut split = Self {
            bytes: [const { Vec::new() }; 3],
            taps: Vec::with_capacity(weights.size_hint().0),
        };
        for (first, weights) in weights {
            for weight in [0; 3].iter().chain(weights).chain(&[0; 3]) {
                let mut rest = *weight;
                for bytes in &mut split.bytes {
                    let low = rest as i8;
                    bytes.push(low);
                    rest = (rest - i32::from(low)) >> 8;
                }
            }
            split.taps.push((first, split.bytes[0].len()));
        }
        split
    }

    /// For every output sample: its first input sample, and its weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Bytes<'_>)> {
        let mut start = 0;
        self.taps.iter().map(move |(first, end)| {
            let range = start..*end;
            start = *end;
            (*first, Bytes(self.bytes.each_ref().map(|bytes| &bytes[range.clone()])))
        })
    }
}

#[cfg(test)]
mod tests {
    use spark_classify_testing::Random;

    use super::*;

    #[test]
    fn bytes_add_up_to_the_weights() {
        let mut random = Random::new(5);
        for _ in 0..1000 {
            let count = 1 + random.below(20);
            // Up to 1.9, in 22 bits, and negative ones.
            let weights: Vec<i32> = (0..count)
                .map(|_| random.below(12_000_000) as i32 - 4_000_000)
                .collect();
            let split = SignedBytes::new([(7, &weights[..]), (9, &weights[1..])].into_iter());
            let samples: Vec<_> = split.iter().collect();
            assert_eq!([samples[0].0, samples[1].0], [7, 9]);
            for (sample, weights) in samples.iter().zip([&weights[..], &weights[1..]]) {
                let Bytes([low, middle, high]) = sample.1;
                assert_eq!(low.len(), weights.len() + 6);
                for (at, weight) in weights.iter().enumerate() {
                    let [low, middle, high] = [low, middle, high].map(|bytes| i32::from(bytes[at + 3]));
                    assert_eq!(*weight, (high << 16) + (middle << 8) + low);
                }
            }
        }
    }
}
