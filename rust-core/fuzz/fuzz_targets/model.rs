//! Any text as the configuration files of a model directory, parted by a zero byte.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::ImageLimits;

fuzz_target!(|bytes: &[u8]| {
    let parts = bytes.splitn(3, |byte| *byte == 0);
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, part) in ["config.json", "preprocessor_config.json", "processor_config.json"].iter().zip(parts) {
        fs::write(directory.path().join(name), part).expect("a temporary file");
    }
    if let Ok(model) = ModelDirectory::open(directory.path()) {
        let _ = Preprocessor::new(model.preprocessor(), ImageLimits::default()).tensor_len();
    }
});
