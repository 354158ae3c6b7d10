//! The passes of `convolve` with the vector instructions of x86-64 processors since 2013.
//!
//! AVX2 multiplies 16-bit numbers in pairs and adds the two products up (`madd`), but Pillow's weights have 24 bits. So
//! each weight comes in two parts, w = upper * 2^11 + lower, of which either is multiplied and added up on its own, and
//! the two sums are put together at the end. Whatever overflows on the way is of no matter: sums are taken modulo
//! 2^32, where the last one fits.

use std::arch::x86_64::{
    __m128i, __m256i, _mm256_add_epi32, _mm256_broadcastsi128_si256, _mm256_castsi128_si256, _mm256_castsi256_si128,
    _mm256_cvtepu8_epi16, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_permutevar8x32_epi32, _mm256_set1_epi32,
    _mm256_setr_epi32, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm_add_epi32,
    _mm_cvtsi128_si64, _mm_packs_epi32, _mm_packus_epi16, _mm_set1_epi32, _mm_set_epi64x, _mm_srai_epi32,
    _mm_unpackhi_epi64, _mm_unpackhi_epi8, _mm_unpacklo_epi8,
};
use std::array;

use super::convolve::ROUNDING;
use super::filter::{Group, Weights, LOWER_BITS, PRECISION_BITS};
use super::resize::View;

/// Rows that the pass along the rows takes at once: as many as `clip` takes, and their sums stay in registers.
const ROWS: usize = 4;

/// Bytes of columns that the pass down the columns takes at once.
const BLOCK: usize = 32;

/// The pass along the rows, into `output`. Several rows at a time share the work on the weights.
#[target_feature(enable = "avx2")]
pub(super) fn resize_width(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
    let row_length = weights.outputs() * 3;
    for (block, to) in output.chunks_mut(row_length * ROWS).enumerate() {
        // The last block may have fewer; its last row then takes the place of those that it lacks.
        let rows: [_; ROWS] = array::from_fn(|row| view.row((block * ROWS + row).min(view.height - 1)));
        for (column, (first, groups)) in weights.iter_groups().enumerate() {
            let mut sums = [Sums::zero(); ROWS];
            let mut at = (first - origin) * 3;
            for group in groups {
                let weights = row_weights(*group);
                for (sums, row) in sums.iter_mut().zip(rows) {
                    sums.add(four_pixels(row, at), weights);
                }
                at += 12;
            }
            let mut samples = [0; 4 * ROWS];
            let totals = sums.map(|sums| {
                let sum = sums.total();
                _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum))
            });
            store(clip(totals), &mut samples);
            for (row, pixel) in to.chunks_exact_mut(row_length).zip(samples.as_chunks::<4>().0) {
                row[column * 3..][..3].copy_from_slice(&pixel[..3]);
            }
        }
    }
}

/// The pass down the columns, into `output`.
#[target_feature(enable = "avx2")]
pub(super) fn resize_height(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
    let last = view.height - 1;
    for ((first, groups), to) in weights.iter_groups().zip(output.chunks_exact_mut(view.row_length)) {
        for (block, to) in to.chunks_mut(BLOCK).enumerate() {
            let mut sums = [Sums::zero(); 4];
            let mut row = first - origin;
            for group in groups {
                for pair in pairs(*group) {
                    // Weights that only fill up a group are zero, whatever the row.
                    let (above, below) = (view.row(row.min(last)), view.row((row + 1).min(last)));
                    for (half, sums) in sums.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                        let at = block * BLOCK + half * 16;
                        let (above, below) = (load(above, at), load(below, at));
                        sums[0].add(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(above, below)), pair);
                        sums[1].add(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(above, below)), pair);
                    }
                    row += 2;
                }
            }
            for (sums, to) in sums.as_chunks::<2>().0.iter().zip(to.chunks_mut(16)) {
                let [low, high] = [sums[0].total(), sums[1].total()];
                let samples = clip([
                    _mm256_castsi256_si128(low),
                    _mm256_extracti128_si256::<1>(low),
                    _mm256_castsi256_si128(high),
                    _mm256_extracti128_si256::<1>(high),
                ]);
                store(samples, to);
            }
        }
    }
}

/// Eight sums of products with the upper and with the lower parts of weights.
#[derive(Clone, Copy)]
struct Sums {
    upper: __m256i,
    lower: __m256i,
}

impl Sums {
    #[target_feature(enable = "avx2")]
    fn zero() -> Self {
        Self {
            upper: _mm256_setzero_si256(),
            lower: _mm256_setzero_si256(),
        }
    }

    /// Adds eight pairs of samples times the pairs of upper and of lower parts of their weights.
    #[target_feature(enable = "avx2")]
    fn add(&mut self, samples: __m256i, (upper, lower): (__m256i, __m256i)) {
        self.upper = _mm256_add_epi32(self.upper, _mm256_madd_epi16(samples, upper));
        self.lower = _mm256_add_epi32(self.lower, _mm256_madd_epi16(samples, lower));
    }

    #[target_feature(enable = "avx2")]
    fn total(self) -> __m256i {
        _mm256_add_epi32(_mm256_slli_epi32::<{ LOWER_BITS as i32 }>(self.upper), self.lower)
    }
}

/// Reds of two pixels, greens, blues and zeros; then the same of the next two.
#[target_feature(enable = "avx2")]
fn four_pixels(row: &[u8], at: usize) -> __m256i {
    let order = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1,
        -1, -1,
    );
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load(row, at)), order)
}

/// The upper parts and the lower parts, in the order of `four_pixels`.
#[target_feature(enable = "avx2")]
fn row_weights([upper, lower]: Group) -> (__m256i, __m256i) {
    let group = _mm256_castsi128_si256(_mm_set_epi64x(lower as i64, upper as i64));
    (
        _mm256_permutevar8x32_epi32(group, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
        _mm256_permutevar8x32_epi32(group, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3)),
    )
}

/// The upper parts and the lower parts of the first two weights, and of the last two, everywhere.
#[target_feature(enable = "avx2")]
fn pairs([upper, lower]: Group) -> [(__m256i, __m256i); 2] {
    [0, 32].map(|shift| {
        (
            _mm256_set1_epi32((upper >> shift) as i32),
            _mm256_set1_epi32((lower >> shift) as i32),
        )
    })
}

/// Rounds sums and clips them to samples.
#[target_feature(enable = "avx2")]
fn clip(sums: [__m128i; 4]) -> __m128i {
    let [a, b, c, d] =
        sums.map(|sum| _mm_srai_epi32::<{ PRECISION_BITS as i32 }>(_mm_add_epi32(sum, _mm_set1_epi32(ROUNDING))));
    _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d))
}

/// 16 bytes, with zeros for those beyond the end.
#[target_feature(enable = "avx2")]
fn load(row: &[u8], at: usize) -> __m128i {
    if let Some(bytes) = row.get(at..at + 16) {
        return vector(bytes);
    }
    let mut padded = [0; 16];
    let rest = row.get(at..).unwrap_or_default();
    padded[..rest.len()].copy_from_slice(rest);
    vector(&padded)
}

/// The compiler makes one instruction of it.
#[target_feature(enable = "avx2")]
fn vector(bytes: &[u8]) -> __m128i {
    let (halves, _) = bytes.as_chunks::<8>();
    _mm_set_epi64x(i64::from_le_bytes(halves[1]), i64::from_le_bytes(halves[0]))
}

/// Up to 16 bytes.
#[target_feature(enable = "avx2")]
fn store(samples: __m128i, to: &mut [u8]) {
    let halves = [
        _mm_cvtsi128_si64(samples),
        _mm_cvtsi128_si64(_mm_unpackhi_epi64(samples, samples)),
    ];
    to.copy_from_slice(&halves.map(i64::to_le_bytes).as_flattened()[..to.len()]);
}
