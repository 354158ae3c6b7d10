//! The vector instructions that a resize uses.

/// Vector instructions that resizing has code for. A value exists only where the processor has them; all give the
/// same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whatever the compiler makes of plain code.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with its VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    pub(crate) const PLAIN: Self = Self(Kind::Plain);

    /// Those of this processor, the fastest last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "some processors have one alone")]
        let mut available = vec![Self::PLAIN];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") {
                available.push(Self(Kind::Avx2));
            }
            if has!("avx512f") && has!("avx512bw") && has!("avx512vnni") {
                available.push(Self(Kind::Avx512));
            }
        }
        available
    }

    /// Its name, in small letters: "plain", "avx2", "avx512".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Plain => "plain",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl Default for InstructionSet {
    /// The fastest one.
    fn default() -> Self {
        Self::available().pop().unwrap_or(Self::PLAIN)
    }
}
