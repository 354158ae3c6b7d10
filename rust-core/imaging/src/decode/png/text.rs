//! EXIF data and XMP in a PNG: in a chunk of their own, or in text, as `ImageMagick` and others write them.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use flate2::read::ZlibDecoder;

use super::chunks::chunks;
use crate::decode::color::low_byte;
use crate::decode::metadata::Metadata;

/// Keywords of text.
const EXIF: &[u8] = b"exif";
const EXIF_PROFILE: &[u8] = b"Raw profile type exif";
const XMP: &[u8] = b"XML:com.adobe.xmp";
/// How large a text may be unpacked, and all of them together: Pillow's `MAX_TEXT_CHUNK` and `MAX_TEXT_MEMORY`. What is
/// beyond them is not looked at, where Pillow refuses the file.
const MAX_TEXT: usize = 1 << 20;
const MAX_TEXTS: usize = 64 * MAX_TEXT;
/// So many compressed texts are looked at, which take time however short they are.
const MOST_COMPRESSED: usize = 1000;

/// Looks through the chunks before and after the pixels. Of several that say the same the last counts.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let (mut exif, mut profile, mut xmp, mut odd_xmp) = (None, None, None, None);
    let (mut animated, mut behind_pixels, mut unpacked) = (false, false, Amount::default());
    for chunk in chunks(bytes) {
        let content = chunk.content;
        let text = match &chunk.name {
            b"acTL" => {
                animated = true;
                continue;
            }
            b"IDAT" => {
                behind_pixels = true;
                continue;
            }
            // The next frame of an animation begins.
            b"fcTL" if animated && behind_pixels => break,
            b"IEND" => break,
            b"eXIf" => {
                exif = Some(Cow::Borrowed(content));
                continue;
            }
            b"tEXt" => plain(content),
            b"zTXt" => compressed(content, &mut unpacked),
            b"iTXt" => international(content, &mut unpacked),
            _ => continue,
        };
        if unpacked.bytes > MAX_TEXTS || unpacked.texts > MOST_COMPRESSED {
            break;
        }
        let Some((keyword, text)) = text else { continue };
        match keyword {
            EXIF if chunk.name == *b"tEXt" => exif = Some(text),
            // What is not UTF-8 is not text, but for XMP, that counts where there is no other.
            XMP if chunk.name == *b"iTXt" && !is_utf8(content, &text) => odd_xmp = Some(text),
            EXIF_PROFILE if chunk.name != *b"iTXt" || is_utf8(content, &text) => profile = Some(text),
            XMP => xmp = Some(text),
            _ => {}
        }
    }
    Metadata {
        exif: exif.or_else(|| profile.and_then(|profile| from_hexadecimal(&profile)).map(Cow::Owned)),
        xmp: xmp.filter(|xmp| !xmp.is_empty()).or(odd_xmp),
        by_container: None,
    }
}

/// What has been unpacked of a file.
#[derive(Default)]
struct Amount {
    texts: usize,
    bytes: usize,
}

type Text<'a> = Option<(&'a [u8], Cow<'a, [u8]>)>;

/// Whether it is text that may tell something.
fn is_wanted(keyword: &[u8]) -> bool {
    matches!(keyword, EXIF | EXIF_PROFILE | XMP)
}

/// Keyword and text of a tEXt chunk.
fn plain(content: &[u8]) -> Text<'_> {
    let (keyword, text) = split(content)?;
    is_wanted(keyword).then_some((keyword, text.into()))
}

/// Of a zTXt chunk; broken text is empty. What is unpacked is added to `unpacked`, whatever comes of it.
fn compressed<'a>(content: &'a [u8], unpacked: &mut Amount) -> Text<'a> {
    let (keyword, text) = split(content).filter(|(keyword, _)| is_wanted(keyword))?;
    let (_method, text) = text.split_first()?;
    match unpack(text, unpacked) {
        Unpacked::Text(text) => Some((keyword, text.into())),
        Unpacked::Broken => Some((keyword, Vec::new().into())),
        Unpacked::TooLong => None,
    }
}

/// Of an iTXt chunk: keyword, whether the text is compressed and how, a language, a translated keyword, text.
fn international<'a>(content: &'a [u8], unpacked: &mut Amount) -> Text<'a> {
    let (keyword, rest) = split(content).filter(|(keyword, _)| is_wanted(keyword))?;
    let (&[is_compressed, method], rest) = rest.split_first_chunk()?;
    let (_language, rest) = split(rest)?;
    let (_translated, text) = split(rest)?;
    if is_compressed == 0 {
        return Some((keyword, text.into()));
    }
    match unpack(text, unpacked) {
        Unpacked::Text(text) if method == 0 => Some((keyword, text.into())),
        _ => None,
    }
}

/// Whether an iTXt chunk's `text`, its language and its translated keyword are UTF-8.
fn is_utf8(content: &[u8], text: &[u8]) -> bool {
    let fields = split(content).and_then(|(_keyword, rest)| rest.get(2..));
    let mut fields = fields
        .unwrap_or_default()
        .splitn(3, |byte| *byte == 0)
        .take(2)
        .chain([text]);
    fields.all(|field| std::str::from_utf8(field).is_ok())
}

/// What comes before the first 0 and after it.
fn split(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = content.iter().position(|byte| *byte == 0)?;
    Some((&content[..end], &content[end + 1..]))
}

enum Unpacked {
    Text(Vec<u8>),
    Broken,
    TooLong,
}

/// Unpacks zlib's data, of which the end may be missing.
fn unpack(text: &[u8], unpacked: &mut Amount) -> Unpacked {
    let mut content = Vec::new();
    let result = ZlibDecoder::new(text)
        .take(MAX_TEXT as u64 + 1)
        .read_to_end(&mut content);
    unpacked.texts += 1;
    unpacked.bytes += content.len();
    match result {
        _ if content.len() > MAX_TEXT => Unpacked::TooLong,
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Unpacked::Broken,
        _ => Unpacked::Text(content),
    }
}

/// The bytes of a profile, whose text is an empty line, a name, a length, and lines of hexadecimal digits.
fn from_hexadecimal(profile: &[u8]) -> Option<Vec<u8>> {
    let lines = profile.split(|byte| *byte == b'\n').skip(3);
    let joined: Vec<u8> = lines.flatten().copied().collect();
    let mut rest = &joined[..];
    let mut bytes = Vec::with_capacity(joined.len() / 2);
    loop {
        // Python's `bytes.fromhex` lets blanks be between the pairs only.
        while let [b' ' | b'\t'..=b'\r', after @ ..] = rest {
            rest = after;
        }
        match rest {
            [] => return Some(bytes),
            [high, low, after @ ..] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                bytes.push(low_byte(digit(*high)? << 4 | digit(*low)?));
                rest = after;
            }
            [_] => return None,
        }
    }
}
