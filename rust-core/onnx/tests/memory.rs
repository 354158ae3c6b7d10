//! The memory of concurrent runs. In a process of its own, because it measures the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Barrier;
use std::thread;

use spark_classify_onnx::OnnxEngine;
use spark_classify_testing::{contract, onnxruntime, repository, resident};

const CALLERS: usize = 4;
const LARGEST: usize = 16;
const IMAGE: usize = 3 * 128 * 128;

#[test]
fn what_concurrent_runs_share_has_a_limit() {
    let engine = OnnxEngine::new(&onnxruntime());
    let model = contract::load(&engine, repository("model")).unwrap();
    let nchw = contract::pixels(LARGEST * IMAGE);
    // Each caller takes the sizes in another order.
    let run = |rounds: usize| {
        let start = Barrier::new(CALLERS);
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (start, model, nchw) = (&start, &model, &nchw);
                scope.spawn(move || {
                    start.wait();
                    contract::run(&**model, LARGEST, nchw);
                    for round in 0..rounds {
                        let n = 1 + (round * 7 + caller * 5) % LARGEST;
                        contract::run(&**model, n, &nchw[..n * IMAGE]);
                    }
                });
            }
        });
        resident()
    };
    let first = run(8);
    let last = run(32);
    assert!(last < first + first / 4, "{first} MiB grew to {last} MiB");
}
