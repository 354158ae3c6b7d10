//! Files that were made to take for ever take no longer than others of their size: no step is done once more for each
//! part of a file that names it. What is measured is far from the bound on either side.

use std::time::Duration;

#[cfg(feature = "avif")]
use base64::prelude::{Engine, BASE64_STANDARD};
use spark_classify_imaging::ImageError;
#[cfg(feature = "avif")]
use spark_classify_testing::golden;

use crate::decoded;
use crate::thread_time::thread_time;
use crate::tiffs::{tiff, DATA};

/// Of this thread on a processor, so that a busy machine does not count.
const MAX_TIME: Duration = Duration::from_millis(500);

/// How much a file has of what is looked at again and again.
const LONG: usize = 1_000_000;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const BITS: u16 = 258;
const STRIP_OFFSETS: u16 = 273;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_LENGTHS: u16 = 279;

const LZW: u32 = 5;
const FAX_4: u32 = 4;
const PACK_BITS: u32 = 32_773;

/// Decodes a file of this width and height, in no more than the time that it may take.
fn soon(name: &str, (width, height): (u32, u32), file: &[u8]) -> Result<Vec<u8>, ImageError> {
    let start = thread_time();
    let result = decoded(width.into(), height.into(), file);
    let time = thread_time().saturating_sub(start);
    assert!(time < MAX_TIME, "{name} took {time:?}");
    result
}

fn reason(result: Result<Vec<u8>, ImageError>) -> String {
    result.unwrap_err().to_string()
}

/// Codes of a fax, from text of zeros and ones.
fn packed(codes: &str) -> Vec<u8> {
    let bytes = codes.as_bytes().chunks(8).map(|bits| {
        let byte = bits.iter().fold(0, |byte, bit| byte << 1 | (bit & 1));
        byte << (8 - bits.len())
    });
    bytes.collect()
}

#[test]
fn a_fax_that_goes_back_and_forth() {
    const WIDTH_OF_ROW: u32 = 40_000;
    // A row that changes its colour 38,000 times in one place, and twice in one behind it.
    let runs = |white: &str, black: &str| format!("001{white}{black}");
    let (white_0, white_2, white_3, black_0) = ("00110101", "0111", "1000", "0000110111");
    let many = runs(white_0, black_0).repeat(19_000);
    let first = [runs(white_3, black_0), many, runs(white_2, black_0), "1".to_owned()].concat();
    // Each pair of codes goes to the place of the many changes, and three columns back from the one behind it.
    let second = "10000010".repeat(50_000);
    let fax = packed(&[first, second].concat());
    let long = u32::try_from(fax.len()).unwrap();
    let tags: [(u16, &[u32]); 8] = [
        (WIDTH, &[WIDTH_OF_ROW]),
        (HEIGHT, &[4]),
        (BITS, &[1]),
        (COMPRESSION, &[FAX_4]),
        (PHOTOMETRIC, &[0]),
        (STRIP_OFFSETS, &[DATA]),
        (ROWS_PER_STRIP, &[4]),
        (STRIP_LENGTHS, &[long]),
    ];
    let refused = reason(soon("a fax", (WIDTH_OF_ROW, 4), &tiff(&fax, &tags, &[])));
    assert_eq!(
        refused,
        "broken TIFF image: its fax has a code that is unknown, or ends too early"
    );
}

/// A TIFF of `strips` grey pixels one below the other, each in a strip that is all of `data`.
fn strips_on_each_other(strips: u32, data: &[u8], compression: u32, fill_order: u32) -> Vec<u8> {
    let count = strips as usize;
    let (offsets, lengths) = (vec![DATA; count], vec![u32::try_from(data.len()).unwrap(); count]);
    let tags: [(u16, &[u32]); 9] = [
        (WIDTH, &[1]),
        (HEIGHT, &[strips]),
        (BITS, &[8]),
        (COMPRESSION, &[compression]),
        (PHOTOMETRIC, &[1]),
        (FILL_ORDER, &[fill_order]),
        (STRIP_OFFSETS, &offsets),
        (ROWS_PER_STRIP, &[1]),
        (STRIP_LENGTHS, &lengths),
    ];
    tiff(data, &tags, &[])
}

#[test]
fn strips_that_lie_on_each_other() {
    // A count that stands for nothing, and one literal.
    let (nothing, pixel) = (128_u8, [0, 77]);
    let before = [vec![nothing; LONG], pixel.to_vec()].concat();
    let after = [pixel.to_vec(), vec![nothing; LONG]].concat();
    let reversed = |data: &[u8]| data.iter().map(|byte| byte.reverse_bits()).collect::<Vec<_>>();
    // Of 9 bits, so that 8 of them fill bytes: those that clear the table, then a literal and the end.
    let (clear, literal) = (packed(&"100000000".repeat(8)), packed("001001101100000001"));
    let codes = [clear.repeat(LONG / 9), literal].concat();
    for (name, strips, data, compression, fill_order, read) in [
        ("PackBits before", 4000, &before, PACK_BITS, 1, false),
        ("PackBits after", 4000, &after, PACK_BITS, 1, true),
        ("reversed before", 4000, &reversed(&before), PACK_BITS, 2, false),
        ("reversed after", 4000, &reversed(&after), PACK_BITS, 2, true),
        ("LZW", 20, &codes, LZW, 1, false),
    ] {
        let file = strips_on_each_other(strips, data, compression, fill_order);
        let result = soon(name, (1, strips), &file);
        if read {
            assert!(result.unwrap().iter().all(|sample| *sample == 77), "{name}");
        } else {
            assert_eq!(reason(result), "broken TIFF image: the file is truncated", "{name}");
        }
    }
    // No strip is longer than its pixels may need, but there are too many of them.
    let data = [vec![nothing; 1000], pixel.to_vec()].concat();
    let file = strips_on_each_other(60_000, &data, PACK_BITS, 1);
    let expected = "broken TIFF image: its strips or tiles share too many of its bytes";
    assert_eq!(reason(soon("many strips", (1, 60_000), &file)), expected);
}

/// A box of ISO/IEC 14496-12 and 15444-1.
fn boxed(kind: [u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u32::try_from(8 + content.len()).unwrap();
    [&length.to_be_bytes(), &kind, &content[..]].concat()
}

#[cfg(feature = "avif")]
#[test]
fn items_that_share_a_long_property() {
    const ITEMS: u16 = 20_000;
    let case = &golden("avif.json")["cases"]["boxes/plain"];
    let plain = BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap();
    let start = plain.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    let pixels = &plain[start..];
    let numbers = |of: &[u16]| of.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
    // Item 1 is the image, the others are auxiliary images of item 2.
    let (mut kinds, mut references, mut chosen) = (Vec::new(), vec![0; 4], Vec::new());
    for item in 1..=ITEMS {
        kinds.extend(boxed(*b"infe", &[&[2, 0, 0, 0], &numbers(&[item, 0]), b"av01\0"]));
        if item > 1 {
            references.extend(boxed(*b"auxl", &[&numbers(&[item, 1, 2])]));
        }
        // One property: the first one of the image, the second one of the others.
        chosen.extend(numbers(&[item]));
        chosen.extend([1, if item == 1 { 1 } else { 2 }]);
    }
    let count = numbers(&[ITEMS]);
    // One item, whose data are in their box.
    let length = u32::try_from(pixels.len()).unwrap().to_be_bytes();
    let place = [&numbers(&[0, 0x4400, 1, 1, 1, 0, 1, 0, 0])[..], &length].concat();
    let size = [0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 24];
    let properties = boxed(
        *b"ipco",
        &[
            &boxed(*b"ispe", &[&size]),
            &boxed(*b"auxC", &[&[0; 4], &vec![b'a'; LONG]]),
        ],
    );
    let meta = [
        boxed(*b"pitm", &[&[0, 0, 0, 0, 0, 1]]),
        boxed(*b"iloc", &[&[1, 0], &place]),
        boxed(*b"iinf", &[&[0; 4], &count, &kinds]),
        boxed(*b"iref", &[&references]),
        boxed(*b"iprp", &[&properties, &boxed(*b"ipma", &[&[0; 6], &count, &chosen])]),
        boxed(*b"idat", &[pixels]),
    ];
    let file = [
        boxed(*b"ftyp", &[b"avif\0\0\0\0avif"]),
        boxed(*b"meta", &[&[0; 4], &meta.concat()]),
    ]
    .concat();
    assert_eq!(soon("items", (40, 24), &file), decoded(40, 24, &plain));
}

#[test]
fn a_palette_of_all_colours_that_it_has_room_for() {
    let header = boxed(*b"ihdr", &[&[0, 0, 0, 8, 0, 0, 0, 8, 0, 1, 7, 7, 0, 0]]);
    let colors: Vec<u8> = (0..u32::from(u16::MAX)).flat_map(u32::to_be_bytes).collect();
    let palette = boxed(*b"pclr", &[&[0xFF, 0xFF, 4, 7, 7, 7, 7], &colors]);
    let file = [boxed(*b"jP  ", &[b"\r\n\x87\n"]), boxed(*b"jp2h", &[&header, &palette])];
    let refused = reason(soon("a palette", (8, 8), &file.concat()));
    assert_eq!(refused, "broken JPEG 2000 image: a palette of more than 256 colours");
}
