//! What both passes compute with: sums in vectors.

use std::arch::aarch64::{
    int32x4_t, uint16x8_t, uint32x4_t, uint8x16_t, uint8x8_t, vaddw_high_u16, vaddw_u16, vcombine_u16, vcombine_u8,
    vdup_n_u8, vdupq_n_s32, vdupq_n_u16, vdupq_n_u32, vget_high_u8, vget_low_s16, vget_low_u16, vget_low_u8,
    vmlal_high_n_s16, vmlal_n_s16, vmlaq_n_s32, vmlaq_n_u16, vqshrn_n_u16, vqshrun_n_s32, vreinterpretq_s16_u16,
    vreinterpretq_s32_u32, vzip1q_u8, vzip2q_u8,
};

use crate::resize::fixed::PRECISION_BITS;
use crate::resize::split::{Group, Pair, Window};

/// Sums of eight samples with the upper and the lower parts of weights.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    upper: [int32x4_t; 2],
    /// Those of the lower parts since they were widened the last time.
    narrow: uint16x8_t,
    lower: [uint32x4_t; 2],
}

impl Sums {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new(window: &Window<'_, Pair>) -> Self {
        Self {
            upper: [vdupq_n_s32(window.upper_start()); 2],
            narrow: vdupq_n_u16(window.lower_start()[0].cast_unsigned()),
            lower: [vdupq_n_u32(0); 2],
        }
    }

    /// Adds eight samples times a weight.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn add(&mut self, samples: uint16x8_t, upper: i16, lower: i8) {
        let signed = vreinterpretq_s16_u16(samples);
        self.upper[0] = vmlal_n_s16(self.upper[0], vget_low_s16(signed), upper);
        self.upper[1] = vmlal_high_n_s16(self.upper[1], signed, upper);
        self.narrow = vmlaq_n_u16(self.narrow, samples, i16::from(lower).cast_unsigned());
    }

    /// Ends a run.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn widen(&mut self) {
        self.lower[0] = vaddw_u16(self.lower[0], vget_low_u16(self.narrow));
        self.lower[1] = vaddw_high_u16(self.lower[1], self.narrow);
        self.narrow = vdupq_n_u16(Pair::BIAS as u16);
    }

    /// The samples, rounded and clipped.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn samples(self, window: &Window<'_, Pair>) -> uint8x8_t {
        // In two steps, as no narrowing shift goes further.
        const FIRST: i32 = 16;
        const SECOND: i32 = PRECISION_BITS as i32 - FIRST;
        let total = |index: usize| {
            let lower = vreinterpretq_s32_u32(self.lower[index]);
            vqshrun_n_s32::<FIRST>(vmlaq_n_s32(lower, self.upper[index], window.factor()))
        };
        vqshrn_n_u16::<SECOND>(vcombine_u16(total(0), total(1)))
    }
}

/// Transposes eight times eight bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn transpose(rows: [uint8x8_t; 8]) -> [uint8x8_t; 8] {
    let whole = |row: uint8x8_t| vcombine_u8(row, vdup_n_u8(0));
    let pair = |index: usize| vzip1q_u8(whole(rows[index]), whole(rows[index + 4]));
    let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
    let fours = [[vzip1q_u8(a, c), vzip1q_u8(b, d)], [vzip2q_u8(a, c), vzip2q_u8(b, d)]];
    let halves = |both: uint8x16_t| [vget_low_u8(both), vget_high_u8(both)];
    let [[a, b], [c, d]] = fours.map(|[even, odd]| [halves(vzip1q_u8(even, odd)), halves(vzip2q_u8(even, odd))]);
    [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]]
}
