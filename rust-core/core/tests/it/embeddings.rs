//! Embeddings through a model that is simple enough to know its answers: the embedding is the channels' means, and the
//! logits are these in the opposite order.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use spark_classify_core::engine::DeviceModel;
use spark_classify_core::{
    Asked, Classifier, Embeddings, Engine, Error, Lane, LoadOptions, Model, ModelDirectory, Outputs, Predictions,
    Result, SampleTable,
};
use spark_classify_imaging::ImageSource;
use spark_classify_testing::{model_directory, plain_png};
use tempfile::TempDir;

const PREPROCESSOR: &str = r#"{"size": {"height": 6, "width": 4}, "resample": 2, "do_normalize": false}"#;
const PLANE: usize = 6 * 4;
const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// What the model gives, and what it has been asked for after loading.
#[derive(Clone)]
struct MeanEngine {
    outputs: Outputs,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl MeanEngine {
    fn giving(classes: bool, embedding: bool) -> Self {
        let part = |gives: bool, what: &str| {
            let refused = || Error::ModelFile {
                path: "model.mean".into(),
                reason: format!("the model gives no {what}"),
            };
            if gives {
                Ok(3)
            } else {
                Err(refused())
            }
        };
        Self {
            outputs: Outputs {
                classes: part(classes, "classes"),
                embedding: part(embedding, "embedding"),
                embeddings_only: false,
            },
            asked: Arc::default(),
        }
    }

    fn load_in(&self, directory: &TempDir) -> Result<Classifier> {
        self.load_on(directory, "cpu")
    }

    fn load_on(&self, directory: &TempDir, device: &str) -> Result<Classifier> {
        let options = LoadOptions {
            device: device.to_owned(),
            ..LoadOptions::default()
        };
        let classifier = Classifier::load(self, directory.path(), &options)?;
        self.asked.lock().unwrap().clear();
        Ok(classifier)
    }
}

impl Engine for MeanEngine {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _: &ModelDirectory, _: &LoadOptions) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.clone()))
    }

    fn load_on_gpu(
        &self,
        _: &ModelDirectory,
        _: u32,
        samples: &SampleTable,
        _: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        Ok(Arc::new(OnDevice {
            engine: self.clone(),
            samples: samples.clone(),
        }))
    }
}

impl Model for MeanEngine {
    fn outputs(&self) -> Outputs {
        self.outputs.clone()
    }

    fn run(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<()> {
        self.asked.lock().unwrap().push(asked);
        for (image, row) in nchw.chunks_exact(3 * PLANE).zip(rows.chunks_exact_mut(rows.len() / n)) {
            let means: Vec<f32> = image
                .chunks_exact(PLANE)
                .map(|plane| plane.iter().sum::<f32>() / PLANE as f32)
                .collect();
            let logits: Vec<f32> = means.iter().rev().copied().collect();
            let part = |asked, values| if asked { values } else { &[][..] };
            row.copy_from_slice(&[part(asked.classes(), &logits), part(asked.embedding(), &means)].concat());
        }
        Ok(())
    }
}

struct OnDevice {
    engine: MeanEngine,
    samples: SampleTable,
}

impl DeviceModel for OnDevice {
    fn outputs(&self) -> Outputs {
        self.engine.outputs.clone()
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(MeanLane {
            model: self,
            pixels: vec![0; images * 3 * PLANE],
        }))
    }
}

struct MeanLane<'a> {
    model: &'a OnDevice,
    pixels: Vec<u8>,
}

impl Lane for MeanLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    fn run(&mut self, n: usize, asked: Asked, rows: &mut [f32]) -> Result<()> {
        let planes = self.pixels.chunks_exact(PLANE).zip(self.model.samples.0.iter().cycle());
        let tensor: Vec<f32> = planes
            .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
            .collect();
        self.model.engine.run(n, &tensor[..n * 3 * PLANE], asked, rows)
    }
}

/// A model directory whose `config.json` is this.
fn directory(config: &str) -> TempDir {
    let directory = model_directory(PREPROCESSOR);
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    directory
}

const LABELS: &str = r#"{"id2label": {"0": "blue", "1": "green", "2": "red"}}"#;

fn files() -> [Vec<u8>; 3] {
    [
        plain_png(8, 8, [255, 0, 0]),
        b"no image".to_vec(),
        plain_png(8, 8, [0, 51, 68]),
    ]
}

fn embed(classifier: &Classifier) -> Vec<Option<Vec<f32>>> {
    let files = files();
    let images: Vec<_> = files.iter().map(|file| ImageSource::File(file)).collect();
    let mut embeddings = Embeddings::new();
    classifier.embed_sources(&images, ONE, &mut embeddings).unwrap();
    embeddings.iter().map(|row| row.ok().map(<[f32]>::to_vec)).collect()
}

fn assert_close(actual: &[f32], expected: &[f32]) {
    let close = |(actual, expected): (&f32, &f32)| (actual - expected).abs() < 1e-6;
    assert!(actual.iter().zip(expected).all(close), "{actual:?} is not {expected:?}");
}

#[test]
fn one_run_gives_classes_and_embeddings() {
    for device in ["cpu", "cuda:0"] {
        let engine = MeanEngine::giving(true, true);
        let classifier = engine.load_on(&directory(LABELS), device).unwrap();
        let files = files();
        let images: Vec<_> = files.iter().map(|file| ImageSource::File(file)).collect();
        let (mut predictions, mut embeddings) = (Predictions::new(), Embeddings::new());
        classifier
            .run_sources(&images, ONE, Some(&mut predictions), Some(&mut embeddings))
            .unwrap();
        assert!(engine.asked.lock().unwrap().iter().all(|asked| *asked == Asked::Both));
        let labels = classifier.labels().unwrap();
        assert_eq!(labels.name(predictions.get(0).unwrap().class_id), "red");
        assert_close(embeddings.get(0).unwrap(), &[1.0, 0.0, 0.0]);
        assert_close(embeddings.get(2).unwrap(), &[0.0, 0.6, 0.8]);
        assert_eq!(predictions.get(1).unwrap_err(), embeddings.get(1).unwrap_err());

        // Each alone is the same, of a run for that alone.
        let mut alone = Predictions::new();
        engine.asked.lock().unwrap().clear();
        classifier.classify_sources(&images, ONE, &mut alone).unwrap();
        assert!(alone.iter().eq(predictions.iter()));
        assert!(engine
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| *asked == Asked::Classes));
        engine.asked.lock().unwrap().clear();
        let both: Vec<_> = embeddings.iter().map(|row| row.ok().map(<[f32]>::to_vec)).collect();
        assert_eq!(embed(&classifier), both);
        assert!(engine
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| *asked == Asked::Embedding));
    }
}

#[test]
fn embeddings_stay_as_they_are_where_the_directory_says_so() {
    let classifier = MeanEngine::giving(false, true)
        .load_in(&directory(r#"{"normalize": false}"#))
        .unwrap();
    assert_close(embed(&classifier)[2].as_ref().unwrap(), &[0.0, 0.2, 68.0 / 255.0]);
}

#[test]
fn a_model_without_classes_needs_no_labels() {
    let classifier = MeanEngine::giving(false, true).load_in(&directory("{}")).unwrap();
    assert_eq!(embed(&classifier).len(), 3);
    let refused = classifier.classify(&[b""], ONE, &mut Predictions::new()).unwrap_err();
    assert_eq!(refused.to_string(), "model file model.mean: the model gives no classes");
    assert!(classifier.labels().is_err());
}

#[test]
fn a_model_whose_classes_have_no_labels_gives_embeddings_all_the_same() {
    let four = r#"{"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}"#;
    for (config, expected) in [
        ("{}", "field `id2label`: is missing"),
        (four, "names 4 classes, but the mean model gives 3"),
    ] {
        let classifier = MeanEngine::giving(true, true).load_in(&directory(config)).unwrap();
        assert_eq!(embed(&classifier).len(), 3);
        let refused = classifier.classify(&[b""], ONE, &mut Predictions::new()).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
        assert_eq!(refused.condition(), "CLASSIFY_BAD_MODEL");

        let refused = MeanEngine::giving(true, false).load_in(&directory(config)).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn a_model_without_embeddings_says_so() {
    let classifier = MeanEngine::giving(true, false).load_in(&directory(LABELS)).unwrap();
    let mut embeddings = Embeddings::new();
    let refused = classifier.embed_sources(&[], ONE, &mut embeddings).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "model file model.mean: the model gives no embedding"
    );
}
