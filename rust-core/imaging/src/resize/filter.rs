//! The resampling filters of Pillow (its Resample.c) and of torch (its UpSampleKernel.cpp).

use std::f64::consts::PI;

/// A resampling filter: Pillow's, in its numbering, or what torch makes of three of them for 8-bit tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resampling {
    /// 0: nearest neighbour.
    Nearest,
    /// 1: a sinc truncated at 3.
    Lanczos,
    /// 2: linear interpolation, widened when shrinking.
    Bilinear,
    /// 3: cubic convolution with a = -0.5.
    Bicubic,
    /// 4: the mean of the pixels covered.
    Box,
    /// 5: a Hamming-windowed sinc truncated at 1.
    Hamming,
    /// 6: Costella's magic kernel, sharpened once; in Pillow since version 13.
    Mks2013,
    /// 7: the same, sharpened further.
    Mks2021,
    /// torch's `nearest-exact`.
    TorchNearest,
    /// torch's `bilinear`, antialiased.
    TorchBilinear,
    /// torch's `bicubic`, antialiased.
    TorchBicubic,
}

/// The filters that are convolutions.
#[cfg(test)]
pub(crate) const CONVOLVED: [Resampling; 9] = [
    Resampling::Box,
    Resampling::Hamming,
    Resampling::Bilinear,
    Resampling::Bicubic,
    Resampling::Lanczos,
    Resampling::Mks2013,
    Resampling::Mks2021,
    Resampling::TorchBilinear,
    Resampling::TorchBicubic,
];

impl Resampling {
    /// The filter of this number in Pillow (`Image.Resampling`) and in Hugging Face's configurations; else `None`.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Nearest,
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            6 => Self::Mks2013,
            7 => Self::Mks2021,
            _ => return None,
        })
    }

    /// What torchvision resizes 8-bit tensors with where this filter of Pillow's is asked for; `None` for those that it
    /// has not.
    #[must_use]
    pub fn on_tensors(self) -> Option<Self> {
        Some(match self {
            Self::Nearest => Self::TorchNearest,
            Self::Bilinear => Self::TorchBilinear,
            Self::Bicubic => Self::TorchBicubic,
            _ => return None,
        })
    }

    /// Whether the bytes are torch's.
    pub(crate) fn is_torch(self) -> bool {
        matches!(self, Self::TorchNearest | Self::TorchBilinear | Self::TorchBicubic)
    }
}

/// A filter function and the radius beyond which it is 0, in input samples at scale 1.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) function: fn(f64) -> f64,
    pub(crate) support: f64,
}

impl Filter {
    /// `None` for nearest neighbour, which is not a convolution.
    pub(crate) fn of(resampling: Resampling) -> Option<Self> {
        let (function, support): (fn(f64) -> f64, f64) = match resampling {
            Resampling::Nearest | Resampling::TorchNearest => return None,
            Resampling::Box => (box_filter, 0.5),
            Resampling::Bilinear | Resampling::TorchBilinear => (bilinear, 1.0),
            Resampling::Hamming => (hamming, 1.0),
            Resampling::Bicubic => (bicubic, 2.0),
            Resampling::TorchBicubic => (torch_bicubic, 2.0),
            Resampling::Lanczos => (lanczos, 3.0),
            Resampling::Mks2013 => (mks_2013, 2.5),
            Resampling::Mks2021 => (mks_2021, 4.5),
        };
        Some(Self { function, support })
    }
}

fn box_filter(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 {
        1.0
    } else {
        0.0
    }
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn hamming(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let x = x * PI;
    // Pillow writes these two constants in single precision.
    x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
}

/// Keys' cubic convolution with a = -0.5.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    // The order of operations is part of the result: no fused or rearranged forms.
    #[allow(clippy::suboptimal_flops)]
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The same in the order of torch's operations, which rounds differently from 1 on.
fn torch_bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    #[allow(clippy::suboptimal_flops)]
    if (1.0..2.0).contains(&x) {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        bicubic(x)
    }
}

/// A sinc truncated at 3.
fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) {
        sinc(x) * sinc(x / 3.0)
    } else {
        0.0
    }
}

/// Costella's magic kernel, sharpened once (<https://johncostella.com/magic/>).
fn mks_2013(x: f64) -> f64 {
    let x = x.abs();
    if x < 0.5 {
        17.0 / 16.0 - 7.0 / 4.0 * (x * x)
    } else if x < 1.5 {
        (1.0 - x) * (7.0 / 4.0 - x)
    } else if x < 2.5 {
        -1.0 / 8.0 * ((x - 2.5) * (x - 2.5))
    } else {
        0.0
    }
}

/// The same, sharpened further.
fn mks_2021(x: f64) -> f64 {
    let x = x.abs();
    if x < 0.5 {
        577.0 / 576.0 - 239.0 / 144.0 * (x * x)
    } else if x < 1.5 {
        35.0 / 36.0 * (x - 1.0) * (x - 239.0 / 140.0)
    } else if x < 2.5 {
        1.0 / 6.0 * (x - 2.0) * (65.0 / 24.0 - x)
    } else if x < 3.5 {
        1.0 / 36.0 * (x - 3.0) * (x - 15.0 / 4.0)
    } else if x < 4.5 {
        -1.0 / 288.0 * ((x - 4.5) * (x - 4.5))
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}
