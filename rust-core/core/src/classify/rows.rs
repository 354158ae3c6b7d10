//! The rows that a model gave for the images of a batch.

use crate::error::PredictionError;

/// A row of numbers for each image of a batch, or why an image has none. It keeps its memory from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Rows {
    width: usize,
    /// Row-major, images x width. Rows of bad images are garbage.
    values: Vec<f32>,
    outcomes: Vec<Result<(), PredictionError>>,
}

impl Rows {
    /// The number of images, good and bad.
    pub(super) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// The number of images without a row.
    pub(super) fn bad(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_err()).count()
    }

    /// The row of the image at `index` of the batch.
    ///
    /// # Errors
    /// Why this image has none.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub(super) fn get(&self, index: usize) -> Result<&[f32], &PredictionError> {
        self.outcomes[index].as_ref()?;
        Ok(&self.values[index * self.width..][..self.width])
    }

    /// Takes a row of `width` values for each image, and which images have one. `finish` makes of each of those what it
    /// is to be; its error makes the image a bad one, and concerns no other.
    pub(super) fn fill<'a>(
        &mut self,
        width: usize,
        rows: impl Iterator<Item = &'a [f32]>,
        outcomes: &[Result<(), PredictionError>],
        mut finish: impl FnMut(&mut [f32]) -> Result<(), PredictionError>,
    ) {
        self.width = width;
        self.values.clear();
        rows.for_each(|row| self.values.extend_from_slice(row));
        self.outcomes.clear();
        self.outcomes.extend_from_slice(outcomes);
        let rows = self.values.chunks_exact_mut(width.max(1));
        for (row, outcome) in rows.zip(&mut self.outcomes) {
            if outcome.is_ok() {
                *outcome = finish(row);
            }
        }
    }
}
