//! Undoing the filters of a PNG's rows, eight rows at a time.
//!
//! A filter predicts each sample from the pixel to its left, the one above, and the one between these two. So along a
//! row, each pixel has to wait for the one before it. But the row below can follow one pixel behind, and so on: vectors
//! hold a pixel of each of four rows, each a column further left than the one above, and there are two of them, so that
//! the processor need not wait for either. All filters are computed for all, and masks choose.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi8, _mm256_and_si256, _mm256_blend_epi32, _mm256_blendv_epi8,
    _mm256_castsi128_si256, _mm256_castsi256_si128, _mm256_cmpgt_epi16, _mm256_cvtepu8_epi16, _mm256_extract_epi64,
    _mm256_max_epi16, _mm256_min_epi16, _mm256_or_si256, _mm256_packus_epi16, _mm256_permute4x64_epi64,
    _mm256_set_epi64x, _mm256_setzero_si256, _mm256_srli_epi16, _mm256_sub_epi16, _mm_cvtepu8_epi16, _mm_cvtsi128_si64,
    _mm_cvtsi32_si128, _mm_set_epi32,
};
use std::array;

const ROWS: usize = 8;
/// The rows of one vector.
const HALF: usize = ROWS / 2;
/// Images are at least so wide and so high.
pub(crate) const MIN_SIDE: usize = ROWS;
/// Bytes after the filtered rows that may be read, whatever they are.
pub(crate) const PAD: usize = 4;

/// Undoes the filters of the rows in `raw`, each of which begins with the number of its filter, and keeps the first
/// three of the 3 or 4 channels. Behind the rows come [`PAD`] bytes. Returns whether all filters are known.
#[target_feature(enable = "avx2")]
pub(crate) fn unfilter(raw: &[u8], channels: usize, width: usize, pixels: &mut [u8]) -> bool {
    let (stride, row_length) = (1 + width * channels, width * 3);
    let height = pixels.len() / row_length;
    if (0..height).any(|row| raw[row * stride] > 4) {
        return false;
    }
    let mut start = 0;
    while start < height {
        // The last eight rows may have some of those before among them, which come out the same once more.
        start = start.min(height - ROWS);
        let from: [&[u8]; ROWS] = array::from_fn(|row| &raw[(start + row) * stride + 1..]);
        let filters = array::from_fn(|row| raw[(start + row) * stride]);
        let (above, to) = pixels.split_at_mut(start * row_length);
        let above = &above[above.len().saturating_sub(row_length)..];
        let mut rows = to.chunks_exact_mut(row_length);
        let mut to: [&mut [u8]; ROWS] = array::from_fn(|_| rows.next().unwrap_or_default());
        if channels == 3 {
            eight_rows::<3>(from, filters, above, &mut to, width);
        } else {
            eight_rows::<4>(from, filters, above, &mut to, width);
        }
        start += ROWS;
    }
    true
}

#[target_feature(enable = "avx2")]
fn eight_rows<const CHANNELS: usize>(
    from: [&[u8]; ROWS],
    filters: [u8; ROWS],
    above: &[u8],
    to: &mut [&mut [u8]; ROWS],
    width: usize,
) {
    let filters = Filters::new(filters);
    let mut pixels = Pixels::none();
    // In the first steps the lower rows have not begun, in the last ones the upper rows are over.
    for step in 0..ROWS - 1 {
        let raw = array::from_fn(|row| {
            step.checked_sub(row)
                .map_or(0, |at| four_bytes(from[row], at * CHANNELS))
        });
        pixels = filters.next(pixels, raw, four_bytes(above, step * 3)).keep(step + 1);
        for (row, pixel) in pixels.samples().into_iter().enumerate().take(step + 1) {
            put(&mut to[row][(step - row) * 3..], pixel);
        }
    }
    pixels = inner_steps::<CHANNELS>(&filters, pixels, from, above, to, width - ROWS);
    for step in width - 1..width + ROWS - 1 {
        let raw = array::from_fn(|row| four_bytes(from[row], (step - row) * CHANNELS));
        pixels = filters.next(pixels, raw, four_bytes(above, step * 3));
        for (row, pixel) in pixels.samples().into_iter().enumerate().skip(step + 1 - width) {
            put(&mut to[row][(step - row) * 3..], pixel);
        }
    }
}

/// The steps in which each row has four bytes to read and to write.
#[target_feature(enable = "avx2")]
fn inner_steps<const CHANNELS: usize>(
    filters: &Filters,
    mut pixels: Pixels,
    from: [&[u8]; ROWS],
    above: &[u8],
    to: &mut [&mut [u8]; ROWS],
    steps: usize,
) -> Pixels {
    if steps == 0 {
        return pixels;
    }
    let mut from_at = [std::ptr::null(); ROWS];
    let mut to_at = [std::ptr::null_mut(); ROWS];
    for row in 0..ROWS {
        let behind = ROWS - 1 - row;
        from_at[row] = from[row][behind * CHANNELS..][..(steps - 1) * CHANNELS + 4].as_ptr();
        to_at[row] = to[row][behind * 3..][..(steps - 1) * 3 + 4].as_mut_ptr();
    }
    // Above the first row of the image all samples are 0, at every step.
    let (above, above_step) = if above.is_empty() {
        (&[0; 4][..], 0)
    } else {
        (&above[(ROWS - 1) * 3..][..(steps - 1) * 3 + 4], 3)
    };
    for step in 0..steps {
        // A step reads and writes four bytes from `step` pixels on, of which there are the last ones, too: the slices
        // above have been cut to that length.
        #[allow(unsafe_code)]
        // SAFETY: see there. The rows of `to` are apart from each other and from `above`, and no place needs alignment.
        unsafe {
            let raw = from_at.map(|row: *const u8| row.add(step * CHANNELS).cast::<u32>().read_unaligned());
            let above = above.as_ptr().add(step * above_step).cast::<u32>().read_unaligned();
            pixels = filters.next(pixels, raw, above);
            for (row, pixel) in to_at.iter().zip(pixels.samples()) {
                row.add(step * 3).cast::<u32>().write_unaligned(pixel);
            }
        }
    }
    pixels
}

/// Three bytes, or four where there is room: the next pixel comes later.
#[inline]
fn put(to: &mut [u8], pixel: u32) {
    let pixel = pixel.to_le_bytes();
    if let Some(to) = to.first_chunk_mut() {
        *to = pixel;
    } else if let Some(to) = to.first_chunk_mut::<3>() {
        to.copy_from_slice(&pixel[..3]);
    }
}

/// Four bytes as a number, with zeros for those beyond the end.
#[inline]
fn four_bytes(bytes: &[u8], at: usize) -> u32 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(four) = rest.first_chunk() {
        return u32::from_le_bytes(*four);
    }
    let mut padded = [0; 4];
    padded[..rest.len()].copy_from_slice(rest);
    u32::from_le_bytes(padded)
}

/// A pixel of each of the eight rows, with four samples of 16 bits each.
#[derive(Clone, Copy)]
struct Pixels {
    /// Those that are to the left of the next ones.
    left: [__m256i; 2],
    /// Those that are between left and above.
    corner: [__m256i; 2],
}

impl Pixels {
    #[target_feature(enable = "avx2")]
    fn none() -> Self {
        Self {
            left: [_mm256_setzero_si256(); 2],
            corner: [_mm256_setzero_si256(); 2],
        }
    }

    /// Those of the first `rows` rows; the others have not begun.
    #[target_feature(enable = "avx2")]
    fn keep(self, rows: usize) -> Self {
        let [upper, lower] = masks(|row| row < rows);
        Self {
            left: [
                _mm256_and_si256(self.left[0], upper),
                _mm256_and_si256(self.left[1], lower),
            ],
            ..self
        }
    }

    /// Their samples, a byte each.
    #[target_feature(enable = "avx2")]
    fn samples(self) -> [u32; ROWS] {
        // Of four rows in each half: the first two, and once more, then the other two, and once more.
        let halves = self.left.map(|pixels| {
            let packed = _mm256_packus_epi16(pixels, pixels);
            let first = _mm_cvtsi128_si64(_mm256_castsi256_si128(packed));
            [first, _mm256_extract_epi64::<2>(packed)].map(halves_of)
        });
        let [[[row_0, row_1], [row_2, row_3]], [[row_4, row_5], [row_6, row_7]]] = halves;
        [row_0, row_1, row_2, row_3, row_4, row_5, row_6, row_7]
    }
}

/// The lower and the upper 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "either half is taken")]
fn halves_of(both: i64) -> [u32; 2] {
    let both = both.cast_unsigned();
    [both as u32, (both >> 32) as u32]
}

/// For each row all bits where it is chosen, and none elsewhere.
#[target_feature(enable = "avx2")]
fn masks(is_chosen: impl Fn(usize) -> bool) -> [__m256i; 2] {
    let mask = |row| if is_chosen(row) { -1 } else { 0 };
    [0, HALF].map(|row| _mm256_set_epi64x(mask(row + 3), mask(row + 2), mask(row + 1), mask(row)))
}

/// The rows that have each of the four filters, as masks.
struct Filters {
    sub: [__m256i; 2],
    up: [__m256i; 2],
    average: [__m256i; 2],
    paeth: [__m256i; 2],
}

impl Filters {
    #[target_feature(enable = "avx2")]
    fn new(filters: [u8; ROWS]) -> Self {
        Self {
            sub: masks(|row| filters[row] == 1),
            up: masks(|row| filters[row] == 2),
            average: masks(|row| filters[row] == 3),
            paeth: masks(|row| filters[row] == 4),
        }
    }

    /// The next pixel of each row; `above` is that above the first one.
    #[target_feature(enable = "avx2")]
    fn next(&self, Pixels { left, corner }: Pixels, raw: [u32; ROWS], above: u32) -> Pixels {
        let raw = [0, HALF].map(|row| {
            let [a, b, c, d] = array::from_fn(|index| raw[row + index].cast_signed());
            _mm_set_epi32(d, c, b, a)
        });
        // What is to the left of a row's pixel is above the next row's.
        let above = [
            _mm256_castsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(above.cast_signed()))),
            _mm256_permute4x64_epi64::<0b11>(left[0]),
        ];
        let up = array::from_fn(|half| {
            _mm256_blend_epi32::<0b11>(_mm256_permute4x64_epi64::<0b10_01_00_00>(left[half]), above[half])
        });
        Pixels {
            left: array::from_fn(|half| {
                let predicted = self.predict(half, left[half], up[half], corner[half]);
                // Of bytes, so that the upper ones stay 0 whatever overflows in the lower ones.
                _mm256_add_epi8(_mm256_cvtepu8_epi16(raw[half]), predicted)
            }),
            corner: up,
        }
    }

    #[target_feature(enable = "avx2")]
    fn predict(&self, half: usize, left: __m256i, up: __m256i, corner: __m256i) -> __m256i {
        let average = _mm256_srli_epi16::<1>(_mm256_add_epi16(left, up));
        let others = _mm256_or_si256(
            _mm256_or_si256(
                _mm256_and_si256(left, self.sub[half]),
                _mm256_and_si256(up, self.up[half]),
            ),
            _mm256_and_si256(average, self.average[half]),
        );
        _mm256_or_si256(others, _mm256_and_si256(paeth(left, up, corner), self.paeth[half]))
    }
}

/// Of left, up and corner the one nearest to left + up - corner: the lesser of left and up where the corner lies beyond
/// the greater one, and the other way round, with a third as the border.
#[target_feature(enable = "avx2")]
fn paeth(left: __m256i, up: __m256i, corner: __m256i) -> __m256i {
    // The samples above come last.
    let thrice = _mm256_add_epi16(_mm256_add_epi16(corner, corner), corner);
    let border = _mm256_sub_epi16(_mm256_sub_epi16(thrice, left), up);
    let (least, most) = (_mm256_min_epi16(left, up), _mm256_max_epi16(left, up));
    let chosen = _mm256_blendv_epi8(least, corner, _mm256_cmpgt_epi16(most, border));
    _mm256_blendv_epi8(most, chosen, _mm256_cmpgt_epi16(border, least))
}
