// SPDX-License-Identifier: GPL-2.0

//! SETXATTR: sets an extended attribute.
//!
//! C counterpart: `fuse_setxattr` (xattr.c). Takes no locks.

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
    flags::SetxattrFlags,
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_setxattr_in`.
    struct FuseSetxattrIn: 16 {
        size: u32,
        flags: u32,
        setxattr_flags: u32,
        padding: u32,
    }
}

/// Bytes of it for a daemon that has not agreed to SETXATTR_EXT.
const COMPAT_SETXATTR_IN_SIZE: usize = 8;

/// Sets an extended attribute of the inode that the request is about. The value is payload.
#[derive(Clone, Copy, Debug)]
pub struct Setxattr<'a> {
    /// With its namespace.
    pub name: Name<'a>,
    /// The value's length.
    pub size: u32,
    /// `XATTR_CREATE`, `XATTR_REPLACE`.
    pub flags: u32,
    /// The daemon has agreed to SETXATTR_EXT.
    pub ext: bool,
    /// Clear the set-group-id bit; told only if it has.
    pub acl_kill_sgid: bool,
}

impl Setxattr<'_> {
    const fn fixed_len(&self) -> usize {
        if self.ext {
            size_of::<FuseSetxattrIn>()
        } else {
            COMPAT_SETXATTR_IN_SIZE
        }
    }
}

impl Op for Setxattr<'_> {
    const OPCODE: Opcode = Opcode::Setxattr;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        self.name.wire_len().saturating_add(self.fixed_len())
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let fixed = FuseSetxattrIn {
            size: self.size,
            flags: self.flags,
            setxattr_flags: SetxattrFlags::EMPTY
                .with_if(self.acl_kill_sgid, SetxattrFlags::ACL_KILL_SGID)
                .bits(),
            padding: 0,
        };
        out.put_short(&fixed, self.fixed_len())?;
        self.name.encode(out)
    }

    fn payload_in(&self) -> u32 {
        self.size
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::HeaderOnly
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        body.empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn op(ext: bool, acl_kill_sgid: bool) -> Setxattr<'static> {
        Setxattr {
            name: name("user.a"),
            size: 5,
            flags: 1,
            ext,
            acl_kill_sgid,
        }
    }

    pub fn cases() -> [Case; 2] {
        [
            Case::new(op(false, true), |_| 8 + 7, header_only),
            Case::new(op(true, true), |_| 16 + 7, header_only),
        ]
    }

    #[test]
    fn size_flags_and_name() {
        let fixed = || wire().u32(5).u32(1);
        expect(op(false, true), 46, fixed().text("user.a\0"));
        expect(op(true, false), 46, fixed().u64(0).text("user.a\0"));
        expect(op(true, true), 46, fixed().u32(1).u32(0).text("user.a\0"));
    }
}
