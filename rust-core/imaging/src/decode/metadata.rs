//! Where files say which way is up, found where Pillow's `ImageOps.exif_transpose` finds it (`Image.getexif`).

use std::borrow::Cow;

use super::ifd::{Directory, Tag, ORIENTATION, XMP};

/// What EXIF data begins with in a JPEG.
pub(crate) const IN_JPEG: &[u8] = b"Exif\0\0";
/// What a file says of itself, as far as it is there.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    pub(crate) exif: Option<Cow<'a, [u8]>>,
    pub(crate) xmp: Option<Cow<'a, [u8]>>,
    /// The orientation that a file gives beside both. Pillow writes it into the EXIF data, over what stands there.
    pub(crate) by_container: Option<u8>,
}

/// Of formats in which Pillow looks at no metadata.
pub(crate) fn none(_: &[u8]) -> Metadata<'_> {
    Metadata::default()
}

/// The orientation of a TIFF.
pub(crate) fn tiff_orientation(tags: &Directory<'_>) -> u8 {
    let xmp = || tags.tag(XMP).filter(Tag::is_bytes).and_then(|tag| of_xmp(tag.value));
    of_tags(tags).or_else(xmp).unwrap_or(1)
}

impl Metadata<'_> {
    /// The orientation by EXIF data or, where that has no such tag, by XMP; what the container says comes first.
    pub(crate) fn orientation(&self) -> u8 {
        let by_exif = self.exif.as_deref().and_then(|mut exif| {
            for _ in 0..2 {
                exif = exif.strip_prefix(IN_JPEG).unwrap_or(exif);
            }
            of_tags(&Directory::of_exif(exif)?)
        });
        match self.by_container {
            Some(orientation) if orientation != 1 || by_exif.is_some() => orientation,
            _ => by_exif.or_else(|| self.xmp.as_deref().and_then(of_xmp)).unwrap_or(1),
        }
    }
}

/// Whatever value the tag has, so that XMP counts only where there is no tag; 1 for what is not an orientation.
fn of_tags(tags: &Directory<'_>) -> Option<u8> {
    let number = tags.tag(ORIENTATION)?.first_number();
    let known = (1..=8).find(|orientation| number == Some(f64::from(*orientation)));
    Some(known.unwrap_or(1))
}

/// The first `tiff:Orientation="6"` or `tiff:Orientation>6`, which is Pillow's regular expression.
fn of_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().find_map(|(at, name)| {
        let rest = (name == NAME).then(|| &xmp[at + NAME.len()..])?;
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value
            .first()
            .filter(|digit| digit.is_ascii_digit())
            .map(|digit| digit - b'0')
    })
}
