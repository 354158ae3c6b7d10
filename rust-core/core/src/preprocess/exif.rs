//! Where files say which way is up.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

use super::decode::Format;
use super::tiff_directory::{Directory, ORIENTATION};
use super::{jpeg, png, webp};

/// What the names of EXIF data begin with in a JPEG, and of XMP.
const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// The keyword of XMP in a PNG.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0";
/// How much of compressed XMP is looked at, in bytes; Pillow has the same limit.
const MAX_XMP: u64 = 1 << 20;

/// The orientation that a file tells (EXIF 2.3, 4.6.4), 1 where it tells none: from its EXIF data or, as Pillow does,
/// from its XMP. EXIF data in a PNG's text chunks is not looked at.
pub(super) fn orientation(format: Format, bytes: &[u8]) -> u8 {
    let unpacked;
    let (exif, xmp) = match format {
        Format::Jpeg => {
            let find = |name: &'static [u8]| jpeg::app1(bytes).find_map(move |content| content.strip_prefix(name));
            (find(EXIF), find(XMP))
        }
        Format::Png => {
            unpacked = png::chunk(bytes, *b"iTXt", PNG_XMP).and_then(text);
            (png::chunk(bytes, *b"eXIf", b""), unpacked.as_deref())
        }
        Format::WebP => (webp::chunk(bytes, *b"EXIF"), webp::chunk(bytes, *b"XMP ")),
        _ => (None, None),
    };
    exif.map(|exif| exif.strip_prefix(EXIF).unwrap_or(exif))
        .and_then(of_exif)
        .or_else(|| xmp.and_then(of_xmp))
        .unwrap_or(1)
}

/// Whatever number the tag has: XMP counts only where there is none.
fn of_exif(exif: &[u8]) -> Option<u8> {
    Directory::read(exif)
        .and_then(|tags| tags.number(ORIENTATION))
        .map(|value| u8::try_from(value).unwrap_or(1))
        .or_else(|| Orientation::from_exif_chunk(exif).map(Orientation::to_exif))
}

/// The text of an iTXt chunk behind its keyword: whether it is compressed and how, a language and a translated
/// keyword, each with a 0 at its end, and the text itself.
fn text(content: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (&[compressed, _], rest) = content.split_first_chunk()?;
    let text = rest.splitn(3, |byte| *byte == 0).nth(2)?;
    if compressed == 0 {
        return Some(text.into());
    }
    let mut unpacked = Vec::new();
    ZlibDecoder::new(text).take(MAX_XMP).read_to_end(&mut unpacked).ok()?;
    Some(unpacked.into())
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
