//! Where files say which way is up.

use image::metadata::Orientation;

use super::decode::Format;
use super::{jpeg, png, webp};

/// What the names of EXIF data begin with in a JPEG, and of XMP.
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// The keyword of XMP in a PNG; then come 0 for "not compressed" and the compression's method.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0";

/// The orientation that a file tells (EXIF 2.3, 4.6.4), 1 where it tells none: from its EXIF data or, as Pillow does,
/// from its XMP. EXIF data in a PNG's text chunks and compressed XMP are not looked at.
pub(super) fn orientation(format: Format, bytes: &[u8]) -> u8 {
    let (exif, xmp) = match format {
        Format::Jpeg => {
            let find = |name: &'static [u8]| jpeg::app1(bytes).find_map(move |content| content.strip_prefix(name));
            (find(EXIF), find(XMP))
        }
        Format::Png => (png::chunk(bytes, *b"eXIf", b""), png::chunk(bytes, *b"iTXt", PNG_XMP)),
        Format::WebP => (webp::chunk(bytes, *b"EXIF"), webp::chunk(bytes, *b"XMP ")),
        Format::Gif | Format::Bmp | Format::Tiff => (None, None),
    };
    exif.map(|exif| exif.strip_prefix(EXIF).unwrap_or(exif))
        .and_then(Orientation::from_exif_chunk)
        .map(Orientation::to_exif)
        .or_else(|| xmp.and_then(of_xmp))
        .unwrap_or(1)
}

/// The first `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
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
