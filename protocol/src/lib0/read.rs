//! A cursor over untrusted bytes.

use crate::DecodeError;
use crate::limits::{CLIENT_ID_MAX, CLOCK_MAX, VARINT_BYTES_MAX};

/// Reads lib0 values from the front of a slice. Borrows what it returns; never allocates.
///
/// After an error the position is unspecified: throw the reader away.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Number of bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Confirms that everything has been read.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            extra => Err(DecodeError::TrailingBytes { at: self.at, extra }),
        }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte, left in place.
    #[inline]
    pub(crate) fn peek(&self) -> Result<u8, DecodeError> {
        self.bytes.get(self.at).copied().ok_or(DecodeError::Truncated { at: self.at })
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or(DecodeError::Truncated { at: self.at })?;
        self.at += len;
        Ok(taken)
    }

    /// The same bytes read from `at`, an earlier position.
    pub(crate) const fn seek(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// The bytes from `start` up to the position; `start` is an earlier position.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// An unsigned number of at most 2^53 − 1, in at most eight bytes. Padding with zero groups is read, as
    /// every lib0 reader does, as long as it stays within the eight bytes.
    #[inline]
    pub fn var_uint(&mut self) -> Result<u64, DecodeError> {
        let at = self.at;
        let mut value = 0_u64;
        for group in 0..VARINT_BYTES_MAX {
            let byte = self.u8().map_err(|_| DecodeError::Truncated { at })?;
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                return if value <= CLIENT_ID_MAX { Ok(value) } else { Err(DecodeError::Overflow { at }) };
            }
        }
        Err(DecodeError::Overflow { at })
    }

    /// An unsigned number that fits `u32`.
    #[inline]
    pub fn var_u32(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        u32::try_from(self.var_uint()?).map_err(|_| DecodeError::Overflow { at })
    }

    /// A clock or a length of clocks: at most [`CLOCK_MAX`].
    #[inline]
    pub fn clock(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        let clock = self.var_u32()?;
        if clock > CLOCK_MAX {
            return Err(DecodeError::Overflow { at });
        }
        Ok(clock)
    }

    /// A signed number between ±(2^53 − 1): six bits and a sign in the first byte, then seven bits a byte.
    pub fn var_int(&mut self) -> Result<i64, DecodeError> {
        let at = self.at;
        let first = self.u8()?;
        let mut magnitude = i64::from(first & 0x3f);
        let mut more = first & 0x80 != 0;
        for group in 0..VARINT_BYTES_MAX - 1 {
            if !more {
                break;
            }
            let byte = self.u8().map_err(|_| DecodeError::Truncated { at })?;
            magnitude |= i64::from(byte & 0x7f) << (6 + 7 * group);
            more = byte & 0x80 != 0;
        }
        if more || magnitude > CLIENT_ID_MAX.cast_signed() {
            return Err(DecodeError::Overflow { at });
        }
        Ok(if first & 0x40 == 0 { magnitude } else { -magnitude })
    }

    /// A count of things that each take at least `bytes_each_min` bytes, checked against the bytes left, so that
    /// a reader may reserve memory for it.
    pub fn count(&mut self, bytes_each_min: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        let declared = self.var_uint()?;
        let remaining = self.remaining();
        usize::try_from(declared)
            .ok()
            .filter(|count| *count <= remaining / bytes_each_min.max(1))
            .ok_or(DecodeError::CountTooLarge { at, declared, remaining })
    }

    /// Bytes with their length in front.
    #[inline]
    pub fn var_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        let len = self.var_uint()?;
        usize::try_from(len).ok().and_then(|len| self.take(len).ok()).ok_or(DecodeError::Truncated { at })
    }

    /// A UTF-8 string with its length in bytes in front.
    #[inline]
    pub fn var_str(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.var_bytes()?;
        let at = self.at - bytes.len();
        str::from_utf8(bytes).map_err(|_| DecodeError::Utf8 { at })
    }
}
