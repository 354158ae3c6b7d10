//! What a file is that no decoder accepts, for the error: often it is not an image at all, but what a download or a
//! conversion left in its place. Only the first bytes are looked at, and only after every decoder has declined.

/// How much of the beginning is looked at.
const HEAD: usize = 1024;

/// Where a file of this kind has which bytes, what it is, and the way out where there is a plain one.
type Signature = (usize, &'static [u8], &'static str);

const SIGNATURES: &[Signature] = &[
    // Images.
    (0, b"\0\0\0\x0CJXL ", "a JPEG XL image; convert it, for example to PNG"),
    (0, b"\xFF\x0A", "a JPEG XL image; convert it, for example to PNG"),
    (
        0,
        b"\0\0\0\x0CjP  ",
        "a JPEG 2000 image; convert it, for example to PNG",
    ),
    (
        0,
        b"\xFF\x4F\xFF\x51",
        "a JPEG 2000 image; convert it, for example to PNG",
    ),
    (0, b"8BPS", "a Photoshop document (PSD); export it, for example as PNG"),
    (0, b"gimp xcf", "a GIMP image (XCF); export it, for example as PNG"),
    (0, b"\xC5\xD0\xD3\xC6", "an EPS drawing; render it, for example to PNG"),
    (0, b"DDS ", "a DDS texture; convert it, for example to PNG"),
    (0, b"\x01\xDA\0", "an SGI image; convert it, for example to PNG"),
    (0, b"\x01\xDA\x01", "an SGI image; convert it, for example to PNG"),
    (0, b"\x0A\x05\x01", "a PCX image; convert it, for example to PNG"),
    (0, b"icns", "an Apple icon (ICNS); convert it, for example to PNG"),
    (0, b"\0\0\x01\0", "a Windows icon (ICO); convert it, for example to PNG"),
    (
        0,
        b"\0\0\x02\0\x01\0",
        "a Windows cursor (CUR); convert it, for example to PNG",
    ),
    (0, b"qoif", "a QOI image; convert it, for example to PNG"),
    (
        0,
        b"\x76\x2F\x31\x01",
        "an OpenEXR image; convert it, for example to PNG",
    ),
    (0, b"#?RADIANCE", "a Radiance HDR image; convert it, for example to PNG"),
    (0, b"SIMPLE  =", "a FITS image; convert it, for example to PNG"),
    (0, b"BPG\xFB", "a BPG image; convert it, for example to PNG"),
    (0, b"FLIF", "a FLIF image; convert it, for example to PNG"),
    (0, b"\x8AMNG", "an MNG animation; convert it, for example to PNG"),
    (0, b"\x8BJNG", "a JNG image; convert it, for example to PNG"),
    (0, b"AT&TFORM", "a DjVu document; render it, for example to PNG"),
    (
        0,
        b"\xD7\xCD\xC6\x9A",
        "a Windows metafile (WMF); render it, for example to PNG",
    ),
    (40, b" EMF", "a Windows metafile (EMF); render it, for example to PNG"),
    (
        0,
        b"FUJIFILMCCD-RAW",
        "a camera's raw image; develop it, for example to JPEG",
    ),
    (0, b"IIU\0", "a camera's raw image; develop it, for example to JPEG"),
    (0, b"IIRO", "a camera's raw image; develop it, for example to JPEG"),
    (128, b"DICM", "a DICOM file; convert it, for example to PNG"),
    // Images that were damaged on the way, which the first bytes of a PNG are made to show.
    (
        0,
        b"\xC3\xBF\xC3\x98\xC3\xBF",
        "a JPEG that was read and written as text; copy it as binary data",
    ),
    (
        0,
        b"\xC2\x89PNG",
        "a PNG that was read and written as text; copy it as binary data",
    ),
    (
        0,
        b"\xEF\xBF\xBD",
        "binary data that was read and written as text; copy it as binary data",
    ),
    (
        0,
        b"\x89PNG\n\x1A\n",
        "a PNG whose line ends were changed; copy it as binary data",
    ),
    (
        0,
        b"\x89PNG\r\r\n",
        "a PNG whose line ends were changed; copy it as binary data",
    ),
    (
        0,
        b"\x89PNG",
        "a PNG that was read and written as text; copy it as binary data",
    ),
    (
        0,
        b"\x09PNG",
        "a PNG that was copied as text of 7 bits; copy it as binary data",
    ),
    (
        0,
        b"?PNG",
        "a PNG that was read and written as text; copy it as binary data",
    ),
    (
        0,
        b"\x7FX\x7F",
        "a JPEG that was copied as text of 7 bits; copy it as binary data",
    ),
    (
        6,
        b"JFIF\0",
        "a JPEG whose first bytes are wrong; copy it again, as binary data",
    ),
    (
        6,
        b"Exif\0",
        "a JPEG whose first bytes are wrong; copy it again, as binary data",
    ),
    // Sound and video.
    (8, b"AVI ", "a video (AVI)"),
    (8, b"WAVE", "sound (WAV)"),
    (0, b"\x1A\x45\xDF\xA3", "a video (Matroska or WebM)"),
    (0, b"FLV\x01", "a video (FLV)"),
    (0, b"\0\0\x01\xBA", "a video (MPEG)"),
    (0, b"\0\0\x01\xB3", "a video (MPEG)"),
    (0, b"OggS", "sound or video (Ogg)"),
    (0, b"fLaC", "sound (FLAC)"),
    (0, b"ID3", "sound (MP3)"),
    // Archives and compressed data.
    (0, b"\x1F\x8B", "gzip data; unpack it"),
    (
        0,
        b"PK\x03\x04",
        "a ZIP archive, or a document or library in one; unpack it",
    ),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\x28\xB5\x2F\xFD", "zstd data; unpack it"),
    (0, b"BZh", "bzip2 data; unpack it"),
    (0, b"\xFD7zXZ\0", "xz data; unpack it"),
    (0, b"\x04\x22\x4D\x18", "LZ4 data; unpack it"),
    (0, b"7z\xBC\xAF\x27\x1C", "a 7z archive; unpack it"),
    (0, b"Rar!\x1A\x07", "a RAR archive; unpack it"),
    (257, b"ustar", "a tar archive; unpack it"),
    // Data.
    (0, b"\xAC\xED\0\x05", "a serialized Java object"),
    (0, b"\xCA\xFE\xBA\xBE", "a Java class"),
    (0, b"PAR1", "a Parquet file; read the images from its column"),
    (0, b"Obj\x01", "an Avro file; read the images from its field"),
    (0, b"ORC", "an ORC file; read the images from its column"),
    (0, b"ARROW1", "an Arrow file; read the images from its column"),
    (0, b"SEQ\x06", "a Hadoop sequence file; read the images from its values"),
    (
        0,
        b"\x93NUMPY",
        "a NumPy array; save it as an image, for example with Pillow",
    ),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04\x95", "a Python pickle"),
    (0, b"\x80\x05\x95", "a Python pickle"),
    (0, b"\x89HDF\r\n", "an HDF5 file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"\xD0\xCF\x11\xE0", "a Microsoft Office document"),
    (0, b"\x7FELF", "a program (ELF)"),
    (0, b"MZ\x90\0", "a Windows program"),
    (0, b"\xFF\xFE", "text (UTF-16)"),
    (0, b"\xFE\xFF", "text (UTF-16)"),
];

/// What text begins with, in lower case, after blanks and a byte-order mark.
const TEXTS: &[(&[u8], &str)] = &[
    (b"<!doctype html", HTML),
    (b"<html", HTML),
    (b"<head", HTML),
    (b"<body", HTML),
    (b"<svg", SVG),
    (b"{", "JSON, perhaps an error of a server"),
    (b"[", "JSON"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer; run `git lfs pull` where it was copied from",
    ),
    (b"data:", "a data: URL; decode it, for example with unbase64"),
    (b"%pdf-", "a PDF document; render its pages, for example to PNG"),
    (b"%!ps", "a PostScript document; render it, for example to PNG"),
    (b"http://", "the address of something; download it"),
    (b"https://", "the address of something; download it"),
    (
        b"ffd8ff",
        "an image in hexadecimal digits; decode it, for example with unhex",
    ),
    (
        b"89504e47",
        "an image in hexadecimal digits; decode it, for example with unhex",
    ),
];
/// What the text of base64 begins with, for JPEG, PNG, GIF, WebP and both kinds of TIFF.
const BASE_64: [&[u8]; 6] = [b"/9j/", b"iVBORw0KGgo", b"R0lGOD", b"UklGR", b"SUkqA", b"TU0AK"];
/// Brands of the container of HEIC, AVIF and videos (ISO/IEC 23008-12, annex B).
const HEIC_BRANDS: [&[u8]; 9] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"mif1", b"msf1",
];

const HTML: &str = "an HTML page, perhaps an error or a login in place of a download";
const SVG: &str = "an SVG drawing; render it, for example to PNG";

/// Names what `bytes` are, with the way out, in words that go on `it is`; `None` where they resemble nothing known.
pub(crate) fn name(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(HEAD)];
    if head.iter().all(|byte| *byte == 0) {
        return Some("nothing but zeros as far as was looked; copy it again");
    }
    container(head)
        .or_else(|| signature(head))
        .or_else(|| portable_map(head))
        .or_else(|| text(head))
        .or_else(|| without_signature(bytes))
        .or_else(|| (bytes.len() < 16).then_some("a few bytes; copy it again"))
}

fn signature(head: &[u8]) -> Option<&'static str> {
    let mut signatures = SIGNATURES.iter();
    let found = signatures.find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    found.map(|(_, _, what)| *what)
}

/// A file of boxes, the first of which names brands.
fn container(head: &[u8]) -> Option<&'static str> {
    let (size, rest) = head.split_first_chunk()?;
    let brands = rest.strip_prefix(b"ftyp")?;
    let size = (u32::from_be_bytes(*size) as usize).saturating_sub(8);
    let mut brands = brands[..brands.len().min(size)].chunks_exact(4);
    let major = brands.clone().next();
    if brands.any(|brand| matches!(brand, b"avif" | b"avis")) {
        return Some("an AVIF image; convert it, for example to JPEG");
    }
    Some(match major {
        Some(brand) if HEIC_BRANDS.contains(&brand) => "a HEIC image; convert it, for example to JPEG",
        Some(b"crx ") => "a camera's raw image; develop it, for example to JPEG",
        Some(b"jp2 ") => "a JPEG 2000 image; convert it, for example to PNG",
        _ => "a video (MP4 or QuickTime)",
    })
}

fn portable_map(head: &[u8]) -> Option<&'static str> {
    let [b'P', b'1'..=b'7' | b'f' | b'F', blank, ..] = head else {
        return None;
    };
    let known = blank.is_ascii_whitespace();
    known.then_some("a portable pixmap (PBM, PGM, PPM, PAM or PFM); convert it, for example to PNG")
}

fn text(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    if BASE_64.iter().any(|start| head.starts_with(start)) {
        return Some("an image in base64; decode it, for example with unbase64");
    }
    let lower = head.to_ascii_lowercase();
    if let Some((_, what)) = TEXTS.iter().find(|(start, _)| lower.starts_with(start)) {
        return Some(what);
    }
    if lower.starts_with(b"<") {
        let holds = |part: &[u8]| lower.windows(part.len()).any(|window| window == part);
        return Some(match () {
            () if holds(b"<svg") => SVG,
            () if holds(b"<html") => HTML,
            () if holds(b"<error") && holds(b"<code>") => "XML, an error of the object store",
            () => "XML",
        });
    }
    // A character may have been cut in two at the end.
    let printable = |text: &str| {
        text.chars()
            .all(|char| !char.is_control() || char.is_ascii_whitespace())
    };
    let is_text = match std::str::from_utf8(head) {
        Ok(text) => printable(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).is_ok_and(printable)
        }
        Err(_) => false,
    };
    (is_text && !head.is_empty()).then_some("text")
}

/// Kinds that are told by the sense of their header, or by their end.
fn without_signature(bytes: &[u8]) -> Option<&'static str> {
    if let [40, 0, 0, 0, _, _, _, _, _, _, _, _, 1, 0, 1 | 4 | 8 | 16 | 24 | 32, 0, ..] = bytes {
        return Some("a bitmap without a file header (DIB); convert it, for example to PNG");
    }
    let by_header = matches!(
        bytes,
        [
            _,
            0,
            2 | 3 | 10 | 11,
            0,
            0,
            0,
            0,
            0,
            _,
            _,
            _,
            _,
            _,
            0..=0x7F,
            _,
            0..=0x7F,
            8 | 16 | 24 | 32,
            0..=0x3F,
            ..
        ] | [
            _,
            1,
            1 | 9,
            _,
            _,
            _,
            _,
            15 | 16 | 24 | 32,
            _,
            _,
            _,
            _,
            _,
            0..=0x7F,
            _,
            0..=0x7F,
            8 | 16,
            0..=0x3F,
            ..
        ]
    );
    (by_header || bytes.ends_with(b"TRUEVISION-XFILE.\0")).then_some("a TGA image; convert it, for example to PNG")
}
