//! JPEGs decoded at a fraction of their size.

use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{DecodeOptions, Scratch};
use spark_classify_testing::{dataset_image, model_directory, odd_image};

fn tensor(image: &[u8], size: &str, options: DecodeOptions) -> Vec<f32> {
    let directory = model_directory(&format!(
        r#"{{"size": {size}, "resample": 2, "do_rescale": false, "do_normalize": false}}"#
    ));
    let model = ModelDirectory::open(directory.path()).unwrap();
    let preprocessor = Preprocessor::new(model.preprocessor(), options);
    let mut tensor = vec![f32::NAN; preprocessor.tensor_len()];
    preprocessor
        .preprocess(image, &mut tensor, &mut Scratch::default())
        .unwrap();
    tensor
}

fn fast() -> DecodeOptions {
    DecodeOptions {
        fast: true,
        ..DecodeOptions::default()
    }
}

/// The mean difference in grey levels.
fn difference(image: &[u8], size: &str) -> f64 {
    let (exact, reduced) = (
        tensor(image, size, DecodeOptions::default()),
        tensor(image, size, fast()),
    );
    let sum: f64 = exact.iter().zip(&reduced).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / exact.len() as f64
}

#[test]
fn the_result_is_close_for_every_reduction() {
    // 600 x 375: by 1 (less than twice the size), 2, 4 and 8.
    let image = dataset_image("id_0063.jpg");
    let differences =
        [200, 90, 45, 20].map(|side| difference(&image, &format!(r#"{{"height": {side}, "width": {side}}}"#)));
    assert!(differences[0] == 0.0, "no reduction, no difference: {differences:?}");
    assert!(
        differences[1..]
            .iter()
            .all(|difference| (0.01..3.0).contains(difference)),
        "{differences:?}"
    );
}

#[test]
fn small_images_and_other_formats_stay_exact() {
    let side = r#"{"height": 40, "width": 40}"#;
    for name in ["baseline_420.jpg", "cmyk.jpg", "palette.png", "lossy.webp"] {
        assert!(difference(&odd_image(name), side) == 0.0, "{name}");
    }
}

#[test]
fn what_libjpeg_cannot_reduce_stays_exact() {
    let side = r#"{"height": 2, "width": 2}"#;
    assert!(difference(&odd_image("lossless.jpg"), side) == 0.0);
    assert!(difference(&odd_image("arithmetic.jpg"), side) > 0.0);
}

#[test]
fn cmyk_is_reduced_too() {
    let difference = difference(&odd_image("cmyk.jpg"), r#"{"height": 10, "width": 10}"#);
    assert!((0.01..12.0).contains(&difference), "{difference}");
}

#[test]
fn the_switch_is_off_by_default() {
    assert!(!DecodeOptions::default().fast);
}
