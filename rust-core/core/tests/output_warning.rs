//! A warning about a model whose logits look like probabilities. In a process of its own, because it takes the log.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Mutex;

use spark_classify_core::{Asked, Classifier, Engine, LoadOptions, Model, ModelDirectory, Outputs, Result};
use spark_classify_testing::model_directory;

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// A model that gives the same three numbers for every image.
#[derive(Clone, Copy)]
struct Constant([f32; 3]);

impl Engine for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _model: &ModelDirectory, _options: &LoadOptions) -> Result<Box<dyn Model>> {
        Ok(Box::new(*self))
    }
}

impl Model for Constant {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(3)
    }

    fn run(&self, _n: usize, _nchw: &[f32], _: Asked, logits: &mut [f32]) -> Result<()> {
        for row in logits.chunks_exact_mut(3) {
            row.copy_from_slice(&self.0);
        }
        Ok(())
    }
}

/// What is warned of when a model that gives these numbers is loaded.
fn warnings(output: [f32; 3], dir: &Path) -> Vec<String> {
    WARNINGS.lock().unwrap().clear();
    Classifier::load(&Constant(output), dir, &LoadOptions::default()).unwrap();
    std::mem::take(&mut *WARNINGS.lock().unwrap())
}

#[test]
fn logits_that_look_like_probabilities_are_warned_of() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let directory = model_directory(r#"{"size": [4, 4], "resample": 2, "do_normalize": false}"#);
    let warned = warnings([0.5, 0.25, 0.25], directory.path());
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].contains(r#"if so, write "function_to_apply": "none" into config.json"#),
        "{warned:?}"
    );
    assert!(warned[0].contains(directory.path().to_str().unwrap()), "{warned:?}");
    assert!(warnings([0.5, 0.25, -0.25], directory.path()).is_empty());
    assert!(warnings([2.0, 1.0, 0.5], directory.path()).is_empty());
}
