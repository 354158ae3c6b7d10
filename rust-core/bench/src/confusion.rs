//! How often the model was right, where that is known.

/// Counts of images by the class they show and the class the model gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfusionMatrix {
    /// Row: actual class; column: predicted class.
    counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// Counts `pairs` of (actual, predicted) class ids, all below `classes`.
    pub(crate) fn new(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; classes]; classes];
        for (actual, predicted) in pairs {
            counts[actual][predicted] += 1;
        }
        Self { counts }
    }

    /// The counts: row by actual class, column by predicted class.
    pub(crate) fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// The number of images.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// The share of images whose class was predicted right; `None` without images.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        share(
            (0..self.counts.len()).map(|class| self.counts[class][class]).sum(),
            self.total(),
        )
    }

    /// Of the images predicted as `class`, the share that are; `None` when none was.
    pub(crate) fn precision(&self, class: usize) -> Option<f64> {
        let predicted = self.counts.iter().map(|row| row[class]).sum();
        share(self.counts[class][class], predicted)
    }

    /// Of the images that are of `class`, the share that were predicted so; `None` when none is.
    pub(crate) fn recall(&self, class: usize) -> Option<f64> {
        share(self.counts[class][class], self.counts[class].iter().sum())
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::ConfusionMatrix;

    #[test]
    fn precision_and_recall_follow_their_definitions() {
        // Three images of class 0 (two found), one of class 1 (found), none of class 2 (predicted once).
        let matrix = ConfusionMatrix::new(3, [(0, 0), (0, 0), (0, 2), (1, 1)]);
        assert_eq!(matrix.counts(), [vec![2, 0, 1], vec![0, 1, 0], vec![0, 0, 0]]);
        assert_eq!(matrix.total(), 4);
        assert_eq!(matrix.accuracy(), Some(0.75));
        assert_eq!(matrix.precision(0), Some(1.0));
        assert_eq!(matrix.recall(0), Some(2.0 / 3.0));
        assert_eq!(matrix.precision(2), Some(0.0));
        assert_eq!(matrix.recall(2), None);
    }

    #[test]
    fn nothing_is_known_of_no_images() {
        let matrix = ConfusionMatrix::new(2, []);
        assert_eq!(
            (matrix.accuracy(), matrix.precision(0), matrix.recall(1)),
            (None, None, None)
        );
    }
}
