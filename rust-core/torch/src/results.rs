//! What a module gives: its classes, and the embedding among its named outputs.

use std::ffi::CString;
use std::path::Path;

use spark_classify_core::engine::{Asked, EmbeddingOutput, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::{ModelDirectory, Pooling};

use crate::ffi::{Reason, Wanted};

/// The outputs of a module that are of use, and how wide their rows are.
#[derive(Debug)]
pub(crate) struct Results {
    embedding: Option<Embedding>,
    /// What a run gives.
    pub(crate) outputs: Outputs,
}

#[derive(Debug)]
struct Embedding {
    name: CString,
    pooling: Option<Pooling>,
}

impl Results {
    /// Finds them among the outputs of the module in `file`, which are called `names`; what has no name is logits.
    /// `width` runs the module for what is wanted, and returns how wide the rows are.
    ///
    /// # Errors
    /// The reason why none is of use.
    pub(crate) fn find(
        directory: &ModelDirectory,
        file: &Path,
        names: &[String],
        mut width: impl FnMut(&Wanted<'_>) -> Result<usize, Reason>,
    ) -> Result<Self> {
        let embeddings_only = !names.is_empty() && names.iter().all(|name| EmbeddingOutput::is_name(name));
        let refused = |reason: Reason| Error::ModelFile {
            path: file.to_owned(),
            reason,
        };
        let classes = if embeddings_only {
            Err(EmbeddingOutput::only(file, names))
        } else {
            width(&Wanted::of(true, None)).map_err(refused)
        };
        let found = EmbeddingOutput::choose(directory, file, names).and_then(|output| {
            let name = CString::new(output.name).map_err(|cause| refused(cause.to_string()))?;
            let pooling = output.pooling;
            Ok(Embedding { name, pooling })
        });
        let measured = found.and_then(|embedding| {
            let width = width(&embedding.wanted(false)).map_err(refused)?;
            Ok((embedding, width))
        });
        let (embedding, width) = match measured {
            Ok((embedding, width)) => (Some(embedding), Ok(width)),
            Err(reason) => (None, Err(reason)),
        };
        let outputs = Outputs {
            classes,
            embedding: width,
            embeddings_only,
        };
        outputs.all()?;
        Ok(Self { embedding, outputs })
    }

    /// What to ask of the module.
    pub(crate) fn wanted(&self, asked: Asked) -> Wanted<'_> {
        match &self.embedding {
            Some(embedding) if asked.embedding() => embedding.wanted(asked.classes()),
            _ => Wanted::of(asked.classes(), None),
        }
    }
}

impl Embedding {
    fn wanted(&self, classes: bool) -> Wanted<'_> {
        Wanted::of(classes, Some((&self.name, self.pooling)))
    }
}
