//! AVIF through dav1d, with the bytes that Pillow gets from libavif.
//!
//! Alpha is dropped; colours that are multiplied by it are divided first. Of a sequence the first picture counts. A
//! clean aperture (`clap`) is not heeded, as in Pillow, and rotation and mirroring are what EXIF is in other formats:
//! they count where images are turned upright.

mod alpha;
mod av1;
mod boxes;
mod float;
mod pictures;
mod planes;
mod rgb;
mod shape;
mod tracks;

use std::borrow::Cow;
use std::collections::BTreeSet;

use self::alpha::Alpha;
use self::av1::{Picture, Stream};
use self::boxes::{full_box, ids, next_box, Item, Meta, Properties, FAILURE};
use self::planes::{Grid, Planes};
use self::shape::{Coding, Layout, Shape};
use self::tracks::Track;
use super::metadata::Metadata;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, RgbImage};
use crate::options::ImageLimits;

/// No more of a file's first box is looked at for its brands.
const LONGEST_BRANDS: usize = 1024;
/// What stands for all layers of a picture, and how many AV1 has.
const ALL_LAYERS: u16 = 0xFFFF;
const LAYERS: u8 = 4;
/// EXIF data and XMP that have to be put together are looked at up to this length, in bytes.
const LONGEST_METADATA: u64 = 1 << 20;
/// The least width and height of a part of a grid (ISO/IEC 23000-22, 7.3.11.4.2).
const LEAST_PART: usize = 64;
/// More than a pixel takes that is not compressed at all.
const MOST_BYTES: usize = 8;

/// Whether it is a file of boxes with a brand of AVIF.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    let mut head = FAILURE.read(&bytes[..bytes.len().min(LONGEST_BRANDS)]);
    let (Ok(size), Ok(kind)) = (head.be_u32(), head.array()) else {
        return false;
    };
    let content = head.up_to((size as usize).saturating_sub(8));
    let (brands, _) = content.as_chunks::<4>();
    &kind == b"ftyp" && brands.iter().any(|brand| matches!(brand, b"avif" | b"avis"))
}

/// Decodes into `image`.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    _raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let file = File { bytes, limits };
    let (planes, coding, alpha) = match Content::read(bytes)? {
        Content::Items(meta) => {
            let item = meta.primary_image()?;
            let properties = meta.properties(item);
            let rgb = file.rgb_bytes(meta.size(item)?)? + meta.bytes();
            let planes = file.planes(&meta, item, rgb)?;
            let alpha = match meta.alpha(item) {
                Beside::Nothing => Alpha::None,
                Beside::Alpha => Alpha::Dropped,
                Beside::Multiplier(alpha) => Alpha::Multiplied(file.planes(&meta, alpha, rgb + planes.memory())?),
            };
            (planes, coding(properties), alpha)
        }
        Content::Sequence(tracks) => {
            let (color, alpha) = *tracks;
            let rgb = file.rgb_bytes(color.size)?;
            let planes = file.first_picture(&color, rgb)?;
            let alpha = match &alpha {
                None => Alpha::None,
                Some((alpha, true)) => Alpha::Multiplied(file.first_picture(alpha, rgb + planes.memory())?),
                Some((_, false)) => Alpha::Dropped,
            };
            (planes, coding(color.properties()), alpha)
        }
    };
    rgb::convert(&planes, coding.unwrap_or(planes.coding()), &alpha, image)
}

/// What the file says to be there.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let Ok(content) = Content::read(bytes) else {
        return Metadata::default();
    };
    let (turned, meta, described) = match &content {
        Content::Items(meta) => {
            let Ok(item) = meta.primary_image() else {
                return Metadata::default();
            };
            (turned(meta.properties(item)), Some(meta), Some(meta.primary))
        }
        Content::Sequence(tracks) => (turned(tracks.0.properties()), tracks.0.meta.as_ref(), None),
    };
    let mut metadata = Metadata {
        by_container: Some(turned),
        ..Metadata::default()
    };
    let Some(meta) = meta else {
        return metadata;
    };
    // All that a track has belongs to it. Of several the last counts.
    let belonging = |item: &&Item<'_>| described.is_none() || item.describes == described;
    let last = |of: fn(&Item<'_>) -> bool| {
        let item = meta.items.values().filter(belonging).rfind(|item| of(item))?;
        let few = |length| {
            if length > LONGEST_METADATA {
                return Err(FAILURE.broken("its metadata in parts are too long"));
            }
            Ok(())
        };
        meta.data(item, bytes, few).ok()
    };
    // The place of the data in what follows stands in front.
    metadata.exif = last(|item| &item.kind == b"Exif").and_then(|data| match data {
        Cow::Borrowed(data) => data.get(4..).map(Cow::Borrowed),
        Cow::Owned(mut data) => (data.len() > 4).then(|| data.split_off(4).into()),
    });
    metadata.xmp = last(|item| item.xmp);
    metadata
}

/// The orientation by EXIF's numbers, as Pillow makes it of quarter turns to the left and of mirroring.
fn turned(properties: Properties<'_, '_>) -> u8 {
    let value = |kind| properties.find(kind).and_then(|mut content| content.u8().ok());
    match (
        value(*b"irot").map_or(0, |turns| turns & 3),
        value(*b"imir").map(|axis| axis & 1),
    ) {
        (1, None) => 8,
        (1, Some(0)) | (3, Some(1)) => 5,
        (1 | 3, Some(_)) => 7,
        (2, None) => 3,
        (2, Some(0)) | (0, Some(1)) => 2,
        (0 | 2, Some(_)) => 4,
        (3, None) => 6,
        _ => 1,
    }
}

/// How the container says that colours are coded, which stands over what the pixels say.
fn coding(properties: Properties<'_, '_>) -> Option<Coding> {
    let mut content = properties.color(*b"nclx")?;
    let primaries = content.be_u16().ok()?.into();
    content.be_u16().ok()?;
    Some(Coding {
        primaries,
        matrix: content.be_u16().ok()?.into(),
        full_range: content.u8().ok()? & 0x80 != 0,
    })
}

/// The only layer of a picture that is wanted.
fn layer(properties: Properties<'_, '_>) -> Result<Option<u8>, ImageError> {
    let layer = properties
        .find(*b"lsel")
        .map_or(Ok(ALL_LAYERS), |mut content| content.be_u16())?;
    match u8::try_from(layer) {
        _ if layer == ALL_LAYERS => Ok(None),
        Ok(layer) if layer < LAYERS => Ok(Some(layer)),
        _ => Err(FAILURE.broken(format!("it wants layer {layer} of {LAYERS}"))),
    }
}

/// Where the pixels are.
enum Content<'a> {
    Items(Meta<'a>),
    Sequence(Box<(Track<'a>, Option<(Track<'a>, bool)>)>),
}

impl<'a> Content<'a> {
    /// As libavif chooses: what the file's main brand says, or else a sequence where there is one.
    fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let mut file = FAILURE.read(bytes);
        let (_, brands) = next_box(&mut file, true)?;
        let has = |brand: &[u8]| brands.chunks_exact(4).any(|other| other == brand);
        let (mut meta, mut movie) = (None, None);
        // What stands after everything that the brands promise is not looked at.
        while !file.is_empty() && (meta.is_none() && has(b"avif") || movie.is_none() && has(b"avis")) {
            let (kind, content) = next_box(&mut file, true)?;
            match &kind {
                b"meta" => meta = Some(content),
                b"moov" => movie = Some(content),
                _ => {}
            }
        }
        match (meta, movie) {
            (_, Some(movie)) if !brands.starts_with(b"avif") => tracks::read(movie).map(Box::new).map(Self::Sequence),
            (Some(meta), _) if !brands.starts_with(b"avis") => Meta::read(FAILURE.read(meta)).map(Self::Items),
            _ => Err(FAILURE.truncated()),
        }
    }
}

/// What an image has beside its colours.
enum Beside<'m, 'a> {
    Nothing,
    Alpha,
    /// Alpha that the colours are multiplied by.
    Multiplier(&'m Item<'a>),
}

impl<'a> Meta<'a> {
    fn primary_image(&self) -> Result<&Item<'a>, ImageError> {
        let primary = self.items.get(&self.primary).filter(|item| self.is_image(item));
        primary.ok_or_else(|| FAILURE.broken("its main image is missing, or no AV1"))
    }

    /// What alpha there is beside an image; that of a grid may be spread over its parts.
    fn alpha(&self, item: &Item<'a>) -> Beside<'_, 'a> {
        let mut alphas = self.alphas();
        if let Some((id, _)) = alphas.find(|(_, item)| item.auxiliary_for == Some(self.primary)) {
            let multiplied = item.premultiplied_by == Some(id);
            let alpha = self.items.get(&id).filter(|_| multiplied);
            return alpha.map_or(Beside::Alpha, Beside::Multiplier);
        }
        let Some(parts) = item.parts.filter(|_| &item.kind == b"grid") else {
            return Beside::Nothing;
        };
        let with_alpha: BTreeSet<_> = self.alphas().filter_map(|(_, item)| item.auxiliary_for).collect();
        if ids(parts).all(|id| with_alpha.contains(&id)) {
            Beside::Alpha
        } else {
            Beside::Nothing
        }
    }

    /// The size that a property gives.
    fn size(&self, item: &Item<'a>) -> Result<(u32, u32), ImageError> {
        let content = self.properties(item).find(*b"ispe");
        let mut content = content.ok_or_else(|| FAILURE.broken("an image has no size"))?;
        full_box(&mut content)?;
        Ok((content.be_u32()?, content.be_u32()?))
    }
}

/// What is decoded.
#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    limits: ImageLimits,
}

impl<'a> File<'a> {
    /// Decodes an item, beside so many bytes that are taken already.
    fn planes(self, meta: &Meta<'a>, item: &Item<'a>, taken: u64) -> Result<Planes<'a>, ImageError> {
        if &item.kind == b"grid" {
            return self.grid(meta, item, taken).map(Planes::Grid);
        }
        let picture = Picture::decode(self.stream(meta, item, taken)?, (self.limits, taken))?;
        of_size(meta.size(item)?, picture).map(|picture| Planes::Picture(Box::new(picture)))
    }

    /// The memory of an image of this size once it is RGB.
    fn rgb_bytes(self, (width, height): (u32, u32)) -> Result<u64, ImageError> {
        check_size(u64::from(width), u64::from(height), self.limits)?;
        Ok(u64::from(width) * u64::from(height) * 3)
    }

    fn stream(self, meta: &Meta<'a>, item: &Item<'a>, taken: u64) -> Result<Stream<'a>, ImageError> {
        let properties = meta.properties(item);
        let operating_point = properties.find(*b"a1op").map_or(Ok(0), |mut content| content.u8())?;
        Ok(Stream {
            bytes: meta.data(item, self.bytes, |length| check_memory(taken + length, self.limits))?,
            operating_point,
            layer: layer(properties)?,
        })
    }

    fn first_picture(self, track: &Track<'a>, taken: u64) -> Result<Planes<'a>, ImageError> {
        let stream = Stream {
            bytes: track.data(self.bytes)?.into(),
            operating_point: 0,
            layer: None,
        };
        let picture = Picture::decode(stream, (self.limits, taken))?;
        of_size(track.size, picture).map(|picture| Planes::Picture(Box::new(picture)))
    }

    /// Puts a grid together (ISO/IEC 23008-12, 6.6.2.3).
    fn grid(self, meta: &Meta<'a>, item: &Item<'a>, taken: u64) -> Result<Grid, ImageError> {
        let data = meta.data(item, self.bytes, |length| check_memory(taken + length, self.limits))?;
        let mut data = FAILURE.read(&data);
        let (_, flags) = (data.u8()?, data.u8()?);
        let (rows, columns) = (usize::from(data.u8()?) + 1, usize::from(data.u8()?) + 1);
        let (width, height) = if flags & 1 == 0 {
            (data.be_u16()?.into(), data.be_u16()?.into())
        } else {
            (data.be_u32()?, data.be_u32()?)
        };
        if (width, height) != meta.size(item)? {
            return Err(FAILURE.broken("a grid has another size than its image"));
        }
        let (width, height) = (width as usize, height as usize);
        let parts: Vec<_> = item.parts.into_iter().flat_map(ids).collect();
        if width == 0 || height == 0 || parts.len() != rows * columns {
            return Err(FAILURE.broken("a grid has not as many parts as it should"));
        }
        let (mut whole, mut read): (Option<(Grid, Shape)>, usize) = (None, 0);
        for (index, id) in parts.iter().enumerate() {
            let part = meta
                .items
                .get(id)
                .filter(|part| &part.kind == b"av01" && meta.is_image(part));
            let part = part.ok_or_else(|| FAILURE.broken("a part of its grid is missing, or no AV1"))?;
            // Once there are planes, parts are decoded beside them.
            let planes = whole.as_ref().map_or(0, |(grid, _)| grid.bytes());
            let stream = self.stream(meta, part, taken + planes)?;
            // Parts may share their bytes, but not so many that a short file takes for ever.
            read += stream.bytes.len();
            if read > self.bytes.len() + width * height * MOST_BYTES {
                return Err(FAILURE.broken("its grid has more bytes than its pixels could need"));
            }
            let picture = of_size(
                meta.size(part)?,
                Picture::decode(stream, (self.limits, taken + planes))?,
            )?;
            let shape = picture.shape;
            if whole.is_none() {
                check_parts(shape, (width, height), (columns, rows))?;
                let of_grid = Shape { width, height, ..shape };
                check_memory(taken + of_grid.bytes() as u64 + picture.memory, self.limits)?;
                whole = Some((Grid::new(of_grid, picture.coding)?, shape));
            }
            if let Some((grid, first)) = &mut whole {
                if shape != *first {
                    return Err(FAILURE.broken("the parts of its grid are not alike"));
                }
                grid.lay(
                    &picture,
                    (index % columns * shape.width, index / columns * shape.height),
                )?;
            }
        }
        whole
            .map(|(grid, _)| grid)
            .ok_or_else(|| FAILURE.broken("a grid has no parts"))
    }
}

/// A picture, if it has the size that the container gives. libavif would resize it.
fn of_size((width, height): (u32, u32), picture: Picture<'_>) -> Result<Picture<'_>, ImageError> {
    let shape = picture.shape;
    if (shape.width, shape.height) != (width as usize, height as usize) {
        return Err(FAILURE.unsupported(format!(
            "a picture of {}x{} pixels where the container tells {width}x{height}",
            shape.width, shape.height
        )));
    }
    Ok(picture)
}

/// Whether parts of this shape cover the grid, and all of them are needed.
fn check_parts(part: Shape, size: (usize, usize), count: (usize, usize)) -> Result<(), ImageError> {
    let covers = |part: usize, whole: usize, count: usize| {
        part >= LEAST_PART && part * count >= whole && part * (count - 1) < whole
    };
    let even = |length: usize, halved: bool| !halved || length.is_multiple_of(2);
    let (columns, rows) = (
        matches!(part.layout, Layout::Half | Layout::Quarter),
        part.layout == Layout::Quarter,
    );
    let fits = covers(part.width, size.0, count.0) && covers(part.height, size.1, count.1);
    let cut = [part.width, size.0].iter().all(|length| even(*length, columns))
        && [part.height, size.1].iter().all(|length| even(*length, rows));
    if fits && cut {
        return Ok(());
    }
    Err(FAILURE.broken(format!(
        "its grid of {}x{} pixels is not made of {}x{} parts of {}x{}",
        size.0, size.1, count.0, count.1, part.width, part.height
    )))
}
