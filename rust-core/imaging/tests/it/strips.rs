//! What is decoded and resized strip by strip has the bytes of what is decoded, turned and resized as a whole.

use std::fs;
use std::ops::Range;

use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};
use spark_classify_imaging::{Axis, DecodeOptions, EncodedImage, ImageError, ImageSource, Resampling, Scratch, Target};
use spark_classify_testing::{dataset_image, golden, odd_image, repository, sha256, Random};

use turbojpeg_sys::{
    TJSAMP_TJSAMP_411, TJSAMP_TJSAMP_420, TJSAMP_TJSAMP_422, TJSAMP_TJSAMP_440, TJSAMP_TJSAMP_441, TJSAMP_TJSAMP_444,
    TJSAMP_TJSAMP_GRAY,
};

use crate::jpegs::{encode, Coding};

const SUBSAMPLINGS: [i32; 7] = [
    TJSAMP_TJSAMP_444,
    TJSAMP_TJSAMP_422,
    TJSAMP_TJSAMP_420,
    TJSAMP_TJSAMP_440,
    TJSAMP_TJSAMP_411,
    TJSAMP_TJSAMP_441,
    TJSAMP_TJSAMP_GRAY,
];

const FILTERS: [Resampling; 11] = [
    Resampling::Nearest,
    Resampling::Lanczos,
    Resampling::Bilinear,
    Resampling::Bicubic,
    Resampling::Box,
    Resampling::Hamming,
    Resampling::Mks2013,
    Resampling::Mks2021,
    Resampling::TorchNearest,
    Resampling::TorchBilinear,
    Resampling::TorchBicubic,
];

const UPRIGHT: DecodeOptions = DecodeOptions {
    limits: spark_classify_imaging::ImageLimits {
        max_bytes: 256 << 20,
        max_pixels: 178_956_970,
        max_dimension: 65_500,
        max_memory: 256 << 20,
    },
    exif_transpose: true,
    fast: false,
};

/// Rows, columns and pixels, or why there are none.
type Outcome = Result<(usize, usize, Vec<u8>), ImageError>;

/// Decoded and turned as a whole, then resized.
fn whole(file: &[u8], options: &DecodeOptions, target: impl Fn(usize, usize) -> Target) -> Outcome {
    let mut scratch = Scratch::default();
    scratch.decode(EncodedImage::open(file, options)?, None)?;
    let Target { resampling, y, x, grey } = target(scratch.image().width, scratch.image().height);
    if grey {
        scratch.make_grey();
    }
    let view = scratch.resize(resampling, (&y, &x), options.limits)?;
    Ok((y.window.len(), x.window.len(), view.rows().flatten().copied().collect()))
}

/// Decoded and resized in one go.
fn in_strips(
    file: &[u8],
    options: &DecodeOptions,
    scratch: &mut Scratch,
    target: impl Fn(usize, usize) -> Target,
) -> Outcome {
    let resized = scratch.decode_resized(ImageSource::File(file), options, &target)?;
    let Target { y, x, .. } = target(resized.size.0, resized.size.1);
    Ok((
        y.window.len(),
        x.window.len(),
        resized.view.rows().flatten().copied().collect(),
    ))
}

/// Lengths that shrink, grow or stay, and all or a part of them.
fn axis(source: usize, random: &mut Random) -> Axis {
    let resized = match random.below(8) {
        0 => source,
        1 => source + random.below(source.min(200)) + 1,
        2 => 1,
        _ => 1 + random.below(source.min(300)),
    };
    let start = random.below(resized);
    let window: Range<usize> = match random.below(3) {
        0 => start..start + 1 + random.below(resized - start),
        1 => resized / 5..resized - resized / 6,
        _ => 0..resized,
    };
    Axis {
        source,
        resized,
        window,
    }
}

fn random_target(width: usize, height: usize, random: &mut Random) -> Target {
    Target {
        resampling: FILTERS[random.below(FILTERS.len())],
        y: axis(height, random),
        x: axis(width, random),
        grey: random.below(5) == 0,
    }
}

/// A picture with flat parts, edges and noise, of RGB pixels.
fn picture((width, height): (usize, usize), random: &mut Random) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let noise = if (x / 40 + y / 30) % 3 == 0 {
                random.byte() / 4
            } else {
                0
            };
            let edge = if (x * 3 + y * 5) % 97 < 40 { 120 } else { 10 };
            pixels.extend([edge + noise, (x * 191 / width) as u8 + noise, (y * 191 / height) as u8]);
        }
    }
    pixels
}

/// The JPEG with EXIF data that gives this orientation.
fn turned_jpeg(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif = [
        b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
        &[orientation][..],
        &[0; 6],
    ];
    [&jpeg[..2], &exif.concat(), &jpeg[2..]].concat()
}

/// The same for a PNG.
fn turned_png(png: &[u8], orientation: u8) -> Vec<u8> {
    let content = [
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
        &[orientation][..],
        &[0; 6],
    ]
    .concat();
    let mut sum = crc32fast::Hasher::new();
    sum.update(b"eXIf");
    sum.update(&content);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let chunk = [&length[..], b"eXIf", &content, &sum.finalize().to_be_bytes()].concat();
    // After the signature and IHDR.
    [&png[..33], &chunk, &png[33..]].concat()
}

/// A PNG of the picture, with this kind of pixels.
fn png(pixels: &[u8], (width, height): (usize, usize), kind: ExtendedColorType) -> Vec<u8> {
    let rgb = image::RgbImage::from_raw(width as u32, height as u32, pixels.to_vec()).unwrap();
    let rgb = DynamicImage::ImageRgb8(rgb);
    let bytes = match kind {
        ExtendedColorType::L8 => rgb.to_luma8().into_raw(),
        ExtendedColorType::La8 => rgb.to_luma_alpha8().into_raw(),
        ExtendedColorType::Rgba8 => rgb.to_rgba8().into_raw(),
        ExtendedColorType::Rgb16 => rgb
            .to_rgb16()
            .into_raw()
            .into_iter()
            .flat_map(u16::to_ne_bytes)
            .collect(),
        _ => pixels.to_vec(),
    };
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&bytes, width as u32, height as u32, kind)
        .unwrap();
    file
}

/// The picture in a format that the `image` crate writes.
fn converted(pixels: &[u8], (width, height): (usize, usize), format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_raw(width as u32, height as u32, pixels.to_vec()).unwrap();
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Pictures of several strips in all formats, and in all codings of JPEG and PNG.
fn files(random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for subsampling in SUBSAMPLINGS {
        for (progressive, arithmetic, restart_rows) in [
            (false, false, 0),
            (false, false, 1),
            (false, true, 2),
            (true, false, 0),
            (true, true, 0),
        ] {
            let size = (300 + random.below(400), 300 + random.below(400));
            let coding = Coding {
                subsampling,
                progressive,
                arithmetic,
                restart_rows,
            };
            let jpeg = encode(&picture(size, random), size, coding);
            files.push((
                format!("{size:?}, {coding:?}"),
                turned_jpeg(&jpeg, (1 + random.below(8)) as u8),
            ));
        }
    }
    for kind in [
        ExtendedColorType::L8,
        ExtendedColorType::La8,
        ExtendedColorType::Rgb8,
        ExtendedColorType::Rgba8,
        ExtendedColorType::Rgb16,
    ] {
        for _ in 0..3 {
            let size = (300 + random.below(400), 300 + random.below(400));
            let file = png(&picture(size, random), size, kind);
            files.push((
                format!("{size:?}, {kind:?}"),
                turned_png(&file, (1 + random.below(8)) as u8),
            ));
        }
    }
    for format in [ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff] {
        let size = (300 + random.below(400), 300 + random.below(400));
        files.push((
            format!("{size:?}, {format:?}"),
            converted(&picture(size, random), size, format),
        ));
    }
    // libjpeg skips no rows of a lossless one, which does not show at its width of one pixel.
    let mut narrow = odd_image("lossless.jpg");
    let frame = narrow.windows(2).position(|marker| marker == [0xFF, 0xC3]).unwrap();
    narrow[frame + 7..frame + 9].copy_from_slice(&[0, 1]);
    files.push(("a lossless JPEG of one column".to_owned(), narrow));
    files.push(("a JPEG of the data set".to_owned(), dataset_image("id_0063.jpg")));
    files.push(("a PNG of the data set".to_owned(), dataset_image("id_0009.png")));
    for folder in ["tests/golden/images", "tests/cases/images"] {
        for entry in fs::read_dir(repository(folder)).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    files
}

#[test]
fn strips_give_the_bytes_of_the_whole_image() {
    let mut random = Random::new(7);
    let mut scratch = Scratch::default();
    let (mut good, mut wrong) = (0, Vec::new());
    for (name, file) in files(&mut random) {
        for _ in 0..12 {
            let seed = random.number();
            let target = |width, height| random_target(width, height, &mut Random::new(seed));
            let expected = whole(&file, &UPRIGHT, target);
            let actual = in_strips(&file, &UPRIGHT, &mut scratch, target);
            good += usize::from(actual.is_ok());
            if actual != expected {
                let target = scratch
                    .decode(EncodedImage::open(&file, &UPRIGHT).unwrap(), None)
                    .map(|(width, height)| target(width, height));
                wrong.push(format!("{name}: {target:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {good}: {wrong:#?}", wrong.len());
    assert!(good > 1500, "only {good} good ones");
}

#[test]
fn broken_files_come_to_the_same_end_in_strips() {
    let mut random = Random::new(8);
    let mut scratch = Scratch::default();
    let (mut good, mut bad) = (0, 0);
    for (name, file) in files(&mut random) {
        if file.len() < 40 {
            continue;
        }
        for round in 0..24 {
            let mut file = file.clone();
            if round % 2 == 0 {
                file.truncate(20 + random.below(file.len() - 20));
            }
            for _ in 0..random.below(4) {
                let at = random.below(file.len());
                file[at] = random.byte();
            }
            let seed = random.number();
            let target = |width, height| random_target(width, height, &mut Random::new(seed));
            let options = DecodeOptions {
                limits: spark_classify_imaging::ImageLimits {
                    max_pixels: 1 << 20,
                    ..UPRIGHT.limits
                },
                ..UPRIGHT
            };
            let expected = whole(&file, &options, target);
            let actual = in_strips(&file, &options, &mut scratch, target);
            match (&expected, &actual) {
                (Ok(_), _) => good += 1,
                _ => bad += 1,
            }
            assert!(
                actual == expected,
                "{name}, seed {seed}: {:?} is not {:?}",
                actual.map(|_| ()),
                expected.map(|_| ())
            );
        }
    }
    assert!(good > 300 && bad > 300, "{good} good and {bad} bad ones");
}

#[test]
fn the_damage_below_a_crop_is_an_error_none_the_less() {
    let mut random = Random::new(9);
    let mut scratch = Scratch::default();
    let size = (500, 700);
    for subsampling in SUBSAMPLINGS {
        for progressive in [false, true] {
            let coding = Coding {
                subsampling,
                progressive,
                ..Coding::default()
            };
            let file = encode(&picture(size, &mut random), size, coding);
            let target = |width, height| Target {
                resampling: Resampling::Bilinear,
                y: Axis {
                    source: height,
                    resized: 70,
                    window: 3..9,
                },
                x: Axis::whole(width, 50),
                grey: false,
            };
            let options = DecodeOptions::default();
            assert!(in_strips(&file, &options, &mut scratch, target).is_ok());
            for cut in [2, 3, file.len() / 10, file.len() / 3] {
                let file = &file[..file.len() - cut];
                assert_eq!(
                    in_strips(file, &options, &mut scratch, target),
                    whole(file, &options, target),
                    "{coding:?} without {cut} bytes"
                );
            }
            assert!(in_strips(&file[..file.len() / 2], &options, &mut scratch, target).is_err());
        }
    }
}

#[test]
fn a_reduced_jpeg_has_the_bytes_of_the_reduced_whole() {
    let mut random = Random::new(10);
    let options = DecodeOptions { fast: true, ..UPRIGHT };
    for subsampling in SUBSAMPLINGS {
        let size = (600 + random.below(500), 600 + random.below(500));
        let coding = Coding {
            subsampling,
            ..Coding::default()
        };
        let file = turned_jpeg(&encode(&picture(size, &mut random), size, coding), 6);
        for side in [40, 90, 200, 500] {
            let target = |width: usize, height: usize| Target {
                resampling: Resampling::Bicubic,
                y: Axis {
                    source: height,
                    resized: side * 2,
                    window: side / 2..side,
                },
                x: Axis::whole(width, side),
                grey: false,
            };
            let mut scratch = Scratch::default();
            let encoded = EncodedImage::open(&file, &options).unwrap();
            let (width, height) = scratch.decode(encoded, Some((side, side * 2))).unwrap();
            let Target { mut y, mut x, .. } = target(width, height);
            (y.source, x.source) = (scratch.image().height, scratch.image().width);
            let view = scratch.resize(Resampling::Bicubic, (&y, &x), options.limits).unwrap();
            let expected: Vec<u8> = view.rows().flatten().copied().collect();
            let actual = in_strips(&file, &options, &mut Scratch::default(), target).unwrap();
            assert!(actual.2 == expected, "{coding:?} to {side}");
        }
    }
}

#[test]
fn a_photograph_on_its_side_comes_out_as_from_pillow() {
    let golden = golden("photo.json");
    let file = fs::read(repository("tests/golden/photo.jpg")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 24, "only {} cases", cases.len());
    let mut scratch = Scratch::default();
    for case in cases {
        let [columns, rows] = [0, 1].map(|index| case["size"][index].as_u64().unwrap() as usize);
        let target = |width, height| Target {
            resampling: Resampling::of_number(case["resample"].as_u64().unwrap()).unwrap(),
            y: Axis::whole(height, rows),
            x: Axis::whole(width, columns),
            grey: false,
        };
        let (_, _, pixels) = in_strips(&file, &UPRIGHT, &mut scratch, target).unwrap();
        assert_eq!(sha256(&pixels), case["sha256"], "{case}");
    }
}
