// SPDX-License-Identifier: GPL-2.0

//! Numbers that must not be confused with each other.
//!
//! C counterpart: bare `u64`s. Takes no locks.

use core::num::NonZeroU64;

/// A node: what the daemon calls a file, directory or whatever it serves.
///
/// Comes with a reply to LOOKUP or to one of the creating operations, and is valid until the
/// daemon has been sent as many FORGETs as it has given us references ([`Nlookup`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(NonZeroU64);

impl NodeId {
    /// The root of the mount (`FUSE_ROOT_ID`); never looked up, never forgotten.
    pub const ROOT: Self = Self(NonZeroU64::MIN);

    /// `None` for 0, which is no node: a negative entry in a reply to LOOKUP.
    pub const fn new(node: u64) -> Option<Self> {
        match NonZeroU64::new(node) {
            Some(node) => Some(Self(node)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// Whether this is the root.
    pub fn is_root(self) -> bool {
        self == Self::ROOT
    }
}

/// Tells apart the objects that a daemon has given the same node, one after the other.
///
/// 64 bits on the wire, of which the kernel compares the low 32 (`inode::i_generation`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Generation(u32);

impl Generation {
    /// The root's.
    pub const ZERO: Self = Self(0);

    /// As the kernel truncates it.
    pub const fn from_wire(generation: u64) -> Self {
        Self(generation as u32)
    }

    /// For `inode::i_generation`.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// The identity of a request.
///
/// Even, so that its lowest bit can mark the INTERRUPT for it, and ever growing; 0 belongs to
/// notifications.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Unique(u64);

impl Unique {
    /// The one before the first: no request has it.
    pub const ZERO: Self = Self(0);
    /// Marks an INTERRUPT and the reply to it (`FUSE_INT_REQ_BIT`).
    pub const INTERRUPT: u64 = 1;
    /// Marks a request that is sent again (`FUSE_UNIQUE_RESEND`).
    pub const RESEND: u64 = 1 << 63;

    /// From the wire, or from a counter.
    pub const fn from_raw(unique: u64) -> Self {
        Self(unique)
    }

    /// The number, with its marks.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The identity of the INTERRUPT for this request.
    pub const fn interrupt(self) -> Self {
        Self(self.0 | Self::INTERRUPT)
    }

    /// Whether this is an INTERRUPT's.
    pub const fn is_interrupt(self) -> bool {
        self.0 & Self::INTERRUPT != 0
    }

    /// The request that this one is, or that this INTERRUPT is for.
    pub const fn request(self) -> Self {
        Self(self.0 & !Self::INTERRUPT)
    }
}

/// The daemon's name for an open file or directory; any number, 0 included.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileHandle(u64);

impl FileHandle {
    /// What is sent for a file that the daemon was never asked to open.
    pub const ZERO: Self = Self(0);

    /// From the wire.
    pub const fn from_raw(fh: u64) -> Self {
        Self(fh)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Our name for an open file or directory, for notifications about it (`fuse_file::kh`).
///
/// Each open has the next number; none has 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PollHandle(u64);

impl PollHandle {
    /// Nothing is before it.
    pub const FIRST: Self = Self(1);

    /// From the wire, or from a counter.
    pub const fn from_raw(kh: u64) -> Self {
        Self(kh)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next one; `None` after the last.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(kh) => Some(Self(kh)),
            None => None,
        }
    }
}

/// The owner of a file lock, scrambled (`fuse_lock_owner_id`): no kernel address leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockOwner(u64);

impl LockOwner {
    /// From the scrambled number.
    pub const fn from_raw(owner: u64) -> Self {
        Self(owner)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What stands on the wire: 0 where there is no owner.
    pub(super) fn to_wire(owner: Option<Self>) -> u64 {
        owner.map_or(0, Self::get)
    }
}

/// How many references to a node the daemon has given us and not had back.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Nlookup(u64);

impl Nlookup {
    /// So many.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_its_requests() {
        let first = Unique::from_raw(2);
        let again = Unique::from_raw(2 | (1 << 63));
        assert_eq!(again.interrupt().request(), again);
        assert_eq!(first.interrupt().get(), 3);
        assert!(first.interrupt().is_interrupt() && !first.is_interrupt());
    }

    #[test]
    fn poll_handles_end() {
        assert!(PollHandle::from_raw(1).next() == Some(PollHandle::from_raw(2)));
        assert_eq!(PollHandle::from_raw(u64::MAX).next(), None);
        assert!(PollHandle::from_raw(9) < PollHandle::from_raw(10));
    }

    #[test]
    fn node_0_is_none() {
        assert_eq!(NodeId::new(0), None);
        assert_eq!(NodeId::new(1), Some(NodeId::ROOT));
        assert!(NodeId::ROOT.is_root());
        let last = NodeId::new(u64::MAX).expect("a node");
        assert!(last.get() == u64::MAX && !last.is_root());
    }
}
