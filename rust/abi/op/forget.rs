// SPDX-License-Identifier: GPL-2.0

//! FORGET: gives references to one node back. Sent as it is, not as a request: nobody waits for it.
//!
//! C counterpart: `fuse_read_single_forget` (dev.c). Takes no locks.

use super::FuseForgetOne;
use crate::abi::{
    header::InHeader,
    ids::Unique,
    opcode::Opcode, //
};
use zerocopy_derive::{
    Immutable,
    IntoBytes, //
};

wire! {
    /// C: `struct fuse_forget_in`.
    struct FuseForgetIn: 8 {
        nlookup: u64,
    }
}

/// The whole message. Has nobody's credentials, and no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub struct Forget {
    header: InHeader,
    body: FuseForgetIn,
}

impl Forget {
    /// Gives references to one node back.
    pub const fn new(unique: Unique, one: FuseForgetOne) -> Self {
        let len = size_of::<Self>() as u32;

        Self {
            header: InHeader::of_message(Opcode::Forget, unique, one.nodeid, len),
            body: FuseForgetIn {
                nlookup: one.nlookup,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    #[test]
    fn bytes() {
        let one = FuseForgetOne {
            nodeid: 6,
            nlookup: 5,
        };
        let expected = header(48, 2, 42, 6).u64(5);
        assert_eq!(
            Forget::new(Unique::from_raw(42), one).as_bytes(),
            expected.0
        );
    }
}
