//! `OpenJPEG`, tile by tile, within the memory that arena.c lets it have.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr;

use openjpeg_sys as opj;

use crate::decode::failure::Failure;
use crate::error::{ImageError, Measure};
use crate::options::ImageLimits;

pub(crate) const FAILURE: Failure = Failure("JPEG 2000");

/// The statuses of arena.c.
const STATUS_OK: c_int = 1;
const STATUS_MEMORY: c_int = 2;
const STATUS_EFFORT: c_int = 3;
const STATUS_ASSERTION: c_int = 4;

/// What `OpenJPEG` reads at a time.
const STREAM_BUFFER: usize = 1 << 16;
/// Each packet and each block of code takes an allocation or more. A packet has a byte of the file at least, and a file
/// of many blocks many bytes, so these are more than any sound file asks for.
const ALLOCATIONS: u64 = 1 << 21;
const ALLOCATIONS_A_BYTE: u64 = 4;

/// Mirrors the beginning of `struct arena` in arena.c.
#[repr(C)]
struct Arena {
    taken: u64,
    limit: u64,
    wanted: u64,
    allocations_left: u64,
}

extern "C" {
    fn classify_jpeg2000_arena() -> *mut Arena;
    fn classify_jpeg2000_release(arena: *mut Arena);
    fn classify_jpeg2000_create(
        arena: *mut Arena,
        format: c_int,
        buffer_size: usize,
        codec: *mut *mut opj::opj_codec_t,
        stream: *mut *mut opj::opj_stream_t,
    ) -> c_int;
    fn classify_jpeg2000_read_header(
        arena: *mut Arena,
        codec: *mut opj::opj_codec_t,
        stream: *mut opj::opj_stream_t,
        image: *mut *mut opj::opj_image_t,
    ) -> c_int;
    fn classify_jpeg2000_read_tile_header(
        arena: *mut Arena,
        codec: *mut opj::opj_codec_t,
        stream: *mut opj::opj_stream_t,
        index: *mut u32,
        size: *mut u32,
        corners: *mut i32,
        components: *mut u32,
        more: *mut c_int,
    ) -> c_int;
    fn classify_jpeg2000_decode_tile(
        arena: *mut Arena,
        codec: *mut opj::opj_codec_t,
        stream: *mut opj::opj_stream_t,
        index: u32,
        data: *mut u8,
        size: u32,
    ) -> c_int;
    fn classify_jpeg2000_finish(
        arena: *mut Arena,
        codec: *mut opj::opj_codec_t,
        stream: *mut opj::opj_stream_t,
    ) -> c_int;
}

/// What a codestream's samples are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColorSpace {
    Unspecified,
    Rgb,
    Grey,
    YCbCr,
    Cmyk,
    Other,
}

/// One channel.
pub(crate) struct Component {
    /// A sample stands for so many columns and rows.
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Bits a sample.
    pub(crate) bits: u32,
    pub(crate) signed: bool,
}

impl Component {
    /// The bytes that a decoded sample takes: 1, 2 or 4.
    pub(crate) fn sample_size(&self) -> usize {
        match self.bits {
            ..=8 => 1,
            9..=16 => 2,
            _ => 4,
        }
    }
}

/// A tile that is still to be decoded.
pub(crate) struct Tile {
    index: u32,
    /// The bytes that `OpenJPEG` says its samples take.
    pub(crate) size: usize,
    /// Where it lies, in pixels from the image's upper left corner.
    pub(crate) left: usize,
    pub(crate) top: usize,
    /// In pixels, and above 0.
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) components: usize,
}

/// What the callbacks are given.
struct Source<'a> {
    rest: &'a [u8],
    /// The first error, which says the most.
    message: Option<String>,
}

/// An image while it is decoded.
pub(crate) struct Decoder<'a> {
    arena: *mut Arena,
    codec: *mut opj::opj_codec_t,
    stream: *mut opj::opj_stream_t,
    image: *mut opj::opj_image_t,
    source: *mut Source<'a>,
    limit: u64,
    /// What the caller has taken.
    outside: u64,
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        // SAFETY: both were made by `open`, are valid until here, and no call is under way. All that OpenJPEG has
        // allocated goes with the arena; it holds nothing else, no thread and no file.
        unsafe {
            if !self.arena.is_null() {
                classify_jpeg2000_release(self.arena);
            }
            drop(Box::from_raw(self.source));
        }
    }
}

impl<'a> Decoder<'a> {
    /// Reads the header of a file: a `container` (JP2) or a codestream. `outside` are bytes that are taken already.
    pub(crate) fn open(
        bytes: &'a [u8],
        container: bool,
        (limits, outside): (ImageLimits, u64),
    ) -> Result<Self, ImageError> {
        let source = Source {
            rest: bytes,
            message: None,
        };
        let mut decoder = Self {
            // SAFETY: it has no conditions.
            arena: unsafe { classify_jpeg2000_arena() },
            codec: ptr::null_mut(),
            stream: ptr::null_mut(),
            image: ptr::null_mut(),
            source: Box::into_raw(Box::new(source)),
            limit: limits.max_memory,
            outside,
        };
        if decoder.arena.is_null() {
            return Err(ImageError::OutOfMemory { bytes: STREAM_BUFFER });
        }
        decoder.set_outside(outside);
        // SAFETY: the arena was just made; nothing else refers to it.
        unsafe { (*decoder.arena).allocations_left = ALLOCATIONS + ALLOCATIONS_A_BYTE * bytes.len() as u64 };
        let format = if container {
            opj::OPJ_CODEC_FORMAT::OPJ_CODEC_JP2
        } else {
            opj::OPJ_CODEC_FORMAT::OPJ_CODEC_J2K
        };
        // SAFETY: the arena is valid, and so are the pointers to the fields that are written.
        let status = unsafe {
            classify_jpeg2000_create(
                decoder.arena,
                format as c_int,
                STREAM_BUFFER,
                &raw mut decoder.codec,
                &raw mut decoder.stream,
            )
        };
        decoder.check(status)?;
        let user = decoder.source.cast::<c_void>();
        // SAFETY: codec and stream were made above. The callbacks have the signatures that OpenJPEG declares, and are
        // given `source`, which lives as long as they do. None of these calls allocates.
        unsafe {
            opj::opj_stream_set_read_function(decoder.stream, Some(read));
            opj::opj_stream_set_skip_function(decoder.stream, Some(skip));
            opj::opj_stream_set_user_data(decoder.stream, user, None);
            opj::opj_stream_set_user_data_length(decoder.stream, bytes.len() as u64);
            opj::opj_set_error_handler(decoder.codec, Some(keep_message), user);
            let mut parameters = std::mem::zeroed();
            opj::opj_set_default_decoder_parameters(&raw mut parameters);
            opj::opj_setup_decoder(decoder.codec, &raw mut parameters);
        }
        // SAFETY: as above, and `image` is null, so that what `OpenJPEG` does with an image that it finds there (up to
        // 2.5.3, when the header is broken) it does with none.
        let status = unsafe {
            classify_jpeg2000_read_header(decoder.arena, decoder.codec, decoder.stream, &raw mut decoder.image)
        };
        decoder.check(status)?;
        Ok(decoder)
    }

    /// Tells how many bytes the caller has taken by now.
    pub(crate) fn set_outside(&mut self, outside: u64) {
        self.outside = outside;
        // SAFETY: the arena is valid until it is dropped, and only read during calls.
        unsafe { (*self.arena).limit = self.limit.saturating_sub(outside) };
    }

    /// The bytes that `OpenJPEG` has taken by now.
    pub(crate) fn taken(&self) -> u64 {
        // SAFETY: the arena is valid until it is dropped.
        unsafe { (*self.arena).taken }
    }

    pub(crate) fn color_space(&self) -> ColorSpace {
        use opj::OPJ_COLOR_SPACE::{
            OPJ_CLRSPC_CMYK, OPJ_CLRSPC_GRAY, OPJ_CLRSPC_SRGB, OPJ_CLRSPC_SYCC, OPJ_CLRSPC_UNKNOWN,
            OPJ_CLRSPC_UNSPECIFIED,
        };
        // SAFETY: `open` has got the image from OpenJPEG, which keeps it up. The field is one of C, so it may hold any
        // number.
        let space = unsafe { (&raw const (*self.image).color_space).cast::<c_int>().read() };
        let is = |known| space == known as c_int;
        match () {
            () if is(OPJ_CLRSPC_UNKNOWN) || is(OPJ_CLRSPC_UNSPECIFIED) => ColorSpace::Unspecified,
            () if is(OPJ_CLRSPC_SRGB) => ColorSpace::Rgb,
            () if is(OPJ_CLRSPC_GRAY) => ColorSpace::Grey,
            () if is(OPJ_CLRSPC_SYCC) => ColorSpace::YCbCr,
            () if is(OPJ_CLRSPC_CMYK) => ColorSpace::Cmyk,
            () => ColorSpace::Other,
        }
    }

    pub(crate) fn components(&self) -> Vec<Component> {
        // SAFETY: the image is valid (see above) and has so many components, unless it has none.
        let components = unsafe {
            let image = &*self.image;
            if image.comps.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts(image.comps, image.numcomps as usize)
        };
        let component = |stored: &opj::opj_image_comp| Component {
            columns: stored.dx as usize,
            rows: stored.dy as usize,
            bits: stored.prec,
            signed: stored.sgnd != 0,
        };
        components.iter().map(component).collect()
    }

    /// The next tile of the file, `None` after the last.
    pub(crate) fn next_tile(&mut self) -> Result<Option<Tile>, ImageError> {
        let (mut index, mut size, mut components, mut more) = (0, 0, 0, 0);
        let mut corners = [0; 4];
        // SAFETY: arena, codec and stream are valid, and so are the pointers to what is written: numbers, and four
        // corners.
        let status = unsafe {
            classify_jpeg2000_read_tile_header(
                self.arena,
                self.codec,
                self.stream,
                &raw mut index,
                &raw mut size,
                corners.as_mut_ptr(),
                &raw mut components,
                &raw mut more,
            )
        };
        self.check(status)?;
        if more == 0 {
            return Ok(None);
        }
        // SAFETY: the image is valid (see above).
        let (left, top) = unsafe { (i64::from((*self.image).x0), i64::from((*self.image).y0)) };
        let distance = |from: i64, to: i64| usize::try_from(to - from).ok();
        let [tile_left, tile_top, right, bottom] = corners.map(i64::from);
        let tile = || {
            Some(Tile {
                index,
                size: size as usize,
                left: distance(left, tile_left)?,
                top: distance(top, tile_top)?,
                width: distance(tile_left, right).filter(|width| *width > 0)?,
                height: distance(tile_top, bottom).filter(|height| *height > 0)?,
                components: components as usize,
            })
        };
        tile()
            .map(Some)
            .ok_or_else(|| FAILURE.broken("a tile outside of the image"))
    }

    /// Decodes the tile that [`next_tile`](Self::next_tile) has told of last, into at least its `size` in bytes: one
    /// component after the other, row by row.
    pub(crate) fn decode_tile(&mut self, tile: &Tile, data: &mut [u8]) -> Result<(), ImageError> {
        let size = u32::try_from(data.len()).map_err(|_| FAILURE.broken("a tile of more than 4 GiB"))?;
        // SAFETY: arena, codec and stream are valid, and `data` is writable for `size` bytes, beyond which OpenJPEG
        // does not write: it compares its own size of the samples first.
        let status = unsafe {
            classify_jpeg2000_decode_tile(self.arena, self.codec, self.stream, tile.index, data.as_mut_ptr(), size)
        };
        self.check(status)
    }

    /// Reads what the file has after its tiles.
    pub(crate) fn finish(mut self) -> Result<(), ImageError> {
        // SAFETY: arena, codec and stream are valid.
        let status = unsafe { classify_jpeg2000_finish(self.arena, self.codec, self.stream) };
        self.check(status)
    }

    /// What a call's status means; after an error `OpenJPEG` must not be called again.
    fn check(&mut self, status: c_int) -> Result<(), ImageError> {
        // SAFETY: both are valid, and no call is under way that could use them.
        let (wanted, message) = unsafe { ((*self.arena).wanted, (*self.source).message.take()) };
        match status {
            STATUS_OK => Ok(()),
            STATUS_MEMORY if self.outside + wanted > self.limit => Err(ImageError::Limit {
                what: Measure::Memory,
                actual: self.outside + wanted,
                limit: self.limit,
            }),
            STATUS_MEMORY => Err(ImageError::OutOfMemory {
                bytes: usize::try_from(wanted).unwrap_or(usize::MAX),
            }),
            STATUS_EFFORT => Err(FAILURE.broken("it has more parts than a file of its length can have")),
            STATUS_ASSERTION => Err(FAILURE.broken("its parts contradict each other")),
            _ => Err(FAILURE.broken(message.unwrap_or_else(|| "the decoder refuses it".to_owned()))),
        }
    }
}

/// Fills `OpenJPEG`'s buffer.
unsafe extern "C" fn read(buffer: *mut c_void, length: usize, user: *mut c_void) -> usize {
    // SAFETY: `user` is the decoder's `source`, to which nothing else refers during a call of OpenJPEG's, and `buffer`
    // has room for `length` bytes.
    unsafe {
        let source = &mut *user.cast::<Source<'_>>();
        let (read, rest) = source.rest.split_at(length.min(source.rest.len()));
        source.rest = rest;
        ptr::copy_nonoverlapping(read.as_ptr(), buffer.cast(), read.len());
        if read.is_empty() {
            usize::MAX
        } else {
            read.len()
        }
    }
}

unsafe extern "C" fn skip(length: i64, user: *mut c_void) -> i64 {
    // SAFETY: as above.
    let source = unsafe { &mut *user.cast::<Source<'_>>() };
    let skipped = usize::try_from(length).unwrap_or(0).min(source.rest.len());
    source.rest = &source.rest[skipped..];
    i64::try_from(skipped).ok().filter(|skipped| *skipped > 0).unwrap_or(-1)
}

unsafe extern "C" fn keep_message(message: *const c_char, user: *mut c_void) {
    // SAFETY: `user` as above; OpenJPEG's message ends with a zero.
    unsafe {
        let source = &mut *user.cast::<Source<'_>>();
        let message = || CStr::from_ptr(message).to_string_lossy().trim_end().to_owned();
        source.message.get_or_insert_with(message);
    }
}
