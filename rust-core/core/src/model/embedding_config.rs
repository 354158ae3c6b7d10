//! What is made of the embeddings that a model gives, from `config.json`.

use super::json::Object;
use crate::error::Result;

/// The field that says how the vectors of a `last_hidden_state` become one.
pub(crate) const POOLING_FIELD: &str = "pooling";

/// The field that switches normalising off.
const NORMALIZE_FIELD: &str = "normalize";

/// How the vectors of an image's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first one, which is that of the class token.
    Cls,
    /// Their mean.
    Mean,
}

/// What is made of the embeddings that a model gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingConfig {
    /// `pooling`, where the file says it.
    pub pooling: Option<Pooling>,
    /// `normalize`: whether embeddings are divided by their length (L2), as they are by default.
    pub normalize: bool,
}

impl EmbeddingConfig {
    pub(super) fn take(config: &mut Object) -> Result<Self> {
        let pooling = match config.take::<String>(POOLING_FIELD)?.as_deref() {
            None => None,
            Some("cls") => Some(Pooling::Cls),
            Some("mean") => Some(Pooling::Mean),
            Some(other) => {
                let reason = format!("`{other}` is not supported; write `cls` or `mean`");
                return Err(config.error(POOLING_FIELD, reason));
            }
        };
        Ok(Self {
            pooling,
            normalize: config.take(NORMALIZE_FIELD)?.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Result<EmbeddingConfig> {
        EmbeddingConfig::take(&mut Object::parse(Path::new("config.json"), text).unwrap())
    }

    #[test]
    fn embeddings_are_normalized_unless_the_file_says_otherwise() {
        for (text, pooling, normalize) in [
            ("{}", None, true),
            (r#"{"pooling": "cls", "normalize": null}"#, Some(Pooling::Cls), true),
            (r#"{"pooling": "mean", "normalize": false}"#, Some(Pooling::Mean), false),
        ] {
            assert_eq!(config(text).unwrap(), EmbeddingConfig { pooling, normalize }, "{text}");
        }
    }

    #[test]
    fn what_would_give_other_embeddings_is_refused_by_name() {
        for (text, expected) in [
            (
                r#"{"pooling": "max"}"#,
                "config.json: field `pooling`: `max` is not supported; write `cls` or `mean`",
            ),
            (r#"{"pooling": true}"#, "field `pooling`: invalid type: boolean `true`"),
            (
                r#"{"normalize": "no"}"#,
                "field `normalize`: invalid type: string \"no\"",
            ),
        ] {
            let refused = config(text).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
