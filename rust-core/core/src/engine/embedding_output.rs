//! How an embedding is found among the outputs of a model, and what is made of it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::model::{ModelDirectory, Pooling, POOLING_FIELD};

/// What outputs with an embedding are called, those that are taken first in front: those of the transformers
/// library, those of other exporters, and last what an embedding can be made of.
const EMBEDDINGS: [&str; 5] = [
    "image_embeds",
    "pooler_output",
    "embedding",
    "embeddings",
    LAST_HIDDEN_STATE,
];

/// A vector for each part of an image (token), of which [`Pooling`] makes the embedding.
const LAST_HIDDEN_STATE: &str = "last_hidden_state";

/// The output of a model that is its embedding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingOutput {
    /// Its name.
    pub name: String,
    /// How it becomes one vector, where it has one for each token.
    pub pooling: Option<Pooling>,
}

impl EmbeddingOutput {
    /// Whether an output of this name is an embedding, or what becomes one, so that it has no classes.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        EMBEDDINGS.contains(&name)
    }

    /// The error for a model in `file` whose outputs, which are called `names`, are embeddings alone.
    #[must_use]
    pub fn only(file: &Path, names: &[impl AsRef<str>]) -> Error {
        Error::ModelFile {
            path: file.to_owned(),
            reason: format!(
                "the model gives no classes: {}, which are embeddings; `embed_image` is the function for it, and \
                 `spark-classify export` writes a model that has classes",
                listed(names)
            ),
        }
    }

    /// Chooses among the outputs of the model in `file`, which are called `names`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] when none is an embedding; [`Error::ModelField`] when `config.json` does not say what is to
    /// be made of it.
    pub fn choose(model: &ModelDirectory, file: &Path, names: &[impl AsRef<str>]) -> Result<Self> {
        let is_output = |name: &&str| names.iter().any(|output| output.as_ref() == *name);
        let Some(name) = EMBEDDINGS.into_iter().find(is_output) else {
            return Err(Error::ModelFile {
                path: file.to_owned(),
                reason: format!(
                    "the model gives no embedding: {}, and one called {} is needed; `spark-classify export \
                     --embeddings` writes a model that has one",
                    listed(names),
                    EMBEDDINGS.join(", ")
                ),
            });
        };
        let config = model.embedding()?;
        let pooling = if name == LAST_HIDDEN_STATE {
            Some(config.pooling.ok_or_else(|| {
                model.config_error(
                    POOLING_FIELD,
                    format!(
                        "is missing, and the model's output `{name}` has a vector for each part of an image; write \
                         `cls` for the first of them, or `mean` for their mean"
                    ),
                )
            })?)
        } else {
            None
        };
        Ok(Self {
            name: name.to_owned(),
            pooling,
        })
    }

    /// The number of vectors for each image, and their width, in an output of this shape for `batch` images.
    ///
    /// # Errors
    /// The reason why it has none, with the shape.
    pub fn dimensions(&self, shape: &[i64], batch: usize) -> Result<(usize, usize), String> {
        let expected = || {
            let expected = match self.pooling {
                Some(_) => "tokens, width",
                None => "width",
            };
            format!(
                "the output `{}` has shape {shape:?}, expected [{batch}, {expected}]",
                self.name
            )
        };
        let sizes: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        match (self.pooling, sizes.as_deref()) {
            (Some(_), Some(&[rows, tokens, width])) if rows == batch && tokens > 0 && width > 0 => Ok((tokens, width)),
            // Convolutional networks leave the axes that they have averaged, with a length of 1.
            (None, Some([rows, rest @ ..]))
                if *rows == batch && !rest.is_empty() && rest.iter().filter(|&&size| size != 1).count() <= 1 =>
            {
                Ok((1, rest.iter().product()))
            }
            _ => Err(expected()),
        }
        .and_then(|(tokens, width)| {
            if width > 0 {
                Ok((tokens, width))
            } else {
                Err(expected())
            }
        })
    }

    /// Makes the embedding of one image: `vectors` has one for each token, row-major, each as wide as `embedding`.
    pub fn pool(&self, vectors: &[f32], embedding: &mut [f32]) {
        let width = embedding.len();
        match self.pooling {
            None | Some(Pooling::Cls) => embedding.copy_from_slice(&vectors[..width]),
            Some(Pooling::Mean) => {
                let tokens = vectors.len() / width;
                for (column, mean) in embedding.iter_mut().enumerate() {
                    let values = vectors[column..].iter().step_by(width).copied().map(f64::from);
                    *mean = (values.sum::<f64>() / tokens as f64) as f32;
                }
            }
        }
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    match &names[..] {
        [] => "its output has no name".to_owned(),
        _ => format!("its outputs are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn output(pooling: Option<Pooling>) -> EmbeddingOutput {
        EmbeddingOutput {
            name: "features".to_owned(),
            pooling,
        }
    }

    #[test]
    fn axes_of_length_one_are_none_of_a_vector() {
        let vector = output(None);
        for shape in [&[2, 5][..], &[2, 5, 1, 1], &[2, 1, 5], &[2, 1, 1, 5]] {
            assert_eq!(vector.dimensions(shape, 2).unwrap(), (1, 5), "{shape:?}");
        }
        assert_eq!(vector.dimensions(&[2, 1], 2).unwrap(), (1, 1));
        for shape in [&[2][..], &[3, 5], &[2, 5, 3], &[2, 0], &[2, -1], &[]] {
            let refused = vector.dimensions(shape, 2).unwrap_err();
            assert_eq!(
                refused,
                format!("the output `features` has shape {shape:?}, expected [2, width]")
            );
        }
    }

    #[test]
    fn a_vector_for_each_token_is_pooled() {
        let vectors = [1.0, 2.0, 3.0, 5.0, 8.0, -1.0];
        for (pooling, expected) in [(Pooling::Cls, [1.0_f32, 2.0]), (Pooling::Mean, [4.0, 2.0])] {
            let tokens = output(Some(pooling));
            assert_eq!(tokens.dimensions(&[1, 3, 2], 1).unwrap(), (3, 2));
            let mut embedding = [0.0; 2];
            tokens.pool(&vectors, &mut embedding);
            assert_eq!(embedding.map(f32::to_bits), expected.map(f32::to_bits));
        }
        for shape in [&[1, 2][..], &[1, 2, 3, 4], &[1, 0, 2], &[1, 3, 0]] {
            let refused = output(Some(Pooling::Mean)).dimensions(shape, 1).unwrap_err();
            assert!(refused.ends_with("expected [1, tokens, width]"), "{refused}");
        }
    }
}
