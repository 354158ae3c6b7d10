//! What both passes compute with: weights and sums in vectors.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_srai_epi32, _mm256_storeu_si256,
};

use crate::resize::fixed::{LOWER_BITS, PRECISION_BITS, ROUNDING};

/// A pair of weights in every place, the upper parts and the lower parts.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    upper: __m256i,
    lower: __m256i,
}

impl Pair {
    #[target_feature(enable = "avx2")]
    pub(crate) fn new([upper, next_upper]: [i16; 2], [lower, next_lower]: [i16; 2]) -> Self {
        Self {
            upper: _mm256_set1_epi32(i32::from(upper as u16) | i32::from(next_upper) << 16),
            lower: _mm256_set1_epi32(i32::from(lower as u16) | i32::from(next_lower) << 16),
        }
    }
}

/// Eight sums of products with the upper and with the lower parts of weights.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    upper: __m256i,
    lower: __m256i,
}

impl Sums {
    #[target_feature(enable = "avx2")]
    pub(crate) fn new() -> Self {
        Self {
            upper: _mm256_setzero_si256(),
            lower: _mm256_setzero_si256(),
        }
    }

    /// Adds eight pairs of samples times a pair of weights.
    #[target_feature(enable = "avx2")]
    pub(crate) fn add(&mut self, samples: __m256i, weights: Pair) {
        self.upper = _mm256_add_epi32(self.upper, _mm256_madd_epi16(samples, weights.upper));
        self.lower = _mm256_add_epi32(self.lower, _mm256_madd_epi16(samples, weights.lower));
    }

    #[target_feature(enable = "avx2")]
    pub(crate) fn total(self) -> __m256i {
        _mm256_add_epi32(_mm256_slli_epi32::<{ LOWER_BITS as i32 }>(self.upper), self.lower)
    }
}

/// Rounds sums; they may lie beyond those of samples.
#[target_feature(enable = "avx2")]
pub(crate) fn round(sums: __m256i) -> __m256i {
    _mm256_srai_epi32::<{ PRECISION_BITS as i32 }>(_mm256_add_epi32(sums, _mm256_set1_epi32(ROUNDING)))
}

#[target_feature(enable = "avx2")]
pub(crate) fn bytes_of(vector: __m256i) -> [u8; 32] {
    let mut bytes = [0; 32];
    #[allow(unsafe_code)]
    // SAFETY: the array has room for the 32 bytes that are written, and they need no alignment.
    unsafe {
        _mm256_storeu_si256(bytes.as_mut_ptr().cast(), vector);
    }
    bytes
}
