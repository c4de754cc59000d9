// SPDX-License-Identifier: GPL-2.0

//! An entry: the node behind a name, with its attributes.
//!
//! C counterpart: `struct fuse_entry_out`, the checks of `create_new_entry`, `fuse_create_open` and
//! `fuse_lookup_name` (dir.c). Takes no locks.

use super::{
    attr::{
        Attr,
        FuseAttr,
        KeptAttr, //
    },
    codec::{
        Body,
        Reader, //
    },
    error::BadReply,
    ids::{
        Generation,
        NodeId, //
    },
    mode::FileType,
    time::Timeout,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_entry_out`, unchecked.
    struct FuseEntryOut: 128 {
        nodeid: u64,
        generation: u64,
        entry_valid: u64,
        attr_valid: u64,
        entry_valid_nsec: u32,
        attr_valid_nsec: u32,
        attr: FuseAttr,
    }
}

/// Bytes of `struct fuse_entry_out` before 7.9.
const COMPAT_ENTRY_OUT_SIZE: usize = 120;

impl FuseEntryOut {
    /// Bytes on the wire.
    #[inline]
    pub(super) const fn wire_len(minor: Minor) -> usize {
        if minor.before(9) {
            COMPAT_ENTRY_OUT_SIZE
        } else {
            size_of::<Self>()
        }
    }

    /// The reply to LOOKUP, where it lies.
    ///
    /// # Errors
    ///
    /// [`BadReply`] for one of the wrong length.
    #[inline(always)]
    pub(super) fn look<R>(
        body: Body<'_>,
        minor: Minor,
        then: impl FnOnce(&Self) -> R,
    ) -> Result<R, BadReply> {
        let len = Self::wire_len(minor);
        let short;
        let raw = match body.whole(len) {
            Some(raw) => raw,
            None => {
                short = body.short(len)?;
                &short
            }
        };
        Ok(then(raw))
    }

    #[inline]
    pub(super) fn take(reader: &mut Reader<'_>, minor: Minor) -> Result<Self, BadReply> {
        reader.take_short(Self::wire_len(minor))
    }

    pub(super) fn entry_valid(&self) -> Timeout {
        Timeout::new(self.entry_valid, self.entry_valid_nsec)
    }

    /// The entry of a node that has been looked up.
    #[inline(always)]
    pub(super) fn found(&self, node: NodeId) -> Result<SeenEntry<'_>, BadReply> {
        Ok(SeenEntry {
            node,
            // The root's must be 0; C corrects those that are not.
            generation: if node.is_root() {
                Generation::ZERO
            } else {
                Generation::from_wire(self.generation)
            },
            entry_valid: self.entry_valid(),
            attr_valid: Timeout::new(self.attr_valid, self.attr_valid_nsec),
            attr: Attr::new(&self.attr)?,
        })
    }

    /// The entry of a node that has been made, and was to be of one type.
    pub(super) fn created(&self, kind: FileType) -> Result<Entry, BadReply> {
        let node = NodeId::new(self.nodeid)
            .filter(|node| !node.is_root())
            .ok_or(BadReply::Node)?;
        let entry = Entry::from(self.found(node)?);
        if entry.attr().kind() != kind {
            return Err(BadReply::Kind);
        }
        Ok(entry)
    }

    /// The reply to MKNOD, MKDIR, SYMLINK and LINK.
    pub(super) fn decode_created(
        body: Body<'_>,
        minor: Minor,
        kind: FileType,
    ) -> Result<Entry, BadReply> {
        Entry::decode_created(body, minor, kind)
    }
}

impl Entry {
    /// The root, of which only type and permissions are known.
    pub fn root(kind: FileType, perm: u16) -> Self {
        Self {
            node: NodeId::ROOT,
            generation: Generation::ZERO,
            entry_valid: Timeout::ZERO,
            attr_valid: Timeout::ZERO,
            attr: KeptAttr::empty(NodeId::ROOT.get(), kind, perm),
        }
    }

    /// The attributes.
    #[inline]
    pub fn attr(&self) -> Attr<'_> {
        self.attr.get()
    }

    /// The same, borrowed.
    #[inline]
    pub fn seen(&self) -> SeenEntry<'_> {
        SeenEntry {
            node: self.node,
            generation: self.generation,
            entry_valid: self.entry_valid,
            attr_valid: self.attr_valid,
            attr: self.attr(),
        }
    }

    /// Checks the body of a reply without an error to what makes an object of one type.
    ///
    /// # Errors
    ///
    /// [`BadReply`]: the caller gets EIO.
    pub fn decode_created(body: Body<'_>, minor: Minor, kind: FileType) -> Result<Self, BadReply> {
        let raw: FuseEntryOut = body.short(FuseEntryOut::wire_len(minor))?;
        raw.created(kind)
    }
}

/// An entry, checked, where the reply lies; see [`Attr`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenEntry<'a> {
    /// The node; never the root for a new object.
    pub node: NodeId,
    /// Of the node.
    pub generation: Generation,
    /// How long the name is good.
    pub entry_valid: Timeout,
    /// How long the attributes are good.
    pub attr_valid: Timeout,
    /// The attributes.
    pub attr: Attr<'a>,
}

impl From<SeenEntry<'_>> for Entry {
    #[inline]
    fn from(seen: SeenEntry<'_>) -> Self {
        Self {
            node: seen.node,
            generation: seen.generation,
            entry_valid: seen.entry_valid,
            attr_valid: seen.attr_valid,
            attr: seen.attr.into(),
        }
    }
}

/// An entry, checked. Holding one means owing the daemon one FORGET of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The node; never the root for a new object.
    pub node: NodeId,
    /// Of the node.
    pub generation: Generation,
    /// How long the name is good.
    pub entry_valid: Timeout,
    /// How long the attributes are good.
    pub attr_valid: Timeout,
    attr: KeptAttr,
}
