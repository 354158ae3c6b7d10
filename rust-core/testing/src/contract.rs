//! What every engine has to do with the project's own model; the tests of each engine call it.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use spark_classify_core::{
    Asked, Classifier, Engine, Error, GpuOptions, LoadOptions, Model, ModelDirectory, Precision, Predictions,
};

use crate::{dataset, dataset_image, golden, model_without_weights, repository, Random};

/// Loads the model in `dir`.
///
/// # Errors
/// What the engine says against the model.
pub fn load(engine: &dyn Engine, dir: impl AsRef<Path>) -> Result<Box<dyn Model>, Error> {
    engine.load(&ModelDirectory::open(dir.as_ref()).unwrap(), &LoadOptions::default())
}

/// The error of loading the model in `dir`.
pub fn load_error(engine: &dyn Engine, dir: impl AsRef<Path>) -> Error {
    load(engine, dir).map(|_| ()).expect_err("the model was loaded")
}

/// Runs a batch and returns its logits.
pub fn run(model: &dyn Model, n: usize, nchw: &[f32]) -> Vec<f32> {
    let mut logits = vec![f32::NAN; n * model.classes()];
    model.run(n, nchw, Asked::Classes, &mut logits).unwrap();
    logits
}

/// `len` values from -2 to 2, which is about where normalised pixels lie; always the same ones.
pub fn pixels(len: usize) -> Vec<f32> {
    let mut random = Random::new(1);
    (0..len).map(|_| random.normalised()).collect()
}

/// Checks that `actual` is `expected` up to the rounding of another order of additions.
pub fn assert_close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!(
            (actual - expected).abs() <= 1e-4 * expected.abs().max(1.0),
            "{actual} is not {expected}"
        );
    }
}

fn project_model(engine: &dyn Engine) -> (Box<dyn Model>, usize) {
    let directory = ModelDirectory::open(&repository("model")).unwrap();
    let (height, width) = directory.input_size();
    let model = engine.load(&directory, &LoadOptions::default()).unwrap();
    assert_eq!(model.classes(), directory.labels().unwrap().len());
    (model, 3 * height * width)
}

/// An image's logits do not depend on the batch it is in.
pub fn batches_agree_with_single_images(engine: &dyn Engine) {
    let (model, image) = project_model(engine);
    let nchw = pixels(8 * image);
    let single: Vec<f32> = nchw.chunks(image).flat_map(|image| run(&*model, 1, image)).collect();
    assert!(single.iter().all(|logit| logit.is_finite()));
    for n in [1, 3, 8] {
        assert_close(&run(&*model, n, &nchw[..n * image]), &single[..n * model.classes()]);
    }
}

/// Concurrent callers with images and batches of their own get what they would get alone, to the bit.
pub fn concurrent_runs_agree(engine: &dyn Engine) {
    let (model, image) = project_model(engine);
    let nchw = pixels(12 * image);
    let bits = |caller: usize| {
        let n = 1 + caller % 4;
        let logits = run(&*model, n, &nchw[caller * image..][..n * image]);
        logits.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..8).map(bits).collect();
    thread::scope(|scope| {
        for (caller, expected) in expected.iter().enumerate() {
            let bits = &bits;
            scope.spawn(move || {
                for round in 0..20 {
                    assert_eq!(&bits(caller), expected, "caller {caller}, round {round}");
                }
            });
        }
    });
}

/// Several threads for one call change nothing but the time.
pub fn threads_do_not_change_the_result(engine: &dyn Engine) {
    let classifier = Classifier::load(engine, &repository("model"), &LoadOptions::default()).unwrap();
    let files = dataset();
    let images: Vec<_> = files.iter().take(21).map(Vec::as_slice).collect();
    let classify = |threads| {
        let mut predictions = Predictions::new();
        let threads = NonZeroUsize::new(threads).unwrap();
        classifier.classify(&images, threads, &mut predictions).unwrap();
        let rows = predictions
            .iter()
            .map(|prediction| prediction.unwrap().probabilities.to_vec());
        rows.collect::<Vec<_>>().concat()
    };
    let expected = classify(1);
    for threads in [2, 4] {
        assert_close(&classify(threads), &expected);
    }
}

/// Buffers that do not fit the batch are refused before the engine sees them.
pub fn wrong_buffers_are_refused(engine: &dyn Engine) {
    let (model, image) = project_model(engine);
    let classes = model.classes();
    let refused = |n: usize, values: usize, logits: usize| {
        let run = model.run(n, &vec![0.0; values], Asked::Classes, &mut vec![0.0; logits]);
        match run {
            Err(Error::Argument { argument, .. }) => argument,
            other => panic!("expected Error::Argument, got {other:?}"),
        }
    };
    assert_eq!(refused(2, image, 2 * classes), "nchw");
    assert_eq!(refused(1, image + 1, classes), "nchw");
    assert_eq!(refused(2, 2 * image, classes), "rows");
}

/// There is no silent fall-back to the CPU.
pub fn another_device_is_refused(engine: &dyn Engine) {
    let load = |device: &str| {
        let options = LoadOptions {
            device: device.to_owned(),
            ..LoadOptions::default()
        };
        Classifier::load(engine, &repository("model"), &options).map(|_| ())
    };
    match load("gpu") {
        Err(Error::Option { option, value, .. }) => assert_eq!((option, value.as_str()), ("device", "gpu")),
        other => panic!("expected Error::Option, got {other:?}"),
    }
    // Whether or not the machine has GPUs.
    match load("cuda:99") {
        Err(Error::Device { device, reason }) => {
            assert_eq!(device, "cuda:99");
            assert!(
                reason.contains("driver") || reason.contains("no GPU of this number"),
                "{reason}"
            );
        }
        other => panic!("expected Error::Device, got {other:?}"),
    }
}

/// How far probabilities on a GPU may be from those on the CPU.
pub const GPU_TOLERANCE: f32 = 1e-3;

/// What GPU 0 makes of the committed images: the labels of the CPU, and its probabilities to `tolerance`, for several
/// callers at once and whatever the size of the batches.
pub fn a_gpu_agrees_with_the_cpu(engine: &dyn Engine, precision: Precision, tolerance: f32) {
    let files = dataset();
    let images: Vec<_> = files.iter().map(Vec::as_slice).collect();
    let load = |options: &LoadOptions| Classifier::load(engine, &repository("model"), options).unwrap();
    let classify = |classifier: &Classifier| {
        let mut predictions = Predictions::new();
        classifier
            .classify(&images, NonZeroUsize::new(2).unwrap(), &mut predictions)
            .unwrap();
        let rows = predictions
            .iter()
            .map(|prediction| prediction.unwrap().probabilities.to_vec());
        rows.collect::<Vec<_>>()
    };
    let expected = classify(&load(&LoadOptions::default()));
    for batch_size in [1, 7, 256] {
        let options = LoadOptions {
            device: "cuda:0".to_owned(),
            precision,
            gpu: GpuOptions {
                batch_size,
                ..GpuOptions::default()
            },
            ..LoadOptions::default()
        };
        let classifier = load(&options);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (image, (actual, expected)) in classify(&classifier).iter().zip(&expected).enumerate() {
                        for (actual, expected) in actual.iter().zip(expected) {
                            let difference = (actual - expected).abs();
                            assert!(
                                difference <= tolerance,
                                "image {image}, batches of {batch_size}: {difference}"
                            );
                        }
                    }
                });
            }
        });
    }
}

/// A model directory without `file`, or with something else under its name, is refused with an error that names it.
pub fn broken_model_files_are_refused(engine: &dyn Engine, file: &str) {
    let whole = fs::read(repository("model").join(file)).unwrap();
    let contents: [(&str, Option<&[u8]>); 4] = [
        ("missing", None),
        ("empty", Some(b"")),
        ("text", Some(b"not a model\n")),
        ("truncated", Some(&whole[..whole.len() / 2])),
    ];
    for (name, content) in contents {
        let dir = model_without_weights();
        if let Some(content) = content {
            fs::write(dir.path().join(file), content).unwrap();
        }
        match load_error(engine, &dir) {
            Error::ModelFile { path, reason } => {
                assert_eq!(path, dir.path().join(file));
                assert!(!reason.is_empty());
            }
            other => panic!("{name}: expected Error::ModelFile, got {other:?}"),
        }
    }
}

/// How many committed images get another label in `precision` than in float32, and the largest difference of a
/// probability.
pub fn price_of(engine: &dyn Engine, precision: Precision) -> (usize, f32) {
    let files = dataset();
    let classify = |precision| {
        let options = LoadOptions {
            precision,
            ..LoadOptions::default()
        };
        let classifier = Classifier::load(engine, &repository("model"), &options).unwrap();
        let mut predictions = Predictions::new();
        let mut results = Vec::new();
        for batch in files.chunks(8) {
            let batch: Vec<_> = batch.iter().map(Vec::as_slice).collect();
            classifier
                .classify(&batch, NonZeroUsize::MIN, &mut predictions)
                .unwrap();
            results.extend(predictions.iter().map(|prediction| {
                let prediction = prediction.unwrap();
                (prediction.class_id, prediction.probabilities.to_vec())
            }));
        }
        results
    };
    let (exact, fast) = (classify(Precision::Fp32), classify(precision));
    let (mut flips, mut largest) = (0, 0.0_f32);
    for ((class, probabilities), (other_class, others)) in exact.iter().zip(&fast) {
        flips += usize::from(class != other_class);
        for (probability, other) in probabilities.iter().zip(others) {
            largest = largest.max((probability - other).abs());
        }
    }
    (flips, largest)
}

/// Every committed image gets the probabilities that Python computed for it with the same engine.
pub fn probabilities_agree_with_python(engine: &dyn Engine) {
    let golden = golden("predictions.json");
    let classifier = Classifier::load(engine, &repository("model"), &LoadOptions::default()).unwrap();
    let mut predictions = Predictions::new();

    let images: Vec<_> = golden["images"].as_object().unwrap().iter().collect();
    assert!(images.len() >= 100);
    for batch in images.chunks(8) {
        let files: Vec<_> = batch.iter().map(|(name, _)| dataset_image(name)).collect();
        let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
        classifier
            .classify(&files, NonZeroUsize::MIN, &mut predictions)
            .unwrap();
        for ((name, expected), prediction) in batch.iter().zip(predictions.iter()) {
            let prediction = prediction.unwrap();
            let expected: Vec<f32> = serde_json::from_value(expected[engine.name()].clone()).unwrap();
            assert_eq!(prediction.probabilities.len(), expected.len());
            for (actual, expected) in prediction.probabilities.iter().zip(expected) {
                assert!((actual - expected).abs() <= 1e-4, "{name}: {actual} is not {expected}");
            }
        }
    }
}
