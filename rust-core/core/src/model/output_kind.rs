//! What the numbers that a model gives mean, from `config.json`.

use super::json::Object;
use crate::error::Result;

/// The field that says it, as in Hugging Face's pipelines for classification.
pub(crate) const FIELD: &str = "function_to_apply";

const PROBLEM_TYPE: &str = "problem_type";

/// What the numbers that a model gives mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Logits of classes of which an image has one: softmax makes probabilities of them.
    Logits,
    /// Such probabilities already.
    Probabilities,
    /// Logits of classes of which an image may have any number: the sigmoid makes a probability of each.
    IndependentLogits,
    /// Such probabilities already.
    IndependentProbabilities,
}

/// A value of `function_to_apply`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Softmax,
    Sigmoid,
    None,
}

/// What `config.json` says about the numbers that a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputRule {
    function: Option<Function>,
    multi_label: bool,
}

impl OutputRule {
    /// Takes `function_to_apply` and `problem_type`.
    pub(super) fn take(config: &mut Object) -> Result<Self> {
        let multi_label = match config.take::<String>(PROBLEM_TYPE)?.as_deref() {
            None | Some("single_label_classification") => false,
            Some("multi_label_classification") => true,
            Some("regression") => {
                let reason = "is `regression`: the model gives quantities, which are no probabilities of classes";
                return Err(config.error(PROBLEM_TYPE, reason));
            }
            Some(other) => {
                let reason = format!(
                    "`{other}` is not supported; write `single_label_classification` or `multi_label_classification`"
                );
                return Err(config.error(PROBLEM_TYPE, reason));
            }
        };
        let function = match config.take::<String>(FIELD)?.map(|name| name.to_lowercase()).as_deref() {
            None => None,
            Some("softmax") => Some(Function::Softmax),
            Some("sigmoid") => Some(Function::Sigmoid),
            Some("none") => Some(Function::None),
            Some(other) => {
                let reason = format!(
                    "`{other}` is not supported; write `softmax` or `sigmoid` for a model that gives logits, `none` \
                     for one that gives probabilities"
                );
                return Err(config.error(FIELD, reason));
            }
        };
        Ok(Self { function, multi_label })
    }

    /// Whether `function_to_apply` is written.
    pub(crate) fn is_written(self) -> bool {
        self.function.is_some()
    }

    /// What the numbers of this many classes mean: what is written, else, as the pipeline for images decides it, the
    /// sigmoid for several labels an image and for one class, of which the softmax would always be 1, else softmax.
    /// `calls_probabilities` says whether the model file calls them probabilities.
    ///
    /// # Errors
    /// Why what is written makes no sense.
    pub(crate) fn kind(self, classes: usize, calls_probabilities: bool) -> Result<OutputKind, &'static str> {
        let independent = self.multi_label || classes == 1;
        match self.function {
            Some(Function::Softmax) if classes == 1 => {
                Err("is `softmax`, which makes 1 of every logit of a single class; write `sigmoid`")
            }
            Some(Function::Softmax) => Ok(OutputKind::Logits),
            Some(Function::Sigmoid) => Ok(OutputKind::IndependentLogits),
            None if !calls_probabilities && !independent => Ok(OutputKind::Logits),
            None if !calls_probabilities => Ok(OutputKind::IndependentLogits),
            _ if independent => Ok(OutputKind::IndependentProbabilities),
            _ => Ok(OutputKind::Probabilities),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn rule(text: &str) -> Result<OutputRule> {
        OutputRule::take(&mut Object::parse(Path::new("config.json"), text).unwrap())
    }

    #[test]
    fn the_order_of_the_decisions_is_the_pipelines() {
        use OutputKind::{IndependentLogits, IndependentProbabilities, Logits, Probabilities};
        for (text, one_class, three_classes) in [
            ("{}", IndependentLogits, Logits),
            (
                r#"{"problem_type": "single_label_classification"}"#,
                IndependentLogits,
                Logits,
            ),
            (
                r#"{"problem_type": "multi_label_classification", "function_to_apply": null}"#,
                IndependentLogits,
                IndependentLogits,
            ),
            (
                r#"{"function_to_apply": "Sigmoid"}"#,
                IndependentLogits,
                IndependentLogits,
            ),
            (
                r#"{"function_to_apply": "none"}"#,
                IndependentProbabilities,
                Probabilities,
            ),
            (
                r#"{"function_to_apply": "none", "problem_type": "multi_label_classification"}"#,
                IndependentProbabilities,
                IndependentProbabilities,
            ),
        ] {
            let rule = rule(text).unwrap();
            assert_eq!(rule.kind(1, false), Ok(one_class), "{text}");
            assert_eq!(rule.kind(3, false), Ok(three_classes), "{text}");
        }
        let softmax = rule(r#"{"function_to_apply": "softmax", "problem_type": "multi_label_classification"}"#);
        assert_eq!(softmax.clone().unwrap().kind(3, true), Ok(Logits));
        assert!(softmax.unwrap().kind(1, false).unwrap_err().contains("write `sigmoid`"));
    }

    #[test]
    fn an_output_called_probabilities_counts_where_nothing_is_written() {
        let unwritten = rule("{}").unwrap();
        assert_eq!(unwritten.kind(3, true), Ok(OutputKind::Probabilities));
        assert_eq!(unwritten.kind(1, true), Ok(OutputKind::IndependentProbabilities));
        assert_eq!(
            rule(r#"{"function_to_apply": "sigmoid"}"#).unwrap().kind(3, true),
            Ok(OutputKind::IndependentLogits)
        );
    }

    #[test]
    fn what_gives_no_probabilities_is_refused_by_name() {
        let error = |text: &str| rule(text).unwrap_err().to_string();
        let message = error(r#"{"function_to_apply": "relu"}"#);
        assert!(
            message.contains("config.json: field `function_to_apply`: `relu`"),
            "{message}"
        );
        let message = error(r#"{"problem_type": "regression"}"#);
        assert!(message.contains("field `problem_type`: is `regression`"), "{message}");
        let message = error(r#"{"problem_type": "ranking"}"#);
        assert!(
            message.contains("field `problem_type`: `ranking` is not supported"),
            "{message}"
        );
    }
}
