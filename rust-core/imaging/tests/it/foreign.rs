//! Errors name what a file is that is not an image of a supported format.

use std::fs;

use crate::common::{decoded, repository};

fn refusal(bytes: &[u8]) -> String {
    decoded(8, 8, bytes).unwrap_err().to_string()
}

#[test]
fn foreign_files_are_named() {
    // Some of these may be read in another build; where they are not, the error says what they are.
    for (file, what) in [
        ("base64.jpg", "an image in base64"),
        ("dataurl.jpg", "a data: URL"),
        ("dds.jpg", "a DDS texture"),
        ("eps.jpg", "a PostScript document"),
        ("gzip.jpg", "gzip data"),
        ("heic.jpg", "a HEIC image; convert it"),
        ("html.jpg", "an HTML page"),
        ("json.jpg", "JSON"),
        ("jxl.jpg", "a JPEG XL image"),
        ("lfs.jpg", "a Git LFS pointer"),
        ("mp4.jpg", "a video"),
        ("pcx.jpg", "a PCX image"),
        ("pdf.jpg", "a PDF document"),
        ("psd.jpg", "a Photoshop document"),
        ("s3xml.jpg", "XML, an error of the object store"),
        ("sgi.jpg", "an SGI image"),
        ("svg.jpg", "an SVG drawing"),
        ("text_mode_ascii.jpg", "a JPEG that was read and written as text"),
        ("tga.jpg", "a TGA image"),
    ] {
        let error = refusal(&fs::read(repository("tests/cases/images").join(file)).unwrap());
        assert!(error.contains(&format!(": it is {what}")), "{file}: {error}");
        assert!(error.contains("JPEG, PNG, WebP"), "{file}: {error}");
    }
}

#[test]
fn broken_files_of_a_supported_kind_keep_its_name() {
    for file in ["jpeg_ls.jpg", "twelve_bits.jpg"] {
        let error = refusal(&fs::read(repository("tests/cases/images").join(file)).unwrap());
        assert!(error.contains("JPEG image:"), "{file}: {error}");
    }
}

#[test]
fn damaged_and_other_files_are_named() {
    for (bytes, what) in [
        (&[0; 5000][..], "nothing but zeros"),
        (
            b"\x89PNG\n\x1A\n\0\0\0\x0DIHDR....",
            "a PNG whose line ends were changed",
        ),
        (
            b"\x89PNG\r\r\n\x1A\r\n\0\0\0\x0DIHDR",
            "a PNG whose line ends were changed",
        ),
        (
            b"\xEF\xBF\xBDPNG\r\n\x1A\n\0\0\0\x0DIHDR",
            "binary data that was read and written as text",
        ),
        (b"\xFF\xD8", "a few bytes"),
        (b"PK\x03\x04..............................", "a ZIP archive"),
        (b"\xAC\xED\0\x05sr\0\x11java.util.HashMap", "a serialized Java object"),
        (b"PAR1\x15\x04\x15\x10\x15\x14..........", "a Parquet file"),
        (b"\x93NUMPY\x01\0v\0{'descr': '|u1'}", "a NumPy array"),
        (b"  \r\n<!DOCTYPE HTML><title>Sign in</title>", "an HTML page"),
        (b"\xEF\xBB\xBF{\"error\": 1}..........", "JSON"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0heicmif1", "a HEIC image"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0qt  ....", "a video"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(&format!(": it is {what}")), "{bytes:?}: {error}");
    }
    let unknown = refusal(&[
        0x9C, 0xE1, 0x03, 0xF7, 0x9C, 0xE1, 0x03, 0xF7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    assert!(unknown.ends_with("QOI)"), "{unknown}");
}
