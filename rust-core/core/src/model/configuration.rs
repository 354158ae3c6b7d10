//! Which files of a model directory say what.

use std::path::{Path, PathBuf};

use super::files::{CONFIG, PREPROCESSOR_CONFIG, PROCESSOR_CONFIG};
use super::json::Object;
use super::labels::Labels;
use super::output_kind::OutputRule;
use super::preprocessor_config::PreprocessorConfig;
use super::processors::Surroundings;
use crate::error::{Error, Result};

/// The image processor among all processors of a model.
const NESTED: &str = "image_processor";

/// timm's preprocessing, in config.json or in the file of transformers' `TimmWrapperImageProcessor`.
const PRETRAINED_CFG: &str = "pretrained_cfg";
const MODEL_ARGS: &str = "model_args";

/// What the configuration files of a directory say.
#[derive(Debug)]
pub(super) struct Configuration {
    /// `config.json`, without what the other fields of this structure have been made of.
    pub(super) config: Object,
    pub(super) labels: Result<Labels>,
    pub(super) output_rule: OutputRule,
    pub(super) preprocessor: PreprocessorConfig,
    /// What somebody who uses the model should know about the way its files are read.
    pub(super) notes: Vec<String>,
}

impl Configuration {
    /// Reads the files.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let Some(config) = present(dir, CONFIG) else {
            return Err(Error::ModelFile {
                path: dir.join(CONFIG),
                reason: "is missing; `save_pretrained` of a model of transformers writes it, and timm's `save_for_hf`"
                    .to_owned(),
            });
        };
        let mut config = Object::read(&config)?;
        let mut notes = Vec::new();
        // timm's oldest files have the fields of `pretrained_cfg` at their top.
        let pretrained = match config.take_object(PRETRAINED_CFG)? {
            None if config.has("architecture") && config.has("input_size") => Some(config.clone()),
            pretrained => pretrained,
        };
        let labels = Labels::take(&mut config, pretrained.clone().as_mut());
        if labels.as_ref().is_ok_and(Labels::are_numbers) {
            notes.push("config.json names no classes, which so have numbers for names".to_owned());
        }
        let output_rule = OutputRule::take(&mut config)?;
        let preprocessor = preprocessor(dir, &mut config, pretrained, &mut notes)?;
        Ok(Self {
            config,
            labels,
            output_rule,
            preprocessor,
            notes,
        })
    }
}

/// How images become tensors: what transformers' `AutoImageProcessor` reads, in its order.
fn preprocessor(
    dir: &Path,
    config: &mut Object,
    pretrained: Option<Object>,
    notes: &mut Vec<String>,
) -> Result<PreprocessorConfig> {
    let alone = present(dir, PREPROCESSOR_CONFIG);
    if let Some(path) = present(dir, PROCESSOR_CONFIG) {
        if let Some(mut nested) = Object::read(&path)?.take_object(NESTED)? {
            if alone.is_some() {
                notes.push(format!(
                    "{PREPROCESSOR_CONFIG} is not read, since {PROCESSOR_CONFIG} has an {NESTED}"
                ));
            }
            let surroundings = Surroundings::take(config, true)?;
            return of_processor(&mut nested, config, &surroundings, notes);
        }
    }
    match (alone, pretrained) {
        (None, Some(mut pretrained)) => {
            PreprocessorConfig::take_timm(&mut pretrained, config.take_object(MODEL_ARGS)?, notes)
        }
        (Some(path), Some(mut pretrained)) => {
            let beside = Object::read(&path)?.take_object(PRETRAINED_CFG)?;
            if beside.is_some_and(|beside| beside.has_the_fields_of(&pretrained)) {
                return PreprocessorConfig::take_timm(&mut pretrained, config.take_object(MODEL_ARGS)?, notes);
            }
            let reason = format!(
                "says otherwise than {PRETRAINED_CFG} in {CONFIG} how images are prepared; transformers would take the \
                 latter: remove one of them"
            );
            Err(Error::ModelFile { path, reason })
        }
        (Some(path), None) => {
            let surroundings = Surroundings::take(config, false)?;
            of_processor(&mut Object::read(&path)?, config, &surroundings, notes)
        }
        (None, None) => Err(Error::ModelFile {
            path: dir.join(PREPROCESSOR_CONFIG),
            reason: format!(
                "is missing, and neither {PROCESSOR_CONFIG} has an `{NESTED}` nor {CONFIG} timm's `{PRETRAINED_CFG}`; \
                 Hugging Face's `processor.save_pretrained` writes it, and `spark-classify export` does for other networks"
            ),
        }),
    }
}

/// What the file of an image processor says.
fn of_processor(
    file: &mut Object,
    config: &mut Object,
    surroundings: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<PreprocessorConfig> {
    match file.take_object(PRETRAINED_CFG)? {
        Some(mut pretrained) => PreprocessorConfig::take_timm(&mut pretrained, config.take_object(MODEL_ARGS)?, notes),
        None => PreprocessorConfig::take(file, surroundings, notes),
    }
}

fn present(dir: &Path, name: &str) -> Option<PathBuf> {
    Some(dir.join(name)).filter(|path| path.exists() && !path.is_dir())
}
