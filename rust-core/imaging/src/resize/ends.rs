//! The ends of rows, where vectors reach beyond.

/// `samples` into `to`, or as many of them as there is room for.
pub(crate) fn copy_start<const N: usize>(samples: &[u8; N], to: &mut [u8]) {
    if let Some(to) = to.first_chunk_mut() {
        *to = *samples;
    } else {
        to.copy_from_slice(&samples[..to.len()]);
    }
}

/// What the rows have from byte `at` on, with zeros after it.
#[cold]
pub(crate) fn padded_ends<const COUNT: usize>(rows: &[&[u8]; COUNT], at: usize) -> [[u8; 16]; COUNT] {
    rows.map(|row| {
        let mut padded = [0; 16];
        let rest = row.get(at..).unwrap_or_default();
        padded[..rest.len()].copy_from_slice(rest);
        padded
    })
}
