// SPDX-License-Identifier: GPL-2.0

//! Names: bytes without a NUL, which the wire ends with one.
//!
//! C counterpart: `struct qstr`. Takes no locks.

use super::{
    codec::Writer,
    error::Overflow, //
};

/// The longest name in bytes (`FUSE_NAME_MAX`).
pub const NAME_MAX: u32 = 4095;
/// The same, where a request may have just one page (`FUSE_NAME_LOW_MAX`).
pub const NAME_LOW_MAX: u32 = 1024;

/// A file's name, or a link's target: at least one byte, none of them NUL.
///
/// Borrowed from the VFS while a request is encoded; the request has its own copy then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// `None` if it is empty or has a NUL in it.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (!bytes.is_empty() && !bytes.contains(&0)).then_some(Self(bytes))
    }

    /// Bytes on the wire: with the NUL.
    pub(super) const fn wire_len(self) -> usize {
        self.0.len().saturating_add(1)
    }

    pub(super) fn encode(self, out: &mut Writer<'_>) -> Result<(), Overflow> {
        out.bytes(self.0)?;
        out.bytes(&[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_nul() {
        for bad in [&b""[..], b"\0", b"a\0b", b"ab\0"] {
            assert_eq!(Name::new(bad), None);
        }
        for byte in 1..=255 {
            assert_eq!(Name::new(&[byte]).map(|name| name.0), Some(&[byte][..]));
        }
        let mut long = vec![b'x'; 5000];
        assert!(Name::new(&long).is_some());
        long[4999] = 0;
        assert!(Name::new(&long).is_none());
    }
}
