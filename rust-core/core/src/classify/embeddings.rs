//! The embeddings of a batch.

use super::rows::Rows;
use crate::error::PredictionError;

/// No vector is divided by less, as in torch's `nn.functional.normalize`.
const EPSILON: f64 = 1e-12;

/// The embeddings of one batch, in the order of its images. Reuse the value from batch to batch: it keeps its memory.
#[derive(Debug, Default)]
pub struct Embeddings(Rows);

impl Embeddings {
    /// An empty value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of images, good and bad.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the batch had no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The embedding of the image at `index` of the batch.
    ///
    /// # Errors
    /// Why this image has none.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn get(&self, index: usize) -> Result<&[f32], &PredictionError> {
        self.0.get(index)
    }

    /// All results, in the order of the images.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&[f32], &PredictionError>> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Takes what a model gave: a row of `width` values for each image, and which images have one. An embedding with a
    /// number that is not finite becomes a bad image; the others are divided by their length where `normalize` says so.
    pub(crate) fn fill<'a>(
        &mut self,
        width: usize,
        rows: impl Iterator<Item = &'a [f32]>,
        outcomes: &[Result<(), PredictionError>],
        normalize: bool,
    ) {
        self.0.fill(width, rows, outcomes, |row| {
            if !row.iter().all(|value| value.is_finite()) {
                return Err(PredictionError::NoEmbedding {
                    reason: "its values are not finite numbers",
                });
            }
            if normalize {
                divide_by_length(row);
            }
            Ok(())
        });
    }
}

/// `x / max(||x||, EPSILON)`: a vector of zeros stays one.
fn divide_by_length(values: &mut [f32]) {
    let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
    let length = squares.sqrt().max(EPSILON);
    for value in values {
        *value = (f64::from(*value) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spark_classify_imaging::ImageError;

    use super::*;

    fn filled(rows: &[[f32; 2]], normalize: bool) -> Embeddings {
        let mut embeddings = Embeddings::new();
        let outcomes = vec![Ok(()); rows.len()];
        embeddings.fill(2, rows.iter().map(<[f32; 2]>::as_slice), &outcomes, normalize);
        embeddings
    }

    #[test]
    fn vectors_get_the_length_one() {
        // torch.nn.functional.normalize of each.
        let rows = [[3.0, -4.0], [0.0, 0.0], [1e-20, 0.0], [3e38, 3e38]];
        let expected = [[0.6, -0.8], [0.0, 0.0], [1e-8, 0.0], [0.707_106_77, 0.707_106_77]];
        for (actual, expected) in filled(&rows, true).iter().zip(expected) {
            assert_eq!(actual.unwrap(), expected);
        }
        assert_eq!(filled(&rows, false).get(0).unwrap(), rows[0]);
    }

    #[test]
    fn an_embedding_of_no_numbers_is_an_error_of_its_image() {
        for broken in [f32::NAN, f32::INFINITY] {
            let embeddings = filled(&[[1.0, 0.0], [broken, 0.0], [0.0, 2.0]], true);
            assert_eq!(embeddings.get(0).unwrap(), [1.0, 0.0]);
            assert_eq!(
                embeddings.get(1).unwrap_err().to_string(),
                "the model gives no embedding for this image: its values are not finite numbers"
            );
            assert_eq!(embeddings.get(2).unwrap(), [0.0, 1.0]);
        }
    }

    #[test]
    fn a_bad_image_keeps_its_own_error() {
        let mut embeddings = Embeddings::new();
        let outcomes = [Err(ImageError::Empty.into()), Ok(())];
        embeddings.fill(1, [[f32::NAN], [2.0]].iter().map(<[f32; 1]>::as_slice), &outcomes, true);
        assert_eq!(embeddings.get(0).unwrap_err(), &ImageError::Empty.into());
        assert_eq!(embeddings.get(1).unwrap(), [1.0]);
        assert_eq!((embeddings.len(), embeddings.is_empty()), (2, false));
    }
}
