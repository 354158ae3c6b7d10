//! What becomes of the rows of an image, or of its columns.

use std::ops::Range;
use std::sync::Arc;

use super::axis::Axis;
use super::convolve::resize_width;
use super::instructions::InstructionSet;
use super::view::View;
use super::weights::Weights;

/// How one axis of an image, as it is stored, becomes that of the result.
#[derive(Debug)]
pub(crate) enum Way {
    /// The samples of the range, as they are.
    Keep(Range<usize>),
    /// Samples by their numbers, which ascend.
    Pick(Vec<usize>),
    Weigh(Arc<Weights>),
}

impl Way {
    /// Keeps the window of an axis whose size does not change.
    pub(crate) fn keep(axis: &Axis, mirrored: bool) -> Self {
        let Range { start, end } = axis.window;
        Self::Keep(if mirrored {
            axis.source - end..axis.source - start
        } else {
            start..end
        })
    }

    /// Picks these samples of `source` ones, which count from the other end where the axis is `mirrored`.
    pub(crate) fn pick(mut inputs: Vec<usize>, source: usize, mirrored: bool) -> Self {
        if mirrored {
            inputs.reverse();
            for input in &mut inputs {
                *input = source - 1 - *input;
            }
        }
        Self::Pick(inputs)
    }

    /// The samples that are needed.
    pub(crate) fn inputs(&self) -> Range<usize> {
        match self {
            Self::Keep(range) => range.clone(),
            Self::Pick(inputs) => inputs
                .first()
                .map_or(0..0, |first| *first..inputs[inputs.len() - 1] + 1),
            Self::Weigh(weights) => weights.inputs(),
        }
    }

    /// The number of samples of the result.
    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::Keep(range) => range.len(),
            Self::Pick(inputs) => inputs.len(),
            Self::Weigh(weights) => weights.outputs(),
        }
    }

    /// Makes rows of the result of as many rows, which begin with the first column that is needed.
    pub(crate) fn make_rows(&self, rows: View<'_>, instructions: InstructionSet, output: &mut [u8]) {
        match self {
            Self::Keep(_) => {
                for (from, to) in rows.rows().zip(output.chunks_exact_mut(rows.row_length)) {
                    to.copy_from_slice(from);
                }
            }
            Self::Pick(inputs) => {
                let origin = self.inputs().start;
                for (from, to) in rows.rows().zip(output.chunks_exact_mut(inputs.len() * 3)) {
                    for (input, pixel) in inputs.iter().zip(to.chunks_exact_mut(3)) {
                        pixel.copy_from_slice(&from[(input - origin) * 3..][..3]);
                    }
                }
            }
            Self::Weigh(weights) => resize_width(rows, weights, instructions, output),
        }
    }
}
