//! What a model gives: which of its outputs are its classes and its embedding, and the rows that runs make of them.

use std::ffi::{CStr, CString};
use std::path::Path;

use ort::value::{DynValue, Outlet};
use spark_classify_core::engine::{Asked, EmbeddingOutput, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::{Labels, ModelDirectory, OUTPUT_NAME_FIELD};

use crate::outputs::{self, Output, Wanted, LOGITS};
use crate::session::{c_name, Reason};

/// The outputs of a model that are of use, and how wide their rows are.
#[derive(Debug)]
pub(crate) struct Results {
    classes: Result<Output>,
    embedding: Result<Embedding>,
    /// What a run gives; nothing before [`measure`](Self::measure).
    pub(crate) outputs: Outputs,
}

#[derive(Debug)]
struct Embedding {
    name: CString,
    output: EmbeddingOutput,
}

impl Results {
    /// Finds them among the outputs of the model in `file`.
    pub(crate) fn of(outlets: &[Outlet], file: &Path, directory: &ModelDirectory) -> Self {
        let classes = classes_among(outlets, file, directory);
        let embedding = embedding_among(outlets, file, directory);
        let why_not = |reason: Option<&Error>| match reason {
            Some(reason) => Err(reason.clone()),
            None => Err(Error::Internal("the model has not been run yet".to_owned())),
        };
        Self {
            outputs: Outputs {
                classes: why_not(classes.as_ref().err()),
                embedding: why_not(embedding.as_ref().err()),
                embeddings_only: outlets.iter().all(|outlet| EmbeddingOutput::is_name(outlet.name())),
            },
            classes,
            embedding,
        }
    }

    /// Whether the model file itself says that its classes are probabilities.
    pub(crate) fn is_probabilities(&self) -> bool {
        self.classes.as_ref().is_ok_and(|output| output.is_probabilities)
    }

    /// Finds out how wide the rows are: `run` runs the model for what it is asked for on a batch of `batch` images.
    ///
    /// # Errors
    /// What `run` returns. An output that is no row for each image is none of the model's, and no error here.
    pub(crate) fn measure(
        &mut self,
        file: &Path,
        batch: usize,
        mut run: impl FnMut(&Self, Asked) -> Result<Vec<DynValue>, Reason>,
    ) -> Result<(), Reason> {
        let refused = |reason: Reason| Error::ModelFile {
            path: file.to_owned(),
            reason,
        };
        if let Ok(output) = &self.classes {
            let values = run(self, Asked::Classes)?;
            let rows = values
                .first()
                .map_or(Err(no_output()), |value| output.rows(value, batch));
            self.outputs.classes = rows.map(|rows| rows.width).map_err(refused);
        }
        if let Ok(embedding) = &self.embedding {
            let values = run(self, Asked::Embedding)?;
            let width = values
                .first()
                .map_or(Err(no_output()), |value| embedding.width(value, batch));
            self.outputs.embedding = width.map_err(refused);
        }
        Ok(())
    }

    /// The names of the outputs to ask the model for.
    pub(crate) fn names(&self, asked: Asked) -> Vec<&CStr> {
        let classes = self.classes.iter().filter(|_| asked.classes());
        let embedding = self.embedding.iter().filter(|_| asked.embedding());
        let classes = classes.map(|output| &*output.name);
        classes.chain(embedding.map(|embedding| &*embedding.name)).collect()
    }

    /// Writes what a run for `asked` gave into rows, as many as there are of the `batch` images. `values` are those of
    /// [`names`](Self::names).
    pub(crate) fn write(
        &self,
        asked: Asked,
        values: &[DynValue],
        batch: usize,
        rows: &mut [f32],
    ) -> Result<(), Reason> {
        let width = self.outputs.width(asked);
        let mut values = values.iter();
        if let (true, Ok(output)) = (asked.classes(), &self.classes) {
            let columns = self.outputs.columns(Asked::Classes, asked);
            let given = output.rows(values.next().ok_or_else(no_output)?, batch)?;
            given.check_width(columns.len())?;
            for (row, values) in rows.chunks_exact_mut(width).zip(given.values.chunks_exact(given.width)) {
                row[columns.clone()].copy_from_slice(values);
            }
        }
        if let (true, Ok(embedding)) = (asked.embedding(), &self.embedding) {
            let columns = self.outputs.columns(Asked::Embedding, asked);
            let value = values.next().ok_or_else(no_output)?;
            embedding.write(
                value,
                batch,
                rows.chunks_exact_mut(width).map(|row| &mut row[columns.clone()]),
            )?;
        }
        Ok(())
    }
}

impl Embedding {
    fn width(&self, value: &DynValue, batch: usize) -> Result<usize, Reason> {
        let (shape, _) = outputs::tensor_values(value)?;
        let (_, width) = self.output.dimensions(shape, batch)?;
        Ok(width)
    }

    fn write<'a>(
        &self,
        value: &DynValue,
        batch: usize,
        rows: impl Iterator<Item = &'a mut [f32]>,
    ) -> Result<(), Reason> {
        let (shape, values) = outputs::tensor_values(value)?;
        let (tokens, width) = self.output.dimensions(shape, batch)?;
        for (row, vectors) in rows.zip(values.chunks_exact(tokens * width)) {
            if row.len() != width {
                return Err(format!("the embedding has {width} numbers, expected {}", row.len()));
            }
            self.output.pool(vectors, row);
        }
        Ok(())
    }
}

/// Embeddings are no classes, unless the directory says so by name.
fn classes_among(outlets: &[Outlet], file: &Path, directory: &ModelDirectory) -> Result<Output> {
    let labels = directory.labels().ok();
    let name = directory.output_name();
    let usable: Vec<_> = outlets
        .iter()
        .filter(|outlet| name.is_some() || !EmbeddingOutput::is_name(outlet.name()))
        .map(|outlet| Outlet::new(outlet.name(), outlet.dtype().clone()))
        .collect();
    if usable.is_empty() && !outlets.is_empty() {
        return Err(EmbeddingOutput::only(file, &names(outlets)));
    }
    let wanted = Wanted {
        name,
        field: OUTPUT_NAME_FIELD,
        usual: &LOGITS,
        width: labels.map(Labels::len),
    };
    let chosen = outputs::choose(&usable, &wanted)
        .and_then(|outlet| Output::new(outlet, labels.into_iter().flat_map(Labels::iter)));
    chosen.map_err(|reason| Error::ModelFile {
        path: file.to_owned(),
        reason,
    })
}

fn embedding_among(outlets: &[Outlet], file: &Path, directory: &ModelDirectory) -> Result<Embedding> {
    let output = EmbeddingOutput::choose(directory, file, &names(outlets))?;
    let outlet = outlets.iter().find(|outlet| outlet.name() == output.name);
    let name = outlet.map_or_else(|| Err(no_output()), c_name);
    let name = name.map_err(|reason| Error::ModelFile {
        path: file.to_owned(),
        reason,
    })?;
    Ok(Embedding { name, output })
}

fn names(outlets: &[Outlet]) -> Vec<&str> {
    outlets.iter().map(Outlet::name).collect()
}

fn no_output() -> Reason {
    "the model gave no output".to_owned()
}
