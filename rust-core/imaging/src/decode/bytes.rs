//! Reading bytes from the front to the end, one cursor for all formats.

use super::failure::Failure;
use crate::error::ImageError;

/// What is left of a file, or of a part of one. Each method takes from the front, and fails with the format's
/// [`Failure::truncated`] where too little is left.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    failure: Failure,
}

impl Failure {
    /// A cursor at the beginning of `bytes`.
    pub(crate) const fn read(self, bytes: &[u8]) -> Bytes<'_> {
        Bytes {
            rest: bytes,
            failure: self,
        }
    }

    /// A cursor at this place in `bytes`, at their end when they are shorter.
    pub(crate) fn read_at(self, bytes: &[u8], at: usize) -> Bytes<'_> {
        self.read(bytes.get(at..).unwrap_or_default())
    }
}

impl<'a> Bytes<'a> {
    /// All that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// Takes so many bytes, or as many as there are.
    pub(crate) fn up_to(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], ImageError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ImageError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn be_u16(&mut self) -> Result<u16, ImageError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn be_u32(&mut self) -> Result<u32, ImageError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn le_u16(&mut self) -> Result<u16, ImageError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number of three bytes.
    pub(crate) fn le_u24(&mut self) -> Result<u32, ImageError> {
        self.array()
            .map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(crate) fn le_u32(&mut self) -> Result<u32, ImageError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of so many bytes, up to 8, in big-endian order; of none it is 0.
    pub(crate) fn be_number(&mut self, length: usize) -> Result<u64, ImageError> {
        let bytes = self.bytes(length)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn truncated(&self) -> ImageError {
        self.failure.truncated()
    }
}
