//! The fixed-point arithmetic of Pillow's weights.

/// Bits after the binary point of a weight: 32, less 8 for the sample and 2 for filters that overshoot.
pub(crate) const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Half, so that cutting off the fraction rounds.
pub(crate) const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// A fixed-point sum as a sample; filters with negative weights overshoot.
pub(crate) fn clip(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}
