//! One of several ways to read the rows of a file.

use crate::error::ImageError;

/// What reads the rows of an image that is not interlaced, from the top to the bottom. Where it fails, the next one is
/// tried.
pub(super) trait Attempt {
    /// Fills `rows` with the next ones, as many as there is room for: red, green and blue, without padding.
    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError>;

    /// Leaves out the next rows. What is broken in them is an error none the less.
    fn skip(&mut self, count: usize) -> Result<(), ImageError>;

    /// To be called after the last row.
    fn finish(&mut self) -> Result<(), ImageError>;
}
