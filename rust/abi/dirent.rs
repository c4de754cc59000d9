// SPDX-License-Identifier: GPL-2.0

//! The entries in a reply to READDIR.
//!
//! C counterpart: `struct fuse_dirent`, `parse_dirfile` (readdir.c). Takes no locks.

use super::{
    error::BadReply,
    name, //
};
use zerocopy::FromBytes;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// The longest name in bytes.
const NAME_MAX: usize = name::NAME_MAX as usize;

/// Of each entry's length.
const ALIGN: usize = 8;

/// C: `struct fuse_dirent` before its name, unchecked.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseDirent {
    pub ino: u64,
    pub off: u64,
    pub namelen: u32,
    pub r#type: u32,
}

const _: () = assert!(size_of::<FuseDirent>() == 24);

/// A directory entry, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirent<'a> {
    /// For `getdents`; any number.
    pub ino: u64,
    /// Where the next entry is: the directory's position after this one; any number.
    pub off: u64,
    /// `DT_*`: 0 to 15.
    pub kind: u8,
    /// 1 to [`NAME_MAX`] bytes, no slash. A NUL is possible, as in C.
    pub name: &'a [u8],
}

/// Goes through a reply to READDIR.
///
/// Entries before a bad one are good; after it there is nothing. An entry that is cut off at the end
/// is left out: the next READDIR asks for it.
#[derive(Clone, Debug)]
pub struct Dirents<'a> {
    rest: &'a [u8],
}

impl<'a> Dirents<'a> {
    /// Of the whole payload.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next entry, and what follows; `None` at the end.
    fn parse(bytes: &'a [u8]) -> Result<Option<(Dirent<'a>, &'a [u8])>, BadReply> {
        let Ok((raw, names)) = FuseDirent::read_from_prefix(bytes) else {
            return Ok(None);
        };
        let namelen = usize::try_from(raw.namelen).map_err(|_| BadReply::Name)?;
        if namelen == 0 || namelen > NAME_MAX {
            return Err(BadReply::Name);
        }
        // The fixed part is a multiple of 8 itself.
        let padded = namelen.next_multiple_of(ALIGN);
        let (Some(name), Some(rest)) = (names.get(..namelen), names.get(padded..)) else {
            return Ok(None);
        };
        if name.contains(&b'/') {
            return Err(BadReply::Name);
        }
        let dirent = Dirent {
            ino: raw.ino,
            off: raw.off,
            kind: (raw.r#type & 0xf) as u8,
            name,
        };
        Ok(Some((dirent, rest)))
    }
}

impl<'a> Iterator for Dirents<'a> {
    type Item = Result<Dirent<'a>, BadReply>;

    fn next(&mut self) -> Option<Self::Item> {
        match Self::parse(self.rest) {
            Ok(Some((dirent, rest))) => {
                self.rest = rest;
                Some(Ok(dirent))
            }
            Ok(None) => {
                self.rest = &[];
                None
            }
            Err(bad) => {
                self.rest = &[];
                Some(Err(bad))
            }
        }
    }
}

impl core::iter::FusedIterator for Dirents<'_> {}
