//! Batches through a model that is simple enough to know its answers: the logits are the channels' means.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use spark_classify_core::{
    Asked, Classifier, Engine, Error, LoadOptions, Model, ModelDirectory, Outputs, PredictionError, Predictions, Result,
};
use spark_classify_imaging::{ImageError, ImageSource, RawPixels};
use spark_classify_testing::{dataset, model_directory, odd_image, plain_png};

const PREPROCESSOR: &str = r#"{"size": {"height": 6, "width": 4}, "resample": 2, "do_normalize": false}"#;

/// How the model behaves.
#[derive(Clone, Copy, Default)]
enum Logits {
    #[default]
    ChannelMeans,
    /// The channels' shares of the brightness, which are probabilities.
    Shares,
    NotANumber,
    /// After the runs of loading.
    Failing,
}

/// What the model is run for before its first batch: an empty image, one of noise, and both.
const RUNS_OF_LOADING: usize = 3;

#[derive(Default)]
struct MeanEngine {
    logits: Logits,
    additional_classes: usize,
    /// Where more than 0, the model's fixed batch.
    batch: usize,
    runs: Runs,
}

/// The images of each run so far.
type Runs = Arc<Mutex<Vec<usize>>>;

struct MeanModel {
    logits: Logits,
    classes: usize,
    batch: usize,
    runs: Runs,
    calls: AtomicUsize,
}

impl Engine for MeanEngine {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _model: &ModelDirectory, _options: &LoadOptions) -> Result<Box<dyn Model>> {
        Ok(Box::new(MeanModel {
            logits: self.logits,
            classes: 3 + self.additional_classes,
            batch: self.batch.max(1),
            runs: Arc::clone(&self.runs),
            calls: AtomicUsize::new(0),
        }))
    }
}

impl Model for MeanModel {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(self.classes)
    }

    fn batch_multiple(&self) -> usize {
        self.batch
    }

    fn run(&self, n: usize, nchw: &[f32], _: Asked, logits: &mut [f32]) -> Result<()> {
        let loading = self.calls.fetch_add(1, Ordering::Relaxed) < RUNS_OF_LOADING;
        if !loading {
            self.runs.lock().unwrap().push(n);
        }
        assert_eq!((nchw.len(), logits.len()), (n * 3 * 6 * 4, n * 3));
        match self.logits {
            Logits::ChannelMeans => {
                for (plane, logit) in nchw.chunks_exact(6 * 4).zip(logits) {
                    *logit = plane.iter().sum::<f32>() / 24.0;
                }
                Ok(())
            }
            Logits::Shares => {
                for (image, shares) in nchw.chunks_exact(3 * 6 * 4).zip(logits.chunks_exact_mut(3)) {
                    for (plane, share) in image.chunks_exact(6 * 4).zip(shares.iter_mut()) {
                        // An image without light is a little of every colour.
                        *share = plane.iter().map(|sample| sample.abs() + 1e-9).sum();
                    }
                    let all: f32 = shares.iter().sum();
                    for share in shares {
                        *share /= all;
                    }
                }
                Ok(())
            }
            Logits::NotANumber => {
                logits.fill(f32::NAN);
                Ok(())
            }
            Logits::Failing if loading => Ok(()),
            Logits::Failing => Err(Error::Inference {
                engine: "mean",
                reason: "on demand".to_owned(),
            }),
        }
    }
}

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn load(engine: &MeanEngine) -> Result<Classifier> {
    let directory = model_directory(PREPROCESSOR);
    Classifier::load(engine, directory.path(), &LoadOptions::default())
}

/// Softmax of one 1 and two 0.
const HIGH: f32 = 0.576_116_9;

#[test]
fn a_batch_is_one_run_and_a_bad_image_leaves_the_others_alone() {
    let engine = MeanEngine::default();
    let classifier = load(&engine).unwrap();
    let (red, blue) = (plain_png(9, 5, [255, 0, 0]), plain_png(3, 7, [0, 0, 255]));
    let mut predictions = Predictions::new();
    let images: [&[u8]; 4] = [&blue, b"no image", &red, b""];
    let times = classifier.classify(&images, ONE, &mut predictions).unwrap();

    assert_eq!(*engine.runs.lock().unwrap(), [4]);
    assert_eq!((predictions.len(), predictions.bad_images()), (4, 2));
    for (index, class_id) in [(0, 2), (2, 0)] {
        let prediction = predictions.get(index).unwrap();
        assert_eq!(prediction.class_id, class_id);
        assert!((prediction.confidence - HIGH).abs() < 1e-6, "{prediction:?}");
        assert_eq!(prediction.probabilities.len(), 3);
    }
    assert!(matches!(
        predictions.get(1),
        Err(PredictionError::Image(ImageError::UnknownFormat { .. }))
    ));
    assert_eq!(predictions.get(3), Err(&ImageError::Empty.into()));
    assert!(times.decode.as_nanos() > 0 && times.resize.as_nanos() > 0);
}

#[test]
fn pixels_are_classified_as_the_file_of_the_same_image_is() {
    let classifier = load(&MeanEngine::default()).unwrap();
    let (file, bgr) = (plain_png(9, 5, [200, 30, 7]), [7, 30, 200].repeat(9 * 5));
    let pixels = |height| {
        ImageSource::Pixels(RawPixels {
            width: 9,
            height,
            channels: 3,
            bytes: &bgr,
        })
    };
    let images = [ImageSource::File(&file), pixels(5), pixels(6)];
    let mut predictions = Predictions::new();
    classifier.classify_sources(&images, ONE, &mut predictions).unwrap();
    assert_eq!(predictions.get(0).unwrap(), predictions.get(1).unwrap());
    assert!(matches!(
        predictions.get(2),
        Err(PredictionError::Image(ImageError::Broken { format: "raw", .. }))
    ));
}

#[test]
fn without_a_good_image_the_model_does_not_run() {
    let engine = MeanEngine::default();
    let classifier = load(&engine).unwrap();
    let mut predictions = Predictions::new();
    classifier.classify(&[b"", b"text"], ONE, &mut predictions).unwrap();
    assert_eq!(predictions.bad_images(), 2);
    classifier.classify(&[], ONE, &mut predictions).unwrap();
    assert!(predictions.is_empty());
    assert!(engine.runs.lock().unwrap().is_empty());
}

#[test]
fn buffers_of_earlier_batches_leave_no_trace() {
    let classifier = load(&MeanEngine::default()).unwrap();
    let (white, green) = (plain_png(600, 375, [255; 3]), plain_png(5, 5, [0, 255, 0]));
    let mut fresh = Predictions::new();
    classifier.classify(&[&green, b"bad"], ONE, &mut fresh).unwrap();
    let mut reused = Predictions::new();
    classifier
        .classify(&[&white, &white, &white], ONE, &mut reused)
        .unwrap();
    classifier.classify(&[&green, b"bad"], ONE, &mut reused).unwrap();
    assert!(fresh.iter().eq(reused.iter()));
}

#[test]
fn threads_do_not_change_the_results() {
    let mut files = dataset();
    files.truncate(20);
    files.insert(7, odd_image("truncated.jpg"));
    let images: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let mut sequential = Predictions::new();
    let classifier = load(&MeanEngine::default()).unwrap();
    classifier.classify(&images, ONE, &mut sequential).unwrap();
    assert_eq!((sequential.len(), sequential.bad_images()), (21, 1));
    // More threads than images, too.
    for threads in [2, 3, 64] {
        let mut parallel = Predictions::new();
        let threads = NonZeroUsize::new(threads).unwrap();
        classifier.classify(&images, threads, &mut parallel).unwrap();
        assert!(sequential.iter().eq(parallel.iter()), "{threads} threads");
    }
}

#[test]
fn every_thread_runs_parts_that_suit_the_model() {
    let image = plain_png(4, 6, [255, 0, 0]);
    for (images, threads, batch, expected) in [
        (20, 1, 0, vec![7, 7, 6]),
        (7, 2, 0, vec![4, 3]),
        (3, 8, 0, vec![1, 1, 1]),
        (5, 2, 4, vec![4, 1]),
    ] {
        let engine = MeanEngine {
            batch,
            ..MeanEngine::default()
        };
        let classifier = load(&engine).unwrap();
        let mut predictions = Predictions::new();
        let threads = NonZeroUsize::new(threads).unwrap();
        let batch = vec![image.as_slice(); images];
        classifier.classify(&batch, threads, &mut predictions).unwrap();
        assert!(predictions.iter().all(|prediction| prediction.unwrap().class_id == 0));
        let mut runs = engine.runs.lock().unwrap().clone();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(runs, expected, "{images} images on {threads} threads");
    }
}

#[test]
fn concurrent_callers_share_a_classifier() {
    let classifier = load(&MeanEngine::default()).unwrap();
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    std::thread::scope(|scope| {
        for (class_id, colour) in colours.into_iter().enumerate() {
            let classifier = &classifier;
            scope.spawn(move || {
                let image = plain_png(30, 30, colour);
                let mut predictions = Predictions::new();
                for _ in 0..20 {
                    classifier
                        .classify(&[image.as_slice(); 5], TWO, &mut predictions)
                        .unwrap();
                    assert!(predictions
                        .iter()
                        .all(|prediction| prediction.unwrap().class_id == class_id));
                }
            });
        }
    });
}

#[test]
fn a_model_with_other_classes_than_config_json_is_refused() {
    let engine = MeanEngine {
        additional_classes: 2,
        ..MeanEngine::default()
    };
    let error = load(&engine).unwrap_err();
    assert!(matches!(&error, Error::ModelField { field, .. } if field == "id2label"));
    let message = error.to_string();
    assert!(
        message.contains("config.json: field `id2label`: names 3 classes, but the mean model gives 5"),
        "{message}"
    );
}

#[test]
fn failures_of_the_engine_fail_the_call() {
    let image = plain_png(4, 6, [1, 2, 3]);
    let engine = MeanEngine {
        logits: Logits::Failing,
        ..MeanEngine::default()
    };
    let classifier = load(&engine).unwrap();
    let error = classifier
        .classify(&[b"bad", &image], ONE, &mut Predictions::new())
        .unwrap_err();
    assert_eq!(error.to_string(), "mean: inference failed: on demand");
    assert_eq!(error.condition(), "CLASSIFY_INFERENCE_FAILED");
}

#[test]
fn an_image_without_a_prediction_is_its_own_error() {
    let engine = MeanEngine {
        logits: Logits::NotANumber,
        ..MeanEngine::default()
    };
    let image = plain_png(4, 6, [1, 2, 3]);
    let mut predictions = Predictions::new();
    load(&engine)
        .unwrap()
        .classify(&[b"bad", &image], ONE, &mut predictions)
        .unwrap();
    let errors: Vec<_> = predictions.iter().map(|row| row.unwrap_err().to_string()).collect();
    assert!(errors[0].contains("not an image"), "{errors:?}");
    assert_eq!(
        errors[1],
        "the model gives no prediction for this image: its logits are not finite numbers"
    );
}

/// Loads an engine from a directory whose `config.json` has these fields beside the labels.
fn load_with(logits: Logits, fields: &str) -> Result<Classifier> {
    let directory = model_directory(PREPROCESSOR);
    let labels = r#""id2label": {"0": "red", "1": "green", "2": "blue"}"#;
    std::fs::write(directory.path().join("config.json"), format!("{{{labels}{fields}}}")).unwrap();
    let engine = MeanEngine {
        logits,
        ..MeanEngine::default()
    };
    Classifier::load(&engine, directory.path(), &LoadOptions::default())
}

#[test]
fn a_model_may_give_probabilities() {
    let image = plain_png(4, 6, [50, 100, 50]);
    let mut predictions = Predictions::new();
    let classifier = load_with(Logits::Shares, r#", "function_to_apply": "none""#).unwrap();
    classifier.classify(&[&image], ONE, &mut predictions).unwrap();
    let prediction = predictions.get(0).unwrap();
    for (actual, expected) in prediction.probabilities.iter().zip([0.25, 0.5, 0.25]) {
        assert!((actual - expected).abs() < 1e-6, "{prediction:?}");
    }
}

#[test]
fn logits_announced_as_probabilities_are_refused() {
    let error = load_with(Logits::ChannelMeans, r#", "function_to_apply": "none""#).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("config.json: field `function_to_apply`: is `none`, but the model gives no probabilities"),
        "{message}"
    );
    assert_eq!(error.condition(), "CLASSIFY_BAD_MODEL");
}
