// SPDX-License-Identifier: GPL-2.0

//! LISTXATTR: asks for the names of all extended attributes, or for how long their list is.
//!
//! C counterpart: `fuse_listxattr`, `fuse_verify_xattr_list` (xattr.c). Takes no locks.

use super::{
    FuseGetxattrIn,
    FuseGetxattrOut,
    Op, //
};
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    opcode::Opcode,
    version::Minor, //
};

/// The longest list in bytes (`XATTR_LIST_MAX`).
const XATTR_LIST_MAX: u32 = 65536;

/// Asks for the names of the extended attributes of the inode that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Listxattr {
    /// Bytes that there is room for; not 0.
    pub max: u32,
}

impl Listxattr {
    /// Checks a list: names that are not empty, each with a NUL.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    pub fn check(list: &[u8]) -> Result<(), BadReply> {
        let good = match list {
            [] => true,
            [names @ .., 0] => names.split(|byte| *byte == 0).all(|name| !name.is_empty()),
            _ => false,
        };
        if good {
            Ok(())
        } else {
            Err(BadReply::Name)
        }
    }
}

impl Op for Listxattr {
    const OPCODE: Opcode = Opcode::Listxattr;
    /// The list's length; it is payload, to be [checked](Listxattr::check).
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseGetxattrIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseGetxattrIn {
            size: self.max,
            padding: 0,
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Payload(self.max)
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        body.payload(self.max)
    }
}

/// Asks how long the list is.
#[derive(Clone, Copy, Debug)]
pub struct ListxattrLen;

impl Op for ListxattrLen {
    const OPCODE: Opcode = Opcode::Listxattr;
    /// Bytes, at most 64 KiB whatever the daemon says.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseGetxattrIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseGetxattrIn::default())
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseGetxattrOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        let out: FuseGetxattrOut = body.fixed()?;
        Ok(out.size.min(XATTR_LIST_MAX))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    const LIST: Listxattr = Listxattr { max: 100 };

    pub fn cases() -> [Case; 2] {
        [
            Case::new(LIST, |_| 8, |_| Expect::Payload(100)),
            Case::new(ListxattrLen, |_| 8, |_| Expect::Exactly(8)),
        ]
    }

    #[test]
    fn a_size() {
        expect(LIST, 46, wire().u32(100).u32(0));
        expect(ListxattrLen, 46, wire().u64(0));
    }

    #[test]
    fn a_length_is_no_longer_than_lists_are() {
        for (said, taken) in [(0, 0), (65536, 65536), (65537, 65536), (u32::MAX, 65536)] {
            let out = FuseGetxattrOut {
                size: said,
                padding: said,
            };
            assert_eq!(decode(ListxattrLen, out.as_bytes(), 46), Ok(taken));
        }
    }

    #[test]
    fn names_with_a_nul_each() {
        for good in ["", "a\0", "a\0b\0", "user.a\0security.b\0"] {
            assert_eq!(Listxattr::check(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in ["\0", "a", "a\0b", "\0a\0", "a\0\0", "a\0\0b\0", "\0\0"] {
            assert_eq!(
                Listxattr::check(bad.as_bytes()),
                Err(BadReply::Name),
                "{bad:?}"
            );
        }
    }
}
