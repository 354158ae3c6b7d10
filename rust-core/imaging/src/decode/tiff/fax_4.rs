//! The compression of faxes of group 4 (ITU-T T.6), through the `fax` crate.

use fax::decoder::{DecodeStatus, Group4Decoder};

use crate::decode::failure::Failure;
use crate::error::ImageError;

const FAILURE: Failure = Failure("TIFF");

/// Unpacks rows of `width` pixels, a bit each, 1 for black, padded to bytes.
pub(crate) fn unpack(stored: &[u8], width: usize, chunk: &mut [u8]) -> Result<(), ImageError> {
    let narrow = u16::try_from(width).map_err(|_| FAILURE.broken(format!("a fax of {width} columns")))?;
    let input = stored.iter().map(|byte| Ok::<u8, std::convert::Infallible>(*byte));
    let mut decoder = Group4Decoder::new(input, narrow).map_err(|_| FAILURE.truncated())?;
    chunk.fill(0);
    for row in chunk.chunks_exact_mut(width.div_ceil(8)) {
        match decoder.advance() {
            Ok(DecodeStatus::Incomplete) => {}
            Ok(DecodeStatus::End) => return Err(FAILURE.truncated()),
            Err(error) => return Err(FAILURE.broken(error.to_string())),
        }
        let changes = decoder.transition();
        for change in changes.chunks(2) {
            let end = change.get(1).map_or(width, |end| usize::from(*end));
            for x in usize::from(change[0])..end.min(width) {
                row[x / 8] |= 128 >> (x % 8);
            }
        }
    }
    Ok(())
}
