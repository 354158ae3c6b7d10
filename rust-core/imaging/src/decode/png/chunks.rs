//! The chunks that a PNG consists of.

use crate::decode::failure::Failure;

pub(super) const FAILURE: Failure = Failure("PNG");

/// The first bytes of every PNG.
pub(crate) const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The first chunk of this type that begins with `prefix`, without it.
pub(crate) fn chunk<'a>(bytes: &'a [u8], name: [u8; 4], prefix: &[u8]) -> Option<&'a [u8]> {
    chunks(bytes)
        .filter(|chunk| chunk.name == name)
        .find_map(|chunk| chunk.content.strip_prefix(prefix))
}

pub(crate) struct Chunk<'a> {
    pub(crate) name: [u8; 4],
    /// As much of it as there is.
    pub(crate) content: &'a [u8],
    pub(crate) sum: Option<u32>,
}

/// The chunks of a file in their order.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> + Clone {
    let mut file = FAILURE.read_at(bytes, MAGIC.len());
    std::iter::from_fn(move || {
        let length = file.be_u32().ok()? as usize;
        Some(Chunk {
            name: file.array().ok()?,
            content: file.up_to(length),
            sum: file.be_u32().ok(),
        })
    })
}
