//! The threads a run takes. In a process of its own, because it counts the threads of the process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::thread;

use spark_classify_testing::{contract, repository};
use spark_classify_torch::TorchEngine;

fn threads_of_this_process() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_run_starts_no_threads_on_whichever_thread_it_is() {
    let model = contract::load(&TorchEngine::new(), repository("model")).unwrap();
    let nchw = contract::pixels(8 * 3 * 128 * 128);
    let run = || {
        let before = threads_of_this_process();
        contract::run(&*model, 8, &nchw);
        threads_of_this_process() - before
    };
    assert_eq!(run(), 0);
    assert_eq!(thread::scope(|scope| scope.spawn(run).join().unwrap()), 0);
}
