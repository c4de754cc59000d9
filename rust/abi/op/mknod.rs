// SPDX-License-Identifier: GPL-2.0

//! MKNOD: makes anything but a directory or a link.
//!
//! C counterpart: `fuse_mknod`, `create_new_entry`, `fuse_adjust_compat` (dir.c, dev.c). Takes no
//! locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    create_ext::CreateExt,
    entry::{
        Entry,
        FuseEntryOut, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    mode::{
        FileType,
        Rdev,
        S_IALLUGO, //
    },
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_mknod_in`.
    struct FuseMknodIn: 16 {
        mode: u32,
        rdev: u32,
        umask: u32,
        padding: u32,
    }
}

/// Bytes of `struct fuse_mknod_in` before 7.12.
const COMPAT_MKNOD_IN_SIZE: usize = 8;

/// Makes a file, device, pipe or socket in the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Mknod<'a> {
    /// The type.
    pub kind: FileType,
    /// Permissions, with the umask applied unless the daemon does that.
    pub perm: u32,
    /// Of a device.
    pub rdev: Rdev,
    /// The caller's.
    pub umask: u32,
    /// The new name.
    pub name: Name<'a>,
    /// What else is said of it.
    pub ext: CreateExt<'a>,
}

impl Mknod<'_> {
    const fn fixed_len(minor: Minor) -> usize {
        if minor.before(12) {
            COMPAT_MKNOD_IN_SIZE
        } else {
            size_of::<FuseMknodIn>()
        }
    }
}

impl Op for Mknod<'_> {
    const OPCODE: Opcode = Opcode::Mknod;
    /// Of the type that was asked for.
    type Out = Entry;

    fn in_len(&self, minor: Minor) -> usize {
        self.name
            .wire_len()
            .saturating_add(Self::fixed_len(minor))
            .saturating_add(self.ext_len())
    }

    fn ext_len(&self) -> usize {
        self.ext.wire_len()
    }

    fn encode(&self, out: &mut Writer<'_>, minor: Minor) -> Result<(), Overflow> {
        let fixed = FuseMknodIn {
            mode: self.kind.bits() | (self.perm & S_IALLUGO),
            rdev: self.rdev.get(),
            umask: self.umask,
            padding: 0,
        };

        out.put_short(&fixed, Self::fixed_len(minor))?;
        self.name.encode(out)?;
        self.ext.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Entry, BadReply> {
        FuseEntryOut::decode_created(body, minor, self.kind)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    pub fn mknod(kind: FileType) -> Mknod<'static> {
        // 259, 0x12345: major 259 is 0x103; the minor's low 8 bits stand below it, the rest above.
        let rdev = Rdev::from_raw(0x45 | (0x103 << 8) | (0x123 << 20));
        Mknod {
            kind,
            perm: 0o600,
            rdev,
            umask: 0o22,
            name: name("ab"),
            ext: CreateExt::NONE,
        }
    }

    pub fn case() -> Case {
        Case::new(
            mknod(FileType::CharDevice),
            |minor| if minor < 12 { 8 + 3 } else { 16 + 3 },
            entry_only,
        )
    }

    #[test]
    fn bytes() {
        let op = mknod(FileType::BlockDevice);
        let fixed = || wire().u32(0o060600).u32(0x1231_0345);
        for minor in [12, 46] {
            expect(op, minor, fixed().u32(0o22).u32(0).text("ab\0"));
        }
        for minor in [0, 11] {
            expect(op, minor, fixed().text("ab\0"));
        }
    }
}
