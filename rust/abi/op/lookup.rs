// SPDX-License-Identifier: GPL-2.0

//! LOOKUP: finds a name in a directory.
//!
//! C counterpart: `fuse_lookup_init`, and the checks of `fuse_lookup_name` and
//! `fuse_dentry_revalidate` (dir.c). Takes no locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    entry::{
        Entry,
        FuseEntryOut,
        SeenEntry, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    flags::AttrFlags,
    ids::NodeId,
    name::Name,
    opcode::Opcode,
    time::Timeout,
    version::Minor, //
};

/// Finds a name in the directory that the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The name; `.` and `..` only where the daemon supports export.
    pub name: Name<'a>,
}

/// What a LOOKUP has found; `E` is an [`Entry`], or a [`SeenEntry`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupOut<E = Entry> {
    /// Nothing, and for a while there will be nothing. As ENOENT, but with a timeout.
    Negative {
        /// How long that is good.
        valid: Timeout,
    },
    /// A node; may be the root's, which the caller of a plain lookup refuses.
    Found(E),
    /// A node whose attributes are impossible; the caller gets EIO.
    ///
    /// A plain lookup says no more (C sends no FORGET either); revalidation counts the reference,
    /// or gives it back if the node is not the one it had, or is to be mounted upon as that one is
    /// not.
    BadAttr {
        /// The node.
        node: NodeId,
        /// What is said of it beside.
        flags: AttrFlags,
    },
}

impl Op for Lookup<'_> {
    const OPCODE: Opcode = Opcode::Lookup;
    type Out = LookupOut;

    fn in_len(&self, _minor: Minor) -> usize {
        self.name.wire_len()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        self.name.encode(out)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseEntryOut::wire_len(minor))
    }

    #[inline(always)]
    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Self::Out, BadReply> {
        LookupOut::decode(body, minor)
    }
}

impl LookupOut {
    /// Checks the body of a reply without an error.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    #[inline(always)]
    pub fn decode(body: Body<'_>, minor: Minor) -> Result<Self, BadReply> {
        Self::look(body, minor, |out| match out {
            LookupOut::Negative { valid } => Self::Negative { valid },
            LookupOut::Found(entry) => Self::Found(entry.into()),
            LookupOut::BadAttr { node, flags } => Self::BadAttr { node, flags },
        })
    }

    /// As [`decode`](Self::decode), looked at where the reply lies.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    #[inline(always)]
    pub fn look<R>(
        body: Body<'_>,
        minor: Minor,
        then: impl FnOnce(LookupOut<SeenEntry<'_>>) -> R,
    ) -> Result<R, BadReply> {
        FuseEntryOut::look(body, minor, |raw| {
            then(match NodeId::new(raw.nodeid) {
                None => LookupOut::Negative {
                    valid: raw.entry_valid(),
                },
                Some(node) => match raw.found(node) {
                    Ok(entry) => LookupOut::Found(entry),
                    Err(_) => LookupOut::BadAttr {
                        node,
                        flags: raw.attr.flags(),
                    },
                },
            })
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::{
        testing::*,
        FileType,
        Generation, //
    };
    use zerocopy::IntoBytes;

    pub fn case() -> Case {
        Case::new(Lookup { name: name("ab") }, |_| 3, entry_only)
    }

    #[test]
    fn a_name_and_a_nul() {
        expect(Lookup { name: name("ab") }, 46, wire().text("ab\0"));
        let long = "x".repeat(4095);
        let op = Lookup { name: name(&long) };
        expect_bytes(&op, wire().text(&long).text("\0"));
    }

    fn expect_bytes(op: &Lookup<'_>, wire: Wire) {
        assert_eq!(encode(op, 46), wire.0);
    }

    /// What a LOOKUP makes of an entry.
    pub fn lookup(raw: &FuseEntryOut, minor: u32) -> Result<LookupOut, BadReply> {
        let len = entry_len(minor);
        decode(Lookup { name: name("ab") }, &raw.as_bytes()[..len], minor)
    }

    #[test]
    fn finds() {
        for &minor in MINORS {
            let Ok(LookupOut::Found(entry)) = lookup(&raw_entry(5, 0o040755), minor) else {
                panic!("not found");
            };
            assert_eq!(entry.node, node(5));
            assert_eq!(entry.generation.get(), 7);
            assert_eq!(entry.entry_valid, Timeout::new(20, 21));
            assert_eq!(entry.attr_valid, Timeout::new(30, 31));
            assert_eq!(
                (entry.attr().kind(), entry.attr().gid()),
                (FileType::Directory, 1001)
            );
            let (blkbits, flags) = match minor {
                0..=8 => (None, AttrFlags::EMPTY),
                _ => (Some(12), AttrFlags::SUBMOUNT),
            };
            assert_eq!(
                (entry.attr().blkbits(), entry.attr().flags()),
                (blkbits, flags)
            );
        }
    }

    #[test]
    fn finds_nothing_for_a_while() {
        // Attributes do not matter then.
        for mode in [0, 0o100644, u32::MAX] {
            let valid = Timeout::new(20, 21);
            assert_eq!(
                lookup(&raw_entry(0, mode), 46),
                Ok(LookupOut::Negative { valid })
            );
        }
        let zeros = FuseEntryOut::default();
        let valid = Timeout::ZERO;
        assert_eq!(lookup(&zeros, 46), Ok(LookupOut::Negative { valid }));
    }

    #[test]
    fn keeps_the_node_of_bad_attributes() {
        let bad = |flags| {
            Ok(LookupOut::BadAttr {
                node: node(5),
                flags,
            })
        };
        assert_eq!(lookup(&raw_entry(5, 0), 46), bad(AttrFlags::SUBMOUNT));
        let mut raw = raw_entry(5, 0o100644);
        raw.attr.size = 1 << 63;
        raw.attr.flags = 0;
        assert_eq!(lookup(&raw, 46), bad(AttrFlags::EMPTY));
        raw.attr.flags = u32::MAX;
        assert_eq!(lookup(&raw, 46), bad(AttrFlags::KNOWN));
        // Not on the wire yet.
        assert_eq!(lookup(&raw, 8), bad(AttrFlags::EMPTY));
    }

    #[test]
    fn generations_are_32_bits_and_the_roots_is_0() {
        let generation = |nodeid, generation| {
            let raw = FuseEntryOut {
                generation,
                ..raw_entry(nodeid, 0o040755)
            };
            match lookup(&raw, 46) {
                Ok(LookupOut::Found(entry)) => entry.generation,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(generation(5, 0xffff_ffff_0000_0007).get(), 7);
        assert_eq!(generation(5, u64::MAX).get(), u32::MAX);
        assert_eq!(generation(1, 7), Generation::ZERO);
        assert_eq!(generation(u64::MAX, 0), Generation::ZERO);
    }
}
