//! What the log says of `TorchScript` files. It has a process of its own, because a process has one log.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use log::{Level, Log, Metadata, Record};
use spark_classify_core::{Classifier, LoadOptions};
use spark_classify_testing::repository;
use spark_classify_torch::TorchEngine;

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

#[test]
fn the_log_says_once_what_lasts_and_who_computes_linear_layers() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    for _ in 0..2 {
        Classifier::load(&TorchEngine::new(), &repository("model"), &LoadOptions::default()).unwrap();
    }
    let lines = LINES.lock().unwrap();
    let said: Vec<_> = lines
        .iter()
        .filter(|(_, line)| line.contains("spark-classify export"))
        .collect();
    assert_eq!(said.len(), 1, "{lines:?}");
    assert_eq!(said[0].0, Level::Info);
    assert!(
        said[0].1.contains("model.pt: TorchScript is deprecated"),
        "{}",
        said[0].1
    );
    assert!(!said[0].1.contains('\n'));
    let measured: Vec<_> = lines
        .iter()
        .filter(|(_, line)| line.contains("linear layers are computed by"))
        .collect();
    assert_eq!(measured.len(), 1, "{lines:?}");
    assert!(measured[0].1.contains("oneDNN takes 1/"), "{}", measured[0].1);
}
