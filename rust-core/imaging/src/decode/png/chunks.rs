//! The chunks that a PNG consists of.

use crate::decode::failure::Failure;

const FAILURE: Failure = Failure("PNG");

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
    /// Its checksum, which is not checked; none where the file ends before.
    #[cfg(target_arch = "x86_64")]
    pub(crate) sum: Option<u32>,
}

/// The chunks of a file in their order.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> + Clone {
    let mut file = FAILURE.read_at(bytes, MAGIC.len());
    std::iter::from_fn(move || {
        let length = file.be_u32().ok()? as usize;
        let (name, content) = (file.array().ok()?, file.up_to(length));
        let sum = file.be_u32().ok();
        #[cfg(not(target_arch = "x86_64"))]
        let _ = sum;
        Some(Chunk {
            name,
            content,
            #[cfg(target_arch = "x86_64")]
            sum,
        })
    })
}
