//! Where files say which way is up, found where Pillow's `ImageOps.exif_transpose` finds it (`Image.getexif`).

use std::borrow::Cow;

use super::decode::Format;
use super::tiff_directory::{Directory, Tag, ORIENTATION, XMP};
use super::{jpeg, png_text, webp};

/// What EXIF data begins with in a JPEG.
const IN_JPEG: &[u8] = b"Exif\0\0";
/// What XMP begins with in a JPEG. Its extended parts have another name, and Pillow does not look at them.
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// What a file says of itself, as far as it is there.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    pub(super) exif: Option<Cow<'a, [u8]>>,
    pub(super) xmp: Option<Cow<'a, [u8]>>,
}

/// The orientation that a file tells (EXIF 2.3, 4.6.4), 1 to 8, or 1 where it tells none. A TIFF tells it elsewhere.
pub(super) fn orientation(format: Format, bytes: &[u8]) -> u8 {
    let metadata = match format {
        Format::Jpeg => of_jpeg(bytes),
        Format::Png => png_text::metadata(bytes),
        Format::WebP => webp::metadata(bytes),
        // Pillow looks at no metadata of the others.
        _ => Metadata::default(),
    };
    metadata.orientation()
}

/// The orientation of a TIFF.
pub(super) fn of_tiff(tags: &Directory<'_>) -> u8 {
    let xmp = || tags.tag(XMP).filter(Tag::is_bytes).and_then(|tag| of_xmp(tag.value));
    of_tags(tags).or_else(xmp).unwrap_or(1)
}

impl Metadata<'_> {
    /// The orientation by EXIF data or, where that has no such tag, by XMP.
    pub(super) fn orientation(&self) -> u8 {
        let by_exif = self.exif.as_deref().and_then(|mut exif| {
            for _ in 0..2 {
                exif = exif.strip_prefix(IN_JPEG).unwrap_or(exif);
            }
            of_tags(&Directory::of_exif(exif)?)
        });
        by_exif.or_else(|| self.xmp.as_deref().and_then(of_xmp)).unwrap_or(1)
    }
}

/// EXIF data that is longer than a segment goes on in the next one; of several pieces of XMP the last counts.
fn of_jpeg(bytes: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    for content in jpeg::app1(bytes) {
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

/// Whatever value the tag has, so that XMP counts only where there is no tag; 1 for what is no orientation.
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
