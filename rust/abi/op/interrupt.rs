// SPDX-License-Identifier: GPL-2.0

//! INTERRUPT: the caller of a request has a signal pending. Sent as it is, not as a request: nobody
//! waits for it.
//!
//! C counterpart: `fuse_read_interrupt` (dev.c). Takes no locks.

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
    /// C: `struct fuse_interrupt_in`.
    struct FuseInterruptIn: 8 {
        unique: u64,
    }
}

/// The whole message.
///
/// Is about no node, has nobody's credentials, and the unique [`Unique::interrupt`] of the
/// request's. A reply is possible but not needed; see
/// [`Answer::Interrupt`](crate::abi::header::Answer).
#[derive(Clone, Copy, PartialEq, Eq, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub struct Interrupt {
    header: InHeader,
    body: FuseInterruptIn,
}

impl Interrupt {
    /// Tells that the caller of `request` has a signal pending.
    pub const fn new(request: Unique) -> Self {
        let len = size_of::<Self>() as u32;

        Self {
            header: InHeader::of_message(Opcode::Interrupt, request.interrupt(), 0, len),
            body: FuseInterruptIn {
                unique: request.get(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    /// Its own unique is odd.
    #[test]
    fn bytes() {
        let expected = header(48, 36, 43, 0).u64(42);
        assert_eq!(Interrupt::new(Unique::from_raw(42)).as_bytes(), expected.0);
    }

    #[test]
    fn of_a_request_that_was_sent_again() {
        let again = Unique::from_raw(42 | (1 << 63));
        let expected = header(48, 36, 43 | (1 << 63), 0).u64(42 | (1 << 63));
        assert_eq!(Interrupt::new(again).as_bytes(), expected.0);
    }
}
