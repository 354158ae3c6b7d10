//! Which output of a model is its embedding, and what is made of it.

use std::fs;
use std::num::NonZeroUsize;

use spark_classify_core::{Classifier, Embeddings, LoadOptions, Predictions, Result};
use spark_classify_imaging::ImageSource;
use spark_classify_testing::onnx_model::{reshaping_model, Tensor, FLOAT};
use spark_classify_testing::{model_directory, plain_png};

use crate::engine;

const INPUT: Tensor<'static> = Tensor::new("pixel_values", FLOAT, &[-1, 3, 4, 4]);
const PREPROCESSOR: &str =
    r#"{"do_resize": true, "size": {"height": 4, "width": 4}, "resample": 2, "do_normalize": false}"#;
const LABELS: &str = r#"{"id2label": {"0": "red", "1": "green", "2": "blue"}, "normalize": false}"#;
const RAW: &str = r#"{"normalize": false}"#;

/// The shares of red, green and blue in the image.
const COLOURS: [f32; 3] = [0.2, 0.4, 0.8];

fn load(model: &[u8], config: &str) -> Result<Classifier> {
    let directory = model_directory(PREPROCESSOR);
    fs::write(directory.path().join("config.json"), config).unwrap();
    fs::write(directory.path().join("model.onnx"), model).unwrap();
    Classifier::load(&engine(), directory.path(), &LoadOptions::default())
}

/// The embedding of an image of one colour.
fn embedding(model: &[u8], config: &str) -> Result<Vec<f32>> {
    let classifier = load(model, config)?;
    let image = plain_png(4, 4, [51, 102, 204]);
    let mut embeddings = Embeddings::new();
    classifier.embed_sources(&[ImageSource::File(&image); 2], NonZeroUsize::MIN, &mut embeddings)?;
    let [first, second] = [0, 1].map(|row| embeddings.get(row).unwrap().to_vec());
    assert_eq!(first, second);
    Ok(first)
}

fn assert_close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-5, "{actual} is not {expected}");
    }
}

const fn three(name: &'static str) -> Tensor<'static> {
    Tensor::new(name, FLOAT, &[-1, 3])
}

/// For each of four parts of an image twelve of its samples, row by row of red, then of green, then of blue.
const TOKENS: Tensor<'static> = Tensor::new("last_hidden_state", FLOAT, &[-1, 4, 12]);

#[test]
fn embeddings_are_found_by_their_names_in_a_fixed_order() {
    let order = ["image_embeds", "pooler_output", "embedding", "embeddings"];
    for (at, right) in order.into_iter().enumerate() {
        // What is further behind, in front; and what is none.
        let mut outputs: Vec<_> = order[at..].iter().rev().map(|name| three(name)).collect();
        outputs.extend([TOKENS, three("logits")]);
        assert_close(
            &embedding(&reshaping_model(INPUT, &outputs, right), LABELS).unwrap(),
            &COLOURS,
        );
    }
}

#[test]
fn axes_of_length_one_do_no_harm() {
    for shape in [&[-1, 3, 1, 1][..], &[-1, 1, 3]] {
        let output = Tensor::new("pooler_output", FLOAT, shape);
        let model = reshaping_model(INPUT, &[output], "pooler_output");
        assert_close(&embedding(&model, RAW).unwrap(), &COLOURS);
    }
}

#[test]
fn the_vectors_of_the_parts_are_pooled() {
    let model = reshaping_model(INPUT, &[TOKENS], "");
    let pooled =
        |pooling: &str| embedding(&model, &format!(r#"{{"normalize": false, "pooling": "{pooling}"}}"#)).unwrap();
    assert_close(&pooled("cls"), &[0.2; 12]);
    let [red, green, blue] = COLOURS;
    // Of the samples at one place of the parts: the first four, the next four, the last four.
    let means = [
        red + red + green + blue,
        red + green + green + blue,
        red + green + blue + blue,
    ];
    let expected: Vec<f32> = means.iter().flat_map(|sum| [sum / 4.0; 4]).collect();
    assert_close(&pooled("mean"), &expected);

    let missing = embedding(&model, "{}").unwrap_err().to_string();
    assert!(
        missing.contains("config.json: field `pooling`: is missing, and the model's output `last_hidden_state` has"),
        "{missing}"
    );
}

#[test]
fn embeddings_have_the_length_one_by_default() {
    let model = reshaping_model(INPUT, &[three("image_embeds")], "image_embeds");
    let length = COLOURS.iter().map(|value| value * value).sum::<f32>().sqrt();
    assert_close(&embedding(&model, "{}").unwrap(), &COLOURS.map(|value| value / length));
}

#[test]
fn classes_and_embedding_of_one_run_are_those_of_two() {
    let outputs = [three("embedding"), three("logits")];
    let classifier = load(&reshaping_model(INPUT, &outputs, "logits"), LABELS).unwrap();
    let (dark, light) = (plain_png(4, 4, [51, 102, 204]), plain_png(9, 9, [250, 240, 230]));
    let images = [&dark, &light, &dark].map(|file| ImageSource::File(file));
    let (mut predictions, mut embeddings) = (Predictions::new(), Embeddings::new());
    classifier
        .run_sources(
            &images,
            NonZeroUsize::MIN,
            Some(&mut predictions),
            Some(&mut embeddings),
        )
        .unwrap();
    assert_eq!(predictions.get(0).unwrap().class_id, 2);
    assert_close(embeddings.get(2).unwrap(), &COLOURS.map(|colour| -colour));

    let (mut classes, mut vectors) = (Predictions::new(), Embeddings::new());
    classifier
        .classify_sources(&images, NonZeroUsize::MIN, &mut classes)
        .unwrap();
    classifier
        .embed_sources(&images, NonZeroUsize::MIN, &mut vectors)
        .unwrap();
    assert!(classes.iter().eq(predictions.iter()) && vectors.iter().eq(embeddings.iter()));
}

#[test]
fn a_model_of_a_fixed_batch_gives_embeddings() {
    let input = Tensor::new("pixel_values", FLOAT, &[4, 3, 4, 4]);
    let output = Tensor::new("image_embeds", FLOAT, &[4, 3]);
    assert_close(
        &embedding(&reshaping_model(input, &[output], "image_embeds"), RAW).unwrap(),
        &COLOURS,
    );
}

#[test]
fn a_model_without_an_embedding_lists_its_outputs() {
    let model = reshaping_model(INPUT, &[three("logits"), three("aux")], "logits");
    let message = embedding(&model, LABELS).unwrap_err().to_string();
    for part in [
        "model.onnx: the model gives no embedding: its outputs are logits, aux, and one called image_embeds, pooler_output,",
        "`spark-classify export --embeddings` writes a model that has one",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // Neither classes, for want of labels.
    let message = load(&model, "{}").unwrap_err().to_string();
    assert!(
        message.contains("config.json: field `id2label`: is missing"),
        "{message}"
    );
}

#[test]
fn a_model_of_embeddings_alone_has_no_classes() {
    let model = reshaping_model(INPUT, &[three("image_embeds")], "image_embeds");
    for config in ["{}", LABELS] {
        let classifier = load(&model, config).unwrap();
        let refused = classifier.classify(&[b""], NonZeroUsize::MIN, &mut Predictions::new());
        let message = refused.unwrap_err().to_string();
        assert!(
            message
                .contains("model.onnx: the model gives no classes: its outputs are image_embeds, which are embeddings"),
            "{message}"
        );
    }
    // Unless the directory says so.
    let named = LABELS.replacen('{', r#"{"output_name": "image_embeds", "#, 1);
    let classifier = load(&model, &named).unwrap();
    assert_eq!(classifier.labels().unwrap().len(), 3);
}

#[test]
fn an_embedding_of_another_shape_is_refused_with_it() {
    let output = Tensor::new("image_embeds", FLOAT, &[-1, 4, 12]);
    let outputs = [output, three("logits")];
    let message = embedding(&reshaping_model(INPUT, &outputs, "logits"), LABELS).unwrap_err();
    let expected = "the output `image_embeds` has shape [1, 4, 12], expected [1, width]";
    assert!(message.to_string().contains(expected), "{message}");

    let planes = Tensor::new("last_hidden_state", FLOAT, &[-1, 3, 4, 4]);
    let model = reshaping_model(INPUT, &[planes], "");
    let message = embedding(&model, r#"{"pooling": "mean"}"#).unwrap_err().to_string();
    assert!(message.contains("expected [1, tokens, width]"), "{message}");
}
