// SPDX-License-Identifier: GPL-2.0

//! CREATE: makes a regular file and opens it.
//!
//! C counterpart: `fuse_create_open`, `fuse_adjust_compat` (dir.c, dev.c). Takes no locks.

use super::{
    FuseOpenOut,
    Op,
    OpenOut, //
};
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
    flags::OpenInFlags,
    mode::{
        FileType,
        S_IALLUGO, //
    },
    name::Name,
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_create_in`.
    struct FuseCreateIn: 16 {
        flags: u32,
        mode: u32,
        umask: u32,
        open_flags: u32,
    }
}

/// Bytes of `struct fuse_create_in` before 7.12.
const COMPAT_CREATE_IN_SIZE: usize = 8;

/// Makes a regular file in the directory that the request is about, and opens it.
#[derive(Clone, Copy, Debug)]
pub struct Create<'a> {
    /// Of open(2); `O_NOCTTY` is not sent.
    pub flags: u32,
    /// Permissions, with the umask applied unless the daemon does that. The type goes along.
    pub perm: u32,
    /// The caller's.
    pub umask: u32,
    /// Clear set-id bits, since the file is truncated if it is there.
    pub kill_suidgid: bool,
    /// The new name.
    pub name: Name<'a>,
    /// What else is said of it.
    pub ext: CreateExt<'a>,
}

/// A new file that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CreateOut {
    /// The file, a regular one.
    pub entry: Entry,
    /// Its handle.
    pub open: OpenOut,
}

impl Create<'_> {
    const fn fixed_len(minor: Minor) -> usize {
        if minor.before(12) {
            COMPAT_CREATE_IN_SIZE
        } else {
            size_of::<FuseCreateIn>()
        }
    }
}

impl Op for Create<'_> {
    const OPCODE: Opcode = Opcode::Create;
    type Out = CreateOut;

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
        let fixed = FuseCreateIn {
            flags: self.flags,
            mode: FileType::Regular.bits() | (self.perm & S_IALLUGO),
            umask: self.umask,
            open_flags: OpenInFlags::EMPTY
                .with_if(self.kill_suidgid, OpenInFlags::KILL_SUIDGID)
                .bits(),
        };

        out.put_short(&fixed, Self::fixed_len(minor))?;
        self.name.encode(out)?;
        self.ext.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor).saturating_add(size_of::<FuseOpenOut>()))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<CreateOut, BadReply> {
        CreateOut::decode(body, minor)
    }
}

impl CreateOut {
    /// Checks the body of a reply without an error.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    pub fn decode(body: Body<'_>, minor: Minor) -> Result<Self, BadReply> {
        let mut reader = body.reader()?;
        let entry = FuseEntryOut::take(&mut reader, minor)?;
        let open: FuseOpenOut = reader.take()?;
        reader.end()?;

        Ok(Self {
            entry: entry.created(FileType::Regular)?,
            open: open.into(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::{
        testing::*,
        FileHandle,
        OpenOutFlags, //
    };
    use zerocopy::IntoBytes;

    pub fn create(kill_suidgid: bool) -> Create<'static> {
        Create {
            flags: 0o1102,
            perm: 0o640,
            umask: 0o22,
            kill_suidgid,
            name: name("ab"),
            ext: CreateExt::NONE,
        }
    }

    pub fn case() -> Case {
        Case::new(
            create(true),
            |minor| if minor < 12 { 8 + 3 } else { 16 + 3 },
            |minor| Expect::Exactly(entry_len(minor) + 16),
        )
    }

    #[test]
    fn bytes() {
        let fixed = || wire().u32(0o1102).u32(0o100640);
        expect(create(false), 12, fixed().u32(0o22).u32(0).text("ab\0"));
        expect(create(true), 46, fixed().u32(0o22).u32(1).text("ab\0"));
        expect(create(true), 11, fixed().text("ab\0"));
    }

    #[test]
    fn an_entry_and_a_handle() {
        let open = FuseOpenOut {
            fh: 99,
            open_flags: 1,
            backing_id: 0,
        };
        for (minor, len) in [(8, 120), (9, 128), (46, 128)] {
            let own = [&raw_entry(5, 0o100644).as_bytes()[..len], open.as_bytes()].concat();
            let out = decode(create(false), &own, minor).expect("a file");
            assert_eq!((out.entry.node, out.entry.attr().uid()), (node(5), 1000));
            assert_eq!(out.open.fh, FileHandle::from_raw(99));
            assert_eq!(out.open.flags, OpenOutFlags::DIRECT_IO);
        }
    }
}
