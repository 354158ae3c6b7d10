//! A `malloc` that counts, for Rust and C alike. It is the one of the process that has this module.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

/// `ENOMEM` of Linux.
const NO_MEMORY: c_int = 12;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(pointer: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(pointer: *mut c_void);
    fn malloc_usable_size(pointer: *mut c_void) -> usize;
}

fn took(pointer: *mut c_void) -> *mut c_void {
    // SAFETY: null, or what glibc has just given.
    let size = unsafe { malloc_usable_size(pointer) };
    let before = LIVE.fetch_add(size, Ordering::Relaxed);
    MOST.fetch_max(before.wrapping_add(size), Ordering::Relaxed);
    pointer
}

fn gives_back(pointer: *mut c_void) {
    // SAFETY: null, or the caller's, who has not freed it yet.
    LIVE.fetch_sub(unsafe { malloc_usable_size(pointer) }, Ordering::Relaxed);
}

#[no_mangle]
extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: as it came.
    took(unsafe { __libc_malloc(size) })
}

#[no_mangle]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: as it came.
    took(unsafe { __libc_calloc(count, size) })
}

#[no_mangle]
extern "C" fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void {
    gives_back(pointer);
    // SAFETY: as it came.
    took(unsafe { __libc_realloc(pointer, size) })
}

#[no_mangle]
extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    // SAFETY: as it came.
    let pointer = took(unsafe { __libc_memalign(alignment, size) });
    // SAFETY: the caller's place for the pointer.
    unsafe { *place = pointer };
    if pointer.is_null() {
        NO_MEMORY
    } else {
        0
    }
}

#[no_mangle]
extern "C" fn free(pointer: *mut c_void) {
    gives_back(pointer);
    // SAFETY: as it came.
    unsafe { __libc_free(pointer) }
}

/// What comes of some work, and the most bytes that were taken at a time, beyond those before, while it was done. No
/// other thread may work meanwhile.
pub(crate) fn most_taken<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = work();
    (result, (MOST.load(Ordering::Relaxed) - before) as u64)
}
