//! The precisions that libtorch computes in.

use spark_classify_core::error::Result;
use spark_classify_core::platform::cpu;
use spark_classify_core::Precision;

/// Refuses a precision that is of no use; `has_bf16` says whether the CPU [computes in bfloat16](cpu::computes_bf16).
///
/// # Errors
/// [`Error::Option`](spark_classify_core::Error::Option), which says what to use instead.
pub(crate) fn check(precision: Precision, has_bf16: bool) -> Result<()> {
    match precision {
        Precision::Bf16 if !has_bf16 => Err(precision.refused(format!(
            "this CPU (the best it has is {}) has no instructions for bfloat16, AVX512_BF16 or AMX, and would be slower \
             than with `fp32`; use that",
            cpu::instruction_set()
        ))),
        Precision::Fp32 | Precision::Bf16 => Ok(()),
        Precision::Int8 | Precision::Fp16 => Err(precision.refused(
            "the pytorch model runs no quantized models, and none of float16; use `bf16`, `fp32`, or the onnx model"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_the_cpu_or_the_engine_lacks_is_refused() {
        for has_bf16 in [false, true] {
            check(Precision::Fp32, has_bf16).unwrap();
            for precision in [Precision::Int8, Precision::Fp16] {
                let message = check(precision, has_bf16).unwrap_err().to_string();
                let start = format!("option `precision` = `{precision}`");
                assert!(message.contains(&start) && message.contains("onnx model"), "{message}");
            }
        }
        check(Precision::Bf16, true).unwrap();
        let bf16 = check(Precision::Bf16, false).unwrap_err().to_string();
        for part in ["option `precision` = `bf16`", cpu::instruction_set(), "`fp32`"] {
            assert!(bf16.contains(part), "{bf16}");
        }
    }
}
