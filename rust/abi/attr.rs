// SPDX-License-Identifier: GPL-2.0

//! Attributes as a daemon reports them.
//!
//! C counterpart: `struct fuse_attr`, `fuse_invalid_attr` (dir.c), and what
//! `fuse_change_attributes_common` (inode.c) clamps. Takes no locks.

use super::{
    codec::Body,
    error::{
        BadAttr,
        BadReply, //
    },
    flags::AttrFlags,
    mode::{
        FileType,
        Rdev,
        S_IALLUGO,
        S_IFMT, //
    },
    time::{
        Timeout,
        Timestamp, //
    },
    version::Minor, //
};

wire! {
    /// C: `struct fuse_attr`, unchecked. Daemons before 7.9 do not know the last two fields.
    struct FuseAttr: 88 {
        ino: u64,
        size: u64,
        blocks: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atimensec: u32,
        mtimensec: u32,
        ctimensec: u32,
        mode: u32,
        nlink: u32,
        uid: u32,
        gid: u32,
        rdev: u32,
        blksize: u32,
        flags: u32,
    }
}

impl FuseAttr {
    /// Those that we know.
    pub(super) fn flags(&self) -> AttrFlags {
        AttrFlags::from_bits(self.flags).masked(AttrFlags::KNOWN)
    }
}

wire! {
    /// C: `struct fuse_attr_out`, unchecked.
    struct FuseAttrOut: 104 {
        attr_valid: u64,
        attr_valid_nsec: u32,
        dummy: u32,
        attr: FuseAttr,
    }
}

/// Bytes of `struct fuse_attr_out` before 7.9.
const COMPAT_ATTR_OUT_SIZE: usize = 96;

impl FuseAttrOut {
    /// Bytes on the wire.
    #[inline]
    pub(super) const fn wire_len(minor: Minor) -> usize {
        if minor.before(9) {
            COMPAT_ATTR_OUT_SIZE
        } else {
            size_of::<Self>()
        }
    }

    /// The replies to GETATTR and SETATTR, looked at where they lie.
    #[inline(always)]
    pub(super) fn look<R>(
        body: Body<'_>,
        minor: Minor,
        then: impl FnOnce(Result<Attr<'_>, BadAttr>, Timeout) -> R,
    ) -> Result<R, BadReply> {
        let len = Self::wire_len(minor);
        let short;
        let raw: &Self = match body.whole(len) {
            Some(raw) => raw,
            None => {
                short = body.short(len)?;
                &short
            }
        };
        let valid = Timeout::new(raw.attr_valid, raw.attr_valid_nsec);
        Ok(then(Attr::new(&raw.attr), valid))
    }

    /// The same, to be kept.
    pub(super) fn decode(
        body: Body<'_>,
        minor: Minor,
    ) -> Result<Result<AttrReply, BadAttr>, BadReply> {
        Self::look(body, minor, |attr, valid| {
            attr.map(|attr| AttrReply {
                attr: attr.into(),
                valid,
            })
        })
    }
}

/// Attributes, checked, where the reply lies: they are many, and moving them around costs
/// something.
///
/// What is not checked, as in C: that the type is that of the inode (`inode_wrong_type`, which
/// makes the inode bad), and ids, which the daemon's user namespace may not map.
///
/// # Invariants
///
/// The size is at most `i64::MAX`, and the type one of the seven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attr<'a> {
    raw: &'a FuseAttr,
}

impl<'a> Attr<'a> {
    /// Checks what a daemon sent.
    ///
    /// # Errors
    ///
    /// [`BadAttr`] for a type that is none, and a size beyond `i64::MAX`.
    #[inline(always)]
    pub fn new(raw: &'a FuseAttr) -> Result<Self, BadAttr> {
        if i64::try_from(raw.size).is_err() || FileType::from_mode(raw.mode).is_none() {
            return Err(BadAttr);
        }
        // INVARIANT: Just checked.
        Ok(Self { raw })
    }

    /// For `stat`; any number, and not the node.
    #[inline]
    pub fn ino(self) -> u64 {
        self.raw.ino
    }

    /// The same in a machine word of so many bits, which is what C's `ino_t` has
    /// (`fuse_squash_ino()`): the upper half of a number that is too long is not lost.
    #[inline]
    pub const fn squashed_ino(self, bits: u32) -> u64 {
        if bits < u64::BITS {
            (self.raw.ino ^ (self.raw.ino >> 32)) & 0xffff_ffff
        } else {
            self.raw.ino
        }
    }

    /// Bytes, at most `i64::MAX`.
    #[inline]
    pub fn size(self) -> i64 {
        self.raw.size as i64
    }

    /// Units of 512 bytes; any number.
    #[inline]
    pub fn blocks(self) -> u64 {
        self.raw.blocks
    }

    /// Last access.
    #[inline]
    pub fn atime(self) -> Timestamp {
        Timestamp::from_wire(self.raw.atime, self.raw.atimensec)
    }

    /// Last change of the contents.
    #[inline]
    pub fn mtime(self) -> Timestamp {
        Timestamp::from_wire(self.raw.mtime, self.raw.mtimensec)
    }

    /// Last change of contents or attributes.
    #[inline]
    pub fn ctime(self) -> Timestamp {
        Timestamp::from_wire(self.raw.ctime, self.raw.ctimensec)
    }

    /// The type.
    #[inline]
    pub fn kind(self) -> FileType {
        // By the invariant it is one.
        FileType::from_mode(self.raw.mode).unwrap_or(FileType::Regular)
    }

    /// Permissions, set-id and sticky bits: at most 0o7777.
    #[inline]
    pub fn perm(self) -> u16 {
        (self.raw.mode & S_IALLUGO) as u16
    }

    /// Type and permissions.
    #[inline]
    pub fn mode(self) -> u32 {
        self.raw.mode & (S_IFMT | S_IALLUGO)
    }

    /// Links; any number.
    #[inline]
    pub fn nlink(self) -> u32 {
        self.raw.nlink
    }

    /// The owner, in the daemon's user namespace.
    #[inline]
    pub fn uid(self) -> u32 {
        self.raw.uid
    }

    /// The group, in the daemon's user namespace.
    #[inline]
    pub fn gid(self) -> u32 {
        self.raw.gid
    }

    /// Of a device.
    #[inline]
    pub fn rdev(self) -> Rdev {
        Rdev::from_raw(self.raw.rdev)
    }

    /// The preferred block size as a power of two, at most 31; `None` for the superblock's.
    #[inline]
    pub fn blkbits(self) -> Option<u8> {
        self.raw.blksize.checked_ilog2().map(|bits| bits as u8)
    }

    /// Known ones only.
    #[inline]
    pub fn flags(self) -> AttrFlags {
        self.raw.flags()
    }
}

/// Attributes, checked, to be kept.
///
/// # Invariants
///
/// Those of [`Attr`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeptAttr(FuseAttr);

impl From<Attr<'_>> for KeptAttr {
    #[inline]
    fn from(attr: Attr<'_>) -> Self {
        // INVARIANT: The same.
        Self(*attr.raw)
    }
}

impl KeptAttr {
    /// Those of an empty file of which only this is known.
    pub(super) fn empty(ino: u64, kind: FileType, perm: u16) -> Self {
        // INVARIANT: A type, and no size.
        Self(FuseAttr {
            ino,
            mode: kind.bits() | (u32::from(perm) & S_IALLUGO),
            nlink: 1,
            ..FuseAttr::default()
        })
    }

    #[inline]
    pub(super) fn get(&self) -> Attr<'_> {
        // INVARIANT: The same.
        Attr { raw: &self.0 }
    }
}

/// The reply to GETATTR and SETATTR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttrReply {
    attr: KeptAttr,
    /// How long they are good.
    pub valid: Timeout,
}

impl AttrReply {
    /// The attributes.
    #[inline]
    pub fn attr(&self) -> Attr<'_> {
        self.attr.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{
        op::{
            Getattr,
            Setattr, //
        },
        testing::*, //
    };
    use zerocopy::IntoBytes;

    #[test]
    fn attributes_as_sent() {
        let raw = FuseAttrOut {
            attr_valid: 30,
            attr_valid_nsec: 31,
            dummy: u32::MAX,
            attr: raw_attr(0o104755),
        };
        let check = |attr: Attr<'_>, blkbits, flags| {
            assert_eq!((attr.ino(), attr.size(), attr.blocks()), (3, 5, 8));
            assert_eq!(attr.atime(), Timestamp::new(10, 13));
            assert_eq!(attr.mtime(), Timestamp::new(11, 14));
            assert_eq!(attr.ctime(), Timestamp::new(12, 15));
            assert_eq!((attr.kind(), attr.perm()), (FileType::Regular, 0o4755));
            assert_eq!(attr.mode(), 0o104755);
            assert_eq!((attr.nlink(), attr.uid(), attr.gid()), (2, 1000, 1001));
            assert_eq!(attr.rdev(), Rdev::from_raw(0x103));
            assert_eq!((attr.blkbits(), attr.flags()), (blkbits, flags));
        };
        for &minor in MINORS.iter().filter(|&&minor| minor >= 9) {
            let reply = decode(Getattr { fh: None }, raw.as_bytes(), minor);
            let reply = reply.expect("a length").expect("attributes");
            check(reply.attr(), Some(12), AttrFlags::SUBMOUNT);
            assert_eq!(reply.valid, Timeout::new(30, 31));
            let again = decode(Setattr::default(), raw.as_bytes(), minor);
            assert_eq!(again, Ok(Ok(reply)));
        }
        // Before 7.9 the block size and the flags are not there, and are zero.
        for minor in [0, 8] {
            let reply = decode(Getattr { fh: None }, &raw.as_bytes()[..96], minor);
            let reply = reply.expect("a length").expect("attributes");
            check(reply.attr(), None, AttrFlags::EMPTY);
        }
    }

    #[test]
    fn every_mode() {
        let types = [0o01, 0o02, 0o04, 0o06, 0o10, 0o12, 0o14];
        for mode in (0..=0xffff).chain([
            0x1_0000 | 0o100644,
            u32::MAX,
            0xffff_0000,
            0xffff_0000 | 0o40755,
        ]) {
            let valid = types.contains(&((mode & 0o170000) >> 12));
            match Attr::new(&raw_attr(mode)) {
                Err(BadAttr) => assert!(!valid, "{mode:o}"),
                Ok(attr) => {
                    assert!(valid, "{mode:o}");
                    // Bits above the type mean nothing, as in C.
                    assert_eq!(attr.mode(), mode & 0xffff, "{mode:o}");
                    assert_eq!(FileType::from_mode(mode), Some(attr.kind()));
                    assert_eq!(attr.kind().bits(), mode & 0o170000);
                }
            }
        }
    }

    #[test]
    fn sizes_fit_into_loff_t() {
        let attr = |size| {
            let raw = FuseAttr {
                size,
                ..raw_attr(0o100644)
            };
            Attr::new(&raw).map(|attr| attr.size())
        };
        assert_eq!(attr(0), Ok(0));
        assert_eq!(attr(i64::MAX as u64), Ok(i64::MAX));
        assert_eq!(attr(i64::MAX as u64 + 1), Err(BadAttr));
        assert_eq!(attr(u64::MAX), Err(BadAttr));
    }

    #[test]
    fn nanoseconds_are_clamped_and_seconds_are_signed() {
        let attr = |atimensec| FuseAttr {
            atimensec,
            mtimensec: atimensec,
            ctimensec: atimensec,
            atime: u64::MAX,
            mtime: 1 << 63,
            ctime: i64::MAX as u64,
            ..raw_attr(0o100644)
        };
        for (nsec, clamped) in [
            (0, 0),
            (999_999_999, 999_999_999),
            (1_000_000_000, 999_999_999),
            (u32::MAX, 999_999_999),
        ] {
            let raw = attr(nsec);
            let attr = Attr::new(&raw).expect("attributes");
            for (time, secs) in [
                (attr.atime(), -1),
                (attr.mtime(), i64::MIN),
                (attr.ctime(), i64::MAX),
            ] {
                assert_eq!((time.secs(), time.nsecs()), (secs, clamped));
            }
        }
    }

    #[test]
    fn long_numbers_are_folded_into_short_words() {
        for (ino, folded) in [
            (0, 0),
            (7, 7),
            (0xffff_ffff, 0xffff_ffff),
            (0x1_0000_0000, 1),
            (0x1234_5678_9abc_def0, 0x8888_8888),
            (u64::MAX, 0),
        ] {
            let raw = FuseAttr {
                ino,
                ..raw_attr(0o100644)
            };
            let attr = Attr::new(&raw).expect("attributes");
            assert_eq!((attr.ino(), attr.squashed_ino(64)), (ino, ino));
            assert_eq!(attr.squashed_ino(32), folded);
        }
    }

    #[test]
    fn block_sizes_become_powers_of_two() {
        let blkbits = |blksize| {
            let raw = FuseAttr {
                blksize,
                ..raw_attr(0o100644)
            };
            Attr::new(&raw).expect("attributes").blkbits()
        };
        assert_eq!(blkbits(0), None);
        assert_eq!(blkbits(1), Some(0));
        assert_eq!(blkbits(4095), Some(11));
        assert_eq!(blkbits(4096), Some(12));
        assert_eq!(blkbits(u32::MAX), Some(31));
    }

    #[test]
    fn unknown_flags_are_dropped() {
        let raw = FuseAttr {
            flags: u32::MAX,
            ..raw_attr(0o100644)
        };
        let flags = Attr::new(&raw).expect("attributes").flags();
        assert_eq!(flags, AttrFlags::KNOWN);
    }
}
