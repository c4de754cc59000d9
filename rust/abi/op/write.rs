// SPDX-License-Identifier: GPL-2.0

//! WRITE: writes to a file.
//!
//! C counterpart: `fuse_write_args_fill`, `fuse_send_write`, `fuse_send_write_pages` (file.c).
//! Takes no locks.

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
    flags::WriteFlags,
    header::InHeader,
    ids::{
        FileHandle,
        LockOwner, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_write_in`.
    struct FuseWriteIn: 40 {
        fh: u64,
        offset: u64,
        size: u32,
        write_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }
}

/// Bytes of `struct fuse_write_in` before 7.9.
const COMPAT_WRITE_IN_SIZE: usize = 24;

wire! {
    /// C: `struct fuse_write_out`, unchecked.
    struct FuseWriteOut: 8 {
        size: u32,
        padding: u32,
    }
}

/// Writes to the file that the request is about. What is written goes as payload.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// The open file.
    pub fh: FileHandle,
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub size: u32,
    /// From the page cache: the caller may be another than the writer.
    pub cache: bool,
    /// Whose mandatory locks do not stand in the way.
    pub lock_owner: Option<LockOwner>,
    /// Clear set-id bits.
    pub kill_suidgid: bool,
    /// The flags of open(2) that the file has now, with `O_SYNC` and `O_DSYNC` as this write has
    /// them.
    pub flags: u32,
}

impl Write {
    /// Bytes of the longest message with so many bytes of payload: a reader must have room for
    /// them.
    pub const fn message_len(size: u32) -> usize {
        (size as usize)
            .saturating_add(InHeader::SIZE)
            .saturating_add(size_of::<FuseWriteIn>())
    }

    const fn fixed_len(minor: Minor) -> usize {
        if minor.before(9) {
            COMPAT_WRITE_IN_SIZE
        } else {
            size_of::<FuseWriteIn>()
        }
    }
}

impl Op for Write {
    const OPCODE: Opcode = Opcode::Write;
    /// How many bytes were written, at most [`size`](Write::size); may be 0.
    type Out = u32;

    fn in_len(&self, minor: Minor) -> usize {
        Self::fixed_len(minor)
    }

    fn encode(&self, out: &mut Writer<'_>, minor: Minor) -> Result<(), Overflow> {
        let fixed = FuseWriteIn {
            fh: self.fh.get(),
            offset: self.offset,
            size: self.size,
            write_flags: WriteFlags::EMPTY
                .with_if(self.cache, WriteFlags::CACHE)
                .with_if(self.lock_owner.is_some(), WriteFlags::LOCKOWNER)
                .with_if(self.kill_suidgid, WriteFlags::KILL_SUIDGID)
                .bits(),
            lock_owner: LockOwner::to_wire(self.lock_owner),
            flags: self.flags,
            padding: 0,
        };

        out.put_short(&fixed, Self::fixed_len(minor))
    }

    fn payload_in(&self) -> u32 {
        self.size
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseWriteOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u32, BadReply> {
        let raw: FuseWriteOut = body.fixed()?;

        if raw.size > self.size {
            return Err(BadReply::Count);
        }
        Ok(raw.size)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    fn write() -> Write {
        Write {
            fh: FileHandle::from_raw(9),
            offset: 1 << 40,
            size: 4096,
            cache: false,
            lock_owner: Some(LockOwner::from_raw(77)),
            kill_suidgid: true,
            flags: 0o100001,
        }
    }

    pub fn case() -> Case {
        Case::new(
            write(),
            |minor| if minor < 9 { 24 } else { 40 },
            |_| Expect::Exactly(8),
        )
    }

    #[test]
    fn bytes() {
        let fixed = || wire().u64(9).u64(1 << 40).u32(4096);
        let tail = |flags| fixed().u32(flags).u64(77).u32(0o100001).u32(0);
        expect(write(), 9, tail(2 | 4));
        expect(
            Write {
                cache: true,
                ..write()
            },
            46,
            tail(1 | 2 | 4),
        );
        expect(write(), 8, fixed().u32(2 | 4));
        let plain = Write {
            lock_owner: None,
            kill_suidgid: false,
            ..write()
        };
        expect(plain, 46, fixed().u32(0).u64(0).u32(0o100001).u32(0));
    }

    #[test]
    fn no_more_is_written_than_was_sent() {
        for size in [0, 1, 4096, u32::MAX] {
            let op = Write { size, ..write() };
            let written = |count: u32| {
                let raw = FuseWriteOut {
                    size: count,
                    padding: u32::MAX,
                };
                decode(op, raw.as_bytes(), 46)
            };
            assert_eq!(written(0), Ok(0));
            assert_eq!(written(size), Ok(size));
            if let Some(more) = size.checked_add(1) {
                assert_eq!(written(more), Err(BadReply::Count));
                assert_eq!(written(u32::MAX), Err(BadReply::Count));
            }
        }
    }

    /// What a reader must have room for.
    #[test]
    fn the_longest_message() {
        for size in [0, 4096, 1 << 20, u32::MAX] {
            assert_eq!(Write::message_len(size), 40 + 40 + size as usize);
        }
    }
}
