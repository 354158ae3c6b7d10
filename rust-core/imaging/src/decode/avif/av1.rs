//! One picture of AV1 through dav1d, the decoder of Pillow's libavif, which reports what it cannot do or has no memory
//! for.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::{ptr, slice};

use libdav1d_sys as dav1d;

use super::boxes::FAILURE;
use super::pictures::{give_back, shape, take, Budget};
use super::shape::{Coding, Layout, Shape};
use crate::error::ImageError;
use crate::image::{check_memory, check_size};
use crate::options::ImageLimits;

/// The pictures that a decoder keeps to predict others from.
const REFERENCES: u64 = 8;
/// What one picture may be made of: several layers, and pictures that are not shown. Each takes its time.
const MAX_PICTURES: u64 = 32;
/// What dav1d takes beside pictures, in bytes: for filters and motion by the pixel, for each tile, of which there are
/// no more than squares of 64 pixels, and for a decoder, with rows of samples that are being converted.
const BYTES_A_PIXEL: u64 = 1;
const TILE: u64 = 15_000;
const TILE_SIDE: u32 = 64;
const MAX_TILES: u64 = 64 * 64;
const OTHER: u64 = 2 << 20;

/// The compressed bytes of one picture.
pub(crate) struct Stream<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Which of a stream's qualities is wanted.
    pub(crate) operating_point: u8,
    /// The only layer that is wanted, where there are several.
    pub(crate) layer: Option<u8>,
}

/// What the bytes say of the picture.
struct Sequence {
    width: u32,
    height: u32,
    shape: Shape,
    /// How many frames of this size a picture is put together from at most, beside those that others are predicted
    /// from.
    stages: u64,
}

impl Stream<'_> {
    fn sequence(&self) -> Result<Sequence, ImageError> {
        let mut header = MaybeUninit::<dav1d::Dav1dSequenceHeader>::zeroed();
        // SAFETY: the header is writable and the bytes are readable for their length, which is all that the call uses.
        let failed =
            unsafe { dav1d::dav1d_parse_sequence_header(header.as_mut_ptr(), self.bytes.as_ptr(), self.bytes.len()) };
        if failed != 0 || self.bytes.is_empty() {
            return Err(FAILURE.broken("its pixels do not begin with a header of AV1"));
        }
        let header = header.as_ptr();
        // SAFETY: dav1d has filled the header. Its enumerations are read as the numbers that they are in C, since a
        // file may have values that Rust's do not know.
        let (width, height, depth, layout, stages) = unsafe {
            let stages = 1 + u64::from((*header).super_res) + u64::from((*header).film_grain_present);
            (
                (*header).max_width,
                (*header).max_height,
                (*header).hbd,
                (&raw const (*header).layout).cast::<u32>().read(),
                stages,
            )
        };
        let (width, height) = (width.unsigned_abs(), height.unsigned_abs());
        Ok(Sequence {
            width,
            height,
            shape: Shape {
                width: width as usize,
                height: height as usize,
                depth: 8 + 2 * u32::from(depth),
                layout: Layout::of(layout),
            },
            stages,
        })
    }

    /// How many pictures the bytes hold, by the headers of their parts (AV1 specification, 5.3).
    fn pictures(&self) -> u64 {
        let (mut count, mut rest) = (0, &*self.bytes);
        while let [header, after @ ..] = rest {
            let kind = header >> 3 & 15;
            count += u64::from(kind == 3 || kind == 6);
            let mut after = after.get(usize::from(header >> 2 & 1)..).unwrap_or_default();
            if header & 2 == 0 {
                break;
            }
            let mut length = 0_usize;
            for index in 0..8 {
                let Some((byte, behind)) = after.split_first() else {
                    break;
                };
                after = behind;
                length |= usize::from(byte & 0x7F) << (7 * index);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            rest = after.get(length..).unwrap_or_default();
        }
        count
    }
}

/// # Safety
/// The header must be dav1d's.
unsafe fn coding(header: *const dav1d::Dav1dSequenceHeader) -> Coding {
    // SAFETY: the caller's promise; read as numbers, for a file may have any.
    unsafe {
        Coding {
            primaries: (&raw const (*header).pri).cast::<u32>().read(),
            matrix: (&raw const (*header).mtrx).cast::<u32>().read(),
            full_range: (*header).color_range != 0,
        }
    }
}

/// A decoded picture.
pub(crate) struct Picture<'a> {
    frame: dav1d::Dav1dPicture,
    _decoder: Decoder,
    pub(crate) shape: Shape,
    pub(crate) coding: Coding,
    /// What was checked to be there for decoding, in bytes.
    pub(crate) memory: u64,
    /// dav1d may refer to them until it is closed.
    _bytes: Cow<'a, [u8]>,
}

impl<'a> Picture<'a> {
    /// Decodes a picture, beside so many bytes that are taken already.
    pub(crate) fn decode(stream: Stream<'a>, (limits, taken): (ImageLimits, u64)) -> Result<Self, ImageError> {
        let sequence = stream.sequence()?;
        check_size(u64::from(sequence.width), u64::from(sequence.height), limits)?;
        let pictures = stream.pictures();
        if pictures > MAX_PICTURES {
            return Err(FAILURE.broken(format!(
                "one image of {pictures} pictures, at most {MAX_PICTURES} are decoded"
            )));
        }
        let pixels = u64::from(sequence.width) * u64::from(sequence.height);
        // The one that is being made stands beside the references.
        let kept = sequence.stages + pictures.min(REFERENCES + 1).saturating_sub(1);
        let budget = Budget::new(sequence.shape, kept);
        let tiles = [sequence.width, sequence.height].map(|side| u64::from(side.div_ceil(TILE_SIDE)));
        let tiles = (tiles[0] * tiles[1]).min(MAX_TILES) * TILE;
        let memory = budget.bytes() + pixels * BYTES_A_PIXEL + tiles + OTHER;
        // Metadata in the stream is copied, and the stream itself may be.
        let memory = memory + 2 * stream.bytes.len() as u64;
        check_memory(taken + memory, limits)?;
        let mut decoder = Decoder::open(&stream, pixels, budget)?;
        let picture = decoder.picture(&stream)?;
        // SAFETY: dav1d filled the picture, and what it points to lives as long as the picture is held.
        let (shape, coding) = unsafe { (shape(&raw const picture.p), coding(picture.seq_hdr)) };
        Ok(Self {
            frame: picture,
            _decoder: decoder,
            shape,
            coding,
            memory,
            _bytes: stream.bytes,
        })
    }

    /// The samples of a row of a plane, a byte each, or two where they have more than 8 bits.
    pub(crate) fn row(&self, plane: usize, y: usize) -> &[u8] {
        let (width, height) = self.shape.plane(plane);
        assert!(plane < 3 && y < height);
        let offset = self.frame.stride[plane.min(1)] * y.cast_signed();
        // SAFETY: dav1d has decoded the planes of this shape; a plane has `height` rows with a stride between them,
        // each of at least `width` samples, and lives as long as `self` holds the picture.
        unsafe {
            let start = self.frame.data[plane].cast::<u8>().offset(offset);
            slice::from_raw_parts(start, width * self.shape.sample_bytes())
        }
    }
}

impl Drop for Picture<'_> {
    fn drop(&mut self) {
        // SAFETY: it is dav1d's, nothing else has it, and the decoder is closed later.
        unsafe { dav1d::dav1d_picture_unref(&raw mut self.frame) }
    }
}

/// dav1d with its state, and with what it may take for pictures.
struct Decoder(*mut dav1d::Dav1dContext, *mut Budget);

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: dav1d leaves a null pointer alone; else it was opened, and nothing else has it. All its pictures have
        // been given back then, so that nothing refers to the budget, which is a box that was leaked for it.
        unsafe {
            dav1d::dav1d_close(&raw mut self.0);
            drop(Box::from_raw(self.1));
        }
    }
}

/// The bytes belong to Rust.
unsafe extern "C" fn keep(_: *const u8, _: *mut c_void) {}

impl Decoder {
    /// Of pictures up to so many pixels.
    fn open(stream: &Stream<'_>, pixels: u64, budget: Budget) -> Result<Self, ImageError> {
        let mut decoder = Self(ptr::null_mut(), Box::into_raw(Box::new(budget)));
        let mut settings = MaybeUninit::<dav1d::Dav1dSettings>::zeroed();
        // SAFETY: the first call fills the settings, and zeros are valid in the fields that it leaves. The budget lives
        // until dav1d is closed, and only its callbacks touch it.
        let result = unsafe {
            dav1d::dav1d_default_settings(settings.as_mut_ptr());
            let settings = settings.assume_init_mut();
            // The thread that asks does the work.
            settings.n_threads = 1;
            settings.max_frame_delay = 1;
            settings.frame_size_limit = u32::try_from(pixels).unwrap_or(u32::MAX);
            settings.operating_point = c_int::from(stream.operating_point);
            settings.all_layers = c_int::from(stream.layer.is_some());
            settings.logger.callback = None;
            settings.allocator.cookie = decoder.1.cast();
            settings.allocator.alloc_picture_callback = Some(take);
            settings.allocator.release_picture_callback = Some(give_back);
            dav1d::dav1d_open(&raw mut decoder.0, settings)
        };
        check(result)?;
        Ok(decoder)
    }

    /// As libavif asks: the first picture of the wanted layer, and what follows must be sound.
    fn picture(&mut self, stream: &Stream<'_>) -> Result<dav1d::Dav1dPicture, ImageError> {
        let mut data = Data::wrap(&stream.bytes)?;
        loop {
            if !data.0.data.is_null() {
                // SAFETY: the decoder is open, and the data are dav1d's.
                let result = unsafe { dav1d::dav1d_send_data(self.0, &raw mut data.0) };
                if result != dav1d::DAV1D_ERR_AGAIN {
                    check(result)?;
                }
            }
            match self.next()? {
                Some(picture) if stream.layer.is_some_and(|layer| layer != layer_of(&picture)) => release(picture),
                Some(picture) => {
                    if let Err(error) = self.drain() {
                        release(picture);
                        return Err(error);
                    }
                    return Ok(picture);
                }
                None if data.0.data.is_null() => return Err(FAILURE.truncated()),
                None => {}
            }
        }
    }

    fn drain(&mut self) -> Result<(), ImageError> {
        while let Some(picture) = self.next()? {
            release(picture);
        }
        Ok(())
    }

    /// The next picture; `None` where dav1d wants more data.
    fn next(&mut self) -> Result<Option<dav1d::Dav1dPicture>, ImageError> {
        let mut picture = MaybeUninit::<dav1d::Dav1dPicture>::zeroed();
        // SAFETY: the decoder is open; the picture is all zeros, as dav1d asks, and zeros are null pointers and known
        // values in all its fields.
        let (result, picture) = unsafe {
            let result = dav1d::dav1d_get_picture(self.0, picture.as_mut_ptr());
            (result, picture.assume_init())
        };
        if result == dav1d::DAV1D_ERR_AGAIN {
            return Ok(None);
        }
        check(result)?;
        Ok(Some(picture))
    }
}

fn layer_of(picture: &dav1d::Dav1dPicture) -> u8 {
    // SAFETY: a picture that dav1d returned has a header.
    unsafe { (*picture.frame_hdr).spatial_id }
}

fn release(mut picture: dav1d::Dav1dPicture) {
    // SAFETY: dav1d has given it away, and nothing else has it.
    unsafe { dav1d::dav1d_picture_unref(&raw mut picture) }
}

/// Bytes on their way to dav1d.
struct Data(dav1d::Dav1dData);

impl Data {
    fn wrap(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut data = MaybeUninit::<dav1d::Dav1dData>::zeroed();
        // SAFETY: the bytes are readable for their length and stay where they are until the decoder is closed: a
        // picture that takes it over holds them. Zeros are a valid value of the struct.
        let (result, data) = unsafe {
            let result = dav1d::dav1d_data_wrap(
                data.as_mut_ptr(),
                bytes.as_ptr(),
                bytes.len(),
                Some(keep),
                ptr::null_mut(),
            );
            (result, data.assume_init())
        };
        check(result)?;
        Ok(Self(data))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if !self.0.data.is_null() {
            // SAFETY: they are dav1d's, and nothing else has them.
            unsafe { dav1d::dav1d_data_unref(&raw mut self.0) }
        }
    }
}

fn check(result: c_int) -> Result<(), ImageError> {
    match result {
        0.. => Ok(()),
        dav1d::DAV1D_ERR_NOMEM => Err(FAILURE.broken("dav1d has no memory left")),
        dav1d::DAV1D_ERR_NOPROTOOPT => Err(FAILURE.broken("it uses a feature of AV1 that dav1d does not know")),
        _ => Err(FAILURE.broken("its pixels are broken")),
    }
}
