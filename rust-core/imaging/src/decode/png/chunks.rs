//! The chunks that a PNG consists of.

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
    let mut rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (content, after) = after.split_at(length.min(after.len()));
        let sum = after.first_chunk().map(|sum| u32::from_be_bytes(*sum));
        rest = after.get(4..).unwrap_or_default();
        Some(Chunk {
            name: *name,
            content,
            sum,
        })
    })
}
