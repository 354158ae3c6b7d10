//! Files whose rows come one after the other.

use std::ops::Range;

use crate::error::ImageError;
use crate::options::ImageLimits;

/// What decodes the rows of an image, as it is stored, from the top to the bottom. Until [`begin`](Self::begin) it has
/// read no more than the header, and taken no memory to speak of.
pub(crate) trait RowReader {
    /// Columns and rows.
    fn size(&self) -> (usize, usize);

    /// The bytes that it takes at most, beyond the rows that it fills.
    fn memory(&self) -> u64;

    /// To be called once, before the first row. Returns the columns that the rows will have: those that are `wanted`,
    /// or more, and all where nothing is gained by fewer.
    fn begin(&mut self, wanted: Range<usize>) -> Result<Range<usize>, ImageError> {
        let _ = wanted;
        Ok(0..self.size().0)
    }

    /// Fills `rows` with the next ones, as many as there is room for: red, green and blue, without padding.
    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError>;

    /// Leaves out the next rows. What is broken in them is an error none the less.
    fn skip(&mut self, count: usize) -> Result<(), ImageError>;

    /// To be called after the last row: what comes behind it may be an error, too.
    fn finish(&mut self) -> Result<(), ImageError> {
        Ok(())
    }
}

/// For formats that are decoded as a whole.
#[expect(clippy::unnecessary_wraps, reason = "it stands where readers are opened")]
pub(crate) fn whole(_: &[u8], _: ImageLimits) -> Result<Option<Box<dyn RowReader + '_>>, ImageError> {
    Ok(None)
}
