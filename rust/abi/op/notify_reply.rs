// SPDX-License-Identifier: GPL-2.0

//! NOTIFY_REPLY: what a daemon has asked for by RETRIEVE. It goes out under the number that the
//! daemon has given, which need not be one that requests have, and no reply comes.
//!
//! C counterpart: `fuse_retrieve` (notify.c). Takes no locks.

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
    opcode::Opcode,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_notify_retrieve_in`. As long as `struct fuse_write_in`.
    struct FuseNotifyRetrieveIn: 40 {
        dummy1: u64,
        offset: u64,
        size: u32,
        dummy2: u32,
        dummy3: u64,
        dummy4: u64,
    }
}

/// Data of the page cache, which go as payload.
#[derive(Clone, Copy, Debug)]
pub struct NotifyReply {
    /// Where they begin, as RETRIEVE has said.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
}

impl Op for NotifyReply {
    const OPCODE: Opcode = Opcode::NotifyReply;
    type Out = ();

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseNotifyRetrieveIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseNotifyRetrieveIn {
            offset: self.offset,
            size: self.size,
            ..Default::default()
        })
    }

    fn payload_in(&self) -> u32 {
        self.size
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::None
    }

    fn decode(&self, _body: Body<'_>, _minor: Minor) -> Result<(), BadReply> {
        Err(BadReply::Length)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    const REPLY: NotifyReply = NotifyReply {
        offset: 1 << 40,
        size: 4096,
    };

    pub fn case() -> Case {
        Case::new(REPLY, |_| 40, |_| Expect::Nothing)
    }

    #[test]
    fn bytes() {
        let expected = wire().u64(0).u64(1 << 40).u32(4096).u32(0).u64(0).u64(0);
        expect(REPLY, 46, expected);
    }
}
