//! The memory that stays between batches. In a process of its own, because it measures the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use spark_classify_core::{
    Asked, Classifier, Engine, LoadOptions, Model, ModelDirectory, Outputs, Predictions, Result,
};
use spark_classify_testing::{model_directory, plain_png, resident};

/// Knows nothing: all logits are 0.
struct Blank;

impl Engine for Blank {
    fn name(&self) -> &'static str {
        "blank"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _model: &ModelDirectory, _options: &LoadOptions) -> Result<Box<dyn Model>> {
        Ok(Box::new(Blank))
    }
}

impl Model for Blank {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(3)
    }

    fn run(&self, _n: usize, _nchw: &[f32], _: Asked, logits: &mut [f32]) -> Result<()> {
        logits.fill(0.0);
        Ok(())
    }
}

#[test]
fn a_huge_batch_leaves_nothing_behind() {
    let directory =
        model_directory(r#"{"size": {"height": 2048, "width": 2048}, "resample": 2, "do_normalize": false}"#);
    let classifier = Classifier::load(&Blank, directory.path(), &LoadOptions::default()).unwrap();
    let image = plain_png(40, 60, [1, 2, 3]);
    let before = resident();
    // 48 MiB for each image's tensor.
    let batch = [image.as_slice(); 4];
    classifier
        .classify(&batch, NonZeroUsize::MIN, &mut Predictions::new())
        .unwrap();
    let after = resident();
    assert!(after < before + 96, "{before} MiB, then {after} MiB");
}
