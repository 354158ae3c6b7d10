//! The first picture of an AVIF sequence.

use super::boxes::{self, full_box, FourCc, Meta, Properties, Property, FAILURE};
use crate::decode::bytes::Bytes;
use crate::error::ImageError;

/// What an entry of a sample description has before its boxes (ISO/IEC 14496-12, 12.1.3).
const VISUAL_SAMPLE_ENTRY: usize = 78;

/// A track of pictures.
pub(crate) struct Track<'a> {
    id: u32,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    auxiliary_for: Option<u32>,
    premultiplied_by: Option<u32>,
    /// A box with EXIF data and XMP.
    pub(crate) meta: Option<Meta<'a>>,
    properties: Vec<Property<'a>>,
    /// Of the first picture, in the file.
    offset: u64,
    length: u32,
}

impl<'a> Track<'a> {
    pub(crate) fn properties(&self) -> Properties<'_, 'a> {
        Properties::all(&self.properties)
    }

    /// The first picture's bytes out of those of the file.
    pub(crate) fn data(&self, file: &'a [u8]) -> Result<&'a [u8], ImageError> {
        let data = usize::try_from(self.offset).ok().and_then(|offset| {
            let end = offset.checked_add(self.length as usize)?;
            file.get(offset..end)
        });
        data.ok_or_else(|| FAILURE.truncated())
    }

    /// `None` where it holds no AV1, or no picture.
    fn read(content: &'a [u8]) -> Result<Option<Self>, ImageError> {
        let content = FAILURE.read(content);
        let Some(mut header) = boxes::find(content, *b"tkhd")? else {
            return Ok(None);
        };
        let (version, _) = full_box(&mut header)?;
        let time = if version == 1 { 8 } else { 4 };
        header.bytes(2 * time)?;
        let id = header.be_u32()?;
        header.bytes(4 + time + 52)?;
        let size = (header.be_u32()? >> 16, header.be_u32()? >> 16);
        let reference = |kind: FourCc| -> Result<Option<u32>, ImageError> {
            let references = boxes::find(content, *b"tref")?;
            let found = references.map_or(Ok(None), |references| boxes::find(references, kind))?;
            found.map(|mut of| of.be_u32()).transpose()
        };
        let Some(table) = table(content)? else {
            return Ok(None);
        };
        let Some(properties) = properties(table)? else {
            return Ok(None);
        };
        let Some(offset) = first_chunk(table)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id,
            size,
            auxiliary_for: reference(*b"auxl")?,
            premultiplied_by: reference(*b"prem")?,
            meta: boxes::find(content, *b"meta")?.map(Meta::read).transpose()?,
            properties,
            offset,
            length: first_length(table)?,
        }))
    }
}

/// The track of the colours and that of their alpha, with whether the colours are multiplied by it.
pub(crate) fn read(movie: &[u8]) -> Result<(Track<'_>, Option<(Track<'_>, bool)>), ImageError> {
    let mut tracks = Vec::new();
    for next in boxes::boxes(FAILURE.read(movie)) {
        let (kind, content) = next?;
        if &kind == b"trak" {
            tracks.extend(Track::read(content)?);
        }
    }
    let color = tracks.iter().position(|track| track.auxiliary_for.is_none());
    let color = tracks.remove(color.ok_or_else(|| FAILURE.broken("it has no track of AV1"))?);
    let alpha = tracks.into_iter().find(|track| {
        // Files of old versions of libavif do not say what is auxiliary.
        track.auxiliary_for == Some(color.id) && track.properties().is_alpha(*b"auxi") != Some(false)
    });
    let alpha = alpha.map(|alpha| {
        let premultiplied = color.premultiplied_by == Some(alpha.id);
        (alpha, premultiplied)
    });
    Ok((color, alpha))
}

/// The boxes that tell where the pictures are.
fn table(track: Bytes<'_>) -> Result<Option<Bytes<'_>>, ImageError> {
    let mut at = track;
    for kind in [*b"mdia", *b"minf", *b"stbl"] {
        let Some(content) = boxes::find(at, kind)? else {
            return Ok(None);
        };
        at = content;
    }
    Ok(Some(at))
}

fn properties(table: Bytes<'_>) -> Result<Option<Vec<Property<'_>>>, ImageError> {
    let Some(mut descriptions) = boxes::find(table, *b"stsd")? else {
        return Ok(None);
    };
    full_box(&mut descriptions)?;
    descriptions.be_u32()?;
    let Some(mut entry) = boxes::find(descriptions, *b"av01")? else {
        return Ok(None);
    };
    entry.bytes(VISUAL_SAMPLE_ENTRY)?;
    boxes::properties(entry).map(Some)
}

fn first_chunk(table: Bytes<'_>) -> Result<Option<u64>, ImageError> {
    for (kind, width) in [(*b"stco", 4), (*b"co64", 8)] {
        if let Some(mut offsets) = boxes::find(table, kind)? {
            full_box(&mut offsets)?;
            if offsets.be_u32()? > 0 {
                return offsets.be_number(width).map(Some);
            }
        }
    }
    Ok(None)
}

fn first_length(table: Bytes<'_>) -> Result<u32, ImageError> {
    let sizes = boxes::find(table, *b"stsz")?;
    let mut sizes = sizes.ok_or_else(|| FAILURE.broken("its pictures have no lengths"))?;
    full_box(&mut sizes)?;
    let (common, count) = (sizes.be_u32()?, sizes.be_u32()?);
    match (common, count) {
        (0, 0) => Err(FAILURE.broken("it has no pictures")),
        (0, _) => sizes.be_u32(),
        _ => Ok(common),
    }
}
