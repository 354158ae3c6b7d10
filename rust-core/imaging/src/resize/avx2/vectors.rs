//! What both passes compute with: weights and sums in vectors.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_srai_epi32, _mm256_storeu_si256,
};

use crate::resize::fixed::PRECISION_BITS;

/// Two numbers in every place of 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn everywhere([first, second]: [i16; 2]) -> __m256i {
    _mm256_set1_epi32(i32::from(first.cast_unsigned()) | i32::from(second) << 16)
}

/// Four numbers in every place of 32 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn bytes_everywhere(bytes: [i8; 4]) -> __m256i {
    _mm256_set1_epi32(i32::from_le_bytes(bytes.map(i8::cast_unsigned)))
}

/// Sums of both parts together, rounded; they may lie beyond those of samples.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn total(upper: __m256i, factor: __m256i, lower: __m256i) -> __m256i {
    let sums = _mm256_add_epi32(_mm256_mullo_epi32(upper, factor), lower);
    _mm256_srai_epi32::<{ PRECISION_BITS as i32 }>(sums)
}

#[inline]
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
