// SPDX-License-Identifier: GPL-2.0

//! BATCH_FORGET: gives references to many nodes back. From 7.16 on. Sent as it is, not as a
//! request: nobody waits for it.
//!
//! C counterpart: `fuse_read_batch_forget` (dev.c). Takes no locks.
//!
//! After the header, one reference to node 6 and two to node 7:
//!
//! ```text
//! 02 00 00 00  count                   00 00 00 00  dummy
//! 06 00 00 00 00 00 00 00              01 00 00 00 00 00 00 00
//! 07 00 00 00 00 00 00 00              02 00 00 00 00 00 00 00
//! ```

use crate::abi::{
    error::Overflow,
    header::InHeader,
    ids::{
        Nlookup,
        NodeId,
        Unique, //
    },
    opcode::Opcode, //
};
use zerocopy_derive::{
    Immutable,
    IntoBytes, //
};

wire! {
    /// C: `struct fuse_batch_forget_in`.
    struct FuseBatchForgetIn: 8 {
        count: u32,
        dummy: u32,
    }
    /// C: `struct fuse_forget_one`.
    struct FuseForgetOne: 16 {
        nodeid: u64,
        nlookup: u64,
    }
}

impl FuseForgetOne {
    /// References to one node.
    pub const fn new(node: NodeId, nlookup: Nlookup) -> Self {
        Self {
            nodeid: node.get(),
            nlookup: nlookup.get(),
        }
    }
}

/// What the message begins with; so many [`FuseForgetOne`]s follow. Is about no node, has nobody's
/// credentials, and no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, IntoBytes, Immutable)]
#[repr(C)]
pub struct BatchForget {
    header: InHeader,
    body: FuseBatchForgetIn,
}

impl BatchForget {
    /// Gives references to `count` nodes back; see [`max_in`](Self::max_in).
    ///
    /// # Errors
    ///
    /// [`Overflow`] if the message would be longer than 32 bits can say.
    pub fn new(unique: Unique, count: u32) -> Result<Self, Overflow> {
        let len = (size_of::<FuseForgetOne>() as u32)
            .checked_mul(count)
            .and_then(|len| len.checked_add(size_of::<Self>() as u32))
            .ok_or(Overflow)?;

        Ok(Self {
            header: InHeader::of_message(Opcode::BatchForget, unique, 0, len),
            body: FuseBatchForgetIn { count, dummy: 0 },
        })
    }

    /// Bytes of the message, with all that follows.
    pub const fn message_len(&self) -> usize {
        self.header.len as usize
    }

    /// How many nodes fit into a reader's buffer of so many bytes.
    pub const fn max_in(buf_len: usize) -> usize {
        match buf_len
            .saturating_sub(size_of::<Self>())
            .checked_div(size_of::<FuseForgetOne>())
        {
            Some(count) => count,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    const UNIQUE: Unique = Unique::from_raw(42);

    #[test]
    fn bytes() {
        for count in [0, 1, 2, 1000] {
            let start = BatchForget::new(UNIQUE, count).expect("short enough");
            let len = 48 + 16 * count;
            let expected = header(len, 42, 42, 0).u32(count).u32(0);
            assert_eq!(start.as_bytes(), expected.0);
            assert_eq!(start.message_len(), len as usize);
        }
        let one = FuseForgetOne::new(node(6), Nlookup::new(5));
        assert_eq!(one.as_bytes(), wire().u64(6).u64(5).0);
    }

    #[test]
    fn shorter_than_4_gib() {
        let most = (u32::MAX - 48) / 16;
        assert!(BatchForget::new(UNIQUE, most).is_ok());
        for count in [most + 1, u32::MAX] {
            assert_eq!(BatchForget::new(UNIQUE, count), Err(Overflow));
        }
    }

    #[test]
    fn a_batch_fits_into_the_readers_buffer() {
        for len in 0..48 + 16 {
            assert_eq!(BatchForget::max_in(len), 0, "{len}");
        }
        assert_eq!(BatchForget::max_in(48 + 16), 1);
        for len in 48..10_000 {
            let count = BatchForget::max_in(len);
            assert!(48 + count * 16 <= len && 48 + (count + 1) * 16 > len);
        }
        assert_eq!(BatchForget::max_in(usize::MAX), (usize::MAX - 48) / 16);
    }
}
