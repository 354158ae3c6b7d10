//! Which library computes the linear layers of a model in float32.

use once_cell::sync::OnceCell;

use crate::{ffi, runtime};

/// How many times as fast as libtorch's BLAS oneDNN must be to get the linear layers.
///
/// The two differ in the last digits of a result, so processes on equal machines should decide alike, however loaded
/// they are. oneDNN has been measured at 2.2 on AMD processors with AVX-512 and at 1.15 with AVX2 alone; MKL and oneDNN
/// come from Intel, and are both written for its processors, so that about 1 is to be expected there. This lies away
/// from all of these, and at equal speed oneDNN is the better choice: it adds the bias and applies GELU on the way.
const WORTH_IT: f64 = 0.9;

/// Whether oneDNN computes linear layers on this CPU: measured once in a process, in some milliseconds.
pub(crate) fn in_onednn() -> bool {
    static DECISION: OnceCell<bool> = OnceCell::new();
    *DECISION.get_or_init(|| {
        runtime::stay_on_this_thread();
        match ffi::linear_speedup() {
            Ok(speedup) => {
                let library = if speedup >= WORTH_IT {
                    "oneDNN"
                } else {
                    "libtorch's BLAS"
                };
                log::info!("linear layers are computed by {library}: oneDNN takes 1/{speedup:.2} of the BLAS's time");
                speedup >= WORTH_IT
            }
            Err(reason) => {
                log::info!("linear layers are computed by libtorch's BLAS, as oneDNN cannot: {reason}");
                false
            }
        }
    })
}
