//! The boxes of ISO/IEC 14496-12 and 23008-12 that an AVIF is made of, as far as they tell where the pixels are.
//!
//! Nothing is copied and little is stored: a count in a file takes no memory that the file has no bytes for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::decode::bytes::Bytes;
use crate::decode::failure::Failure;
use crate::error::ImageError;

pub(crate) const FAILURE: Failure = Failure("AVIF");

pub(crate) type FourCc = [u8; 4];

/// More items than any grid has; an item takes about 100 bytes.
const MAX_ITEMS: usize = 1 << 16;
const MAX_PROPERTIES: usize = 1 << 15;
/// What files with alpha call it.
const ALPHA: [&[u8]; 2] = [
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
];
/// The properties that are heeded, or that change no pixel; another that is essential bars its item.
const KNOWN_PROPERTIES: [&FourCc; 13] = [
    b"ispe", b"auxC", b"auxi", b"colr", b"av1C", b"pasp", b"clap", b"irot", b"imir", b"pixi", b"a1op", b"lsel", b"clli",
];

/// The version and the flags that a full box begins with.
pub(crate) fn full_box(content: &mut Bytes<'_>) -> Result<(u8, u32), ImageError> {
    let word = content.be_u32()?;
    Ok((word.to_be_bytes()[0], word & 0xFF_FFFF))
}

/// An item's number, which is short in early versions of a box.
fn item_id(content: &mut Bytes<'_>, long: bool) -> Result<u32, ImageError> {
    if long {
        content.be_u32()
    } else {
        content.be_u16().map(u32::from)
    }
}

/// Text up to a zero byte.
fn string<'a>(content: &mut Bytes<'a>) -> Result<&'a [u8], ImageError> {
    let length = content.rest().iter().position(|byte| *byte == 0);
    let text = content.bytes(length.ok_or_else(|| FAILURE.truncated())?)?;
    content.u8()?;
    Ok(text)
}

/// The next box. One that goes on to the end of the file has a length of 0, which counts only at the `top`.
pub(crate) fn next_box<'a>(content: &mut Bytes<'a>, top: bool) -> Result<(FourCc, &'a [u8]), ImageError> {
    let mut size = u64::from(content.be_u32()?);
    let kind = content.array()?;
    let mut header = 8;
    if size == 1 {
        size = content.be_number(8)?;
        header = 16;
    }
    if &kind == b"uuid" {
        content.bytes(16)?;
        header += 16;
    }
    if size == 0 && top {
        return Ok((kind, content.up_to(usize::MAX)));
    }
    let length = size
        .checked_sub(header)
        .ok_or_else(|| FAILURE.broken("a box is shorter than its header"))?;
    Ok((kind, content.bytes(usize::try_from(length).unwrap_or(usize::MAX))?))
}

/// The boxes that follow, to the end.
pub(crate) fn boxes(mut content: Bytes<'_>) -> impl Iterator<Item = Result<(FourCc, &[u8]), ImageError>> {
    std::iter::from_fn(move || {
        if content.is_empty() {
            return None;
        }
        let next = next_box(&mut content, false);
        if next.is_err() {
            content.up_to(usize::MAX);
        }
        Some(next)
    })
}

/// The content of the first box of this kind.
pub(crate) fn find(content: Bytes<'_>, kind: FourCc) -> Result<Option<Bytes<'_>>, ImageError> {
    for next in boxes(content) {
        let (found, content) = next?;
        if found == kind {
            return Ok(Some(FAILURE.read(content)));
        }
    }
    Ok(None)
}

/// A property of an item: its kind and its content.
pub(crate) type Property<'a> = (FourCc, &'a [u8]);

/// What says how the pixels of an item, or of a track, are to be taken.
#[derive(Clone, Copy)]
pub(crate) struct Properties<'m, 'a> {
    all: &'m [Property<'a>],
    /// Which of them are meant, by numbers of one or two bytes that begin with 1; all where there are none.
    chosen: Option<(&'a [u8], usize)>,
}

impl<'m, 'a> Properties<'m, 'a> {
    pub(crate) fn all(all: &'m [Property<'a>]) -> Self {
        Self { all, chosen: None }
    }

    fn iter(self) -> impl Iterator<Item = Property<'a>> + use<'m, 'a> {
        let chosen = self.chosen.map(|(bytes, width)| associations(bytes, width));
        let chosen = chosen.map(|chosen| chosen.filter_map(move |(_, index)| self.all.get(index?).copied()));
        let every = self.chosen.is_none().then(|| self.all.iter().copied());
        chosen.into_iter().flatten().chain(every.into_iter().flatten())
    }

    /// The content of the first one of this kind.
    pub(crate) fn find(self, kind: FourCc) -> Option<Bytes<'a>> {
        let content = self.iter().find(|property| property.0 == kind)?.1;
        Some(FAILURE.read(content))
    }

    /// The content of the first colour information of this kind.
    pub(crate) fn color(self, kind: FourCc) -> Option<Bytes<'a>> {
        self.iter().find_map(|(of, content)| {
            let content = (&of == b"colr").then(|| content.strip_prefix(&kind)).flatten()?;
            Some(FAILURE.read(content))
        })
    }

    /// Whether it is an auxiliary image with alpha, by the property that says so in an item or in a track.
    pub(crate) fn is_alpha(self, kind: FourCc) -> Option<bool> {
        let mut content = self.find(kind)?;
        let of = full_box(&mut content).map(|_| content.rest());
        // Many items may share one long property: it is not looked through for its end.
        let is = |of: &[u8], name: &[u8]| of.strip_prefix(name).is_some_and(|after| after.first() == Some(&0));
        Some(of.is_ok_and(|of| ALPHA.iter().any(|name| is(of, name))))
    }
}

/// Whether a property is essential, and its index.
fn associations(bytes: &[u8], width: usize) -> impl Iterator<Item = (bool, Option<usize>)> + use<'_> {
    bytes.chunks_exact(width).map(move |bytes| {
        let index = bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        let essential = 1 << (8 * width - 1);
        (index & essential != 0, (index & !essential).checked_sub(1))
    })
}

/// Where the bytes of an item are.
#[derive(Clone, Copy)]
struct Location<'a> {
    in_item_data: bool,
    base: u64,
    extents: &'a [u8],
    count: u16,
    /// The lengths of an extent's index, offset and length, in bytes.
    lengths: [usize; 3],
}

/// An image, a part of one, or what is told of one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Item<'a> {
    pub(crate) kind: FourCc,
    /// Whether it is an XMP packet.
    pub(crate) xmp: bool,
    location: Option<Location<'a>>,
    properties: Option<(&'a [u8], usize)>,
    thumbnail: bool,
    pub(crate) auxiliary_for: Option<u32>,
    pub(crate) describes: Option<u32>,
    pub(crate) premultiplied_by: Option<u32>,
    /// Those that a grid is made of.
    pub(crate) parts: Option<(&'a [u8], bool)>,
}

/// A box with items.
#[derive(Default)]
pub(crate) struct Meta<'a> {
    pub(crate) primary: u32,
    pub(crate) items: BTreeMap<u32, Item<'a>>,
    properties: Vec<Property<'a>>,
    item_data: &'a [u8],
}

impl<'a> Meta<'a> {
    pub(crate) fn read(mut content: Bytes<'a>) -> Result<Self, ImageError> {
        let mut meta = Self::default();
        full_box(&mut content)?;
        for next in boxes(content) {
            let (kind, content) = next?;
            let content = FAILURE.read(content);
            match &kind {
                b"pitm" => {
                    let mut content = content;
                    let (version, _) = full_box(&mut content)?;
                    meta.primary = item_id(&mut content, version > 0)?;
                }
                b"iloc" => meta.read_locations(content)?,
                b"iinf" => meta.read_kinds(content)?,
                b"iref" => meta.read_references(content)?,
                b"iprp" => meta.read_properties(content)?,
                b"idat" => meta.item_data = content.rest(),
                _ => {}
            }
        }
        Ok(meta)
    }

    fn item(&mut self, id: u32) -> Result<&mut Item<'a>, ImageError> {
        if self.items.len() >= MAX_ITEMS && !self.items.contains_key(&id) {
            return Err(FAILURE.broken(format!("more than {MAX_ITEMS} items")));
        }
        Ok(self.items.entry(id).or_default())
    }

    fn read_locations(&mut self, mut content: Bytes<'a>) -> Result<(), ImageError> {
        let (version, _) = full_box(&mut content)?;
        let sizes = content.be_u16()?;
        let size = |shift: u16| usize::from(sizes >> shift & 15);
        let index = if version > 0 { size(0) } else { 0 };
        let (lengths, base) = ([index, size(12), size(8)], size(4));
        if version > 2 || lengths.iter().chain([&base]).any(|length| ![0, 4, 8].contains(length)) {
            return Err(FAILURE.broken("its item locations are of an unknown kind"));
        }
        let count = item_id(&mut content, version == 2)?;
        for _ in 0..count {
            let id = item_id(&mut content, version == 2)?;
            let method = if version > 0 { content.be_u16()? & 15 } else { 0 };
            content.be_u16()?;
            let base = content.be_number(base)?;
            let count = content.be_u16()?;
            let extents = content.bytes(usize::from(count) * lengths.iter().sum::<usize>())?;
            let item = self.item(id)?;
            item.location = (method < 2).then_some(Location {
                in_item_data: method == 1,
                base,
                extents,
                count,
                lengths,
            });
        }
        Ok(())
    }

    fn read_kinds(&mut self, mut content: Bytes<'a>) -> Result<(), ImageError> {
        let (version, _) = full_box(&mut content)?;
        item_id(&mut content, version > 0)?;
        for next in boxes(content) {
            let (kind, content) = next?;
            let mut content = FAILURE.read(content);
            if &kind != b"infe" {
                continue;
            }
            let (version, _) = full_box(&mut content)?;
            if version < 2 {
                continue;
            }
            let id = item_id(&mut content, version > 2)?;
            content.be_u16()?;
            let kind = content.array()?;
            string(&mut content)?;
            let xmp = &kind == b"mime" && string(&mut content)? == b"application/rdf+xml";
            let item = self.item(id)?;
            (item.kind, item.xmp) = (kind, xmp);
        }
        Ok(())
    }

    fn read_references(&mut self, mut content: Bytes<'a>) -> Result<(), ImageError> {
        let (version, _) = full_box(&mut content)?;
        let long = version > 0;
        for next in boxes(content) {
            let (kind, content) = next?;
            let mut content = FAILURE.read(content);
            let from = item_id(&mut content, long)?;
            let count = usize::from(content.be_u16()?);
            let to = content.bytes(count * if long { 4 } else { 2 })?;
            let last = ids((to, long)).last();
            let item = self.item(from)?;
            match &kind {
                b"thmb" => item.thumbnail = true,
                b"auxl" => item.auxiliary_for = last,
                b"cdsc" => item.describes = last,
                b"prem" => item.premultiplied_by = last,
                b"dimg" => item.parts = Some((to, long)),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_properties(&mut self, mut content: Bytes<'a>) -> Result<(), ImageError> {
        let (kind, container) = next_box(&mut content, false)?;
        if &kind != b"ipco" {
            return Err(FAILURE.broken("its properties are not where they should be"));
        }
        self.properties = properties(FAILURE.read(container))?;
        for next in boxes(content) {
            let mut content = FAILURE.read(next?.1);
            let (version, flags) = full_box(&mut content)?;
            let width = if flags & 1 == 0 { 1 } else { 2 };
            for _ in 0..content.be_u32()? {
                let id = item_id(&mut content, version > 0)?;
                let count = usize::from(content.u8()?);
                let associations = content.bytes(count * width)?;
                self.item(id)?.properties = Some((associations, width));
            }
        }
        Ok(())
    }

    pub(crate) fn properties<'m>(&'m self, item: &Item<'a>) -> Properties<'m, 'a> {
        Properties {
            all: &self.properties,
            chosen: Some(item.properties.unwrap_or((&[], 1))),
        }
    }

    /// Whether it is an image that can be decoded; thumbnails do not count.
    pub(crate) fn is_image(&self, item: &Item<'a>) -> bool {
        let unknown = |(essential, index): (bool, Option<usize>)| {
            let property = index.and_then(|index| self.properties.get(index));
            essential && !property.is_some_and(|(kind, _)| KNOWN_PROPERTIES.contains(&kind))
        };
        let (bytes, width) = item.properties.unwrap_or((&[], 1));
        matches!(&item.kind, b"av01" | b"grid") && !item.thumbnail && !associations(bytes, width).any(unknown)
    }

    /// The images that are the alpha of others.
    pub(crate) fn alphas(&self) -> impl Iterator<Item = (u32, &Item<'a>)> {
        let items = self.items.iter().map(|(id, item)| (*id, item));
        items.filter(|(_, item)| {
            item.auxiliary_for.is_some()
                && self.is_image(item)
                && self.properties(item).is_alpha(*b"auxC") == Some(true)
        })
    }

    /// The bytes of an item out of those of the file. Where they have to be put together, `may_take` is asked for so
    /// many.
    pub(crate) fn data(
        &self,
        item: &Item<'a>,
        file: &'a [u8],
        may_take: impl FnOnce(u64) -> Result<(), ImageError>,
    ) -> Result<Cow<'a, [u8]>, ImageError> {
        let location = item
            .location
            .ok_or_else(|| FAILURE.broken("an image has no place in the file"))?;
        let from = if location.in_item_data { self.item_data } else { file };
        let extents = || {
            let mut content = FAILURE.read(location.extents);
            (0..location.count).map(move |_| location.extent(&mut content, from))
        };
        if location.count == 1 {
            return location
                .extent(&mut FAILURE.read(location.extents), from)
                .map(Cow::Borrowed);
        }
        let mut length = 0;
        for extent in extents() {
            length += extent?.len();
            // Parts may lie on each other, so that a short file could have a long item.
            if length > from.len() {
                return Err(FAILURE.broken("an image is longer than the file"));
            }
        }
        may_take(length as u64)?;
        let mut whole = Vec::new();
        whole
            .try_reserve_exact(length)
            .map_err(|_| ImageError::OutOfMemory { bytes: length })?;
        for extent in extents() {
            whole.extend_from_slice(extent?);
        }
        Ok(Cow::Owned(whole))
    }

    /// What the items take in memory.
    pub(crate) fn bytes(&self) -> u64 {
        let items = self.items.len() * size_of::<(u32, Item<'_>)>() * 2;
        (items + self.properties.len() * size_of::<Property<'_>>()) as u64
    }
}

impl<'a> Location<'a> {
    /// The next part of an item.
    fn extent(&self, content: &mut Bytes<'a>, from: &'a [u8]) -> Result<&'a [u8], ImageError> {
        content.be_number(self.lengths[0])?;
        let offset = content.be_number(self.lengths[1])?.checked_add(self.base);
        let length = content.be_number(self.lengths[2])?;
        let start = offset.and_then(|offset| usize::try_from(offset).ok());
        let part = start.and_then(|start| from.get(start..start.checked_add(usize::try_from(length).ok()?)?));
        part.ok_or_else(|| FAILURE.truncated())
    }
}

/// The properties in a box: as many as an item can name.
pub(crate) fn properties(content: Bytes<'_>) -> Result<Vec<Property<'_>>, ImageError> {
    boxes(content).take(MAX_PROPERTIES).collect()
}

/// The numbers of items in a reference.
pub(crate) fn ids((bytes, long): (&[u8], bool)) -> impl Iterator<Item = u32> + use<'_> {
    let width = if long { 4 } else { 2 };
    bytes
        .chunks_exact(width)
        .map(|bytes| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
