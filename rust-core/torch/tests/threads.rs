//! The cores a run takes. In a process of its own, because it counts the threads of the process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../onnx/tests/contract/mod.rs"]
mod contract;

use std::fs;
use std::thread;

use spark_classify_core::{Engine, LoadOptions, ModelDirectory};
use spark_classify_torch::TorchEngine;

fn threads_of_this_process() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// How many threads libtorch starts for a run on a new thread that may use `threads` cores.
fn threads_started_by_a_run(threads: usize) -> usize {
    let directory = ModelDirectory::open(&contract::project().join("model")).unwrap();
    let (height, width) = directory.input_size();
    let options = LoadOptions {
        threads: threads.try_into().unwrap(),
        ..LoadOptions::default()
    };
    let backend = TorchEngine::new().load(&directory, &options).unwrap();
    let nchw = contract::pixels(8 * 3 * height * width);
    let run = || {
        let before = threads_of_this_process();
        contract::run(&*backend, 8, &nchw);
        threads_of_this_process() - before
    };
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn a_run_takes_the_cores_it_was_given_on_every_thread() {
    assert_eq!(threads_started_by_a_run(1), 0);
    // The thread that runs is one of the three.
    assert_eq!(threads_started_by_a_run(3), 2);
    assert_eq!(threads_started_by_a_run(1), 0);
}
