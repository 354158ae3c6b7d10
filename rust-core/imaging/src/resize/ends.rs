//! The ends of rows, where vectors reach beyond.

/// The first `count` samples of each row into the rows of `to`, from byte `at` on, or as many of them as there is room
/// for. What is beyond these may be written to in the same row, and is written later; rows that `to` has not are left
/// out.
#[inline]
pub(crate) fn put_columns<const LENGTH: usize>(
    rows: &[[u8; LENGTH]],
    count: usize,
    to: &mut [u8],
    row_length: usize,
    at: usize,
) {
    if at + LENGTH > row_length {
        return put_last_columns(rows, count, to, row_length, at);
    }
    for (samples, begin) in rows.iter().zip((at..).step_by(row_length)) {
        if let Some(to) = to.get_mut(begin..begin + LENGTH) {
            to.copy_from_slice(samples);
        }
    }
}

/// The same without a byte beyond the row. On its own, since copying a varying number of bytes is a call, which the
/// compiler would make of both otherwise.
#[cold]
#[inline(never)]
fn put_last_columns<const LENGTH: usize>(
    rows: &[[u8; LENGTH]],
    count: usize,
    to: &mut [u8],
    row_length: usize,
    at: usize,
) {
    let count = count.min(row_length - at);
    for (samples, to) in rows.iter().zip(to.chunks_exact_mut(row_length)) {
        to[at..at + count].copy_from_slice(&samples[..count]);
    }
}

/// What the rows have from byte `at` on, with zeros after it.
#[cold]
pub(crate) fn padded_ends<const LENGTH: usize, const COUNT: usize>(
    rows: &[&[u8]; COUNT],
    at: usize,
) -> [[u8; LENGTH]; COUNT] {
    rows.map(|row| {
        let mut padded = [0; LENGTH];
        let rest = row.get(at..).unwrap_or_default();
        padded[..rest.len()].copy_from_slice(rest);
        padded
    })
}
