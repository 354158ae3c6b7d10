//! What a model gives for an image.

use std::ops::Range;

use crate::error::{Error, Result};

/// What a run of a model is to give for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A number for each class, before softmax.
    Classes,
    /// An embedding, as the model itself gives it.
    Embedding,
    /// Both, of one run.
    Both,
}

impl Asked {
    /// Whether classes are among it.
    #[must_use]
    pub fn classes(self) -> bool {
        self != Self::Embedding
    }

    /// Whether the embedding is among it.
    #[must_use]
    pub fn embedding(self) -> bool {
        self != Self::Classes
    }

    /// What is asked for by one or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == other {
            self
        } else {
            Self::Both
        }
    }
}

/// The widths of what a model gives for an image, or the reason why it does not give that.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// The number of classes.
    pub classes: Result<usize>,
    /// The number of values of an embedding.
    pub embedding: Result<usize>,
    /// Whether all that the model has is called an embedding.
    pub embeddings_only: bool,
}

impl Outputs {
    /// Those of a model that gives so many classes, and no embedding.
    #[must_use]
    pub fn of_classes(classes: usize) -> Self {
        Self {
            classes: Ok(classes),
            embedding: Err(Error::Argument {
                argument: "outputs",
                reason: "the model gives classes alone".to_owned(),
            }),
            embeddings_only: false,
        }
    }

    /// All that the model gives.
    ///
    /// # Errors
    /// The reason why it gives nothing: why it has no classes, or for a model of embeddings why it has none.
    pub fn all(&self) -> Result<Asked> {
        match (&self.classes, &self.embedding) {
            (Ok(_), Ok(_)) => Ok(Asked::Both),
            (Ok(_), Err(_)) => Ok(Asked::Classes),
            (Err(_), Ok(_)) => Ok(Asked::Embedding),
            (Err(_), Err(reason)) if self.embeddings_only => Err(reason.clone()),
            (Err(reason), Err(_)) => Err(reason.clone()),
        }
    }

    /// Whether the model gives what is asked for.
    ///
    /// # Errors
    /// The reason why it does not.
    pub fn check(&self, asked: Asked) -> Result<()> {
        if asked.classes() {
            self.classes.clone()?;
        }
        if asked.embedding() {
            self.embedding.clone()?;
        }
        Ok(())
    }

    /// The number of values that a run gives for an image: a number for each class, then the embedding, as far as they
    /// are asked for and the model has them.
    #[must_use]
    pub fn width(&self, asked: Asked) -> usize {
        let part = |asked: bool, width: &Result<usize>| width.as_ref().ok().filter(|_| asked).copied().unwrap_or(0);
        part(asked.classes(), &self.classes) + part(asked.embedding(), &self.embedding)
    }

    /// Where in the row of a run that gave `of` the values lie that `asked` asks for, which must be part of it.
    #[must_use]
    pub fn columns(&self, asked: Asked, of: Asked) -> Range<usize> {
        let start = if asked.classes() {
            0
        } else {
            self.width(of) - self.width(Asked::Embedding)
        };
        start..start + self.width(asked)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_asked_for_lies_where_the_run_put_it() {
        let outputs = Outputs {
            classes: Ok(3),
            embedding: Ok(4),
            embeddings_only: false,
        };
        assert_eq!(outputs.width(Asked::Both), 7);
        assert_eq!(outputs.columns(Asked::Classes, Asked::Both), 0..3);
        assert_eq!(outputs.columns(Asked::Embedding, Asked::Both), 3..7);
        assert_eq!(outputs.columns(Asked::Both, Asked::Both), 0..7);
        assert_eq!(outputs.columns(Asked::Embedding, Asked::Embedding), 0..4);
        assert_eq!(Asked::Classes.or(Asked::Embedding), Asked::Both);
        assert_eq!(Asked::Embedding.or(Asked::Embedding), Asked::Embedding);

        let classes = Outputs::of_classes(3);
        assert_eq!(
            (classes.all().unwrap(), classes.width(Asked::Both)),
            (Asked::Classes, 3)
        );
        assert!(classes.check(Asked::Classes).is_ok() && classes.check(Asked::Both).is_err());
    }
}
