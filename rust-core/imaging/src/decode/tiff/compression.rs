//! The numbers of the compressions (TIFF 6.0, section 3 and supplements).

pub(crate) const RAW: u64 = 1;
pub(crate) const FAX_RUNS: u64 = 2;
pub(crate) const FAX_3: u64 = 3;
pub(crate) const FAX_4: u64 = 4;
pub(crate) const FAXES: [u64; 3] = [FAX_RUNS, FAX_3, FAX_4];
pub(crate) const LZW: u64 = 5;
pub(crate) const JPEG: u64 = 7;
pub(crate) const DEFLATE: u64 = 8;
pub(crate) const PACK_BITS: u64 = 32_773;
pub(crate) const OLD_DEFLATE: u64 = 32_946;
pub(crate) const LZMA: u64 = 34_925;
pub(crate) const SUPPORTED: [u64; 10] = [
    RAW,
    FAX_RUNS,
    FAX_3,
    FAX_4,
    LZW,
    JPEG,
    DEFLATE,
    PACK_BITS,
    OLD_DEFLATE,
    LZMA,
];
