//! JPEG 2000 through `OpenJPEG`, byte for byte as Pillow decodes it (`Jpeg2KDecode.c` in its libImaging).

mod header;
mod library;

pub(crate) use self::header::accepts;
use self::header::{Header, Mode};
use self::library::{ColorSpace, Component, Decoder, Tile, FAILURE};
use crate::decode::color::{clip_16, cmyk_to_rgb, ycbcr_to_rgb, Palette};
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

/// Decodes into `image`; `raw` is a buffer for the samples of a tile.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let header = Header::read(bytes)?;
    let (width, height) = (header.width, header.height);
    if width == 0 || height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    check_size(u64::from(width), u64::from(height), limits)?;
    let pixels = u64::from(width) * u64::from(height) * 3;
    check_memory(pixels, limits)?;
    let mut decoder = Decoder::open(bytes, header.container, (limits, pixels))?;
    let components = decoder.components();
    let kind = Kind::of(header.mode, decoder.color_space(), &components)?;
    image.reset(width as usize, height as usize)?;
    // A codestream need not have all tiles.
    let nothing = kind.rgb([0; 4]);
    image.pixels.as_chunks_mut::<3>().0.fill(nothing);
    while let Some(tile) = decoder.next_tile()? {
        let within = tile.left + tile.width <= image.width && tile.top + tile.height <= image.height;
        if !within || tile.components != components.len() {
            return Err(FAILURE.broken("a tile is not what its header tells"));
        }
        let (columns, rows) = (tile.width, tile.height);
        // What may be read below, whatever OpenJPEG writes.
        let sample_sizes: usize = components.iter().map(Component::sample_size).sum();
        let size = tile.size.max(columns * rows * sample_sizes);
        // OpenJPEG has four bytes for each sample.
        let samples = |component: &Component| {
            (columns.div_ceil(component.columns) * rows.div_ceil(component.rows) * size_of::<i32>()) as u64
        };
        let working: u64 = components.iter().map(samples).sum();
        check_memory(pixels + size as u64 + decoder.taken() + working, limits)?;
        decoder.set_outside(pixels + size as u64);
        let data = grow(raw, size)?;
        data.fill(0);
        decoder.decode_tile(&tile, data)?;
        paint(image, &tile, data, &components, &kind);
    }
    decoder.finish()
}

/// How samples become colours.
enum Kind {
    Grey,
    DeepGrey,
    Rgb,
    YCbCr,
    Cmyk,
    Indices(Box<Palette>),
}

impl Kind {
    /// Pillow's table of what it supports (`j2k_unpackers`), as far as colours go.
    fn of(mode: Mode, space: ColorSpace, components: &[Component]) -> Result<Self, ImageError> {
        let subsampled = components
            .iter()
            .position(|component| component.columns != 1 || component.rows != 1);
        let space = match (space, components.len(), subsampled) {
            (ColorSpace::Unspecified, 1 | 2, _) => ColorSpace::Grey,
            (ColorSpace::Unspecified, 3 | 4, Some(1 | 2)) => ColorSpace::YCbCr,
            (ColorSpace::Unspecified, 3 | 4, _) => ColorSpace::Rgb,
            (space, ..) => space,
        };
        Ok(match (space, components.len(), mode, subsampled) {
            (ColorSpace::Grey, 1, Mode::Grey | Mode::Rgb | Mode::Rgba, None)
            | (ColorSpace::Grey, 2, Mode::GreyAlpha | Mode::Rgb | Mode::Rgba, None) => Self::Grey,
            (ColorSpace::Grey, 1, Mode::DeepGrey, None) => Self::DeepGrey,
            (ColorSpace::Rgb | ColorSpace::Cmyk, 1, Mode::Indices(palette), None)
            | (ColorSpace::Rgb, 2, Mode::IndicesAlpha(palette), None) => Self::Indices(palette),
            (ColorSpace::Rgb, 3 | 4, Mode::Rgb | Mode::Rgba, _) | (ColorSpace::Grey, 4, Mode::Rgba, _) => Self::Rgb,
            (ColorSpace::YCbCr, 3 | 4, Mode::Rgb | Mode::Rgba, _) => Self::YCbCr,
            (ColorSpace::Cmyk, 4, Mode::Cmyk, _) => Self::Cmyk,
            (space, count, ..) => return Err(FAILURE.unsupported(format!("{count} channels, colours {space:?}"))),
        })
    }

    /// How many of the channels the colour is made of; the next one is alpha, if there is any.
    fn channels(&self) -> usize {
        match self {
            Self::Grey | Self::DeepGrey | Self::Indices(_) => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }

    /// The bits that samples are brought to.
    fn bits(&self) -> u32 {
        match self {
            Self::DeepGrey => 16,
            _ => 8,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "Pillow drops the upper bits")]
    fn rgb(&self, samples: [u16; 4]) -> [u8; 3] {
        let bytes @ [first, second, third, _] = samples.map(|sample| sample as u8);
        match self {
            Self::Grey => [first; 3],
            Self::DeepGrey => [clip_16(samples[0]); 3],
            Self::Rgb => [first, second, third],
            Self::YCbCr => ycbcr_to_rgb([first, second, third]),
            Self::Cmyk => cmyk_to_rgb(bytes),
            Self::Indices(palette) => palette.color(first),
        }
    }
}

/// Puts a decoded tile into the image.
fn paint(image: &mut RgbImage, tile: &Tile, data: &[u8], components: &[Component], kind: &Kind) {
    let (columns, rows) = (tile.width, tile.height);
    let mut start = 0;
    let channels: Vec<Channel<'_>> = components[..kind.channels()]
        .iter()
        .map(|component| {
            let channel = Channel::new(&data[start.min(data.len())..], component, columns, kind.bits());
            // Pillow rounds down here and OpenJPEG up: with an odd size the channels that follow are a bit off in
            // Pillow, and here.
            start += component.sample_size() * (columns / component.columns) * (rows / component.rows);
            channel
        })
        .collect();
    for y in 0..rows {
        let from = ((tile.top + y) * image.width + tile.left) * 3;
        let row = image.pixels[from..from + columns * 3].as_chunks_mut::<3>().0;
        for (x, pixel) in row.iter_mut().enumerate() {
            let mut samples = [0; 4];
            for (sample, channel) in samples.iter_mut().zip(&channels) {
                *sample = channel.sample(x, y);
            }
            *pixel = kind.rgb(samples);
        }
    }
}

/// The samples of one component of a tile.
struct Channel<'a> {
    data: &'a [u8],
    size: usize,
    /// Samples a row, and the pixels that a sample stands for.
    stride: usize,
    columns: usize,
    rows: usize,
    /// What makes a signed sample unsigned, and rounds it.
    offset: u32,
    shift_left: u32,
    shift_right: u32,
}

impl<'a> Channel<'a> {
    fn new(data: &'a [u8], component: &Component, columns: usize, bits: u32) -> Self {
        let shift_right = component.bits.saturating_sub(bits);
        let sign = if component.signed { 1 << (component.bits - 1) } else { 0 };
        let half = if shift_right > 0 { 1 << (shift_right - 1) } else { 0 };
        Self {
            data,
            size: component.sample_size(),
            stride: columns / component.columns,
            columns: component.columns,
            rows: component.rows,
            offset: sign + half,
            shift_left: bits.saturating_sub(component.bits),
            shift_right,
        }
    }

    /// The sample of a pixel, as many bits of it as Pillow's `j2ku_shift` leaves.
    #[expect(clippy::cast_possible_truncation, reason = "Pillow drops the upper bits")]
    fn sample(&self, x: usize, y: usize) -> u16 {
        let at = (y / self.rows * self.stride + x / self.columns) * self.size;
        let stored = self.data.get(at..at + self.size).unwrap_or_default();
        let word = match *stored {
            [byte] => u32::from(byte),
            [first, second] => u32::from(u16::from_ne_bytes([first, second])),
            _ => stored.try_into().map_or(0, u32::from_ne_bytes),
        };
        (word.wrapping_add(self.offset) >> self.shift_right << self.shift_left) as u16
    }
}
