// SPDX-License-Identifier: GPL-2.0

//! GETXATTR: asks for the value of an extended attribute, or for how long it is.
//!
//! C counterpart: `fuse_getxattr` (xattr.c), where both are one. Takes no locks.

use super::Op;
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
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_getxattr_in`.
    struct FuseGetxattrIn: 8 {
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_getxattr_out`.
    struct FuseGetxattrOut: 8 {
        size: u32,
        padding: u32,
    }
}

/// The longest value in bytes (`XATTR_SIZE_MAX`).
pub const XATTR_SIZE_MAX: u32 = 65536;

/// Asks for the value of an extended attribute of the inode that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Getxattr<'a> {
    /// With its namespace.
    pub name: Name<'a>,
    /// Bytes that there is room for; not 0.
    pub max: u32,
}

impl Op for Getxattr<'_> {
    const OPCODE: Opcode = Opcode::Getxattr;
    /// The value's length; the value is payload.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        in_len(self.name)
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        encode(out, self.max, self.name)
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Payload(self.max)
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        body.payload(self.max)
    }
}

/// Asks how long the value of an extended attribute is.
#[derive(Clone, Copy, Debug)]
pub struct GetxattrLen<'a> {
    /// With its namespace.
    pub name: Name<'a>,
}

impl Op for GetxattrLen<'_> {
    const OPCODE: Opcode = Opcode::Getxattr;
    /// Bytes, at most [`XATTR_SIZE_MAX`] whatever the daemon says.
    type Out = u32;

    fn in_len(&self, _minor: Minor) -> usize {
        in_len(self.name)
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        encode(out, 0, self.name)
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseGetxattrOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        let out: FuseGetxattrOut = body.fixed()?;
        Ok(out.size.min(XATTR_SIZE_MAX))
    }
}

fn in_len(name: Name<'_>) -> usize {
    name.wire_len().saturating_add(size_of::<FuseGetxattrIn>())
}

fn encode(out: &mut Writer<'_>, size: u32, name: Name<'_>) -> Result<(), Overflow> {
    out.put(&FuseGetxattrIn { size, padding: 0 })?;
    name.encode(out)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    fn value() -> Getxattr<'static> {
        Getxattr {
            name: name("user.a"),
            max: 100,
        }
    }

    fn len() -> GetxattrLen<'static> {
        GetxattrLen {
            name: name("user.a"),
        }
    }

    pub fn cases() -> [Case; 2] {
        [
            Case::new(value(), |_| 8 + 7, |_| Expect::Payload(100)),
            Case::new(len(), |_| 8 + 7, |_| Expect::Exactly(8)),
        ]
    }

    #[test]
    fn a_size_and_a_name() {
        expect(value(), 46, wire().u32(100).u32(0).text("user.a\0"));
        expect(len(), 46, wire().u32(0).u32(0).text("user.a\0"));
    }

    #[test]
    fn a_length_is_no_longer_than_values_are() {
        for (said, taken) in [
            (0, 0),
            (5, 5),
            (65536, 65536),
            (65537, 65536),
            (u32::MAX, 65536),
        ] {
            let out = FuseGetxattrOut {
                size: said,
                padding: said,
            };
            assert_eq!(decode(len(), out.as_bytes(), 46), Ok(taken));
        }
        assert_eq!(decode_payload(value(), 100), Ok(100));
        assert_eq!(decode_payload(value(), 101), Err(BadReply::Length));
    }
}
