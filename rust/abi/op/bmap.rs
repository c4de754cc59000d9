// SPDX-License-Identifier: GPL-2.0

//! BMAP: where a block of a file is on the block device.
//!
//! C counterpart: `fuse_bmap` (file.c). Takes no locks.

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
    /// C: `struct fuse_bmap_in`.
    struct FuseBmapIn: 16 {
        block: u64,
        blocksize: u32,
        padding: u32,
    }
    /// C: `struct fuse_bmap_out`.
    struct FuseBmapOut: 8 {
        block: u64,
    }
}

/// Asks which block of the device a block of the node's file is in.
#[derive(Clone, Copy, Debug)]
pub struct Bmap {
    /// The file's block.
    pub block: u64,
    /// Bytes of a block, of either kind.
    pub blocksize: u32,
}

impl Op for Bmap {
    const OPCODE: Opcode = Opcode::Bmap;
    /// The device's block; 0 for a hole.
    type Out = u64;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseBmapIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseBmapIn {
            block: self.block,
            blocksize: self.blocksize,
            padding: 0,
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseBmapOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<u64, BadReply> {
        let raw: FuseBmapOut = body.fixed()?;

        Ok(raw.block)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    const BMAP: Bmap = Bmap {
        block: 9,
        blocksize: 512,
    };

    pub fn case() -> Case {
        Case::new(BMAP, |_| 16, |_| Expect::Exactly(8))
    }

    #[test]
    fn bytes() {
        expect(BMAP, 46, wire().u64(9).u32(512).u32(0));
    }

    #[test]
    fn any_block_will_do() {
        for block in [0, 1, u64::MAX] {
            assert_eq!(decode(BMAP, &block.to_ne_bytes(), 46), Ok(block));
        }
    }
}
