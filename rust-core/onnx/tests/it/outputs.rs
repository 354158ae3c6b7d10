//! Which output of a model is taken, and what it may look like.

use std::fs;
use std::num::NonZeroUsize;

use spark_classify_core::{Classifier, LoadOptions, Predictions, Result};
use spark_classify_testing::onnx_model::{
    casting_model, reshaping_model, softmax_model, zipmap_model, Tensor, BFLOAT16, FLOAT, FLOAT16, FLOAT64, INT64,
};
use spark_classify_testing::{model_directory, plain_png};
use tempfile::TempDir;

use crate::engine;

const INPUT: Tensor<'static> = Tensor::new("pixel_values", FLOAT, &[-1, 3, 4, 4]);
const PREPROCESSOR: &str =
    r#"{"do_resize": true, "size": {"height": 4, "width": 4}, "resample": 2, "do_normalize": false}"#;

/// A directory of a model for images of 4 x 4 pixels, whose three logits are the shares of red, green and blue.
fn directory(model: &[u8], config: &str) -> TempDir {
    let directory = model_directory(PREPROCESSOR);
    let labels = r#""id2label": {"0": "red", "1": "green", "2": "blue"}"#;
    fs::write(directory.path().join("config.json"), format!("{{{labels}{config}}}")).unwrap();
    fs::write(directory.path().join("model.onnx"), model).unwrap();
    directory
}

/// The probabilities of an image of one colour.
fn probabilities(model: &[u8], config: &str) -> Result<Vec<f32>> {
    let directory = directory(model, config);
    let classifier = Classifier::load(&engine(), directory.path(), &LoadOptions::default())?;
    let image = plain_png(4, 4, [51, 102, 204]);
    let mut predictions = Predictions::new();
    classifier.classify(&[&image, &image], NonZeroUsize::MIN, &mut predictions)?;
    let [first, second] = [0, 1].map(|row| predictions.get(row).unwrap().probabilities.to_vec());
    assert_eq!(first, second);
    Ok(first)
}

/// What softmax makes of the shares of the colours.
fn assert_right(model: &[u8], config: &str) {
    let powers = [0.2_f32, 0.4, 0.8].map(f32::exp);
    let actual = probabilities(model, config).unwrap();
    for (actual, power) in actual.iter().zip(powers) {
        let expected = power / powers.iter().sum::<f32>();
        assert!((actual - expected).abs() < 2e-3, "{config}: {actual} is not {expected}");
    }
}

fn refusal(model: &[u8], config: &str) -> String {
    probabilities(model, config).unwrap_err().to_string()
}

#[test]
fn axes_of_length_one_do_no_harm() {
    for shape in [
        &[-1, 3][..],
        &[-1, 1, 3],
        &[-1, 3, 1, 1],
        &[-1, 1, 1, 3],
        &[-1, 1, 3, 1],
    ] {
        let output = Tensor::new("whatever", FLOAT, shape);
        assert_right(&reshaping_model(INPUT, &[output], "whatever"), "");
    }
}

#[test]
fn every_floating_point_type_is_read() {
    for element in [FLOAT, FLOAT16, FLOAT64, BFLOAT16] {
        assert_right(&casting_model(INPUT, Tensor::new("whatever", element, &[-1, 3])), "");
    }
    let message = refusal(&casting_model(INPUT, Tensor::new("whatever", INT64, &[-1, 3])), "");
    assert!(
        message.contains("the model has the outputs `whatever`: Tensor<i64>(any, 3), and none of them has 3"),
        "{message}"
    );
}

#[test]
fn of_several_outputs_the_logits_are_taken_by_name_and_else_by_width() {
    let three = |name: &'static str| Tensor::new(name, FLOAT, &[-1, 3]);
    let flat = |name: &'static str| Tensor::new(name, FLOAT, &[-1, 1, 3]);
    let image = |name: &'static str| Tensor::new(name, FLOAT, &[-1, 3, 4, 4]);
    let wide = |name: &'static str| Tensor::new(name, FLOAT, &[-1, 48]);
    for (outputs, right) in [
        ([three("aux"), three("logits"), three("output")], "logits"),
        ([three("aux"), three("output"), flat("logits")], "logits"),
        ([three("aux"), three("other"), flat("output")], "output"),
        ([image("output"), wide("features"), three("scores")], "scores"),
        ([image("hidden"), three("logits"), three("aux")], "logits"),
    ] {
        assert_right(&reshaping_model(INPUT, &outputs, right), "");
    }
    let message = refusal(&reshaping_model(INPUT, &[image("hidden"), wide("features")], ""), "");
    assert!(
        message.contains("none of them has 3 floating-point numbers for each image; export the model with"),
        "{message}"
    );
}

#[test]
fn outputs_that_fit_equally_are_told_apart_by_the_directory() {
    let model = |right| {
        let outputs = [
            Tensor::new("a", FLOAT, &[-1, 3]),
            Tensor::new("b", FLOAT, &[-1, 3, 1, 1]),
        ];
        reshaping_model(INPUT, &outputs, right)
    };
    let message = refusal(&model("a"), "");
    for part in [
        "model.onnx: the model has the outputs `a`: Tensor<f32>(any, 3), `b`: Tensor<f32>(any, 3, 1, 1)",
        "several of them have 3 numbers for each image; write the name of the right one as `output_name` into config.json",
    ] {
        assert!(message.contains(part), "{message}");
    }
    for name in ["a", "b"] {
        assert_right(&model(name), &format!(r#", "output_name": "{name}""#));
    }
    let message = refusal(&model("a"), r#", "output_name": "c""#);
    assert!(
        message
            .contains("`output_name` in config.json is `c`, and the model has no such output; it has the outputs `a`"),
        "{message}"
    );
    let message = refusal(&model("a"), r#", "output_name": 1"#);
    assert!(
        message.contains("config.json: field `output_name`: invalid type"),
        "{message}"
    );
}

#[test]
fn maps_of_classes_are_read_in_the_order_of_the_ids() {
    assert_right(&zipmap_model(INPUT, "output_probability", &[]), "");
    // In the order of their names, these would be another one.
    assert_right(
        &zipmap_model(INPUT, "output_probability", &["red", "green", "blue"]),
        "",
    );
    let message = refusal(
        &zipmap_model(INPUT, "output_probability", &["red", "green", "violet"]),
        "",
    );
    assert!(
        message.contains("are not those of `id2label` in config.json"),
        "{message}"
    );
}

#[test]
fn an_output_called_probabilities_is_not_made_probabilities_again() {
    let output = Tensor::new("probabilities", FLOAT, &[-1, 3]);
    assert_right(&softmax_model(INPUT, output), "");
    let logits = reshaping_model(INPUT, &[output], "probabilities");
    let message = refusal(&logits, "");
    for part in [
        "config.json: field `function_to_apply`: is not there, and the output is called probabilities, but the model gives no",
        "write `softmax` if they are logits",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // What is written counts.
    assert_right(&logits, r#", "function_to_apply": "softmax""#);
}
