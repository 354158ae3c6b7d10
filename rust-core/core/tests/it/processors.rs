//! Every supported processor gives the tensors of transformers, torchvision and timm; `scripts/make_golden.py` and
//! `scripts/timm_cases.py` asked them.

use std::collections::HashSet;
use std::fs;

use spark_classify_core::preprocess::{Preprocessor, SampleTable};
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{ImageLimits, Scratch};
use spark_classify_testing::{directory_of, golden, model_directory, repository, sha256};

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
        check_tensors(&model, &case["tensors"], &config.to_string(), &mut scratch);
    }
    // 17 classes of transformers, torchvision, and files that name a feature extractor instead.
    assert_eq!(classes.len(), 19);
}

#[test]
fn timms_configurations_give_the_same_tensor() {
    let golden = golden("timm.json");
    let mut scratch = Scratch::default();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let config = serde_json::json!({"num_classes": 3, "pretrained_cfg": case["pretrained_cfg"]}).to_string();
        let directory = directory_of(&[("config.json", &config)]);
        let model = ModelDirectory::open(directory.path()).unwrap();
        check_tensors(&model, &case["tensors"], &config, &mut scratch);
    }
}

/// Compares the tensors of some images with the shapes and checksums in `expected`.
fn check_tensors(model: &ModelDirectory, expected: &serde_json::Value, config: &str, scratch: &mut Scratch) {
    let preprocessor = Preprocessor::new(model.preprocessor(), ImageLimits::default());
    for (image, expected) in expected.as_object().unwrap() {
        let shape: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
        let (height, width) = model.input_size();
        assert_eq!(shape, [3, height, width], "{config} with {image}");
        let mut tensor = vec![f32::NAN; preprocessor.tensor_len()];
        let bytes = fs::read(repository(image)).unwrap();
        preprocessor.preprocess(&bytes, &mut tensor, scratch).unwrap();
        let little_endian: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(sha256(&little_endian), expected["sha256"], "{config} with {image}");
        // The samples, for whoever normalises them himself, come to the same.
        let mut samples = vec![0; preprocessor.tensor_len()];
        preprocessor.pixels(&bytes, &mut samples, scratch).unwrap();
        let table = SampleTable::new(model.preprocessor());
        let plane = height * width;
        for (index, (sample, value)) in samples.iter().zip(&tensor).enumerate() {
            assert_eq!(table.0[index / plane][usize::from(*sample)].to_bits(), value.to_bits());
        }
    }
}
