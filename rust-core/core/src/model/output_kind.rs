//! What the numbers that a model gives mean, from `config.json`.

use super::json::Object;
use crate::error::Result;

/// The field that says it, as in Hugging Face's pipelines for classification.
pub(crate) const FIELD: &str = "function_to_apply";

/// What the numbers that a model gives mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Logits: softmax makes probabilities of them.
    Logits,
    /// Probabilities already.
    Probabilities,
}

impl OutputKind {
    /// Takes `function_to_apply` (`softmax`, the default, or `none`) and `problem_type`.
    pub(super) fn take(config: &mut Object) -> Result<Self> {
        if let Some(problem) = config.take::<String>("problem_type")? {
            if problem != "single_label_classification" {
                let reason = format!("`{problem}` is not supported: an image has one class here");
                return Err(config.error("problem_type", reason));
            }
        }
        match config.take::<String>(FIELD)?.as_deref() {
            None | Some("softmax") => Ok(Self::Logits),
            Some("none") => Ok(Self::Probabilities),
            Some(other) => {
                let reason = format!(
                    "`{other}` is not supported; write `softmax` for a model that gives logits, `none` for one that \
                     gives probabilities"
                );
                Err(config.error(FIELD, reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn output_kind(text: &str) -> Result<OutputKind> {
        OutputKind::take(&mut Object::parse(Path::new("config.json"), text).unwrap())
    }

    #[test]
    fn logits_are_the_default() {
        for text in [
            "{}",
            r#"{"function_to_apply": null}"#,
            r#"{"function_to_apply": "softmax", "problem_type": "single_label_classification"}"#,
        ] {
            assert_eq!(output_kind(text).unwrap(), OutputKind::Logits, "{text}");
        }
        let none = output_kind(r#"{"function_to_apply": "none"}"#);
        assert_eq!(none.unwrap(), OutputKind::Probabilities);
    }

    #[test]
    fn what_would_give_other_probabilities_is_refused_by_name() {
        let error = |text: &str| output_kind(text).unwrap_err().to_string();
        let message = error(r#"{"function_to_apply": "sigmoid"}"#);
        assert!(
            message.contains("config.json: field `function_to_apply`: `sigmoid`"),
            "{message}"
        );
        let message = error(r#"{"problem_type": "multi_label_classification"}"#);
        assert!(
            message.contains("field `problem_type`: `multi_label_classification`"),
            "{message}"
        );
    }
}
