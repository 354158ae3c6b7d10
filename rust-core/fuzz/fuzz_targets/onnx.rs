//! Any bytes as a model file, of which only what it says of itself is read.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use spark_classify_onnx::ModelFile;

fuzz_target!(|bytes: &[u8]| {
    let _ = ModelFile::read_from(Cursor::new(bytes), bytes.len() as u64);
});
