//! The CPU of this machine.

/// The best instruction set of this CPU that inference engines make use of, under its usual name.
///
/// It says why the same model is several times as fast on one machine as on another; whether an engine really uses it
/// is up to the engine.
#[must_use]
pub fn instruction_set() -> &'static str {
    best()
}

/// Whether this CPU multiplies matrices of bfloat16 faster than of float32.
///
/// On x86 that is `AVX512_BF16`. Every CPU with AMX-BF16 has it too, and inference engines use AMX only beside it.
#[must_use]
pub fn computes_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Whether 8-bit products are added up in 32 bits, by VNNI: x86-64 processors without it add two of them in 16 bits,
/// which can overflow, so that engines have to choose between a fast way and an exact one. Others have only exact ones.
#[must_use]
pub fn adds_int8_exactly() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512vnni") || std::arch::is_x86_feature_detected!("avxvnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        true
    }
}

#[cfg(target_arch = "x86_64")]
fn best() -> &'static str {
    use std::arch::is_x86_feature_detected as has;

    // The best first. AMX is not among them: the standard library cannot detect it yet.
    if has!("avx512bf16") {
        "AVX512_BF16"
    } else if has!("avx512vnni") {
        "AVX512_VNNI"
    } else if has!("avx512f") {
        "AVX512"
    } else if has!("avx2") {
        "AVX2"
    } else if has!("avx") {
        "AVX"
    } else {
        "SSE2"
    }
}

#[cfg(target_arch = "aarch64")]
fn best() -> &'static str {
    use std::arch::is_aarch64_feature_detected as has;

    if has!("sve") {
        "SVE"
    } else if has!("bf16") {
        "NEON_BF16"
    } else {
        "NEON"
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn best() -> &'static str {
    std::env::consts::ARCH
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_instruction_set_is_among_those_the_system_lists() {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = info.lines().find(|line| line.starts_with("flags")).unwrap();
        let name = super::instruction_set().to_lowercase();
        let listed = |flag: &str| flags.split_whitespace().any(|word| word == flag);
        assert!(listed(&name) || name == "avx512" && listed("avx512f"), "{name}");
        assert!(name.starts_with("avx512") || !listed("avx512f"), "{name}");
        assert!(name.starts_with("avx") || !listed("avx2"), "{name}");
        assert_eq!(super::computes_bf16(), listed("avx512_bf16"));
    }
}
