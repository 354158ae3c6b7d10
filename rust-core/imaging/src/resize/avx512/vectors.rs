//! What both passes compute with: weights and sums in vectors.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_srai_epi32, _mm512_storeu_si512,
};

use crate::resize::fixed::{PRECISION_BITS, ROUNDING};

/// Four weights in every place, by their bytes.
#[derive(Clone, Copy)]
pub(crate) struct Four {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

impl Four {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn new(low: [i8; 4], middle: [i8; 4], high: [i8; 4]) -> Self {
        let everywhere = |four: [i8; 4]| _mm512_set1_epi32(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
        Self {
            low: everywhere(low),
            middle: everywhere(middle),
            high: everywhere(high),
        }
    }
}

/// Sixteen sums of products with the three bytes of weights.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn new() -> Self {
        Self {
            low: _mm512_set1_epi32(ROUNDING),
            middle: _mm512_setzero_si512(),
            high: _mm512_setzero_si512(),
        }
    }

    /// Adds sixteen times four samples times four weights.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn add(&mut self, samples: __m512i, weights: Four) {
        self.low = _mm512_dpbusd_epi32(self.low, samples, weights.low);
        self.middle = _mm512_dpbusd_epi32(self.middle, samples, weights.middle);
        self.high = _mm512_dpbusd_epi32(self.high, samples, weights.high);
    }

    /// The sums, rounded; they may lie beyond those of samples.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn total(self) -> __m512i {
        let upper = _mm512_add_epi32(_mm512_slli_epi32::<8>(self.high), self.middle);
        let total = _mm512_add_epi32(_mm512_slli_epi32::<8>(upper), self.low);
        _mm512_srai_epi32::<PRECISION_BITS>(total)
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(crate) fn bytes_of(vector: __m512i) -> [u8; 64] {
    let mut bytes = [0; 64];
    #[allow(unsafe_code)]
    // SAFETY: the array has room for the 64 bytes that are written, and they need no alignment.
    unsafe {
        _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector);
    }
    bytes
}
