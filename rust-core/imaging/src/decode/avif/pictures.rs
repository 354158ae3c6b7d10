//! The memory of dav1d's pictures: no more than was checked, and for no others than the header announces.
#![allow(unsafe_code)]

use std::alloc::{alloc_zeroed, dealloc, Layout as Room};
use std::ffi::{c_int, c_void};
use std::ptr;

use libdav1d_sys as dav1d;

use super::shape::{Layout, Shape};

/// What samples are aligned to, and what is left free after them (`DAV1D_PICTURE_ALIGNMENT`). In front of them as much
/// is taken, for the length of the whole.
const ALIGNMENT: usize = 64;
type Length = [u8; size_of::<usize>()];

/// What dav1d may take.
pub(crate) struct Budget {
    shape: Shape,
    left: usize,
}

impl Budget {
    /// Enough for so many pictures of this shape.
    pub(crate) fn new(shape: Shape, pictures: u64) -> Self {
        let pictures = usize::try_from(pictures).unwrap_or(usize::MAX);
        Self {
            shape,
            left: shape.padded().saturating_mul(pictures),
        }
    }

    /// What is left of it.
    pub(crate) fn bytes(&self) -> u64 {
        self.left as u64
    }
}

/// The shape that dav1d gives a picture.
///
/// # Safety
/// The parameters must be dav1d's.
pub(crate) unsafe fn shape(parameters: *const dav1d::Dav1dPictureParameters) -> Shape {
    // SAFETY: the caller's promise; the layout is read as the number that it is in C.
    let (width, height, depth, layout) = unsafe {
        let layout = (&raw const (*parameters).layout).cast::<u32>().read();
        ((*parameters).w, (*parameters).h, (*parameters).bpc, layout)
    };
    Shape {
        width: width.unsigned_abs() as usize,
        height: height.unsigned_abs() as usize,
        depth: depth.unsigned_abs(),
        layout: Layout::of(layout),
    }
}

/// The distances between rows of luma and of chroma, and the bytes of their planes: with whole blocks of 128 samples,
/// and with strides that do not fall on the same lines of a cache, as dav1d's own allocator has them.
fn strides(shape: Shape) -> ([usize; 2], [usize; 2]) {
    let whole = Shape {
        width: shape.width.next_multiple_of(128),
        height: shape.height.next_multiple_of(128),
        ..shape
    };
    let planes = [0, 1].map(|plane| {
        let (width, height) = whole.plane(plane);
        let stride = width * whole.sample_bytes();
        let odd = stride > 0 && stride.is_multiple_of(1024);
        (stride + if odd { ALIGNMENT } else { 0 }, height)
    });
    (
        planes.map(|(stride, _)| stride),
        planes.map(|(stride, height)| stride * height),
    )
}

/// dav1d's callback for a new picture.
///
/// # Safety
/// The picture must be dav1d's, with its parameters, and the cookie a [`Budget`] that nothing else uses now.
pub(crate) unsafe extern "C" fn take(picture: *mut dav1d::Dav1dPicture, cookie: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let (shape, budget) = unsafe { (shape(&raw const (*picture).p), &mut *cookie.cast::<Budget>()) };
    let told = budget.shape;
    if shape.width > told.width
        || shape.height > told.height
        || (shape.depth, shape.layout) != (told.depth, told.layout)
    {
        return dav1d::DAV1D_ERR_INVAL;
    }
    let (strides, [luma, chroma]) = strides(shape);
    let length = ALIGNMENT + luma + 2 * chroma + ALIGNMENT;
    let (Ok(room), true) = (Room::from_size_align(length, ALIGNMENT), length <= budget.left) else {
        return dav1d::DAV1D_ERR_NOMEM;
    };
    // SAFETY: the length is not 0. The planes lie one after another in the new room, after its length.
    unsafe {
        let start = alloc_zeroed(room);
        if start.is_null() {
            return dav1d::DAV1D_ERR_NOMEM;
        }
        start.cast::<Length>().write(length.to_ne_bytes());
        let plane = |offset: usize| start.add(ALIGNMENT + offset).cast::<c_void>();
        let none = || ptr::null_mut();
        (*picture).data = if chroma == 0 {
            [plane(0), none(), none()]
        } else {
            [plane(0), plane(luma), plane(luma + chroma)]
        };
        (*picture).stride = strides.map(usize::cast_signed);
        (*picture).allocator_data = start.cast();
    }
    budget.left -= length;
    0
}

/// dav1d's callback for a picture that it no longer needs.
///
/// # Safety
/// The picture must be one of [`take`]'s, given back once, and the cookie the same.
pub(crate) unsafe extern "C" fn give_back(picture: *mut dav1d::Dav1dPicture, cookie: *mut c_void) {
    // SAFETY: the caller's promise; `take` wrote the length to the start.
    unsafe {
        let start = (*picture).allocator_data.cast::<u8>();
        let length = usize::from_ne_bytes(start.cast::<Length>().read());
        dealloc(start, Room::from_size_align_unchecked(length, ALIGNMENT));
        (*cookie.cast::<Budget>()).left += length;
    }
}
