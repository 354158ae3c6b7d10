//! What stands in the APP1 segments of a JPEG: EXIF and XMP.

use crate::decode::failure::Failure;
use crate::decode::metadata::{Metadata, IN_JPEG};

/// What XMP begins with in a JPEG. Its extended parts have another name, and Pillow does not look at them.
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// EXIF data that is longer than a segment goes on in the next one; of several pieces of XMP the last counts.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    for content in app1(bytes) {
        if let Some(part) = content.strip_prefix(IN_JPEG) {
            match &mut metadata.exif {
                Some(exif) => exif.to_mut().extend_from_slice(part),
                None => metadata.exif = Some(content.into()),
            }
        } else if let Some(xmp) = content.strip_prefix(XMP_IN_JPEG) {
            metadata.xmp = Some(xmp.into());
        }
    }
    metadata
}

/// The contents of the APP1 segments, which hold EXIF and XMP, up to the first scan. As in Pillow, stray bytes between
/// segments are skipped.
fn app1(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut file = Failure("JPEG").read_at(bytes, 2);
    std::iter::from_fn(move || loop {
        while file.u8().ok()? != 0xFF {}
        let mut marker = file.u8().ok()?;
        while marker == 0xFF {
            marker = file.u8().ok()?;
        }
        match marker {
            // These have no content.
            0 | 0xC8 | 0xD0..=0xD9 | 0xF0..=0xFD => {}
            0x01..=0xBF | 0xDA => return None,
            _ => {
                let length = file.be_u16().ok()?.saturating_sub(2);
                let content = file.bytes(length.into()).ok()?;
                if marker == 0xE1 {
                    return Some(content);
                }
            }
        }
    })
}
