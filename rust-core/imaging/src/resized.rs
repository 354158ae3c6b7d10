//! Decoding and resizing in one go.

use std::time::{Duration, Instant};

use crate::decode::reader::RowReader;
use crate::decode::EncodedImage;
use crate::error::ImageError;
use crate::image::{check_memory, grow, RgbImage};
use crate::options::{DecodeOptions, ImageLimits};
use crate::orientation::swaps_axes;
use crate::resize::axis::Axis;
use crate::resize::filter::Resampling;
use crate::resize::view::View;
use crate::resize::{strip_rows, Resizer};
use crate::scratch::{make_grey, Scratch};
use crate::source::ImageSource;

/// What is to become of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The filter.
    pub resampling: Resampling,
    /// The rows; their source is the height of the upright image.
    pub y: Axis,
    /// The columns; their source is the width of the upright image.
    pub x: Axis,
    /// Whether the image is made grey before it is resized, as by [`Scratch::make_grey`].
    pub grey: bool,
}

/// What has become of an image.
#[derive(Debug, Clone, Copy)]
pub struct Resized<'a> {
    /// The windows of both axes.
    pub view: View<'a>,
    /// The width and height of the upright image.
    pub size: (usize, usize),
    /// How long decoding took.
    pub decoding: Duration,
}

impl Scratch {
    /// Decodes and resizes an image, with the bytes of [`decode`](Self::decode) and [`resize`](Self::resize) after it.
    /// The width and height of the upright image tell its `target`.
    ///
    /// Formats whose rows come one after the other are resized strip by strip, so that an image is never in memory as a
    /// whole, however large it is; and an image that is stored on its side is not turned before it is small.
    ///
    /// # Errors
    /// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
    pub fn decode_resized(
        &mut self,
        image: ImageSource<'_>,
        options: &DecodeOptions,
        target: impl Fn(usize, usize) -> Target,
    ) -> Result<Resized<'_>, ImageError> {
        let start = Instant::now();
        let bytes = match image {
            ImageSource::File(bytes) => bytes,
            ImageSource::Pixels(pixels) => {
                let mut rows = pixels.rows(options.limits)?;
                let (width, height) = rows.size();
                return self.resize_rows(&mut rows, 1, &target(width, height), options.limits, start);
            }
        };
        EncodedImage::open(bytes, options)?.guarded(|encoded| {
            let (limits, orientation) = (encoded.limits(), encoded.orientation());
            let full = encoded.reducible_size();
            let rows = encoded.rows(|(width, height)| {
                let target = target(width, height);
                (target.x.resized, target.y.resized)
            })?;
            if let Some(mut rows) = rows {
                let (width, height) = full.unwrap_or_else(|| encoded.upright(rows.size()));
                return self.resize_rows(&mut *rows, orientation, &target(width, height), limits, start);
            }
            encoded.decode_stored(&mut self.raw, &mut self.image)?;
            let size = encoded.upright((self.image.width, self.image.height));
            let Target { resampling, y, x, grey } = target(size.0, size.1);
            if grey {
                self.make_grey();
            }
            let decoding = start.elapsed();
            let view = self.resize_stored(orientation, resampling, (&y, &x), limits)?;
            Ok(Resized { view, size, decoding })
        })
    }

    /// Decodes and resizes strip by strip.
    fn resize_rows(
        &mut self,
        reader: &mut dyn RowReader,
        orientation: u8,
        target: &Target,
        limits: ImageLimits,
        start: Instant,
    ) -> Result<Resized<'_>, ImageError> {
        let (width, height) = reader.size();
        let size = (target.x.source, target.y.source);
        let Target {
            resampling,
            mut y,
            mut x,
            grey,
        } = target.clone();
        // An image that comes out smaller is still resized to what its full size asks for.
        (x.source, y.source) = if swaps_axes(orientation) {
            (height, width)
        } else {
            (width, height)
        };
        let strip_rows = strip_rows(width).min(height);
        let strip_bytes = strip_rows * width * 3;
        let memory = reader.memory() + strip_bytes as u64 + Resizer::memory(resampling, &y, &x, orientation);
        check_memory(memory, limits)?;
        // Of an image that was decoded as a whole.
        if memory + self.image.pixels.capacity() as u64 > limits.max_memory {
            self.image = RgbImage::default();
        }
        let mut passes = self.resizer.begin(resampling, &y, &x, orientation)?;
        let columns = reader.begin(passes.columns())?;
        let rows = passes.rows();
        reader.skip(rows.start)?;
        passes.skip(rows.start);
        let strip = grow(&mut self.raw, strip_bytes)?;
        let mut decoding = start.elapsed();
        let row_length = columns.len() * 3;
        for top in rows.clone().step_by(strip_rows) {
            let strip = &mut strip[..strip_rows.min(rows.end - top) * row_length];
            let begin = Instant::now();
            reader.read(strip)?;
            decoding += begin.elapsed();
            if grey {
                make_grey(strip);
            }
            passes.push(View::packed(strip, row_length, strip.len() / row_length), columns.start);
        }
        let begin = Instant::now();
        reader.skip(height - rows.end)?;
        reader.finish()?;
        decoding += begin.elapsed();
        let view = passes.finish();
        Ok(Resized { view, size, decoding })
    }
}
