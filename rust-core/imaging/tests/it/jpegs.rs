//! JPEGs of every subsampling and coding, made by libjpeg-turbo.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use turbojpeg_sys::{
    tj3Compress8, tj3Destroy, tj3Free, tj3Init, tj3Set, TJINIT_TJINIT_COMPRESS, TJPARAM_TJPARAM_ARITHMETIC,
    TJPARAM_TJPARAM_PROGRESSIVE, TJPARAM_TJPARAM_QUALITY, TJPARAM_TJPARAM_RESTARTROWS, TJPARAM_TJPARAM_SUBSAMP,
    TJPF_TJPF_RGB,
};

/// How a JPEG is coded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coding {
    pub(crate) subsampling: c_int,
    pub(crate) progressive: bool,
    pub(crate) arithmetic: bool,
    /// Rows of blocks between two restart markers; 0 for none.
    pub(crate) restart_rows: c_int,
}

/// A JPEG of these RGB pixels.
pub(crate) fn encode(pixels: &[u8], (width, height): (usize, usize), coding: Coding) -> Vec<u8> {
    assert_eq!(pixels.len(), width * height * 3);
    let number = |number: usize| c_int::try_from(number).unwrap();
    let settings = [
        (TJPARAM_TJPARAM_QUALITY, 85),
        (TJPARAM_TJPARAM_SUBSAMP, coding.subsampling),
        (TJPARAM_TJPARAM_PROGRESSIVE, coding.progressive.into()),
        (TJPARAM_TJPARAM_ARITHMETIC, coding.arithmetic.into()),
        (TJPARAM_TJPARAM_RESTARTROWS, coding.restart_rows),
    ];
    let (mut file, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the instance is used before it is destroyed. `pixels` has `height` rows of `width` pixels. The file that
    // comes out has `length` bytes, and is copied before it is freed.
    unsafe {
        let instance = tj3Init(number(TJINIT_TJINIT_COMPRESS as usize));
        for (parameter, value) in settings {
            assert_eq!(tj3Set(instance, number(parameter as usize), value), 0);
        }
        let (width, height) = (number(width), number(height));
        let format = number(TJPF_TJPF_RGB as usize);
        let status = tj3Compress8(
            instance,
            pixels.as_ptr(),
            width,
            0,
            height,
            format,
            &raw mut file,
            &raw mut length,
        );
        assert_eq!(status, 0, "{coding:?}");
        let bytes = std::slice::from_raw_parts(file, usize::try_from(length).unwrap()).to_vec();
        tj3Free(file.cast());
        tj3Destroy(instance);
        bytes
    }
}
