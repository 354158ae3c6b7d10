//! Random numbers that are the same in every run.

/// Steele and Vigna's `SplitMix64`: the same numbers from the same seed, on every machine.
pub struct Random(u64);

impl Random {
    /// A generator of the numbers that belong to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number of 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        (self.number() >> 56) as u8
    }

    /// 0 or 255: samples that make filters overshoot.
    pub fn extreme(&mut self) -> u8 {
        if self.below(2) == 0 {
            0
        } else {
            u8::MAX
        }
    }

    /// A number from -2 to 2, without 2: about where normalised samples lie.
    pub fn normalised(&mut self) -> f32 {
        (self.number() >> 40) as f32 / 4_194_304.0 - 2.0
    }
}
