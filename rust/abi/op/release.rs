// SPDX-License-Identifier: GPL-2.0

//! RELEASE: ends what OPEN or CREATE began.
//!
//! C counterpart: `fuse_prepare_release`, `fuse_file_release` (file.c). Takes no locks.

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
    flags::ReleaseFlags,
    ids::{
        FileHandle,
        LockOwner, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_release_in`, RELEASEDIR's as well.
    struct FuseReleaseIn: 24 {
        fh: u64,
        flags: u32,
        release_flags: u32,
        lock_owner: u64,
    }
}

/// Closes an open file for good. Has nobody's credentials.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// The open file.
    pub fh: FileHandle,
    /// The flags of open(2) that the file has now.
    pub flags: u32,
    /// Whose BSD lock is to be dropped, if there was one and locks are the daemon's.
    pub flock_owner: Option<LockOwner>,
}

impl Release {
    pub(super) fn to_wire(self) -> FuseReleaseIn {
        FuseReleaseIn {
            fh: self.fh.get(),
            flags: self.flags,
            release_flags: ReleaseFlags::EMPTY
                .with_if(self.flock_owner.is_some(), ReleaseFlags::FLOCK_UNLOCK)
                .bits(),
            lock_owner: LockOwner::to_wire(self.flock_owner),
        }
    }
}

impl Op for Release {
    const OPCODE: Opcode = Opcode::Release;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseReleaseIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&self.to_wire())
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

    pub fn release(flock_owner: Option<LockOwner>) -> Release {
        Release {
            fh: FileHandle::from_raw(9),
            flags: 0o100002,
            flock_owner,
        }
    }

    pub fn case() -> Case {
        Case::new(release(None), |_| 24, header_only)
    }

    #[test]
    fn bytes() {
        expect(release(None), 46, wire().u64(9).u32(0o100002).u32(0).u64(0));
        let owner = Some(LockOwner::from_raw(77));
        expect(
            release(owner),
            46,
            wire().u64(9).u32(0o100002).u32(2).u64(77),
        );
    }
}
