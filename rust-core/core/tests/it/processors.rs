//! Every supported processor gives the tensors of transformers and torchvision; `scripts/make_golden.py` asked them.

use std::collections::HashSet;
use std::fs;

use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{ImageLimits, Scratch};
use spark_classify_testing::{golden, model_directory, repository, sha256};

#[test]
fn every_processor_gives_the_same_tensor() {
    let golden = golden("processors.json");
    let mut classes = HashSet::new();
    let mut scratch = Scratch::default();
    for case in golden["cases"].as_array().unwrap() {
        let config = &case["preprocessor_config"];
        classes.insert(config["image_processor_type"].as_str());
        let directory = model_directory(&config.to_string());
        let model = ModelDirectory::open(directory.path()).unwrap();
        let preprocessor = Preprocessor::new(model.preprocessor(), ImageLimits::default());
        for (image, expected) in case["tensors"].as_object().unwrap() {
            let shape: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
            let (height, width) = model.input_size();
            assert_eq!(shape, [3, height, width], "{config} with {image}");
            let mut tensor = vec![f32::NAN; preprocessor.tensor_len()];
            let bytes = fs::read(repository(image)).unwrap();
            preprocessor.preprocess(&bytes, &mut tensor, &mut scratch).unwrap();
            let little_endian: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(sha256(&little_endian), expected["sha256"], "{config} with {image}");
        }
    }
    // 17 classes of transformers, torchvision, and files that name a feature extractor instead.
    assert_eq!(classes.len(), 19);
}
