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
        FuseEntryOut, //
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

/// What a LOOKUP has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupOut {
    /// Nothing, and for a while there will be nothing. As ENOENT, but with a timeout.
    Negative {
        /// How long that is good.
        valid: Timeout,
    },
    /// A node; may be the root's, which the caller of a plain lookup refuses.
    Found(Entry),
    /// A node whose attributes are impossible; the caller gets EIO.
    ///
    /// A plain lookup says no more (C sends no FORGET either); revalidation counts the reference, or
    /// gives it back if the node is not the one it had, or is to be mounted upon as that one is not.
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
        let raw: FuseEntryOut = body.short(FuseEntryOut::wire_len(minor))?;

        Ok(match NodeId::new(raw.nodeid) {
            None => Self::Negative {
                valid: raw.entry_valid(),
            },
            Some(node) => match raw.found(node) {
                Ok(entry) => Self::Found(entry),
                Err(_) => Self::BadAttr {
                    node,
                    flags: raw.attr.flags(),
                },
            },
        })
    }
}
