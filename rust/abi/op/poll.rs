// SPDX-License-Identifier: GPL-2.0

//! POLL: asks what an open file is ready for.
//!
//! C counterpart: `fuse_file_poll` (poll.c). Takes no locks.

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
    flags::PollFlags,
    ids::{
        FileHandle,
        PollHandle, //
    },
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_poll_in`.
    struct FusePollIn: 24 {
        fh: u64,
        kh: u64,
        flags: u32,
        events: u32,
    }
    /// C: `struct fuse_poll_out`.
    struct FusePollOut: 8 {
        revents: u32,
        padding: u32,
    }
}

/// Asks what a file is ready for. Events are `POLL*` of poll(2).
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// The file.
    pub fh: FileHandle,
    /// What a notification will call it ([`Notification::Poll`](crate::abi::Notification)).
    pub kh: PollHandle,
    /// What the caller wants to know.
    pub events: u16,
    /// Somebody waits: the daemon is to say when the answer would be another one.
    pub notify: bool,
}

impl Op for Poll {
    const OPCODE: Opcode = Opcode::Poll;
    /// What it is ready for, or more. What is above 16 bits does not matter, as in C.
    type Out = u16;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FusePollIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let flags = PollFlags::EMPTY.with_if(self.notify, PollFlags::SCHEDULE_NOTIFY);

        out.put(&FusePollIn {
            fh: self.fh.get(),
            kh: self.kh.get(),
            flags: flags.bits(),
            events: self.events.into(),
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FusePollOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u16, BadReply> {
        let raw: FusePollOut = body.fixed()?;

        Ok(raw.revents as u16)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    fn poll(events: u16, notify: bool) -> Poll {
        Poll {
            fh: FileHandle::from_raw(9),
            kh: PollHandle::from_raw(3),
            events,
            notify,
        }
    }

    pub fn case() -> Case {
        Case::new(poll(1, true), |_| 24, |_| Expect::Exactly(8))
    }

    #[test]
    fn bytes() {
        let wire = |flags, events| wire().u64(9).u64(3).u32(flags).u32(events);
        for minor in [0, 10, 46] {
            expect(poll(0x27ff, false), minor, wire(0, 0x27ff));
            expect(poll(1, true), minor, wire(1, 1));
            expect(poll(0, true), minor, wire(1, 0));
            expect(poll(u16::MAX, false), minor, wire(0, 0xffff));
        }
    }

    #[test]
    fn events_are_the_low_bits() {
        for (revents, expected) in [
            (0, 0),
            (5, 5),
            (0xffff, 0xffff),
            (0x8_0001, 1),
            (u32::MAX, 0xffff),
            (1 << 16, 0),
        ] {
            let raw = FusePollOut {
                revents,
                padding: u32::MAX,
            };
            assert_eq!(decode(poll(1, true), raw.as_bytes(), 46), Ok(expected));
        }
    }
}
